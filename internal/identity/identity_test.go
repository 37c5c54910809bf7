package identity

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/entry"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/page"
	"kontor/internal/user"
)

// host makes a link for the desk's user.
func (d *desk) host(terms Terms) Attempt {
	d.Helper()
	var a Attempt
	d.must(func(tx *db.Tx) (err error) {
		a, err = d.checks.Host(tx, 1, "user", Claims{DocumentType: Passport}, terms)
		return err
	})
	return a
}

// through goes through the hosted page to its end, and has the check run.
func (d *desk) through(a Attempt) {
	d.Helper()
	if _, err := d.checks.Consent(d.Context(), "user", a.Link); err != nil {
		d.Fatal(err)
	}
	d.checks.Staging = true
	if l, err := d.checks.Submit(d.Context(), "user", a.Link, "ACCEPT"); err != nil || l.Attempt.Status != InVerification {
		d.Fatalf("submitted: %+v, %v", l.Attempt, err)
	}
	if err := d.checks.check(d.Context(), job.Job{Partner: 1, Object: a.ID}); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) status() Status {
	d.Helper()
	return read(d, func(r db.Reader) (Status, error) {
		u, err := user.Find(r, 1, "user")
		if err != nil {
			return Status{}, err
		}
		return d.checks.FindStatus(r, u)
	})
}

// book opens the partner's accounts and gives it cents.
func (d *desk) book(cents int64) {
	d.Helper()
	euro := d.checks.euro
	d.must(func(tx *db.Tx) error {
		ledger.OpenBook(tx, 1, []money.Currency{euro}, d.clock.Now())
		return nil
	})
	if cents == 0 {
		return
	}
	d.must(func(tx *db.Tx) error {
		from, err := ledger.FindAccount(tx, 1, ledger.PartnerItself, ledger.Equity, euro)
		if err != nil {
			return err
		}
		to, err := ledger.FindCustomer(tx, 1, ledger.PartnerItself, euro)
		if err != nil {
			return err
		}
		ledger.Post(tx, 1, ledger.Operation{Type: "TEST", ID: clock.NewID()}, d.clock.Now(),
			ledger.Credit("amount", from, to, money.New(cents, euro))...)
		return nil
	})
}

// fees are the entries of the partner's history, with what the partner owes.
func (d *desk) fees() (entries []entry.Entry, owed int64) {
	d.Helper()
	entries = read(d, func(r db.Reader) ([]entry.Entry, error) {
		return d.checks.History(r, entry.Query{Partner: 1, Currencies: []money.Currency{d.checks.euro}, Range: page.Range{Limit: 10}})
	})
	owed = read(d, func(r db.Reader) (int64, error) {
		c, err := ledger.FindCustomer(r, 1, ledger.PartnerItself, d.checks.euro)
		return c.Owed.Units(), err
	})
	if found := read(d, func(r db.Reader) ([]string, error) { return Verify(d.Context(), r) }); len(found) > 0 {
		d.Errorf("verify: %q", found)
	}
	return entries, owed
}

func TestTheFeeIsNeverRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		d.book(40)
		terms := Terms{Fee: money.New(100, d.checks.euro)}
		first := d.host(terms)
		if again := d.host(terms); again.ID != first.ID || again.Link != first.Link {
			t.Errorf("the link that can be used is not answered again: %+v", again)
		}
		entries, owed := d.fees()
		if len(entries) != 1 || owed != 60 || entries[0].ID != first.ID || entries[0].Type != "FEE" || entries[0].Part != entry.Out || entries[0].Amount.Units() != 100 {
			t.Errorf("history %+v, %d cents owed", entries, owed)
		}
		d.clock.Advance(LinkLife)
		if next := d.host(terms); next.Number != 2 || next.Link == first.Link {
			t.Errorf("after the link's life: %+v", next)
		}
		if entries, owed := d.fees(); len(entries) != 2 || owed != 160 {
			t.Errorf("history %+v, %d cents owed", entries, owed)
		}
	})
}

