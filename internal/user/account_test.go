package user_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"kontor/internal/audit"
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

const retention = 30 * 24 * time.Hour

var setState = db.NewCommand(`UPDATE users SET verification = $3, activated_at = $4 WHERE partner_id = $1 AND id = $2`)

// office is partner 1 with its book, its users, and features that say what the test wants.
type office struct {
	*testing.T
	db      *db.DB
	now     *clock.Manual
	users   *user.Service
	beside  *user.Service // of another process on the same database
	runner  *job.Runner
	catalog *catalog.Catalog
	euro    money.Currency
	partner ledger.Customer
	others  *others
}

// others are the features beside: what they answer, and what they were told.
type others struct {
	mu             sync.Mutex
	open, cards    bool
	erased         []clock.ID
	changed        []user.Person // before and after
	refuseToReview error
}

func (o *others) HasOpenOperations(db.Reader, int64, clock.ID) (bool, error) { return o.open, nil }

func (o *others) HasActiveCards(db.Reader, int64, clock.ID) (bool, error) { return o.cards, nil }

func (o *others) ErasePerson(_ *db.Tx, _ int64, id clock.ID) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.erased = append(o.erased, id)
	return nil
}

func (o *others) PersonChanged(_ *db.Tx, _ user.User, before, after user.Person) error {
	o.changed = append(o.changed, before, after)
	return o.refuseToReview
}

// each runs a test in an office on either engine.
func each(t *testing.T, test func(o *office)) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		master := make([]byte, vault.KeySize)
		if _, err := rand.Read(master); err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(t.Context(), d, master)
		if err != nil {
			t.Fatal(err)
		}
		cat, err := catalog.Load("")
		if err != nil {
			t.Fatal(err)
		}
		o := &office{T: t, db: d, catalog: cat, now: clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), others: &others{}}
		o.users = user.NewService(v, o.now, cat, event.NewLog(v, func(int64) {}))
		o.beside = user.NewService(v, o.now, cat, event.NewLog(v, func(int64) {}))
		o.runner = job.NewRunner(job.Config{DB: d, Clock: o.now, Node: "test", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		o.users.Attach(d, o.runner, user.Others{
			Operations: []user.OpenOperations{o.others}, Cards: []user.Cards{o.others},
			Erasers: []user.Eraser{o.others}, Reviewer: o.others,
		})
		o.euro, _ = cat.Currency("eur")
		o.must(func(tx *db.Tx) error {
			ledger.OpenBook(tx, 1, []money.Currency{o.euro}, o.now.Now())
			return nil
		})
		o.must(func(tx *db.Tx) (err error) {
			o.partner, err = ledger.FindCustomer(tx, 1, ledger.PartnerItself, o.euro)
			return err
		})
		o.must(func(tx *db.Tx) error {
			equity, err := ledger.FindAccount(tx, 1, ledger.PartnerItself, ledger.Equity, o.euro)
			ledger.Post(tx, 1, ledger.Operation{Type: "TEST", ID: clock.NewID()}, o.now.Now(),
				ledger.Leg{Name: "amount", Debit: equity, Credit: o.partner.Balance, Amount: o.eur(1000)})
			return err
		})
		test(o)
	})
}

func (o *office) eur(cents int64) money.Amount { return money.New(cents, o.euro) }

func (o *office) must(fn func(tx *db.Tx) error) {
	o.Helper()
	if err := o.db.Update(o.Context(), fn); err != nil {
		o.Fatal(err)
	}
}

// refuse wants a code.
func (o *office) refuse(want fault.Code, fn func(tx *db.Tx) error) {
	o.Helper()
	if err := o.db.Update(o.Context(), fn); err == nil || fault.From(err).Code != want {
		o.Errorf("got %v, want %s", err, want)
	}
}

// open opens an account; verified and active, unless it is to wait.
func (o *office) open(id string, active bool) (u user.User) {
	o.Helper()
	o.must(func(tx *db.Tx) (err error) {
		u, _, err = o.users.Create(tx, 1, user.New{ExternalID: id, Model: user.KYC, Person: user.Person{
			Email: id + "@example.com", FirstName: "Test", LastName: "User", Country: "LT", BirthDate: "1990-01-31", DocumentNumber: "TEST1",
		}})
		return err
	})
	if active {
		o.must(func(tx *db.Tx) error {
			tx.Write(setState, int64(1), u.ID, user.Verified, o.now.Now())
			return nil
		})
	}
	return u
}

