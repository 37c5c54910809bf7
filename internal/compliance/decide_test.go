package compliance_test

import (
	"errors"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// more finds something more about a user.
func (w *world) more(user clock.ID, ref string) {
	w.Helper()
	sub := subject()
	sub.User = user
	w.update(func(tx *db.Tx) error {
		_, err := w.OpenCase(tx, sub, compliance.Rescreening, compliance.Result{Findings: []compliance.Finding{{Kind: compliance.Sanction, Ref: ref, Score: 99}}})
		return err
	})
}

func TestNobodyDecidesOnWhatWasNotSeen(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, user := w.open()
		w.more(user, "test:2")
		for _, seen := range []int64{0, 1, 3} {
			if err := w.decideOn(seen, id, "first", compliance.OK); !errors.Is(err, compliance.ErrFoundSince) {
				t.Errorf("who saw %d of 2 findings decided: %v", seen, err)
			}
		}
		if c := w.find(id); c.State != compliance.Open || len(c.Decisions) != 0 || len(w.reviews) != 0 {
			t.Errorf("the case is %+v", c)
		}
		if err := w.decideOn(2, id, "first", compliance.OK); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsFoundAfterAProposalVoidsIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.fourEyes = true
		id, user := w.open()
		if err := w.decide(id, "first", compliance.OK); err != nil {
			t.Fatal(err)
		}
		w.Clock = clock.NewManual(start.Add(-time.Minute)) // another node's, which is behind
		w.more(user, "test:2")
		c := w.find(id)
		if _, ok := c.Proposal(); ok || !c.Void(c.Decisions[0]) {
			t.Errorf("the proposal stands: %+v", c)
		}
		// The same verdict of another officer is a proposal now, and the first officer may confirm it.
		if err := w.decide(id, "second", compliance.OK); err != nil {
			t.Fatal(err)
		}
		c = w.find(id)
		if p, ok := c.Proposal(); !ok || p.Officer != "second" || c.State != compliance.Open || len(w.reviews) != 0 {
			t.Fatalf("the case is %+v", c)
		}
		if err := w.decide(id, "second", compliance.OK); !errors.Is(err, compliance.ErrSameOfficer) {
			t.Errorf("the same officer: %v", err)
		}
		if err := w.decide(id, "first", compliance.OK); err != nil {
			t.Fatal(err)
		}
		c = w.find(id)
		if last := c.Decisions[2]; c.State != compliance.ClosedOK || last.Number != 3 || last.ProposedBy != "second" || len(w.reviews) != 1 {
			t.Errorf("the case is %+v, followed: %+v", c, w.reviews)
		}
	})
}