func TestTheFeeOfASuccess(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		d.book(0)
		a := d.host(Terms{Fee: money.New(100, d.checks.euro), OnSuccess: true})
		if entries, owed := d.fees(); len(entries) != 0 || owed != 0 {
			t.Fatalf("before the success: %+v, %d", entries, owed)
		}
		d.through(a)
		if entries, owed := d.fees(); len(entries) != 1 || owed != 100 {
			t.Errorf("after it: %+v, %d", entries, owed)
		}
		if _, err := d.request(); err != nil { // accepts the attempt once more
			t.Fatal(err)
		}
		if entries, owed := d.fees(); len(entries) != 1 || owed != 100 || !d.status().User.Active() {
			t.Errorf("after the request: %+v, %d, %+v", entries, owed, d.status().User)
		}
	})
}

func TestALinkIsACapability(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		a := d.host(Terms{})
		for _, wrong := range [][2]string{{"other", a.Link}, {"user", clock.NewID().String()}, {"user", "x"}, {"user", a.ID.String()}} {
			var known *fault.Error
			if _, err := d.checks.View(t.Context(), wrong[0], wrong[1]); !errors.As(err, &known) || known.Code != fault.InvalidUser {
				t.Errorf("%q leads to %v", wrong, err)
			}
		}
		if l, err := d.checks.View(t.Context(), "user", a.Link); err != nil || !l.Open || l.Expired {
			t.Errorf("the link leads to %+v, %v", l, err)
		}
		var known *fault.Error
		if _, err := d.checks.Submit(t.Context(), "user", a.Link, ""); !errors.As(err, &known) || known.Code != fault.KycNotCompleted {
			t.Errorf("without consent it was submitted: %v", err)
		}
		if _, err := d.request(); !errors.As(err, &known) || known.Code != fault.KycNotCompleted {
			t.Errorf("before its success it was requested: %v", err)
		}
		d.through(a)
		told := len(d.told)
		l, err := d.checks.Submit(t.Context(), "user", a.Link, "ACCEPT") // another tab
		if err != nil || l.Open || l.Attempt.Status != Successful || len(d.told) != told {
			t.Errorf("the other tab sees %+v, %v", l, err)
		}
		if l, err := d.checks.Consent(t.Context(), "user", a.Link); err != nil || l.Open {
			t.Errorf("after the submission the link leads to %+v, %v", l, err)
		}
	})
}

func TestALinkExpires(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	a := d.host(Terms{})
	if _, err := d.checks.Consent(t.Context(), "user", a.Link); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(LinkLife)
	d.checks.Staging = true
	l, err := d.checks.Submit(t.Context(), "user", a.Link, "ACCEPT")
	if err != nil || l.Open || !l.Expired || l.Attempt.Status != Pending {
		t.Errorf("after 24 hours: %+v, %v", l, err)
	}
	d.file("front.pdf", paper) // Method A takes its place
	if l, err := d.checks.View(t.Context(), "user", a.Link); err != nil || l.Open || d.status().Attempt.Method != Files {
		t.Errorf("beside a newer attempt: %+v, %v", l, err)
	}
}

func TestADocumentExpires(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		d.file("front.pdf", paper)
		d.file("selfie.pdf", paper)
		var st Status
		d.must(func(tx *db.Tx) (err error) {
			st, err = d.checks.Request(tx, 1, "user", Claims{DocumentType: Passport, ExpiryDate: "2026-03-05"})
			return err
		})
		due := job.Job{Partner: 1, Object: st.Attempt.ID}
		d.clock.Advance(4 * 24 * time.Hour) // its last day
		if err := d.checks.expire(t.Context(), due); err != nil || d.status().User.Verification != user.Verified {
			t.Fatalf("on the last day: %+v, %v", d.status().User, err)
		}
		d.clock.Advance(12 * time.Hour)
		for range 2 {
			if err := d.checks.expire(t.Context(), due); err != nil {
				t.Fatal(err)
			}
		}
		now := d.status()
		if now.User.Verification != user.Expired || !now.User.Active() || now.Attempt.Status != Successful {
			t.Errorf("afterwards: %+v", now)
		}
		if n := strings.Count(strings.Join(d.told, "\n"), `"verificationStatus":"EXPIRED"`); n != 1 {
			t.Errorf("it was told %d times", n)
		}
		d.through(d.host(Terms{})) // the next check
		if now := d.status(); now.User.Verification != user.Verified || d.heard(event.UserStatus, "ACTIVE") != 1 {
			t.Errorf("after the next check: %+v, %q", now, d.told)
		}
	})
}

