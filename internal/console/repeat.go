package console

import (
	"errors"
	"net/http"
	"strings"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/sepa"
	"kontor/internal/user"
)

// Whoever presses a button twice sends the form twice, and sees the second answer only. So a decision that stands
// there word for word already, by the same officer, is answered as when it was stored.

// reasonOf is the reason in a form. Browsers send a line break as two characters, and count it as one.
func reasonOf(r *http.Request) string {
	return strings.ReplaceAll(r.PostForm.Get("reason"), "\r\n", "\n")
}

// stored is the word of what became of a decision.
func stored(final bool) string {
	if final {
		return "decided"
	}
	return "proposed"
}

// repeats tells whether what an officer says is what was said last.
func repeats(last compliance.Decided, officer string, v compliance.Verdict, reason string) bool {
	name, reason, err := compliance.Signed(officer, reason)
	return err == nil && last.Officer == name && last.Verdict == v && last.Reason == reason
}

// caseSaid answers the word of what became of a decision on a case when it repeats the last one; empty when it does not.
func (c *console) caseSaid(r *http.Request, d compliance.Decision) (word string, err error) {
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) error {
		word = ""
		found, err := c.Cases.Find(rd, d.Case)
		if n := len(found.Decisions); err == nil && n > 0 && repeats(found.Decisions[n-1], d.Officer, d.Verdict, d.Reason) {
			word = stored(found.Decisions[n-1].Final)
		}
		return err
	})
	return word, err
}

// itemSaid is caseSaid of a decision on money on suspense.
func (c *console) itemSaid(r *http.Request, d sepa.Decision) (word string, err error) {
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) error {
		word = ""
		found, err := c.Suspense.FindItem(rd, d.Item)
		if err != nil || len(found.Decisions) == 0 {
			return err
		}
		last := found.Decisions[len(found.Decisions)-1]
		if !repeats(last.Decided, d.Officer, d.Verdict, d.Reason) {
			return nil
		}
		if same, err := sameTarget(rd, last, d); err != nil || !same {
			return err
		}
		word = stored(last.Final)
		return nil
	})
	return word, err
}

// sameTarget tells whether two decisions give a payment to the same owner, if they give it to one.
func sameTarget(r db.Reader, last sepa.Said, d sepa.Decision) (bool, error) {
	owner := ledger.PartnerItself
	switch {
	case d.Verdict != sepa.Assign:
		return true, nil
	case last.ToPartner != d.To.Partner:
		return false, nil
	case d.To.User != "":
		u, err := user.Find(r, d.To.Partner, d.To.User)
		if err != nil {
			return false, err
		}
		owner = u.ID
	}
	return last.ToOwner == owner, nil
}

// proofSaid tells whether a decision on a proof of address repeats the one that stands.
func (c *console) proofSaid(r *http.Request, partner int64, id clock.ID, verdict, reason string) (same bool, err error) {
	err = c.DB.View(r.Context(), func(rd db.Reader) error {
		p, err := c.Proofs.Find(rd, partner, id)
		same = err == nil && p.Officer == officer(r).Actor() && p.Status == verdict && p.Reason == reason
		return err
	})
	return same, err
}

// decidedBefore tells whether a decision was refused because there is one already.
func decidedBefore(err error) bool {
	return errors.Is(err, compliance.ErrDecided) || errors.Is(err, sepa.ErrItemDecided) || errors.Is(err, compliance.ErrSameOfficer)
}
