package sepa

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/iban"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

// decidable is what can be decided about each kind of item.
var decidable = map[ItemKind][]compliance.Verdict{
	ItemDeposit: {Release, GiveBack},
	ItemCredit:  {Assign, GiveBack},
	ItemReturn:  {Close}, // to send back a return is not possible, and a customer gets the money by a correction
	ItemDebit:   {Close},
}

// Verdicts tells what can be decided about an item now, whoever decides.
func (it Item) Verdicts() []compliance.Verdict {
	if it.State != ItemWaiting {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(decidable[it.Kind]), func(v compliance.Verdict) bool {
		return v == Release && it.Hindrance != ""
	})
}

// mayDecide refuses what cannot be decided about an item.
func mayDecide(it Item, v compliance.Verdict) error {
	switch {
	case it.State != ItemWaiting:
		last := it.Decisions[len(it.Decisions)-1]
		return fmt.Errorf("%w: %s by %s at %s", ErrItemDecided, last.Verdict, last.Officer, clock.Format(last.At))
	case !slices.Contains(decidable[it.Kind], v):
		return fmt.Errorf("%w: about this, decide one of %v", compliance.ErrBadDecision, decidable[it.Kind])
	case !slices.Contains(it.Verdicts(), v):
		return fmt.Errorf("%w: the owner may not receive money: %s", ErrNotPossible, it.Hindrance)
	}
	return nil
}

// perform does what was decided finally about a locked item.
func (s *Service) perform(tx *db.Tx, it *Item, v compliance.Verdict) error {
	if it.Kind == ItemDeposit {
		d, err := s.scanDeposit(tx.Row(selectDeposit, it.Partner, it.ID), it.Partner)
		if err != nil {
			return err
		}
		c, err := s.openCounter(tx, d.Partner, []clock.ID{d.Owner})
		if err != nil {
			return err
		}
		if v == Release {
			err = c.credit(tx, &d)
		} else if err = c.sendBack(tx, &d, Decided); errors.Is(err, errNotBooked) {
			err = fmt.Errorf("%w: %w", ErrNotPossible, err)
		}
		if err != nil {
			return err
		}
		return c.store(tx, d)
	}
	switch v {
	case Assign:
		return s.assign(tx, it)
	case GiveBack: // the money leaves suspense when the bank has debited it
		return s.orderBack(tx, giveBack{entry: it.ID, attempt: it.round + 1, amount: it.Amount, reason: unknownBeneficiary})
	}
	return s.offSuspense(tx, it, "close", ledger.Equity)
}

// unknownBeneficiary is the ISO 20022 reason of a return of what is nobody's: the account number is not one.
const unknownBeneficiary = "AC01"

// offSuspense moves a payment from the operator's suspense account to another one, or a debit the other way.
func (s *Service) offSuspense(tx *db.Tx, it *Item, leg string, to ledger.Purpose) error {
	suspense, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Suspense, s.euro)
	if err != nil {
		return err
	}
	other, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, to, s.euro)
	if err != nil {
		return err
	}
	l := ledger.Leg{Name: leg, Debit: suspense, Credit: other, Amount: it.Amount}
	if it.Kind == ItemDebit {
		l.Debit, l.Credit = other, suspense
	}
	ledger.Post(tx, ledger.Operator, ledger.Operation{Type: TransferOperation, ID: it.ID}, s.clock.Now(), l)
	return nil
}

// assignEntry is the job that makes a deposit of a payment which was assigned to an owner.
const assignEntry = "sepa-entry-assign"

// assign moves a payment to clearing, as if it had been known whose it is; a job makes the deposit in the partner's book.
func (s *Service) assign(tx *db.Tx, it *Item) error {
	job.Enqueue(tx, ledger.Operator, assignEntry, it.ID, s.clock.Now())
	tx.AfterCommit(s.jobs.Wake)
	return s.offSuspense(tx, it, "assign", ledger.Clearing)
}

