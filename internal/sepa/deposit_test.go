package sepa

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// rules are how every partner's names are judged.
type rules struct{}

func (rules) NameRule(db.Reader, int64) (NameRule, error) {
	return NameRule{Company: "Test Partner", Accept: 920, Reject: 750}, nil
}

// teller is a bank that announces payments and books them when it is told to.
type teller struct{ paid []Entry }

func (t *teller) Pay(_ *db.Tx, in Incoming) (Entry, error) {
	e := Entry{
		Account: collective, Reference: fmt.Sprint("credit ", clock.NewID()), Amount: in.Amount, Title: in.Title, EndToEnd: "NOTPROVIDED",
		Debtor: Party{Name: in.SenderName, IBAN: in.SenderIBAN}, Creditor: Party{IBAN: in.IBAN}, Day: bookingDay,
	}
	t.paid = append(t.paid, e)
	return e, nil
}

const collective = "LT121000011101001000"

var bookingDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// books are those of the operator and of partner 1 with one active user.
type books struct {
	*testing.T
	db   *db.DB
	sepa *Service
	user user.User
	bank *teller
}

func newBooks(t *testing.T, d *db.DB) *books {
	t.Helper()
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	events := event.NewLog(v, func(int64) {})
	jobs := job.NewRunner(job.Config{DB: d, Clock: now, Node: "test", Log: slog.New(slog.DiscardHandler)})
	b := &books{T: t, db: d}
	users := user.NewService(v, now, cat, events)
	if b.sepa, err = NewService(Config{
		DB: d, Vault: v, Clock: now, Catalog: cat, Bank: SandboxBank, Events: events, Users: users, Jobs: jobs, Owners: rules{},
		Log: slog.New(slog.DiscardHandler),
	}); err != nil {
		t.Fatal(err)
	}
	b.bank = &teller{}
	b.sepa.Simulate(b.bank)
	b.must(func(tx *db.Tx) error {
		for partner := range int64(2) {
			ledger.OpenBook(tx, partner, []money.Currency{b.sepa.euro}, now.Now())
		}
		if err := b.sepa.OpenPartner(tx, 1, now.Now()); err != nil {
			return err
		}
		b.user, _, err = users.Create(tx, 1, user.New{ExternalID: "user", Model: user.KYC, Person: user.Person{Country: "LT"}})
		return err
	})
	b.must(func(tx *db.Tx) error {
		return users.Establish(tx, b.user, user.Established{FirstName: "Test", LastName: "User", At: now.Now()})
	})
	b.setUser(user.Verified)
	b.must(func(tx *db.Tx) error { return b.sepa.Activate(tx, b.user, catalog.Country{Code: "LT", IBAN: true}) })
	return b
}

func (b *books) must(fn func(tx *db.Tx) error) {
	b.Helper()
	if err := b.db.Update(b.Context(), fn); err != nil {
		b.Fatal(err)
	}
}

func (b *books) setUser(verification string) {
	b.Helper()
	b.user.Verification, b.user.ActivatedAt = verification, time.Now()
	b.must(func(tx *db.Tx) error { user.SaveState(tx, b.user); return nil })
}

// receive lets a payment of the user's own arrive and answers the job that decides on it.
func (b *books) receive(cents int64) job.Job {
	b.Helper()
	return b.receiveFrom("Test User", cents)
}

// receiveFrom lets a payment of somebody arrive for the user.
func (b *books) receiveFrom(sender string, cents int64) job.Job {
	b.Helper()
	var d Deposit
	b.must(func(tx *db.Tx) error {
		a, err := b.sepa.FindAccount(tx, 1, b.user.ID)
		if err != nil {
			return err
		}
		d, err = b.sepa.Receive(tx, 1, Incoming{
			IBAN: a.IBAN, Amount: money.New(cents, b.sepa.euro), SenderName: sender, SenderIBAN: "DE89370400440532013000",
		})
		return err
	})
	for range 2 {
		if err := b.sepa.Book(b.Context(), b.bank.paid); err != nil {
			b.Fatal(err)
		}
	}
	b.applyAll()
	return job.Job{Partner: 1, Kind: bookDeposit, Object: d.ID}
}

