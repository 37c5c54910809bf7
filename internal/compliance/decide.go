package compliance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/vault"
)

// Why a decision is refused. The errors wrap these, and their texts may be shown to officers.
var (
	ErrNoCase      = errors.New("there is no such case")
	ErrDecided     = errors.New("the case was decided already")
	ErrFoundSince  = errors.New("something was found since the officer looked at the case")
	ErrSameOfficer = errors.New("another officer must confirm")
	ErrBadDecision = errors.New("the decision is incomplete")
)

// SandboxOfficer is who decides on behalf of the sandbox's caller.
const SandboxOfficer = "sandbox"

// Limits of what officers write, in characters.
const (
	maxReason  = 2000
	maxOfficer = 100
)

// Decision is what an officer says about a case.
type Decision struct {
	Case    clock.ID
	Seen    int64  // the number of the newest screening that the officer saw: Case.Found
	Officer string // the officer's id: officers are told apart by it
	Verdict Verdict
	Reason  string // why; kept for ever, and shown to officers only
}

func (d *Decision) check() (err error) {
	if d.Verdict != OK && d.Verdict != Rejected {
		return fmt.Errorf("%w: the verdict is OK or REJECTED", ErrBadDecision)
	}
	d.Officer, d.Reason, err = Signed(d.Officer, d.Reason)
	return err
}

// Signed makes what an officer wrote what is stored: the name as officers are told apart by it, and why the officer
// decided so. The error wraps ErrBadDecision.
func Signed(officer, reason string) (name, why string, err error) {
	name, why = strings.ToLower(strings.Join(strings.Fields(officer), " ")), strings.TrimSpace(reason)
	switch {
	case !readable(name, maxOfficer, false):
		return "", "", fmt.Errorf("%w: an officer is named by 1 to %d characters", ErrBadDecision, maxOfficer)
	case !readable(why, maxReason, true):
		return "", "", fmt.Errorf("%w: a reason of 1 to %d characters is needed", ErrBadDecision, maxReason)
	}
	return name, why, nil
}

// Weigh numbers what an officer says after others, and tells whether it is final. Without four eyes it is. With them
// it proposes; the same verdict as the proposal's, by another officer, confirms it, and another verdict takes its place.
// said are the decisions so far, of which none is final. The error wraps ErrSameOfficer.
func Weigh(said []Decided, d Decided, fourEyes bool) (Decided, error) {
	d.Number, d.Final = int64(len(said))+1, !fourEyes
	if !fourEyes || len(said) == 0 {
		return d, nil
	}
	proposal := said[len(said)-1]
	if proposal.Officer == d.Officer {
		return Decided{}, fmt.Errorf("%w: %s proposed %s at %s", ErrSameOfficer, proposal.Officer, proposal.Verdict, clock.Format(proposal.At))
	}
	if proposal.Verdict == d.Verdict {
		d.Final, d.ProposedBy = true, proposal.Officer
	}
	return d, nil
}

// readable tells whether a text is there, is not too long, and has no control characters but line breaks.
func readable(text string, limit int, lines bool) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && (!lines || r != '\n' && r != '\r') }) < 0
}

var (
	insertDecision = db.NewInsert("compliance_decision", `partner_id bigint, case_id uuid, number bigint, verdict text,
		final boolean, officer text, proposed_by text, reason bytes, created_at bigint`)
	lockCase = db.NewQuery(`
		SELECT ` + caseColumns + ` FROM compliance_case c WHERE c.partner_id = $1 AND c.id = $2 FOR UPDATE`)
	lockUsersCase = db.NewQuery(`
		SELECT ` + caseColumns + ` FROM compliance_case c WHERE c.partner_id = $1 AND c.user_id = $2 AND c.state = 'OPEN' FOR UPDATE`)
	closeCase    = db.NewCommand(`UPDATE compliance_case SET state = $3, closed_at = $4 WHERE partner_id = $1 AND id = $2`)
	selectCauses = db.NewQuery(`SELECT DISTINCT cause FROM compliance_finding WHERE partner_id = $1 AND case_id = $2 ORDER BY cause`)
)

// Decide records what an officer says, and when that is final, what follows from it, in one transaction. While
// the partner's setting fourEyes is on, the first officer proposes, and only another officer's same verdict is
// final; another verdict takes the place of the proposal and waits for confirmation itself. What is found after a
// proposal voids it. Of officers who decide at the same moment one is first, and the others are told so. Nobody decides
// on what was not seen. Errors wrap ErrNoCase, ErrDecided, ErrFoundSince, ErrSameOfficer, ErrBadDecision. The answer is
// the case as it stands afterwards.
func (s *Service) Decide(ctx context.Context, d Decision) (c Case, err error) {
	if err := d.check(); err != nil {
		return Case{}, err
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		partner, err := partnerOf(tx, d.Case)
		if err != nil {
			return err
		}
		fourEyes, err := s.FourEyes(tx, partner)
		if err != nil {
			return err
		}
		tx.Locked()
		if c, err = scanCase(tx.Row(lockCase, partner, d.Case)); err != nil {
			return err
		}
		if err := s.fill(tx, &c); err != nil {
			return err
		}
		return s.decide(tx, audit.Actor(ctx), &c, d, fourEyes)
	})
	return c, err
}