var (
	selectAssigned = db.NewQuery(`SELECT to_partner, to_owner FROM suspense_decision
		WHERE partner_id = $1 AND item_id = $2 AND final AND verdict = 'ASSIGN'`)
	selectKey = db.NewQuery(`SELECT account, reference, part, booked_on FROM bank_entry WHERE partner_id = $1 AND id = $2`)
)

// assigned makes the deposit of a payment that was assigned. From here on it is one like all others, with all checks.
func (s *Service) assigned(ctx context.Context, j job.Job) error {
	var d Deposit
	err := s.db.View(ctx, func(r db.Reader) error {
		var to owned
		if err := r.Row(selectAssigned, ledger.Operator, j.Object).Scan(&to.partner, &to.owner); err != nil {
			return err
		}
		var account string
		var key Entry
		if err := r.Row(selectKey, ledger.Operator, j.Object).Scan(&account, &key.Reference, &key.Part, &key.Day); err != nil {
			return err
		}
		key.Account = iban.IBAN(account)
		e, detail, err := s.findEntry(r, j.Object)
		d = Deposit{
			Partner: to.partner, ID: DepositID(key), Owner: to.owner, Amount: e.Amount, Title: detail.Title, SenderName: detail.Debtor.Name,
			SenderIBAN: string(detail.Debtor.IBAN), Entry: j.Object, CreatedAt: s.clock.Now(),
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.settle(ctx, d.Partner, []Deposit{d})
}

// resumeDeposits is the job that goes on with the deposits which waited while a user was not verified.
const resumeDeposits = "sepa-deposit-resume"

var selectOwnersSuspended = db.NewQuery(`SELECT id FROM sepa_deposit
	WHERE partner_id = $1 AND owner_id = $2 AND ` + suspended + ` ORDER BY created_at, id`)

// Resume goes on with the deposits of a user who was verified again: once the change has committed, those are credited
// that waited for it alone.
func (s *Service) Resume(tx *db.Tx, u user.User) error {
	job.Freshen(tx, u.Partner, resumeDeposits, u.ID, s.clock.Now())
	tx.AfterCommit(s.jobs.Wake)
	return nil
}

// resume looks at what waits for a user, each deposit in a transaction of its own.
func (s *Service) resume(ctx context.Context, j job.Job) error {
	var ids []clock.ID
	err := s.db.View(ctx, func(r db.Reader) error {
		rows := r.Rows(selectOwnersSuspended, j.Partner, j.Object)
		defer rows.Close()
		ids = nil
		for rows.Next() {
			var id clock.ID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.resumeOne(ctx, j.Partner, id); err != nil {
			return err
		}
	}
	return nil
}

// resumed is the reason of a decision that the program made.
const resumed = "The user was verified again, and nothing else kept the deposit."

// resumeOne credits a deposit that waited for its owner's verification or review alone, if the sender's name is the
// owner's. Where it is not, the name is why the deposit waits from now on. What officers have begun to decide, what
// came while the owner was frozen, and what the owner may still not get stays as it is.
func (s *Service) resumeOne(ctx context.Context, partner int64, id clock.ID) error {
	_, v, err := s.judged(ctx, partner, id)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		it, err := s.readItem(tx, partner, id)
		if err != nil {
			return err
		}
		if it, err = s.lockItem(tx, it); err != nil {
			return err
		}
		if it.Why != WaitsExpired && it.Why != WaitsReview || it.Proposed || it.State != ItemWaiting || it.Hindrance != "" {
			return nil
		}
		if v.answer != nameSame {
			d, err := s.scanDeposit(tx.Row(selectDeposit, partner, id), partner)
			d.Reason, d.Score = WaitsName, v.score
			s.save(tx, d)
			return err
		}
		d := Decision{Item: id, Officer: automatic, Verdict: Release, Reason: resumed}
		return s.decide(tx, audit.System, &it, d, owned{}, false)
	})
}
