package sepa

import (
	"errors"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
	"kontor/internal/money"
)

// ordered lets a stranger's payment be refused, and its return be ordered. It answers the return.
func (b *books) ordered(cents int64) (id clock.ID) {
	b.Helper()
	deposit := b.receiveFrom("Somebody Else", cents)
	b.run(deposit, 1)
	if err := b.sepa.order(b.Context(), job.Job{Partner: 1, Kind: orderReturn, Object: deposit.Object}); err != nil {
		b.Fatal(err)
	}
	q := db.NewQuery(`SELECT id FROM sepa_return WHERE partner_id = 0 AND deposit_id = $1 ORDER BY attempt DESC LIMIT 1`)
	if err := b.db.View(b.Context(), func(r db.Reader) error { return r.Row(q, deposit.Object).Scan(&id) }); err != nil {
		b.Fatal(err)
	}
	return id
}

// waits answers how many returns are unanswered, and how much money waits for officers.
func (b *books) waits() (returns int, items []Item) {
	b.Helper()
	err := b.db.View(b.Context(), func(r db.Reader) error {
		all, err := b.sepa.ListUnanswered(r, 10)
		if err != nil {
			return err
		}
		n, _, err := ReturnsUnanswered(r, b.sepa.clock.Now())
		if returns = len(all); int64(returns) != n {
			b.Errorf("%d returns are unanswered, and %d listed", n, returns)
		}
		if err == nil {
			items, err = b.sepa.ListItems(r, ItemFilter{Limit: 10})
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return returns, items
}

// debited lets the bank book a return of the given amount.
func (b *books) debited(id clock.ID, cents int64) {
	b.Helper()
	err := b.sepa.Book(b.Context(), []Entry{{
		Account: collective, Reference: "debit " + id.String(), Ours: EndToEnd(id), Amount: money.New(-cents, b.sepa.euro), Day: bookingDay,
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.applyAll()
}

func TestReturnWithoutAnswerIsSeenAndReopened(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		now := b.sepa.clock.(*clock.Manual)
		first, second := b.ordered(1000), b.ordered(200)
		if n, _ := b.waits(); n != 0 {
			t.Errorf("%d returns are unanswered at once", n)
		}
		if err := b.sepa.Reopen(t.Context(), first, "test officer", "Test reason"); !errors.Is(err, ErrNotPossible) {
			t.Errorf("reopened at once: %v", err)
		}
		now.Advance(answersWithin + time.Second)
		b.debited(second, 200)
		if n, items := b.waits(); n != 1 || len(items) != 0 {
			t.Errorf("%d returns are unanswered, want the one; %d items", n, len(items))
		}
		for _, wrong := range []clock.ID{second, clock.NewID()} {
			if err := b.sepa.Reopen(t.Context(), wrong, "test officer", "Test reason"); err == nil {
				t.Error("a return that was answered, or that there is not, is reopened")
			}
		}
		if err := b.sepa.Reopen(t.Context(), first, "test officer", "Test reason"); err != nil {
			t.Fatal(err)
		}
		n, items := b.waits()
		if n != 0 || len(items) != 1 || items[0].Why != WaitsRefused {
			t.Errorf("%d returns are unanswered, and %+v waits", n, items)
		}
		b.want(0, 1000)
		b.debited(first, 1000) // after all
		if _, items := b.waits(); len(items) != 2 || items[1].Kind != ItemDebit {
			t.Errorf("the late debit is not for a person: %+v", items)
		}
		b.want(0, 1000)
	})
}

// The bank debits a return in the very moment in which it is reopened.
func TestDebitOfAReopenedReturnIsForAPerson(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		id := b.ordered(1000)
		err := b.sepa.Book(t.Context(), []Entry{{
			Account: collective, Reference: "debit", Ours: EndToEnd(id), Amount: money.New(-1000, b.sepa.euro), Day: bookingDay,
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.sepa.ReportBatch(t.Context(), id, false, "AC04"); err != nil {
			t.Fatal(err)
		}
		b.applyAll()
		if _, items := b.waits(); len(items) != 2 || items[0].Kind != ItemDeposit || items[1].Kind != ItemDebit {
			t.Errorf("waiting are %+v", items)
		}
		b.want(0, 1000)
	})
}

func TestPaymentWhoseOwnerIsNotFoundAnyMoreIsForAPerson(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		var a Account
		b.must(func(tx *db.Tx) (err error) {
			a, err = b.sepa.FindAccount(tx, 1, b.user.ID)
			return err
		})
		const later = "KTAAAAAAAAAA"
		line := Entry{
			Account: collective, Reference: "credit", Amount: money.New(1000, b.sepa.euro), Title: a.Title + " " + later,
			Debtor: Party{Name: "Test User", IBAN: "DE89370400440532013000"}, Day: bookingDay,
		}
		if err := b.sepa.Book(t.Context(), []Entry{line}); err != nil {
			t.Fatal(err)
		}
		b.must(func(tx *db.Tx) error {
			tx.Write(insertDirectory, byTitle, later, 1, clock.NewID())
			return nil
		})
		b.applyAll()
		_, items := b.waits()
		if len(items) != 1 || items[0].Kind != ItemCredit || items[0].Amount.Units() != 1000 {
			t.Fatalf("waiting are %+v", items)
		}
		b.want(0, 0)
		b.sepa.fourEyes = func(db.Reader, int64) (bool, error) { return false, nil }
		assign := Decision{Item: items[0].ID, Officer: "test officer", Verdict: Assign, Reason: "Test reason", To: Target{Partner: 1, User: "user"}}
		if _, err := b.sepa.Decide(t.Context(), assign); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.sepa.assigned(t.Context(), job.Job{Kind: assignEntry, Object: items[0].ID}); err != nil {
				t.Fatal(err)
			}
			b.applyAll()
		}
		b.want(1000, 0)
	})
}
