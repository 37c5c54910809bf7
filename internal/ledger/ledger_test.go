package ledger_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

var (
	eur = money.Currency{Code: "eur", Scale: 2}
	at  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// book is a partner's book with one customer.
type book struct {
	*testing.T
	db       *db.DB
	customer clock.ID
	balance  clock.ID
	bank     clock.ID // stands for the outside: may be below zero
}

func newBook(t *testing.T, d *db.DB) *book {
	b := &book{T: t, db: d, customer: clock.NewID()}
	b.must(func(tx *db.Tx) error {
		b.balance = ledger.OpenAccount(tx, 1, b.customer, ledger.Balance, eur, at)
		b.bank = ledger.OpenAccount(tx, 1, ledger.PartnerItself, ledger.Clearing, eur, at)
		return nil
	})
	return b
}

func (b *book) must(fn func(tx *db.Tx) error) {
	b.Helper()
	if err := b.db.Update(b.Context(), fn); err != nil {
		b.Fatal(err)
	}
}

func operation() ledger.Operation { return ledger.Operation{Type: "TEST", ID: clock.NewID()} }

func (b *book) deposit(units int64) {
	b.Helper()
	b.must(func(tx *db.Tx) error {
		to, err := ledger.FindCustomer(tx, 1, b.customer, eur)
		if err != nil {
			return err
		}
		ledger.Post(tx, 1, operation(), at, ledger.Credit("amount", b.bank, to, money.New(units, eur))...)
		return nil
	})
}

func (b *book) state() ledger.State {
	b.Helper()
	var s map[string]ledger.State
	err := b.db.View(b.Context(), func(r db.Reader) (err error) {
		s, err = ledger.Balances(r, 1, b.customer, func(string) (money.Currency, bool) { return eur, true })
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return s["eur"]
}

func (b *book) owed() int64 {
	b.Helper()
	var c ledger.Customer
	err := b.db.View(b.Context(), func(r db.Reader) (err error) {
		c, err = ledger.FindCustomer(r, 1, b.customer, eur)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return c.Owed.Units()
}

func (b *book) want(posted, held, owed int64) {
	b.Helper()
	if s := b.state(); s.Posted.Units() != posted || s.Held.Units() != held || b.owed() != owed {
		b.Errorf("posted %d, held %d, owed %d; want %d, %d, %d",
			s.Posted.Units(), s.Held.Units(), b.owed(), posted, held, owed)
	}
	b.verify(0)
}

func (b *book) verify(violations int) []string {
	b.Helper()
	var found []string
	err := b.db.Snapshot(b.Context(), func(r db.Reader) (err error) {
		found, err = ledger.Verify(b.Context(), r)
		return err
	})
	if err != nil || len(found) != violations {
		b.Errorf("verify found %q, %v; want %d violations", found, err, violations)
	}
	return found
}

func TestPostMovesMoneyOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		b.deposit(1000)
		op := operation()
		pay := func(units int64) error {
			return d.Update(t.Context(), func(tx *db.Tx) error {
				ledger.Post(tx, 1, op, at, ledger.Leg{Name: "amount", Debit: b.balance, Credit: b.bank, Amount: money.New(units, eur)})
				return nil
			})
		}
		if err := pay(1001); fault.From(err).Code != fault.InsufficientFunds {
			t.Errorf("paying more than there is: %v", err)
		}
		if err := pay(400); err != nil {
			t.Fatal(err)
		}
		if err := pay(400); !db.Violates(err, "ledger_transfer_pkey") {
			t.Errorf("the same leg twice: %v", err)
		}
		b.want(600, 0, 0)
	})
}

func TestHoldIsCapturedInPartsAndEndsOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		b.deposit(1000)
		var id clock.ID
		b.must(func(tx *db.Tx) error {
			id = ledger.Place(tx, 1, operation(), b.balance, money.New(700, eur), at)
			return nil
		})
		b.want(1000, 700, 0)
		capture := func(units int64, final bool) error {
			return d.Update(t.Context(), func(tx *db.Tx) error {
				h, err := ledger.FindHold(tx, 1, id, eur)
				if err != nil {
					return err
				}
				return ledger.Capture(tx, 1, h, at, final,
					ledger.Leg{Name: "amount", Debit: b.balance, Credit: b.bank, Amount: money.New(units, eur)})
			})
		}
		if err := capture(701, true); !errors.Is(err, ledger.ErrHoldExceeded) {
			t.Errorf("capture above the hold: %v", err)
		}
		if err := capture(200, false); err != nil {
			t.Fatal(err)
		}
		b.want(800, 500, 0)
		if err := capture(100, true); err != nil {
			t.Fatal(err)
		}
		b.want(700, 0, 0)
		if err := capture(1, false); !errors.Is(err, ledger.ErrHoldEnded) {
			t.Errorf("capture after the end: %v", err)
		}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			h, err := ledger.FindHold(tx, 1, id, eur)
			if err != nil {
				return err
			}
			return ledger.Release(tx, 1, h, at)
		})
		if !errors.Is(err, ledger.ErrHoldEnded) {
			t.Errorf("release after the end: %v", err)
		}
	})
}

func TestHoldBeyondTheBalanceIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		b.deposit(100)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			ledger.Place(tx, 1, operation(), b.balance, money.New(101, eur), at)
			return nil
		})
		if fault.From(err).Code != fault.InsufficientFunds {
			t.Errorf("hold beyond the balance: %v", err)
		}
		b.want(100, 0, 0)
	})
}

func TestRacingEndsOfAHoldEndItOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		b.deposit(1000)
		var id clock.ID
		b.must(func(tx *db.Tx) error {
			id = ledger.Place(tx, 1, operation(), b.balance, money.New(500, eur), at)
			return nil
		})
		var ended atomic.Int64
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					h, err := ledger.FindHold(tx, 1, id, eur)
					if err != nil {
						return err
					}
					switch i % 3 {
					case 0:
						return ledger.Release(tx, 1, h, at)
					case 1:
						return ledger.Expire(tx, 1, h, at)
					}
					return ledger.Capture(tx, 1, h, at, true,
						ledger.Leg{Name: "amount", Debit: b.balance, Credit: b.bank, Amount: money.New(500, eur)})
				})
				switch {
				case err == nil:
					ended.Add(1)
				case !errors.Is(err, ledger.ErrHoldEnded):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if ended.Load() != 1 {
			t.Errorf("the hold ended %d times", ended.Load())
		}
		if s := b.state(); s.Held.Units() != 0 {
			t.Errorf("%d still held", s.Held.Units())
		}
		b.verify(0)
	})
}

func TestCollectTakesWhatIsThereAndTheNextCreditsRepayTheRest(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		b.deposit(300)
		collect := func(units int64) {
			b.must(func(tx *db.Tx) error {
				return ledger.Collect(tx, 1, operation(), at, b.customer, "fee", b.bank, money.New(units, eur))
			})
		}
		collect(100)
		b.want(200, 0, 0)
		collect(1000)
		b.want(0, 0, 800)
		b.deposit(500)
		b.want(0, 0, 300)
		collect(50)
		b.want(0, 0, 350)
		b.deposit(1000)
		b.want(650, 0, 0)
	})
}

func TestCustomerWhoOwesMayNotPay(t *testing.T) {
	t.Parallel()
	if err := (ledger.Customer{Owed: money.New(1, eur)}).MayPay(); fault.From(err).Code != fault.InsufficientFunds {
		t.Errorf("a debtor pays: %v", err)
	}
	if err := (ledger.Customer{Owed: money.New(0, eur)}).MayPay(); err != nil {
		t.Error(err)
	}
}

func TestClosedAccountTakesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		b.must(func(tx *db.Tx) error { ledger.CloseAccounts(tx, 1, b.customer); return nil })
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			ledger.Post(tx, 1, operation(), at, ledger.Leg{Name: "amount", Debit: b.bank, Credit: b.balance, Amount: money.New(1, eur)})
			return nil
		})
		if fault.From(err).Code != fault.InvalidUser {
			t.Errorf("a credit to a closed account: %v", err)
		}
		b.want(0, 0, 0)
	})
}

func TestStatementAgreesWithTheBalance(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		day := 24 * time.Hour
		for i := range 5 {
			b.must(func(tx *db.Tx) error {
				ledger.Post(tx, 1, operation(), at.Add(time.Duration(i)*day),
					ledger.Leg{Name: "amount", Debit: b.bank, Credit: b.balance, Amount: money.New(int64(100*(i+1)), eur)})
				return nil
			})
		}
		var s ledger.Statement
		err := d.Snapshot(t.Context(), func(r db.Reader) (err error) {
			s, err = ledger.ReadStatement(r, 1, b.balance, eur, at.Add(day), at.Add(4*day), 10)
			return err
		})
		if err != nil || s.Opening.Units() != 100 || s.Closing.Units() != 1000 || len(s.Entries) != 3 {
			t.Errorf("opening %v, closing %v, %d entries, %v; want 1.00, 10.00, 3", s.Opening, s.Closing, len(s.Entries), err)
		}
		if len(s.Entries) == 3 && (s.Entries[0].Amount.Units() != 200 || s.Entries[0].Other != b.bank) {
			t.Errorf("first entry %+v", s.Entries[0])
		}
		for limit, want := range map[int]error{3: nil, 2: ledger.ErrTooLong, 0: ledger.ErrTooLong} {
			err := d.Snapshot(t.Context(), func(r db.Reader) error {
				_, err := ledger.ReadStatement(r, 1, b.balance, eur, at.Add(day), at.Add(4*day), limit)
				return err
			})
			if !errors.Is(err, want) {
				t.Errorf("at most %d entries: %v, want %v", limit, err, want)
			}
		}
	})
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		b.deposit(500)
		b.must(func(tx *db.Tx) error { tx.Move(1, b.balance, 1, 0); return nil }) // money from nowhere
		found := strings.Join(b.verify(2), "\n")
		for _, want := range []string{"sum to 1, not to zero", b.balance.String() + " has 501 posted, but its transfers sum to 500"} {
			if !strings.Contains(found, want) {
				t.Errorf("%q does not say %q", found, want)
			}
		}
		b.must(func(tx *db.Tx) error { tx.Move(1, b.balance, -1, 2); return nil }) // held without a hold
		b.verify(1)
	})
}

func TestSumsStayShortOf64Bits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBook(t, d)
		const half = 5_000_000_000_000_000_000
		b.deposit(half)
		for _, units := range []int64{half, 1<<63 - 1} { // within 64 bits, and beyond
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				ledger.Post(tx, 1, operation(), at, ledger.Leg{Name: "amount", Debit: b.bank, Credit: b.balance, Amount: money.New(units, eur)})
				return nil
			})
			if fault.From(err).Code != fault.AmountOutOfRange {
				t.Errorf("a sum beyond the range: %v, want P430", err)
			}
		}
		b.want(half, 0, 0)
	})
}