// DecideUser decides the open case of a user finally, on behalf of the sandbox's caller, who stands for both
// officers of four eyes. P464 when the user is not under review. It is for the sandbox only.
func (s *Service) DecideUser(tx *db.Tx, partner int64, user clock.ID, v Verdict) error {
	tx.Locked()
	c, err := scanCase(tx.Row(lockUsersCase, partner, user))
	if errors.Is(err, ErrNoCase) {
		return fault.New(fault.NotUnderReview)
	}
	if err != nil {
		return err
	}
	if err := s.fill(tx, &c); err != nil {
		return err
	}
	d := Decision{Case: c.ID, Seen: c.Found, Officer: SandboxOfficer, Verdict: v, Reason: "Decided by the caller of the sandbox."}
	return s.decide(tx, audit.Partner(partner), &c, d, false)
}

// fill adds to a locked case what a decision stands on.
func (s *Service) fill(tx *db.Tx, c *Case) (err error) {
	if c.Decisions, err = s.decisions(tx, c.Partner, c.ID); err != nil {
		return err
	}
	return tx.Row(selectNewest, c.Partner, c.ID).Scan(&c.Found, &c.FoundAt)
}

// decide records a decision on a locked case.
func (s *Service) decide(tx *db.Tx, actor string, c *Case, d Decision, fourEyes bool) error {
	if c.State != Open {
		return fmt.Errorf("%w: %s at %s", ErrDecided, c.State, clock.Format(c.ClosedAt))
	}
	if c.Found != d.Seen {
		return fmt.Errorf("%w: number %d, at %s", ErrFoundSince, c.Found, clock.Format(c.FoundAt))
	}
	at := s.Clock.Now()
	if at.Before(c.FoundAt) { // the finding is another node's, whose clock is ahead
		at = c.FoundAt
	}
	now, err := Weigh(c.standing(), Decided{Verdict: d.Verdict, Officer: d.Officer, Reason: d.Reason, At: at}, fourEyes)
	if err != nil {
		return err
	}
	now.Number = int64(len(c.Decisions)) + 1
	sealed, err := s.Vault.Seal(reasonPlace(c.ID, now.Number), []byte(now.Reason))
	if err != nil {
		return err
	}
	tx.Write(insertDecision, c.Partner, c.ID, now.Number, string(now.Verdict), now.Final, now.Officer, now.ProposedBy, sealed, now.At)
	c.Decisions = append(c.Decisions, now)
	action := "case.propose"
	if now.Final {
		action = "case.decide"
		if err := s.conclude(tx, c, now); err != nil {
			return err
		}
	}
	return audit.Write(tx, audit.Entry{
		Actor: actor, Action: action, Partner: c.Partner, Object: c.ID.String(), Details: map[string]string{
			"user": c.User.String(), "officer": now.Officer, "verdict": string(now.Verdict), "proposedBy": now.ProposedBy,
			"finding": strconv.FormatInt(d.Seen, 10),
		},
	})
}

// conclude closes a case and lets follow what follows.
func (s *Service) conclude(tx *db.Tx, c *Case, d Decided) error {
	causes, err := causes(tx, c.Partner, c.ID)
	if err != nil {
		return err
	}
	c.State, c.ClosedAt = State(d.Verdict), d.At
	tx.Write(closeCase, c.Partner, c.ID, string(c.State), c.ClosedAt)
	if c.Froze && d.Verdict == OK {
		if err := s.freezer.Unfreeze(tx, c.Partner, c.User); err != nil {
			return err
		}
	}
	return s.outcome.Reviewed(tx, Review{Partner: c.Partner, User: c.User, Case: c.ID, Causes: causes, Verdict: d.Verdict})
}

func causes(r db.Reader, partner int64, id clock.ID) ([]Cause, error) {
	rows := r.Rows(selectCauses, partner, id)
	defer rows.Close()
	var all []Cause
	for rows.Next() {
		var cause string
		if err := rows.Scan(&cause); err != nil {
			return nil, err
		}
		all = append(all, Cause(cause))
	}
	if len(all) == 0 { // it was made from a review of an earlier program
		all = []Cause{Onboarding}
	}
	return all, rows.Err()
}

func reasonPlace(id clock.ID, number int64) vault.Place {
	return vault.Place{Table: "compliance_decision", Column: "reason", Row: fmt.Sprintf("%s/%d", id, number)}
}