// pay moves a cent between the partner and a user, as a transfer does.
func (o *office) pay(from, to string) error {
	return o.db.Update(o.Context(), func(tx *db.Tx) error {
		source, destination, err := o.users.Parties(tx, 1, from, to, o.euro)
		if err != nil {
			return err
		}
		payer, payee := o.partner.Balance, o.partner
		if source != nil {
			if err := source.User.MayPay(true); err != nil {
				return err
			}
			payer = source.Balance
		}
		if destination != nil {
			if err := destination.User.MayReceive(true); err != nil {
				return err
			}
			payee = destination.Customer
		}
		ledger.Post(tx, 1, ledger.Operation{Type: "TEST", ID: clock.NewID()}, o.now.Now(),
			ledger.Credit("amount", payer, payee, o.eur(1))...)
		return nil
	})
}

// posted is what stands on a user's euro balance, whether the user lives or not.
func (o *office) posted(u user.User) (cents int64) {
	o.Helper()
	err := o.db.View(o.Context(), func(r db.Reader) error {
		states, err := ledger.Balances(r, 1, u.ID, o.catalog.Currency)
		cents = states["eur"].Posted.Units()
		return err
	})
	if err != nil {
		o.Fatal(err)
	}
	return cents
}

func (o *office) sound() {
	o.Helper()
	err := o.db.Snapshot(o.Context(), func(r db.Reader) error {
		found, err := ledger.Verify(o.Context(), r)
		for _, v := range found {
			o.Error(v)
		}
		return err
	})
	if err != nil {
		o.Fatal(err)
	}
}

func (o *office) delete(id string) error {
	return o.db.Update(o.Context(), func(tx *db.Tx) error {
		_, err := o.users.Delete(tx, 1, id, retention)
		return err
	})
}

func TestDeletionRacesWithMoneyThatComesIn(t *testing.T) {
	each(t, func(o *office) {
		for range 5 {
			id := clock.NewID().String()
			u := o.open(id, true)
			var arrived, refused int64
			var mu sync.Mutex
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					err := o.pay("", id)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						arrived++
					case fault.From(err).Code == fault.InvalidUser:
						refused++
					default:
						o.Error(err)
					}
				})
			}
			var deletion error
			all.Go(func() { deletion = o.delete(id) })
			all.Wait()
			switch {
			case deletion == nil && (arrived != 0 || o.posted(u) != 0):
				o.Errorf("%d payments reached a user who was deleted", arrived)
			case deletion != nil && fault.From(deletion).Code != fault.UserHasFunds:
				o.Error(deletion)
			case deletion != nil && (refused != 0 || o.posted(u) != arrived):
				o.Errorf("%d of the payments to a living user were refused, and %d stand on the balance of %d", refused, o.posted(u), arrived)
			}
		}
		o.sound()
	})
}

func TestSuspensionRacesWithPayments(t *testing.T) {
	each(t, func(o *office) {
		u := o.open("payer", true)
		for range 20 {
			if err := o.pay("", "payer"); err != nil {
				o.Fatal(err)
			}
		}
		var paid int64
		var mu sync.Mutex
		var all sync.WaitGroup
		started := make(chan struct{}, 16)
		for range 16 {
			all.Go(func() {
				started <- struct{}{}
				err := o.pay("payer", "")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					paid++
				} else if fault.From(err).Code != fault.UserSuspended {
					o.Error(err)
				}
			})
		}
		<-started
		o.must(func(tx *db.Tx) error { _, err := o.users.Suspend(tx, 1, "payer"); return err })
		// What begins after the suspension is refused, whatever of the others is still under way.
		if err := o.pay("payer", ""); err == nil || fault.From(err).Code != fault.UserSuspended {
			o.Errorf("a suspended user paid: %v", err)
		}
		if err := o.pay("", "payer"); err != nil {
			o.Errorf("a suspended user received nothing: %v", err)
		}
		all.Wait()
		if got := o.posted(u); got != 21-paid {
			o.Errorf("%d cents are left of 21 after %d payments", got, paid)
		}
		o.sound()
	})
}

