package compliance_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
	"kontor/internal/pgtest"
	"kontor/internal/vault"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const partner = 7

// world is a service on a database of its own; it records what the other parts would do.
type world struct {
	*testing.T
	*compliance.Service
	clock    *clock.Manual
	fourEyes bool
	refuse   error // what Reviewed answers

	mu      sync.Mutex
	reviews []compliance.Review
	frozen  map[clock.ID]bool
}

// newWorld makes a world on the database.
func newWorld(t *testing.T, d *db.DB) *world {
	t.Helper()
	v, err := vault.Open(t.Context(), d, make([]byte, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, clock: clock.NewManual(start), frozen: map[clock.ID]bool{}}
	w.Service = compliance.NewService(compliance.Config{
		DB: d, Vault: v, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Sandbox: true,
		FourEyes: func(db.Reader, int64) (bool, error) { return w.fourEyes, nil },
		HighRisk: func(country string) bool { return country == "XH" },
	})
	w.Join(w, w, w)
	return w
}

// Reviewed records what was decided.
func (w *world) Reviewed(tx *db.Tx, r compliance.Review) error {
	tx.AfterCommit(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.reviews = append(w.reviews, r)
	})
	return w.refuse
}

// Freeze freezes a user.
func (w *world) Freeze(tx *db.Tx, _ int64, user clock.ID) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	already := w.frozen[user]
	tx.AfterCommit(func() { w.frozen[user] = true })
	return !already, nil
}

// Unfreeze lifts the freeze.
func (w *world) Unfreeze(tx *db.Tx, _ int64, user clock.ID) error {
	tx.AfterCommit(func() { delete(w.frozen, user) })
	return nil
}

