package sepa

import (
	"context"
	"errors"
	"fmt"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

// bookDeposit is the job that decides on a deposit that the bank has booked.
const bookDeposit = "sepa-deposit-book"

// arrive links a payment that the bank has booked with its deposit, which may have been announced, and lets a job decide
// on it.
func (s *Service) arrive(tx *db.Tx, d Deposit) error {
	known, err := s.scanDeposit(tx.Row(selectDeposit, d.Partner, d.ID), d.Partner)
	switch {
	case errors.Is(err, db.ErrNoRows):
		to, err := recipient(tx, d.Partner, d.Owner)
		if err != nil {
			return err
		}
		if err := s.note(tx, &d, to); err != nil {
			return err
		}
	case err != nil:
		return err
	case !known.Entry.IsZero():
		return nil // an earlier run came this far
	default:
		tx.Write(linkDeposit, d.Partner, d.ID, d.Entry)
	}
	job.Enqueue(tx, d.Partner, bookDeposit, d.ID, s.clock.Now())
	tx.AfterCommit(s.jobs.Wake)
	return nil
}

// book decides on a deposit. The names are compared before the transaction.
func (s *Service) book(ctx context.Context, j job.Job) error {
	var d Deposit
	var v verdict
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		if d, err = s.FindDeposit(r, j.Partner, j.Object); err == nil {
			v, err = s.check(r, d)
		}
		return err
	})
	if err != nil {
		return err
	}
	if d.Entry.IsZero() { // of a version of this program that did not read statements
		if err := s.bookAtBank(ctx, d); err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return s.decideDeposit(tx, j, v) })
}

func (s *Service) bookAtBank(ctx context.Context, d Deposit) error {
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		bank, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Bank, s.euro)
		if err != nil {
			return err
		}
		clearing, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Clearing, s.euro)
		if err != nil {
			return err
		}
		ledger.Post(tx, ledger.Operator, d.operation(), s.clock.Now(),
			ledger.Leg{Name: "amount", Debit: bank, Credit: clearing, Amount: d.Amount})
		return nil
	})
	if db.Violates(err, "ledger_transfer_pkey") {
		return nil // an earlier run of the job came this far
	}
	return err
}

func (d Deposit) operation() ledger.Operation {
	return ledger.Operation{Type: DepositOperation, ID: d.ID}
}

// decideDeposit ends a deposit's check. What arrives for an owner who may not receive money now waits on suspense,
// whatever the names say: it must not go back by itself.
func (s *Service) decideDeposit(tx *db.Tx, j job.Job, v verdict) error {
	tx.Locked()
	d, err := s.scanDeposit(tx.Row(lockDeposit, j.Partner, j.Object), j.Partner)
	if err != nil || d.Status != DepositPending {
		return err
	}
	d.Score = v.score
	to, err := recipient(tx, d.Partner, d.Owner)
	if err != nil {
		return err
	}
	switch {
	case to != nil && to.MayReceive(true) != nil:
		return s.suspend(tx, d, hindrance(*to))
	case v.answer == nameSame:
		return s.credit(tx, d, to)
	case v.answer == nameOther:
		return s.sendBack(tx, d, to, OtherName)
	}
	return s.suspend(tx, d, WaitsName)
}

// hindrance tells why a user may not receive money from outside now.
func hindrance(u user.User) string {
	switch {
	case !u.DeletedAt.IsZero():
		return WaitsDeleted
	case !u.FrozenAt.IsZero():
		return WaitsFrozen
	case u.UnderReview:
		return WaitsReview
	case u.Verification == user.Expired:
		return WaitsExpired
	}
	return WaitsInactive
}

// credit gives a locked deposit, which is pending or waits on suspense, to its owner (see recipient), whom the caller has
// found fit to receive it. The sender's account becomes a contact.
func (s *Service) credit(tx *db.Tx, d Deposit, to *user.User) error {
	from := ledger.Clearing
	if d.Status == DepositSuspended {
		from = ledger.Suspense
	}
	source, err := ledger.FindAccount(tx, d.Partner, ledger.PartnerItself, from, s.euro)
	if err != nil {
		return err
	}
	target, err := ledger.FindCustomer(tx, d.Partner, d.Owner, s.euro)
	if err != nil {
		return err
	}
	at := s.clock.Now()
	if err := s.learn(tx, d, at); err != nil {
		return err
	}
	ledger.Post(tx, d.Partner, d.operation(), at, ledger.Credit("amount", source, target, d.Amount)...)
	d.Status, d.Reason, d.Version = DepositSuccessful, "", d.Version+1
	if err := s.tellCheck(tx, d, checkApproved, at, to); err != nil {
		return err
	}
	d.Version++
	s.save(tx, d)
	return s.events.Write(tx, event.Event{
		Partner: d.Partner, Object: d.ID, Version: d.Version, Type: event.SEPADeposit, At: at, Body: notice(d, to),
	})
}

// suspend puts a locked deposit that is pending on suspense.
func (s *Service) suspend(tx *db.Tx, d Deposit, reason string) error {
	if err := s.toSuspense(tx, d); err != nil {
		return err
	}
	d.Status, d.Reason = DepositSuspended, reason
	s.save(tx, d)
	return nil
}

func (s *Service) toSuspense(tx *db.Tx, d Deposit) error {
	clearing, suspense, err := s.between(tx, d.Partner)
	if err != nil {
		return err
	}
	ledger.Post(tx, d.Partner, d.operation(), s.clock.Now(),
		ledger.Leg{Name: "suspense", Debit: clearing, Credit: suspense, Amount: d.Amount})
	return nil
}

// between are the two accounts of a book between which money waits.
func (s *Service) between(r db.Reader, partner int64) (clearing, suspense clock.ID, err error) {
	if clearing, err = ledger.FindAccount(r, partner, ledger.PartnerItself, ledger.Clearing, s.euro); err != nil {
		return clearing, suspense, err
	}
	suspense, err = ledger.FindAccount(r, partner, ledger.PartnerItself, ledger.Suspense, s.euro)
	return clearing, suspense, err
}

func (s *Service) save(tx *db.Tx, d Deposit) {
	tx.Write(updateDeposit, d.Partner, d.ID, d.Status, d.Reason, d.Score, d.Returns, d.Version)
}

var errNotBooked = errors.New("sepa: no payment of the bank is known for this deposit, so that it cannot be sent back")

// sendBack refuses a locked deposit, which is pending or waits on suspense: the bank is to send it back, and until it has
// done so the money is on suspense.
func (s *Service) sendBack(tx *db.Tx, d Deposit, to *user.User, reason string) error {
	if d.Entry.IsZero() {
		return fmt.Errorf("%w: %s", errNotBooked, d.ID)
	}
	if d.Status == DepositPending {
		if err := s.toSuspense(tx, d); err != nil {
			return err
		}
	}
	again := d.Returns > 0 // the bank refused it before, and the partner has been told
	d.Status, d.Reason, d.Returns = DepositReturning, reason, d.Returns+1
	if !again {
		d.Version++
		if err := s.tellCheck(tx, d, checkRejected, s.clock.Now(), to); err != nil {
			return err
		}
	}
	s.save(tx, d)
	job.Enqueue(tx, d.Partner, orderReturn, d.ID, s.clock.Now())
	tx.AfterCommit(s.jobs.Wake)
	return nil
}
