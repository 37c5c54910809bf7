package user

import (
	"context"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/ledger"
)

// eraseJob is the job that erases a deleted user's personal data.
const eraseJob = "user-erase"

// OpenOperations tells whether something of a user's is under way: a payment that is not decided, an amount on
// suspense. It is asked inside the transaction that deletes the user.
type OpenOperations interface {
	HasOpenOperations(r db.Reader, partner int64, user clock.ID) (bool, error)
}

// Cards tells whether a user has a card that can be paid with.
type Cards interface {
	HasActiveCards(r db.Reader, partner int64, user clock.ID) (bool, error)
}

// Eraser removes what a feature keeps about the person of a deleted user: documents, say. It may be called again.
type Eraser interface {
	ErasePerson(tx *db.Tx, partner int64, user clock.ID) error
}

// Reviewer is told, in the transaction of the change, that the name or the birth date of a user was changed whom
// an identity check, or the screening of a user without KYC, knows under another one.
type Reviewer interface {
	PersonChanged(tx *db.Tx, u User, before, after Person) error
}

// Others are the features that have a say in what is done with users.
type Others struct {
	Operations []OpenOperations
	Cards      []Cards
	Erasers    []Eraser
	Reviewer   Reviewer // nil: nobody looks at changes
}

// Attach makes the service work with other features, and registers its job.
func (s *Service) Attach(d *db.DB, jobs *job.Runner, o Others) {
	s.others = o
	jobs.Register(eraseJob, func(ctx context.Context, j job.Job) error {
		return d.Update(ctx, func(tx *db.Tx) error {
			tx.Locked()
			return s.erase(tx, j.Partner, j.Object)
		})
	})
}

var updateDeleted = db.NewCommand(`UPDATE users SET deleted_at = $3 WHERE partner_id = $1 AND id = $2`)

// Delete ends a user for good. The partner has no such user any more, and the accounts are closed; books and
// histories stay. The personal data are erased after the retention, at once when it is zero. P412; P455 while the
// operator froze the user, who would otherwise be out of sight; P463 while money is posted, held or owed, or
// anything of the user's is under way, a review too.
func (s *Service) Delete(tx *db.Tx, partner int64, externalID string, retention time.Duration) (User, error) {
	u, err := Lock(tx, partner, externalID)
	switch {
	case err != nil:
		return User{}, err
	case !u.FrozenAt.IsZero():
		return User{}, fault.New(fault.UserSuspended)
	case u.UnderReview:
		return User{}, fault.New(fault.UserHasFunds)
	}
	for _, o := range s.others.Operations {
		open, err := o.HasOpenOperations(tx, u.Partner, u.ID)
		if err != nil {
			return User{}, err
		}
		if open {
			return User{}, fault.New(fault.UserHasFunds)
		}
	}
	empty, err := ledger.LockEmpty(tx, u.Partner, u.ID)
	if err != nil {
		return User{}, err
	}
	if !empty {
		return User{}, fault.New(fault.UserHasFunds)
	}
	ledger.CloseAccounts(tx, u.Partner, u.ID)
	u.DeletedAt = s.clock.Now()
	tx.Write(updateDeleted, u.Partner, u.ID, u.DeletedAt)
	if retention <= 0 {
		return u, s.erase(tx, u.Partner, u.ID)
	}
	job.Enqueue(tx, u.Partner, eraseJob, u.ID, u.DeletedAt.Add(retention))
	return u, nil
}

// erase removes the personal data of a deleted user.
func (s *Service) erase(tx *db.Tx, partner int64, id clock.ID) error {
	for _, e := range s.others.Erasers {
		if err := e.ErasePerson(tx, partner, id); err != nil {
			return err
		}
	}
	tx.Write(deletePerson, partner, id)
	return nil
}