// finder flags everybody.
type finder struct{ recorded int }

func (f *finder) Screen(db.Reader, Subject) (Finding, error) { return Finding{Hit: true}, nil }

func (f *finder) Record(*db.Tx, Subject, Finding) error { f.recorded++; return nil }

func TestAReviewDecides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accepted                      bool
		verdict, verification, status string
	}{
		{true, "OK", user.Verified, Successful},
		{false, "REJECTED", user.NotVerified, Rejected},
	} {
		dbtest.Each(t, func(t *testing.T, on *db.DB) {
			d := newDesk(t, on, "LT")
			screener := &finder{}
			d.checks.Screener, d.rule = screener, ProofNever
			d.file("front.pdf", paper)
			d.file("selfie.pdf", paper)
			st, err := d.request()
			if err != nil || !st.Attempt.ManualReview || st.User.Verification != user.NotVerified || screener.recorded != 1 {
				t.Fatalf("flagged: %+v, %v", st, err)
			}
			if again, err := d.request(); err != nil || again.Attempt.Status != InVerification || screener.recorded != 1 {
				t.Errorf("asked again: %+v, %v", again, err)
			}
			var known *fault.Error
			err = on.Update(t.Context(), func(tx *db.Tx) error {
				_, err := d.checks.Host(tx, 1, "user", Claims{}, Terms{})
				return err
			})
			if !errors.As(err, &known) || known.Code != fault.Validation {
				t.Errorf("another attempt meanwhile: %v", err)
			}
			d.must(func(tx *db.Tx) error { return d.checks.Reviewed(tx, 1, d.user.ID, c.accepted) })
			now := d.status()
			if now.User.Verification != c.verification || now.User.UnderReview || now.User.Active() != c.accepted ||
				now.Attempt.Status != c.status || now.Attempt.ManualReview || (now.Attempt.Reason == "HIGH_RISK") == c.accepted {
				t.Errorf("decided %s: %+v", c.verdict, now)
			}
			if d.heard(event.HighRisk, c.verdict) != 1 {
				t.Errorf("told: %q", d.told)
			}
		})
	}
}

func TestNobodyIsActiveBeforeItWasAskedFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	d.checks.Screener, d.rule = &finder{}, ProofNever
	d.file("front.pdf", paper)
	d.file("selfie.pdf", paper)
	if _, err := d.request(); err != nil {
		t.Fatal(err)
	}
	d.checks.Clock = clock.NewManual(d.clock.Now().Add(-time.Hour)) // the machine's clock is set back
	d.must(func(tx *db.Tx) error { return d.checks.Reviewed(tx, 1, d.user.ID, true) })
	if now := d.status(); !now.User.Active() || now.User.ActivatedAt.Before(now.Attempt.RequestedAt) {
		t.Errorf("asked for at %v, active at %v", now.Attempt.RequestedAt, now.User.ActivatedAt)
	}
	if found := read(d, func(r db.Reader) ([]string, error) { return Verify(d.Context(), r) }); len(found) > 0 {
		t.Errorf("verify: %q", found)
	}
}

// picky knows no outcome that somebody could choose.
type picky struct{}

func (picky) Check(c Case) (Outcome, error) {
	if c.Claims.Outcome != "" {
		return Outcome{}, fault.Invalid("there is no such outcome")
	}
	return Outcome{Status: Successful}, nil
}

func TestAnOutcomeThatThereIsNotIsToldBeforeTheCheck(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	a := d.host(Terms{})
	if _, err := d.checks.Consent(t.Context(), "user", a.Link); err != nil {
		t.Fatal(err)
	}
	d.checks.Staging, d.checks.Checker = true, picky{}
	var known *fault.Error
	_, err := d.checks.Submit(t.Context(), "user", a.Link, "NOTHING")
	if !errors.As(err, &known) || known.Code != fault.Validation || d.status().Attempt.Status != Pending {
		t.Errorf("submitted: %v, %+v", err, d.status().Attempt)
	}
}

// away is a provider that cannot be reached at first.
type away struct{ asked int }

func (p *away) Start(context.Context, Case, func(Document) (io.ReadCloser, error)) (Outcome, error) {
	if p.asked++; p.asked == 1 {
		return Outcome{}, errors.New("the provider is away")
	}
	return Outcome{}, nil
}

