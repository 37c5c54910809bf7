package identity

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/user"
)

// mayBegin refuses another attempt while one is decided or has been accepted.
func mayBegin(u user.User, last Attempt) error {
	switch {
	case last.Status == InVerification:
		return fault.Invalid("externalUserId has an identity check under way: wait until it ends")
	case u.Verification == user.Verified:
		return fault.Invalid("externalUserId is verified already")
	}
	return nil
}

// Receive finds the attempt that a file of a locked user belongs to, or begins one and tells so: Method A. The
// caller saves the user's state. P403, P455, P466.
func (s *Service) Receive(tx *db.Tx, u *user.User) (Attempt, error) {
	if err := u.MayVerify(); err != nil {
		return Attempt{}, err
	}
	a, err := s.latest(tx, *u)
	if err != nil {
		return Attempt{}, err
	}
	if err := mayBegin(*u, a); err != nil {
		return Attempt{}, err
	}
	if a.Method == Files && a.Status == Pending {
		return a, nil
	}
	if a, err = s.begin(tx, *u, a, Attempt{Method: Files}); err != nil {
		return Attempt{}, err
	}
	return a, s.tell(tx, u, a)
}

// Request is POST /v1/user/verification: it has the files of Method A judged, and completes what is needed for the
// activation. A user who asked before is answered as it is. P412, P446 while nothing can be accepted, P455, P460
// while a required proof of address is missing, P466.
func (s *Service) Request(tx *db.Tx, partner int64, externalID string, declared Claims) (Status, error) {
	return s.settle(tx, partner, externalID, s.Checker.Check, func(r db.Reader, u user.User, a *Attempt) (bool, error) {
		if err := u.MayVerify(); err != nil {
			return false, err
		}
		if asked := !a.RequestedAt.IsZero(); asked && u.Verification != user.Expired && (a.Status == Successful || a.Status == InVerification) {
			return false, nil
		}
		a.Claims = a.Claims.with(declared)
		if err := s.complete(r, u, *a); err != nil {
			return false, err
		}
		proof, err := s.proof(r, u, a.HighRisk())
		if err != nil {
			return false, err
		}
		if proof == ProofMissing {
			return false, fault.New(fault.PoaVerificationNotFound)
		}
		a.RequestedAt = s.Clock.Now()
		return true, nil
	})
}

// complete refuses with P446 what cannot be judged or was not accepted.
func (s *Service) complete(r db.Reader, u user.User, a Attempt) error {
	switch {
	case a.Method == Hosted && a.Status == Successful && u.Verification == user.Verified:
		return nil
	case a.Method != Files || a.Status != Pending:
		return fault.New(fault.KycNotCompleted)
	}
	var documents []Document
	if s.Documents != nil {
		var err error
		if documents, err = s.Documents.List(r, a.Partner, a.User, a.ID); err != nil {
			return err
		}
	}
	if missing := MissingSides(a.Claims.DocumentType, documents); len(missing) > 0 {
		return incomplete(missing)
	}
	return nil
}

// incomplete names the sides that are missing.
func incomplete(missing []string) error {
	return fault.Newf(fault.KycNotCompleted, "The documents are not complete: %s is missing.", strings.Join(missing, ", "))
}

// Activate is the sandbox's shortcut: it brings a user to the end of all steps that a partner and its user would
// take, with documents that nobody has seen. A user who is verified or under review stays as it is. Without a
// document's number that of the profile chooses the outcome. P403, P412, P455, P466.
func (s *Service) Activate(tx *db.Tx, partner int64, externalID, documentNumber string) (Status, error) {
	check := func(c Case) (Outcome, error) {
		c.Staged = true
		return s.Checker.Check(c)
	}
	st, err := s.settle(tx, partner, externalID, check, func(_ db.Reader, u user.User, a *Attempt) (bool, error) {
		if err := u.MayVerify(); err != nil {
			return false, err
		}
		accepted := u.Verification == user.Verified
		if a.ManualReview || (accepted && !a.RequestedAt.IsZero()) {
			return false, nil
		}
		if !a.open() && !accepted {
			*a = Attempt{Method: Staged}
		}
		if a.Status == Pending {
			a.Status = InVerification // here and now: no provider is asked
		}
		a.Claims = a.Claims.with(Claims{DocumentNumber: documentNumber})
		a.RequestedAt = s.Clock.Now()
		return true, nil
	})
	if err != nil || st.Attempt.Method == Staged || st.Attempt.Status != Successful || st.User.Active() || s.Proofs == nil {
		return st, err
	}
	// The partner's own attempt was accepted, and only the proof of address is missing.
	if err := s.Proofs.SkipProof(tx, &st.User); err != nil {
		return Status{}, err
	}
	if err := s.advance(tx, &st.User, st.Attempt); err != nil {
		return Status{}, err
	}
	user.SaveState(tx, st.User)
	return st, nil
}

