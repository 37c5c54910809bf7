package sepa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"kontor/internal/audit"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/iban"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// desk is where officers decide: the books of the operator and of partner 1, whose user is verified as Testa Muster, and
// a bank that remembers what it was to send back.
type desk struct {
	*testing.T
	db       *db.DB
	sepa     *Service
	users    *user.Service
	user     user.User
	iban     iban.IBAN // the user's
	fourEyes bool
	handlers map[string]job.Handler
	mu       sync.Mutex
	returned map[clock.ID]ReturnOrder
	entries  int // told by the bank
}

func (k *desk) NameRule(db.Reader, int64) (NameRule, error) {
	return NameRule{Company: "Test Partner", Accept: 900, Reject: 600}, nil
}

func (k *desk) Submit(context.Context, Batch) error { return errors.New("nothing is to be sent") }

func (k *desk) Return(_ context.Context, o ReturnOrder) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.returned[o.ID]; ok && !reflect.DeepEqual(known, o) {
		k.Errorf("a return is ordered again with another content: %+v, then %+v", known, o)
	}
	k.returned[o.ID] = o
	return nil
}

func newDesk(t *testing.T, target string, f *crash) *desk {
	t.Helper()
	d, err := db.Open(t.Context(), target, db.WithInjector(f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	k := &desk{T: t, db: d, returned: map[clock.ID]ReturnOrder{}}
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	k.ok(err)
	cat, err := catalog.Load("")
	k.ok(err)
	now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	events := event.NewLog(v, func(int64) {})
	jobs := job.NewRunner(job.Config{DB: d, Clock: now, Node: "test", Log: slog.New(slog.DiscardHandler)})
	k.users = user.NewService(v, now, cat, events)
	k.sepa, err = NewService(Config{
		DB: d, Vault: v, Clock: now, Catalog: cat, Bank: SandboxBank, Events: events, Users: k.users, Jobs: jobs, Owners: k,
		Log:      slog.New(slog.DiscardHandler),
		FourEyes: func(db.Reader, int64) (bool, error) { return k.fourEyes, nil },
	})
	k.ok(err)
	k.sepa.Join(k)
	k.handlers = map[string]job.Handler{
		bookDeposit: k.sepa.book, applyEntries: k.sepa.apply, orderReturn: k.sepa.order, sendReturn: k.sepa.sendReturn,
		assignEntry: k.sepa.assigned, resumeDeposits: k.sepa.resume,
	}
	k.update(func(tx *db.Tx) error {
		for partner := range int64(2) {
			ledger.OpenBook(tx, partner, []money.Currency{k.sepa.euro}, now.Now())
		}
		if err := k.sepa.OpenPartner(tx, 1, now.Now()); err != nil {
			return err
		}
		k.user, _, err = k.users.Create(tx, 1, user.New{ExternalID: "user", Model: user.KYC, Person: user.Person{Country: "LT"}})
		return err
	})
	k.update(func(tx *db.Tx) error {
		return k.users.Establish(tx, k.user, user.Established{FirstName: "Testa", LastName: "Muster", At: now.Now()})
	})
	k.user.ActivatedAt = now.Now()
	k.verified(user.Verified)
	k.update(func(tx *db.Tx) error { return k.sepa.Activate(tx, k.user, catalog.Country{Code: "LT", IBAN: true}) })
	k.view(func(r db.Reader) error {
		k.iban, err = k.sepa.IBAN(r, 1, k.user.ID)
		return err
	})
	f.armed.Store(true)
	return k
}

func (k *desk) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// again repeats a step that a fault ends, as its job or its caller would.
func (k *desk) again(step func() error) {
	k.Helper()
	var err error
	for range 5 {
		if err = step(); err == nil {
			return
		}
	}
	k.Fatal(err)
}

func (k *desk) update(fn func(tx *db.Tx) error) {
	k.Helper()
	k.ok(k.db.Update(k.Context(), fn))
}

func (k *desk) view(fn func(r db.Reader) error) {
	k.Helper()
	k.ok(k.db.View(k.Context(), fn))
}

// verified sets the user's verification.
func (k *desk) verified(state string) {
	k.Helper()
	k.user.Verification = state
	k.again(func() error {
		return k.db.Update(k.Context(), func(tx *db.Tx) error { user.SaveState(tx, k.user); return nil })
	})
}

var freeze = db.NewCommand(`UPDATE users SET frozen_at = $3 WHERE partner_id = $1 AND id = $2`)

// frozen sets or lifts the operator's mark.
func (k *desk) frozen(at time.Time) {
	k.Helper()
	k.again(func() error {
		return k.db.Update(k.Context(), func(tx *db.Tx) error { tx.Write(freeze, int64(1), k.user.ID, at); return nil })
	})
}

// tell lets the bank book a payment, twice, and runs what follows. to is the virtual IBAN that the payer wrote.
func (k *desk) tell(cents int64, name string, to iban.IBAN) {
	k.Helper()
	k.entries++
	k.book(Entry{
		Account: "LT121000011101001000", Reference: fmt.Sprint("B", k.entries), EndToEnd: "NOTPROVIDED", Amount: money.New(cents, k.sepa.euro),
		Debtor: Party{Name: name, IBAN: "DE89370400440532013000"}, Creditor: Party{Name: "Kontor", IBAN: to}, Title: "Test",
		Day: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	})
}

func (k *desk) book(e Entry) {
	k.Helper()
	for range 2 {
		k.again(func() error { return k.sepa.Book(k.Context(), []Entry{e}) })
	}
	k.work()
}

var (
	selectJobs = db.NewQuery(`SELECT partner_id, kind, object_id FROM job ORDER BY created_at, object_id`)
	deleteJob  = db.NewCommand(`DELETE FROM job WHERE partner_id = $1 AND kind = $2 AND object_id = $3`)
)

// work runs all jobs, and those that they enqueue, each twice, as after a crash before its end.
func (k *desk) work() {
	k.Helper()
	for range 10 {
		var all []job.Job
		k.view(func(r db.Reader) error {
			rows := r.Rows(selectJobs)
			defer rows.Close()
			all = nil
			for rows.Next() {
				var j job.Job
				if err := rows.Scan(&j.Partner, &j.Kind, &j.Object); err != nil {
					return err
				}
				all = append(all, j)
			}
			return rows.Err()
		})
		if len(all) == 0 {
			return
		}
		for _, j := range all {
			for range 2 {
				k.again(func() error { return k.handlers[j.Kind](k.Context(), j) })
			}
			k.again(func() error {
				return k.db.Update(k.Context(), func(tx *db.Tx) error { tx.Write(deleteJob, j.Partner, j.Kind, j.Object); return nil })
			})
		}
	}
	k.Fatal("there is always another job")
}

// sentBack lets the bank debit the newest return, or refuse it.
func (k *desk) sentBack(refused bool) ReturnOrder {
	k.Helper()
	var newest ReturnOrder
	for _, o := range k.returned {
		if newest.ID.IsZero() || bytes.Compare(o.ID[:], newest.ID[:]) > 0 {
			newest = o
		}
	}
	if newest.ID.IsZero() {
		k.Fatal("nothing is to be sent back")
	}
	if refused {
		for range 2 {
			k.again(func() error { return k.sepa.ReportBatch(k.Context(), newest.ID, false, "AC04") })
		}
		return newest
	}
	k.entries++
	k.book(Entry{
		Account: "LT121000011101001000", Reference: fmt.Sprint("B", k.entries), EndToEnd: newest.EndToEnd, Ours: EndToEnd(newest.ID),
		Amount: newest.Amount.Neg(), Returned: true, Creditor: newest.Debtor, Day: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	})
	return newest
}

// waiting are the items that wait.
func (k *desk) waiting() []Item {
	k.Helper()
	var all []Item
	k.view(func(r db.Reader) (err error) {
		all, err = k.sepa.ListItems(r, ItemFilter{Limit: 100})
		if err != nil {
			return err
		}
		n, oldest, err := ItemsWaiting(r)
		if n != int64(len(all)) || (n > 0) == oldest.IsZero() {
			k.Errorf("%d wait since %s, but %d are listed", n, oldest, len(all))
		}
		return err
	})
	return all
}

func (k *desk) only() Item {
	k.Helper()
	all := k.waiting()
	if len(all) != 1 {
		k.Fatalf("%d items wait, want 1: %+v", len(all), all)
	}
	return all[0]
}

// say has an officer decide; one whose answer was lost asks again, and is told that it was decided.
func (k *desk) say(it Item, officer string, v compliance.Verdict, to ...Target) Item {
	k.Helper()
	d := Decision{Item: it.ID, Officer: officer, Verdict: v, Reason: "Test reason"}
	if len(to) > 0 {
		d.To = to[0]
	}
	said := len(it.Decisions)
	k.again(func() (err error) {
		it, err = k.sepa.Decide(k.Context(), d)
		if errors.Is(err, ErrItemDecided) || errors.Is(err, compliance.ErrSameOfficer) {
			return k.db.View(k.Context(), func(r db.Reader) (err error) { it, err = k.sepa.FindItem(r, d.Item); return err })
		}
		return err
	})
	if len(it.Decisions) != said+1 {
		k.Errorf("%d decisions are stored, want %d", len(it.Decisions), said+1)
	}
	return it
}

// refused has an officer try what must not be possible.
func (k *desk) refused(want error, d Decision) {
	k.Helper()
	if d.Reason == "" {
		d.Reason = "Test reason"
	}
	if _, err := k.sepa.Decide(k.Context(), d); !errors.Is(err, want) {
		k.Errorf("%+v: %v, want %v", d, err, want)
	}
}

// stands are figures of the books in cents.
type stands struct {
	Balance, Suspense, Clearing            int64 // partner 1: the user's balance, suspense, clearing
	OwnBank, OwnSuspense, OwnClear, Equity int64 // the operator's; the bank as it sees us: above zero is ours
}

var selectStand = db.NewQuery(`SELECT posted FROM account WHERE partner_id = $1 AND owner_id = $2 AND purpose = $3 AND currency = 'eur'`)

func (k *desk) want(want stands) {
	k.Helper()
	var got stands
	k.view(func(r db.Reader) error {
		for _, a := range []struct {
			partner int64
			owner   clock.ID
			purpose ledger.Purpose
			to      *int64
		}{
			{1, k.user.ID, ledger.Balance, &got.Balance},
			{1, ledger.PartnerItself, ledger.Suspense, &got.Suspense},
			{1, ledger.PartnerItself, ledger.Clearing, &got.Clearing},
			{0, ledger.PartnerItself, ledger.Bank, &got.OwnBank},
			{0, ledger.PartnerItself, ledger.Suspense, &got.OwnSuspense},
			{0, ledger.PartnerItself, ledger.Clearing, &got.OwnClear},
			{0, ledger.PartnerItself, ledger.Equity, &got.Equity},
		} {
			if err := r.Row(selectStand, a.partner, a.owner, string(a.purpose)).Scan(a.to); err != nil {
				return err
			}
		}
		got.OwnBank = -got.OwnBank
		for _, verify := range []func(context.Context, db.Reader) ([]string, error){Verify, ledger.Verify, audit.Verify} {
			found, err := verify(k.Context(), r)
			if err != nil || len(found) > 0 {
				k.Errorf("verify: %q, %v", found, err)
			}
		}
		return nil
	})
	if got != want {
		k.Errorf("the books are\n%+v, want\n%+v", got, want)
	}
}

var selectKinds = db.NewQuery(`SELECT type FROM event WHERE partner_id = 1 ORDER BY object_id, version`)

// told are the events of partner 1.
func (k *desk) told() (all []string) {
	k.Helper()
	k.view(func(r db.Reader) error {
		rows := r.Rows(selectKinds)
		defer rows.Close()
		all = nil
		for rows.Next() {
			var kind string
			if err := rows.Scan(&kind); err != nil {
				return err
			}
			all = append(all, kind)
		}
		return rows.Err()
	})
	return all
}

// eachDesk runs a test on both engines.
func eachDesk(t *testing.T, fn func(k *desk)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			fn(newDesk(t, dbtest.Target(t, engine), &crash{}))
		})
	}
}