func TestPersonalDataAreErasedAfterTheRetention(t *testing.T) {
	each(t, func(o *office) {
		u, other := o.open("leaver", false), o.open("stayer", false)
		if err := o.delete("leaver"); err != nil {
			o.Fatal(err)
		}
		person := func(of user.User) error {
			return o.db.View(o.Context(), func(r db.Reader) error { _, err := o.users.FindPerson(r, of); return err })
		}
		if err := person(u); err != nil {
			o.Errorf("the data were erased at once: %v", err)
		}
		done := make(chan struct{})
		ctx, stop := context.WithCancel(o.Context())
		go func() { defer close(done); o.runner.Run(ctx) }()
		o.now.Advance(retention + time.Second)
		o.runner.Wake()
		for attempts := 0; !errors.Is(person(u), db.ErrNoRows); attempts++ {
			if attempts > 100_000 {
				o.Fatal("the data were not erased")
			}
		}
		stop()
		<-done
		if err := person(other); err != nil {
			o.Errorf("another user's data were erased: %v", err)
		}
		if len(o.others.erased) == 0 || o.others.erased[0] != u.ID {
			o.Errorf("the other features erased %v, want %s", o.others.erased, u.ID)
		}
		o.must(func(tx *db.Tx) error {
			contacts, err := user.Contacts(tx, 1, u.ID)
			if c := contacts[u.ID]; c != (user.Contact{ExternalID: "leaver"}) {
				o.Errorf("the deleted user's contact is %+v", c)
			}
			return err
		})
	})
}

func TestDeletionWithoutRetentionErasesAtOnce(t *testing.T) {
	each(t, func(o *office) {
		u := o.open("leaver", false)
		o.must(func(tx *db.Tx) error { _, err := o.users.Delete(tx, 1, "leaver", 0); return err })
		err := o.db.View(o.Context(), func(r db.Reader) error { _, err := o.users.FindPerson(r, u); return err })
		if !errors.Is(err, db.ErrNoRows) {
			o.Errorf("the person is still there: %v", err)
		}
		if len(o.others.erased) == 0 {
			o.Error("the other features were not told")
		}
	})
}

func TestOthersHaveASay(t *testing.T) {
	each(t, func(o *office) {
		o.open("user", true)
		o.others.open, o.others.cards = true, true
		o.refuse(fault.UserHasFunds, func(tx *db.Tx) error { _, err := o.users.Delete(tx, 1, "user", retention); return err })
		o.refuse(fault.ActiveCards, func(tx *db.Tx) error { _, err := o.users.Suspend(tx, 1, "user"); return err })
		o.others.cards = false
		o.must(func(tx *db.Tx) error { _, err := o.users.Suspend(tx, 1, "user"); return err })
		o.others.open = false
		if err := o.delete("user"); err != nil {
			o.Error(err)
		}
	})
}

func TestWhatACheckEstablishedStays(t *testing.T) {
	each(t, func(o *office) {
		u := o.open("user", true)
		o.must(func(tx *db.Tx) error {
			return o.users.Establish(tx, u, user.Established{
				FirstName: "Test", LastName: "User", BirthDate: "1990-01-31", DocumentType: "PASSPORT", DocumentNumber: "TEST1", At: o.now.Now(),
			})
		})
		change := func(c user.Change) error {
			return o.db.Update(o.Context(), func(tx *db.Tx) error { _, err := o.users.Update(tx, 1, "user", c); return err })
		}
		text := func(s string) *string { return &s }
		for _, c := range []user.Change{
			{City: text("Kaunas"), DocumentNumber: text("TEST2"), FirstName: text("Test")}, // the name is the same
			{LastName: text("Another")},
			{BirthDate: text("1991-01-31")},
		} {
			if err := change(c); err != nil {
				o.Fatal(err)
			}
		}
		if told := o.others.changed; len(told) != 4 || told[0].LastName != "User" || told[1].LastName != "Another" || told[3].BirthDate != "1991-01-31" {
			o.Errorf("the reviewer was told %+v", told)
		}
		o.others.refuseToReview = fault.New(fault.ServiceUnavailable)
		if err := change(user.Change{FirstName: text("Lost")}); err == nil {
			o.Error("a change was kept that could not be told to the reviewer")
		}
		err := o.db.View(o.Context(), func(r db.Reader) error {
			e, found, err := o.users.FindEstablished(r, u)
			if !found || e.LastName != "User" || e.BirthDate != "1990-01-31" || e.DocumentNumber != "TEST1" || !e.At.Equal(o.now.Now()) {
				o.Errorf("what the check established became %+v", e)
			}
			return err
		})
		if err != nil {
			o.Error(err)
		}
		p := user.Person{}
		err = o.db.View(o.Context(), func(r db.Reader) (err error) { p, err = o.users.FindPerson(r, u); return err })
		if err != nil || p.FirstName != "Test" || p.LastName != "Another" || p.City != "Kaunas" || p.DocumentNumber != "TEST2" {
			o.Errorf("the profile is %+v, %v", p, err)
		}
		waiting := o.open("waiting", false)
		o.must(func(tx *db.Tx) error {
			_, err := o.users.Update(tx, 1, waiting.ExternalID, user.Change{LastName: text("Another")})
			return err
		})
		if len(o.others.changed) != 6 { // two of the change that was refused
			o.Errorf("the reviewer was told of a user whom no check knows: %+v", o.others.changed)
		}
		o.others.refuseToReview = nil
		waiting.UnderReview = true
		o.must(func(tx *db.Tx) error { user.SaveState(tx, waiting); return nil })
		o.must(func(tx *db.Tx) error {
			_, err := o.users.Update(tx, 1, waiting.ExternalID, user.Change{LastName: text("Third")})
			return err
		})
		if len(o.others.changed) != 8 {
			o.Error("the reviewer was not told of a change during a review")
		}
	})
}