// applyAll passes on what the bank has booked, as often as a crash would.
func (b *books) applyAll() {
	b.Helper()
	for range 2 {
		if err := applyAll(b.Context(), b.db, b.sepa); err != nil {
			b.Fatal(err)
		}
	}
}

// run runs a deposit's job, as often as a crash between its commit and its end would.
func (b *books) run(j job.Job, times int) {
	b.Helper()
	for range times {
		if err := b.sepa.book(b.Context(), j); err != nil {
			b.Error(err)
		}
	}
}

func (b *books) want(balance, suspense int64) {
	b.Helper()
	err := b.db.View(b.Context(), func(r db.Reader) error {
		for owner, want := range map[ledger.Purpose]int64{ledger.Balance: balance, ledger.Suspense: suspense} {
			id := b.user.ID
			if owner == ledger.Suspense {
				id = ledger.PartnerItself
			}
			var posted int64
			q := db.NewQuery(`SELECT posted FROM account WHERE partner_id = 1 AND owner_id = $1 AND purpose = $2 AND currency = 'eur'`)
			if err := r.Row(q, id, string(owner)).Scan(&posted); err != nil {
				return err
			}
			if posted != want {
				b.Errorf("%s has %d, want %d", owner, posted, want)
			}
		}
		found, err := Verify(b.Context(), r)
		if len(found) > 0 {
			b.Errorf("verify: %q", found)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

func TestRepeatedJobCreditsOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		b.run(b.receive(1000), 3)
		b.want(1000, 0)
	})
}

func TestMoneyForAnExpiredUserWaitsOnSuspenseOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		b.setUser(user.Expired)
		j := b.receive(1000)
		b.run(j, 2)
		b.want(0, 1000)
		b.setUser(user.Verified) // the repeated job must not credit what stands on suspense
		b.run(j, 1)
		b.want(0, 1000)
	})
}

func TestPaymentForAnotherPartnerIsForNobody(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		var a Account
		b.must(func(tx *db.Tx) (err error) {
			a, err = b.sepa.FindAccount(tx, 1, b.user.ID)
			return err
		})
		for _, in := range []Incoming{{IBAN: a.IBAN}, {Title: a.Title}} {
			in.Amount = money.New(1, b.sepa.euro)
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				_, err := b.sepa.Receive(tx, 2, in)
				return err
			})
			if fault.From(err).Code != fault.InvalidUser {
				t.Errorf("another partner's deposit: %v, want P412", err)
			}
		}
		b.must(func(tx *db.Tx) error {
			title := strings.ToLower(a.Title[:4]) + " " + a.Title[4:]
			_, err := b.sepa.Receive(tx, 1, Incoming{Title: title, Amount: money.New(1, b.sepa.euro)})
			return err
		})
	})
}

func TestBankSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for _, good := range []Bank{
		SandboxBank,
		{Country: "PL", Code: "10901014", AccountDigits: 16, BIC: "KNTRPL20"},
		{Country: "NO", Code: "8601", AccountDigits: 6, BIC: "KNTRNO20"},
		{Country: "ES", Code: "21000418", AccountDigits: 10, BIC: "KNTRES20"},
	} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
		for range 50 {
			number, err := good.draw()
			if err != nil {
				t.Fatalf("%+v: %v", good, err)
			}
			if known, right := number.National(); known && !right {
				t.Errorf("%s has wrong national check digits", number)
			}
		}
	}
	for _, bad := range []Bank{
		{},
		{Country: "LT", Code: "99999", AccountDigits: 11, BIC: "no"},
		{Country: "LT", Code: "99999", AccountDigits: 9, BIC: "KNTRLT20"},
		{Country: "XX", Code: "99999", AccountDigits: 11, BIC: "KNTRLT20"},
		{Country: "PL", Code: "10901015", AccountDigits: 16, BIC: "KNTRPL20"},
	} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken for a bank", bad)
		}
	}
}