// checkJob is the job that checks a submitted attempt. Its object is the attempt.
const checkJob = "identity-check"

// askAgain is how long a provider may take before it is asked again.
const askAgain = time.Hour

// running makes a prepare that judges one attempt while its check runs.
func running(attempt clock.ID) prepare {
	return func(_ db.Reader, _ user.User, a *Attempt) (bool, error) {
		return a.ID == attempt && a.Status == InVerification && !a.ManualReview, nil
	}
}

// check judges a submitted attempt. With a provider, who is accepted here is handed over, again and again until the
// provider has answered; an outcome that a tester chose needs none.
func (s *Service) check(ctx context.Context, j job.Job) error {
	var c Case
	var u user.User
	var wanted bool
	err := s.DB.View(ctx, func(r db.Reader) error {
		a, err := s.FindAttempt(r, j.Partner, j.Object)
		if err != nil {
			return err
		}
		if u, err = user.FindByID(r, j.Partner, a.User); err != nil {
			return err
		}
		wanted, _ = running(a.ID)(r, u, &a)
		if wanted {
			c, err = s.caseOf(r, u, a)
		}
		return err
	})
	if err != nil || !wanted {
		return passDeleted(err)
	}
	outcome, err := s.Checker.Check(c)
	if err != nil {
		return err
	}
	if chosen := c.Claims.Outcome != ""; s.Provider == nil || outcome.Status == Rejected || chosen {
		return passDeleted(s.decide(ctx, u, j.Object, s.Checker.Check))
	}
	open := func(d Document) (io.ReadCloser, error) { return s.Documents.Open(ctx, j.Partner, u.ID, d) }
	outcome, err = s.Provider.Start(ctx, c, open)
	if err != nil {
		return err
	}
	if outcome.Status != "" {
		return passDeleted(s.decide(ctx, u, j.Object, s.answered(outcome)))
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		j.Again(tx, s.Clock.Now().Add(askAgain))
		return nil
	})
}

// Conclude records the answer of a provider about an attempt. An answer that comes late or twice changes nothing.
// P445 when there is no such attempt.
func (s *Service) Conclude(ctx context.Context, partner int64, attempt clock.ID, o Outcome) error {
	var u user.User
	err := s.DB.View(ctx, func(r db.Reader) error {
		a, err := s.FindAttempt(r, partner, attempt)
		if err != nil {
			return err
		}
		u, err = user.FindByID(r, partner, a.User)
		return err
	})
	if err != nil {
		return err
	}
	return s.decide(ctx, u, attempt, s.answered(o))
}

// answered makes a check of what a provider said. What the provider did not read from the document counts as the
// checker read it.
func (s *Service) answered(o Outcome) func(Case) (Outcome, error) {
	return func(c Case) (Outcome, error) {
		own, err := s.Checker.Check(c)
		said := o
		said.Read = o.Read.or(own.Read)
		return said, err
	}
}

func (s *Service) decide(ctx context.Context, u user.User, attempt clock.ID, check func(Case) (Outcome, error)) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := s.settle(tx, u.Partner, u.ExternalID, check, running(attempt))
		return err
	})
}

// passDeleted lets a job about a user who was deleted meanwhile be done.
func passDeleted(err error) error {
	var known *fault.Error
	if errors.As(err, &known) && known.Code == fault.InvalidUser {
		return nil
	}
	return err
}