func TestFreezeAndSuspensionAreTwoMarks(t *testing.T) {
	each(t, func(o *office) {
		u := o.open("user", true)
		freeze := func(tx *db.Tx) (err error) {
			u, err = o.users.Freeze(tx, 1, u.ID, audit.Operator("test"), " Court order ")
			return err
		}
		o.must(freeze)
		o.must(freeze)
		o.must(func(tx *db.Tx) error { _, err := o.users.Suspend(tx, 1, "user"); return err })
		o.must(func(tx *db.Tx) error { _, err := o.users.Unsuspend(tx, 1, "user"); return err })
		o.must(func(tx *db.Tx) error {
			now, err := user.Find(tx, 1, "user")
			reason, reasonErr := user.FreezeReason(tx, now)
			if now.Status() != user.Frozen || !now.SuspendedAt.IsZero() || reason != "Court order" {
				o.Errorf("the user is %s for %q after the partner lifted its own mark", now.Status(), reason)
			}
			return errors.Join(err, reasonErr)
		})
		o.refuse(fault.UserSuspended, func(tx *db.Tx) error { _, err := o.users.Delete(tx, 1, "user", retention); return err })
		o.must(func(tx *db.Tx) error {
			_, err := o.users.Unfreeze(tx, 1, u.ID, audit.Operator("test"), "Lifted")
			return err
		})
		if err := o.delete("user"); err != nil {
			o.Error(err)
		}
		o.refuse(fault.InvalidUser, freeze)
	})
}

func TestWhoMayReceive(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := user.User{Model: user.KYC, Verification: user.Verified, ActivatedAt: at}
	for name, c := range map[string]struct {
		change       func(u *user.User)
		pay, receive fault.Code
	}{
		"active":                     {func(*user.User) {}, "", ""},
		"not activated":              {func(u *user.User) { *u = user.User{Model: user.KYC, Verification: user.NotVerified} }, "P459", "P459"},
		"suspended by the partner":   {func(u *user.User) { u.SuspendedAt = at }, "P455", ""},
		"frozen":                     {func(u *user.User) { u.FrozenAt = at }, "P455", "P455"},
		"frozen and suspended":       {func(u *user.User) { u.FrozenAt, u.SuspendedAt = at, at }, "P455", "P455"},
		"in review after activation": {func(u *user.User) { u.UnderReview, u.Verification = true, user.NotVerified }, "P459", "P459"},
		"expired":                    {func(u *user.User) { u.Verification = user.Expired }, "P459", "P459"},
		"deleted":                    {func(u *user.User) { u.DeletedAt = at }, "P412", "P412"},
		"without KYC":                {func(u *user.User) { *u = user.User{Model: user.NoKYC} }, "P410", "P410"},
	} {
		u := active
		c.change(&u)
		for what, got := range map[string]struct {
			err  error
			want fault.Code
		}{"pay": {u.MayPay(true), c.pay}, "receive": {u.MayReceive(true), c.receive}} {
			if (got.err == nil) != (got.want == "") || got.err != nil && fault.From(got.err).Code != got.want {
				t.Errorf("%s: may it %s? %v, want %q", name, what, got.err, got.want)
			}
		}
	}
	if err := (user.User{Model: user.NoKYC}).MayPay(false); err != nil {
		t.Errorf("coins of a user without KYC: %v", err)
	}
}