// What testers choose happens, whether there is a provider or not.
func TestTheSandboxAsksNoProvider(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	provider := &away{}
	d.checks.Provider = provider
	d.through(d.host(Terms{}))
	if now := d.status(); now.Attempt.Status != Successful {
		t.Errorf("chosen on the page: %+v", now)
	}
	other := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	other.checks.Provider = provider
	other.file("front.pdf", paper)
	other.must(func(tx *db.Tx) error { _, err := other.checks.Activate(tx, 1, "user", "TEST1"); return err })
	if now := other.status(); !now.User.Active() || now.Attempt.Method != Files || provider.asked > 0 {
		t.Errorf("activated: %+v, asked %d times", now, provider.asked)
	}
}

// scanner reads the document's last day.
type scanner struct{}

func (scanner) Check(Case) (Outcome, error) {
	return Outcome{Status: Successful, Read: Read{ExpiryDate: "2026-09-01"}}, nil
}

func TestAProviderIsWaitedFor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		provider := &away{}
		d.checks.Provider, d.checks.Checker = provider, scanner{}
		d.file("front.pdf", paper)
		d.file("selfie.pdf", paper)
		st, err := d.request()
		if err != nil || st.Attempt.Status != InVerification || st.Attempt.ManualReview || provider.asked != 0 {
			t.Fatalf("requested: %+v, %v", st, err)
		}
		due := job.Job{Partner: 1, Object: st.Attempt.ID}
		if err := d.checks.check(t.Context(), due); err == nil {
			t.Error("a provider that is away leaves no job")
		}
		if err := d.checks.check(t.Context(), due); err != nil || d.status().Attempt.Status != InVerification {
			t.Errorf("handed over: %+v, %v", d.status(), err)
		}
		for _, o := range []Outcome{{Status: Successful}, {Status: Rejected, Reason: "SUSPECTED_FRAUD"}} { // the second comes too late
			if err := d.checks.Conclude(t.Context(), 1, st.Attempt.ID, o); err != nil {
				t.Fatal(err)
			}
		}
		now := d.status()
		if now.Attempt.Status != Successful || !now.User.Active() || d.heard(event.UserStatus, "ACTIVE") != 1 {
			t.Errorf("answered: %+v, %q", now, d.told)
		}
		if got := now.Attempt.Claims.ExpiryDate; got != "2026-09-01" {
			t.Errorf("the last day that the program read is %q", got)
		}
	})
}

// The sandbox's caller says that a document has expired, and flags the user: that is not forgotten when an officer accepts.
func TestAnExpiredDocumentOutlivesTheReview(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	d.checks.Screener, d.rule = &finder{}, ProofNever
	d.checks.Checker = expired{}
	d.must(func(tx *db.Tx) error {
		_, err := d.checks.Activate(tx, 1, "user", "")
		return err
	})
	if now := d.status(); !now.Attempt.ManualReview || now.User.Verification != user.NotVerified {
		t.Fatalf("before the decision: %+v", now)
	}
	d.must(func(tx *db.Tx) error { return d.checks.Reviewed(tx, 1, d.user.ID, true) })
	if now := d.status(); now.User.Verification != user.Expired || !now.User.Active() || now.Attempt.Status != Successful {
		t.Errorf("after it: %+v", now)
	}
}

// expired accepts everybody, with a document that has expired.
type expired struct{}

func (expired) Check(Case) (Outcome, error) { return Outcome{Status: Successful, Expired: true}, nil }

// What a user typed from the document by mistake can be taken back.
func TestTheMachineReadableLinesAreTakenBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	a := d.host(Terms{})
	for _, mrz := range []string{"P<UTO", "P<UTOX", ""} {
		l, err := d.checks.Declare(t.Context(), "user", a.Link, Claims{DocumentType: Passport, DocumentNumber: "AB1", MRZ: mrz})
		if c := l.Attempt.Claims; err != nil || c.MRZ != mrz || c.DocumentNumber != "AB1" {
			t.Errorf("declared is %+v, %v", c, err)
		}
	}
	if c := d.status().Attempt.Claims; c.MRZ != "" || c.DocumentType != Passport {
		t.Errorf("kept is %+v", c)
	}
}
