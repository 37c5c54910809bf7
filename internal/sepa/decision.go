package sepa

import (
	"context"
	"errors"
	"fmt"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// What officers decide about money that waits on suspense.
const (
	Release  compliance.Verdict = "RELEASE" // a deposit is credited to its owner
	GiveBack compliance.Verdict = "RETURN"  // it goes back to who sent it
	Assign   compliance.Verdict = "ASSIGN"  // a payment that was nobody's becomes a deposit of an owner
	Close    compliance.Verdict = "CLOSE"   // what fits nothing is booked against the operator's equity; by two persons
)

// Why a decision is refused, beside compliance.ErrSameOfficer and compliance.ErrBadDecision. The errors wrap these, and
// their texts may be shown to officers.
var (
	ErrNoItem      = errors.New("nothing on suspense has this id")
	ErrItemDecided = errors.New("this was decided already")
	ErrNotPossible = errors.New("this cannot be done now")
)

// Decision is what an officer says about money on suspense.
type Decision struct {
	Item    clock.ID
	Officer string // officers are told apart by it
	Verdict compliance.Verdict
	Reason  string // why; kept for ever, and shown to officers only
	To      Target // of Assign
}

// Target is whose a payment becomes.
type Target struct {
	Partner int64
	User    string // externalUserId; empty: the partner itself
}

// automatic is who decides when the reason is gone for which a deposit waited.
const automatic = "system"

var insertItemDecision = db.NewInsert("suspense_decision", `partner_id bigint, item_id uuid, number bigint, round bigint, verdict text,
	to_partner bigint, to_owner uuid, final boolean, officer text, proposed_by text, reason bytes, created_at bigint`)

// Decide records what an officer says about money on suspense, and when that is final, does it, in one transaction.
// With four eyes (the setting of the partner who has the deposit or gets the payment; always to close a debit) the
// first officer proposes, and another one's same verdict is final. Of officers who decide at the same moment one is
// first, and the others are told so. Errors wrap ErrNoItem, ErrItemDecided, ErrNotPossible, compliance.ErrSameOfficer
// and compliance.ErrBadDecision. The answer is the item as it stands afterwards.
func (s *Service) Decide(ctx context.Context, d Decision) (it Item, err error) {
	if d.Officer, d.Reason, err = compliance.Signed(d.Officer, d.Reason); err != nil {
		return Item{}, err
	}
	if d.Officer == automatic {
		return Item{}, fmt.Errorf("%w: %q is not a person", compliance.ErrBadDecision, automatic)
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if it, err = s.FindItem(tx, d.Item); err != nil {
			return err
		}
		to, err := s.resolve(tx, d)
		if err != nil {
			return err
		}
		fourEyes, err := s.fourEyesOn(tx, it, d, to)
		if err != nil {
			return err
		}
		if it, err = s.lockItem(tx, it); err != nil {
			return err
		}
		return s.decide(tx, audit.Actor(ctx), &it, d, to, fourEyes)
	})
	return it, err
}

// owned names an owner: a user of a partner, or the partner itself.
type owned struct {
	partner int64
	owner   clock.ID
}

// resolve finds who gets a payment that is assigned.
func (s *Service) resolve(r db.Reader, d Decision) (owned, error) {
	if d.Verdict != Assign {
		return owned{}, nil
	}
	if d.To.Partner <= ledger.Operator {
		return owned{}, fmt.Errorf("%w: say which partner gets it", compliance.ErrBadDecision)
	}
	to := owned{d.To.Partner, ledger.PartnerItself}
	if d.To.User != "" {
		u, err := user.Find(r, d.To.Partner, d.To.User)
		if err != nil {
			return owned{}, notPossible(err, "partner %d has no user %q", d.To.Partner, d.To.User)
		}
		to.owner = u.ID
	}
	if _, err := s.FindAccount(r, to.partner, to.owner); err != nil {
		return owned{}, notPossible(err, "there is no IBAN of this owner")
	}
	return to, nil
}

// notPossible makes of an error of the contract one for officers; others stay what they are.
func notPossible(err error, text string, args ...any) error {
	var known *fault.Error
	if !errors.As(err, &known) || known.Code == fault.ServiceUnavailable {
		return err
	}
	return fmt.Errorf("%w: %s", ErrNotPossible, fmt.Sprintf(text, args...))
}

// fourEyesOn tells whether two officers are needed. What is nobody's and goes back has no partner to ask.
func (s *Service) fourEyesOn(r db.Reader, it Item, d Decision, to owned) (bool, error) {
	switch {
	case d.Verdict == Close:
		return true, nil
	case d.Verdict == Assign:
		return s.fourEyes(r, to.partner)
	case it.Partner == ledger.Operator:
		return false, nil
	}
	return s.fourEyes(r, it.Partner)
}

// decide records a decision on a locked item.
func (s *Service) decide(tx *db.Tx, actor string, it *Item, d Decision, to owned, fourEyes bool) error {
	if err := mayDecide(*it, d.Verdict); err != nil {
		return err
	}
	now, err := compliance.Weigh(aimed(it.open()), compliance.Decided{
		Verdict: aim(d.Verdict, to), Officer: d.Officer, Reason: d.Reason, At: s.clock.Now(),
	}, fourEyes)
	if err != nil {
		return err
	}
	now.Verdict, now.Number = d.Verdict, int64(len(it.Decisions))+1
	action := "suspense.propose"
	if now.Final {
		action = "suspense.decide"
	}
	if err := s.record(tx, it, now, to); err != nil {
		return err
	}
	it.Proposed = true
	if now.Final {
		if err := s.perform(tx, it, d.Verdict); err != nil {
			return err
		}
		it.State, it.Proposed = string(d.Verdict), false
	}
	return audit.Write(tx, audit.Entry{
		Actor: actor, Action: action, Partner: it.Partner, Object: it.ID.String(), Details: map[string]any{
			"officer": now.Officer, "verdict": string(now.Verdict), "proposedBy": now.ProposedBy, "kind": string(it.Kind),
			"owner": it.Owner.String(), "amount": it.Amount.String(), "toPartner": to.partner, "toOwner": to.owner.String(),
		},
	})
}

// aim is a verdict with whom it is for: to assign a payment to another owner is another verdict.
func aim(v compliance.Verdict, to owned) compliance.Verdict {
	if v != Assign {
		return v
	}
	return compliance.Verdict(fmt.Sprintf("%s to %d %s", v, to.partner, to.owner))
}

func aimed(said []Said) []compliance.Decided {
	all := make([]compliance.Decided, len(said))
	for i, said := range said {
		all[i] = said.Decided
		all[i].Verdict = aim(said.Verdict, owned{said.ToPartner, said.ToOwner})
	}
	return all
}

// record writes a decision. The key suspense_decision_final_key lets one be final.
func (s *Service) record(tx *db.Tx, it *Item, d compliance.Decided, to owned) error {
	sealed, err := s.vault.Seal(saidPlace(it.ID, d.Number), []byte(d.Reason))
	if err != nil {
		return err
	}
	tx.Write(insertItemDecision, it.Partner, it.ID, d.Number, it.round, string(d.Verdict), to.partner, to.owner, d.Final, d.Officer,
		d.ProposedBy, sealed, d.At)
	it.Decisions = append(it.Decisions, Said{Decided: d, Round: it.round, ToPartner: to.partner, ToOwner: to.owner})
	return nil
}

func saidPlace(id clock.ID, number int64) vault.Place {
	return vault.Place{Table: "suspense_decision", Column: "reason", Row: fmt.Sprintf("%s/%d", id, number)}
}