func (w *world) update(fn func(tx *db.Tx) error) {
	w.Helper()
	if err := w.DB.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

// open puts a new user under review.
func (w *world) open(findings ...compliance.Finding) (c, user clock.ID) {
	w.Helper()
	sub := subject()
	if len(findings) == 0 {
		findings = []compliance.Finding{{Kind: compliance.Sanction, Ref: "test:1", Score: 93, Text: "It is the same name."}}
	}
	w.update(func(tx *db.Tx) (err error) {
		c, err = w.OpenCase(tx, sub, compliance.Onboarding, compliance.Result{Findings: findings, ListVersion: "test 1"})
		return err
	})
	return c, sub.User
}

// accept does with a screening what the transaction does that accepts an identity, and answers whether an officer has
// to look.
func (w *world) accept(tx *db.Tx, sub compliance.Subject, r compliance.Result) (bool, error) {
	tx.Locked()
	_, open, err := compliance.UnderReview(tx, sub.Partner, sub.User)
	if err != nil {
		return false, err
	}
	checked, err := w.Check(tx, sub, r)
	if err != nil {
		return false, err
	}
	if err := w.Remember(tx, sub, checked); err != nil || !checked.Flagged() {
		return open, err
	}
	_, err = w.OpenCase(tx, sub, compliance.Onboarding, checked)
	return true, err
}

func subject() compliance.Subject {
	return compliance.Subject{
		Partner: partner, User: clock.NewID(), BirthDate: "1980-02-03",
		Names: []compliance.Name{{First: "Plain", Last: "Placeholder"}}, Countries: compliance.Countries{Residence: "LT"},
	}
}

func (w *world) find(id clock.ID) (c compliance.Case) {
	w.Helper()
	err := w.DB.View(w.Context(), func(r db.Reader) (err error) {
		c, err = w.Find(r, id)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// decide decides on all that was found.
func (w *world) decide(id clock.ID, officer string, v compliance.Verdict) error {
	w.Helper()
	return w.decideOn(w.find(id).Found, id, officer, v)
}

func (w *world) decideOn(seen int64, id clock.ID, officer string, v compliance.Verdict) error {
	_, err := w.Decide(audit.As(w.Context(), "officer:"+officer), compliance.Decision{
		Case: id, Seen: seen, Officer: officer, Verdict: v, Reason: "A test decides.\nOn two lines.",
	})
	return err
}

func TestACaseShowsWhatWasFoundAndWhatWasDecided(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, user := w.open()
		w.clock.Advance(time.Hour)
		if err := w.decide(id, "First", compliance.OK); err != nil {
			t.Fatal(err)
		}
		c := w.find(id)
		if c.Partner != partner || c.User != user || c.State != compliance.ClosedOK || c.Score != 93 || !c.OpenedAt.Equal(start) || !c.ClosedAt.Equal(start.Add(time.Hour)) {
			t.Errorf("the case is %+v", c)
		}
		if len(c.Findings) != 1 || c.Findings[0].Names[0].Last != "Placeholder" || c.Findings[0].BirthDate != "1980-02-03" ||
			c.Findings[0].ListVersion != "test 1" || c.Findings[0].Findings[0].Ref != "test:1" {
			t.Errorf("found: %+v", c.Findings)
		}
		if len(c.Decisions) != 1 || !c.Decisions[0].Final || c.Decisions[0].Officer != "first" || c.Decisions[0].Reason != "A test decides.\nOn two lines." {
			t.Errorf("decided: %+v", c.Decisions)
		}
		want := compliance.Review{Partner: partner, User: user, Case: id, Causes: []compliance.Cause{compliance.Onboarding}, Verdict: compliance.OK}
		if len(w.reviews) != 1 || !slices.Equal(w.reviews[0].Causes, want.Causes) || w.reviews[0].User != user || w.reviews[0].Verdict != want.Verdict {
			t.Errorf("followed: %+v", w.reviews)
		}
		if err := w.decide(id, "second", compliance.Rejected); !errors.Is(err, compliance.ErrDecided) {
			t.Errorf("a decided case was decided: %v", err)
		}
		if err := w.decideOn(1, clock.NewID(), "second", compliance.Rejected); !errors.Is(err, compliance.ErrNoCase) {
			t.Errorf("no case was decided: %v", err)
		}
		w.logged("case.open system, case.decide officer:First")
	})
}

// logged compares the audit log.
func (w *world) logged(want string) {
	w.Helper()
	var all []string
	err := w.DB.View(w.Context(), func(r db.Reader) error {
		entries, err := audit.List(r, audit.Filter{}, 100, 0)
		for _, e := range slices.Backward(entries) {
			if strings.Contains(e.Details, "Placeholder") || strings.Contains(e.Details, "A test decides") {
				w.Errorf("the audit log tells of persons: %s", e.Details)
			}
			all = append(all, e.Action+" "+e.Actor)
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	if got := strings.Join(all, ", "); got != want {
		w.Errorf("logged: %s\nwant:   %s", got, want)
	}
}

func TestFourEyesNeedTwoOfficers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.fourEyes = true
		id, _ := w.open()
		if err := w.decide(id, "first", compliance.OK); err != nil {
			t.Fatal(err)
		}
		if c := w.find(id); c.State != compliance.Open || len(w.reviews) != 0 {
			t.Fatalf("one officer decided: %+v", c)
		}
		for _, v := range []compliance.Verdict{compliance.OK, compliance.Rejected} {
			if err := w.decide(id, " FIRST ", v); !errors.Is(err, compliance.ErrSameOfficer) {
				t.Errorf("the same officer: %v", err)
			}
		}
		// The second officer does not agree: what waits now is their verdict, and the first one may confirm it.
		if err := w.decide(id, "second", compliance.Rejected); err != nil {
			t.Fatal(err)
		}
		if p, ok := w.find(id).Proposal(); !ok || p.Verdict != compliance.Rejected || p.Officer != "second" {
			t.Errorf("what waits is %+v", p)
		}
		if err := w.decide(id, "first", compliance.Rejected); err != nil {
			t.Fatal(err)
		}
		c := w.find(id)
		last := c.Decisions[len(c.Decisions)-1]
		if c.State != compliance.ClosedRejected || !last.Final || last.ProposedBy != "second" || last.Officer != "first" || len(w.reviews) != 1 {
			t.Errorf("the case is %+v, followed: %+v", c, w.reviews)
		}
		w.logged("case.open system, case.propose officer:first, case.propose officer:second, case.decide officer:first")
	})
}

func TestOfRacingDecisionsOneWins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, _ := w.open()
		const officers = 8
		outcomes := make([]error, officers)
		var all sync.WaitGroup
		for i := range officers {
			all.Go(func() {
				verdict := []compliance.Verdict{compliance.OK, compliance.Rejected}[i%2]
				outcomes[i] = w.decide(id, "officer "+string(rune('a'+i)), verdict)
			})
		}
		all.Wait()
		won := 0
		for _, err := range outcomes {
			if err == nil {
				won++
			} else if !errors.Is(err, compliance.ErrDecided) {
				t.Error(err)
			}
		}
		if c := w.find(id); won != 1 || len(w.reviews) != 1 || len(c.Decisions) != 1 || string(c.State) != string(w.reviews[0].Verdict) {
			t.Errorf("%d won, followed: %+v, case: %+v", won, w.reviews, c)
		}
	})
}

func TestWhatFollowsAndTheDecisionAreOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, _ := w.open()
		w.refuse = errors.New("the user cannot be activated")
		if err := w.decide(id, "first", compliance.OK); !errors.Is(err, w.refuse) {
			t.Fatalf("decided: %v", err)
		}
		if c := w.find(id); c.State != compliance.Open || len(c.Decisions) != 0 {
			t.Errorf("the case is %+v", c)
		}
	})
}

func TestDecisionsNeverChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, _ := w.open()
		if err := w.decide(id, "first", compliance.OK); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			`UPDATE compliance_decision SET verdict = 'REJECTED' WHERE partner_id = $1`,
			`DELETE FROM compliance_decision WHERE partner_id = $1`,
		} {
			command := db.NewCommand(text)
			err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(command, partner); return nil })
			if !db.Violates(err, "compliance_decision_immutable") {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}

func TestIncompleteDecisionsAreRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	w := newWorld(t, d)
	id, _ := w.open()
	for name, dec := range map[string]compliance.Decision{
		"no reason":   {Case: id, Officer: "first", Verdict: compliance.OK, Reason: " \n "},
		"long reason": {Case: id, Officer: "first", Verdict: compliance.OK, Reason: strings.Repeat("x", 2001)},
		"no officer":  {Case: id, Officer: " ", Verdict: compliance.OK, Reason: "Why"},
		"no verdict":  {Case: id, Officer: "first", Reason: "Why"},
		"other":       {Case: id, Officer: "first", Verdict: "MAYBE", Reason: "Why"},
		"bytes":       {Case: id, Officer: "first", Verdict: compliance.OK, Reason: "W\x00hy"},
	} {
		if _, err := w.Decide(t.Context(), dec); !errors.Is(err, compliance.ErrBadDecision) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsFoundMeanwhileIsAddedToTheCase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		sub := subject()
		var cases [2]clock.ID
		for i, cause := range []compliance.Cause{compliance.Onboarding, compliance.ProfileChange} {
			w.update(func(tx *db.Tx) (err error) {
				cases[i], err = w.OpenCase(tx, sub, cause, compliance.Result{Findings: []compliance.Finding{
					{Kind: compliance.Requested, Ref: string(cause), Score: int64(50 + i)},
				}})
				return err
			})
		}
		c := w.find(cases[0])
		if cases[0] != cases[1] || len(c.Findings) != 2 || c.Findings[1].Number != 2 || c.Score != 51 {
			t.Errorf("cases %v, %+v", cases, c)
		}
		if err := w.decide(c.ID, "first", compliance.OK); err != nil {
			t.Fatal(err)
		}
		if got := w.reviews[0].Causes; !slices.Equal(got, []compliance.Cause{compliance.Onboarding, compliance.ProfileChange}) {
			t.Errorf("causes %v", got)
		}
		// The next one is another case.
		next := cases[1]
		w.update(func(tx *db.Tx) (err error) {
			next, err = w.OpenCase(tx, sub, compliance.Onboarding, compliance.Result{Findings: []compliance.Finding{{Kind: compliance.Requested, Ref: "again"}}})
			return err
		})
		if next == c.ID {
			t.Error("a closed case was opened again")
		}
	})
}

func TestAReviewIsAskedForOnceUnlessItWasRejected(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		sub := subject()
		judge := func(score int64) (under bool) {
			w.update(func(tx *db.Tx) (err error) {
				under, err = w.accept(tx, sub, compliance.Result{Findings: []compliance.Finding{
					{Kind: compliance.Sanction, Ref: "test:1", Score: score},
				}})
				return err
			})
			return under
		}
		decide := func(v compliance.Verdict) {
			t.Helper()
			var waiting []compliance.Case
			err := d.View(t.Context(), func(r db.Reader) (err error) {
				waiting, err = compliance.List(r, compliance.Filter{Partner: -1, Open: true, Limit: 10})
				return err
			})
			if err != nil || len(waiting) != 1 {
				t.Fatalf("waiting: %v, %v", waiting, err)
			}
			if err := w.decide(waiting[0].ID, "first", v); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(time.Minute)
		}
		for _, step := range []struct {
			score   int64
			under   bool
			verdict compliance.Verdict
		}{
			{90, true, compliance.Rejected},
			{90, true, compliance.OK}, // what led to a rejection counts again
			{90, false, ""},           // an officer has accepted it
			{95, true, compliance.OK}, // it has become surer since
			{95, false, ""},
		} {
			if under := judge(step.score); under != step.under {
				t.Fatalf("%+v: under review %v", step, under)
			}
			if step.under {
				if again := judge(step.score); !again {
					t.Fatalf("%+v: an open case was overlooked", step)
				}
				decide(step.verdict)
			}
		}
	})
}

func TestTheSandboxDecidesForBothOfficers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.fourEyes = true
		id, user := w.open()
		if err := w.decide(id, "first", compliance.OK); err != nil {
			t.Fatal(err)
		}
		review := func(p int64) error {
			return d.Update(t.Context(), func(tx *db.Tx) error { return w.DecideUser(tx, p, user, compliance.Rejected) })
		}
		if err := review(partner + 1); fault.From(err).Code != fault.NotUnderReview {
			t.Errorf("another partner decided: %v", err)
		}
		if err := review(partner); err != nil {
			t.Fatal(err)
		}
		if err := review(partner); fault.From(err).Code != fault.NotUnderReview {
			t.Errorf("decided twice: %v", err)
		}
		if c := w.find(id); c.State != compliance.ClosedRejected || len(w.reviews) != 1 {
			t.Errorf("the case is %+v", c)
		}
	})
}

func TestForgottenPersonsLeaveCasesAndDecisions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, user := w.open()
		w.update(func(tx *db.Tx) error { compliance.Forget(tx, partner, user); return nil })
		c := w.find(id)
		if !c.Findings[0].Erased || len(c.Findings[0].Names) != 0 || c.Score != 93 {
			t.Errorf("left: %+v", c)
		}
	})
}

// Next knows nobody.
func (w *world) Next(context.Context, compliance.Position, int) ([]compliance.Candidate, error) {
	return nil, nil
}
