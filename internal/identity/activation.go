package identity

import (
	"context"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/job"
	"kontor/internal/money"
	"kontor/internal/user"
)

// Proof is how far a user's proof of address is.
type Proof int

// How far it can be.
const (
	ProofNotRequired Proof = iota
	ProofMissing           // none was uploaded, or the last one was rejected or questioned
	ProofWaiting           // a person looks at it
	ProofApproved
)

// Proofs tells of proofs of address. When one is approved, its owner calls Service.Advance in the same transaction.
type Proofs interface {
	// Proof tells how far a user's proof of address is. highRisk: a compliance officer looks or looked at the user.
	Proof(r db.Reader, u user.User, p user.Person, highRisk bool) (Proof, error)
	// SkipProof approves the proof of a locked user without files, for the sandbox. The caller saves the user's state.
	SkipProof(tx *db.Tx, u *user.User) error
}

// proof asks how far a user's proof of address is.
func (s *Service) proof(r db.Reader, u user.User, highRisk bool) (Proof, error) {
	if s.Proofs == nil {
		return ProofNotRequired, nil
	}
	person, err := s.Users.FindPerson(r, u)
	if err != nil {
		return ProofNotRequired, err
	}
	return s.Proofs.Proof(r, u, person, highRisk)
}

// Condition is one of the four conditions of activation.
type Condition string

// The conditions of activation.
const (
	Identity            Condition = "IDENTITY"             // the identity was accepted
	VerificationRequest Condition = "VERIFICATION_REQUEST" // POST /v1/user/verification came
	ProofOfAddress      Condition = "PROOF_OF_ADDRESS"     // it was approved, where it is required
	ManualReview        Condition = "MANUAL_REVIEW"        // no review is open
)

// Missing is a condition that does not hold, and who has to act.
type Missing struct {
	Condition  Condition
	WaitingFor string // PARTNER, USER, OPERATOR
	NextStep   string // in a sentence
}

// Missing tells what still has to happen before a user is active.
func (s *Service) Missing(r db.Reader, st Status) ([]Missing, error) {
	if st.User.Active() || st.User.Model != user.KYC {
		return nil, nil
	}
	var all []Missing
	a := st.Attempt
	switch {
	case a.ManualReview:
		all = append(all, Missing{ManualReview, "OPERATOR", "Wait: a person is looking at the user."})
	case st.User.Verification != user.Verified:
		all = append(all, identityMissing(a))
	}
	if a.RequestedAt.IsZero() || a.Status == Rejected {
		all = append(all, Missing{VerificationRequest, "PARTNER", "Call POST /v1/user/verification once the identity is accepted, or the files are uploaded."})
	}
	proof, err := s.proof(r, st.User, a.HighRisk())
	if err != nil {
		return nil, err
	}
	switch proof {
	case ProofMissing:
		all = append(all, Missing{ProofOfAddress, "PARTNER", "Upload a proof of address to POST /v1/user/poa-files/{externalUserId}."})
	case ProofWaiting:
		all = append(all, Missing{ProofOfAddress, "OPERATOR", "Wait: a person is looking at the proof of address."})
	case ProofNotRequired, ProofApproved:
	}
	return all, nil
}

func identityMissing(a Attempt) Missing {
	switch {
	case a.Status == InVerification:
		return Missing{Identity, "OPERATOR", "Wait: the identity check runs."}
	case a.Status == Pending && a.Method == Hosted:
		return Missing{Identity, "USER", "The user has to finish the hosted page of POST /v1/kyc."}
	case a.Status == Pending:
		return Missing{Identity, "PARTNER", "Call POST /v1/user/verification: it has the files checked."}
	}
	return Missing{Identity, "PARTNER", "Have the identity checked, by POST /v1/user/kyc-files/{externalUserId} or POST /v1/kyc; " +
		"in the sandbox POST /v1/sandbox/user/{externalUserId}/activate does it."}
}

// Advance activates a locked user for whom the last condition has become true. The caller saves the user's state.
func (s *Service) Advance(tx *db.Tx, u *user.User) error {
	a, err := s.latest(tx, *u)
	if err != nil {
		return err
	}
	return s.advance(tx, u, a)
}

// advance makes the fiat balance usable, once in a user's life, when all conditions hold.
func (s *Service) advance(tx *db.Tx, u *user.User, a Attempt) error {
	if u.Active() || u.Verification != user.Verified || a.RequestedAt.IsZero() || a.ManualReview {
		return nil
	}
	person, err := s.Users.FindPerson(tx, *u)
	if err != nil {
		return err
	}
	if s.Proofs != nil {
		proof, err := s.Proofs.Proof(tx, *u, person, a.HighRisk())
		switch {
		case err != nil:
			return err
		case proof == ProofNotRequired, proof == ProofApproved:
		case a.Method == Staged:
			if err := s.Proofs.SkipProof(tx, u); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	u.ActivatedAt = s.Clock.Now()
	if u.ActivatedAt.Before(a.RequestedAt) { // the machine's clock was set back meanwhile
		u.ActivatedAt = a.RequestedAt
	}
	residence, _ := s.Catalog.Country(person.Country) // a country that is not served any more gives nothing
	for _, activator := range s.Activators {
		if err := activator.Activate(tx, *u, residence); err != nil {
			return err
		}
	}
	return s.Users.Tell(tx, u, event.UserStatus, StatusNotice{ExternalUserID: u.ExternalID, Status: "ACTIVE"})
}

// accept verifies a locked user whose attempt was accepted, keeps what the check established, lets go on what waited for
// that, and takes the fee that is due now. The caller saves both.
func (s *Service) accept(tx *db.Tx, u *user.User, a *Attempt) error {
	u.Verification = user.Verified
	p, err := s.Users.FindPerson(tx, *u)
	if err != nil {
		return err
	}
	err = s.Users.Establish(tx, *u, user.Established{
		FirstName: p.FirstName, LastName: p.LastName, BirthDate: p.BirthDate,
		DocumentType:    first(a.Claims.DocumentType, p.DocumentType),
		DocumentCountry: a.Claims.IssueCountry,
		DocumentNumber:  first(a.Claims.DocumentNumber, p.DocumentNumber), At: s.Clock.Now(),
	})
	if err != nil {
		return err
	}
	if u.Active() {
		for _, resumer := range s.Resumers {
			if err := resumer.Resume(tx, *u); err != nil {
				return err
			}
		}
	}
	fee := money.New(a.Fee, s.euro)
	a.Fee = 0
	return s.charge(tx, *a, fee)
}

// Flag puts a user under manual review who is verified, or needs no verification: a screening hit, or a name was
// changed.
func (s *Service) Flag(tx *db.Tx, partner int64, id clock.ID) error {
	u, a, err := s.lock(tx, partner, id)
	if err != nil {
		return err
	}
	if u.Model == user.NoKYC { // there is no attempt that could tell it
		u.UnderReview = true
		user.SaveState(tx, u)
		return nil
	}
	if a.ManualReview || a.Status != Successful {
		return nil
	}
	a.Status, a.ManualReview, a.Flagged = InVerification, true, true
	unverify(&u)
	if err := s.save(tx, a); err != nil {
		return err
	}
	if err := s.tell(tx, &u, a); err != nil {
		return err
	}
	user.SaveState(tx, u)
	return nil
}

// Reviewed follows a compliance officer's final decision on a flagged user, in its transaction: accepted, the user
// is verified, and activated when the other conditions hold; otherwise the attempt is refused as HIGH_RISK.
// Either is told by the High Risk webhook. A user without KYC has no attempt: there the verdict is told, and a freeze is
// lifted or stays. The user is found under its id, and locked.
func (s *Service) Reviewed(tx *db.Tx, partner int64, id clock.ID, accepted bool) error {
	u, a, err := s.lock(tx, partner, id)
	if err != nil {
		return err
	}
	verdict, changed := "OK", a.ManualReview
	switch {
	case !a.exists():
		u.UnderReview = false
		if !accepted {
			verdict = "REJECTED"
		}
	case accepted && a.ManualReview:
		a.Status, a.ManualReview, a.DecidedAt = Successful, false, s.Clock.Now()
		if err := s.accept(tx, &u, &a); err != nil {
			return err
		}
	case !accepted:
		verdict, changed = "REJECTED", a.Status != Rejected
		s.refuse(&u, &a, "HIGH_RISK")
	}
	if changed {
		if err := s.save(tx, a); err != nil {
			return err
		}
		if err := s.tell(tx, &u, a); err != nil {
			return err
		}
	}
	if err := s.Users.Tell(tx, &u, event.HighRisk, StatusNotice{ExternalUserID: u.ExternalID, Status: verdict}); err != nil {
		return err
	}
	if accepted && changed {
		if err := s.advance(tx, &u, a); err != nil {
			return err
		}
		if s.expired(a) {
			u.Verification = user.Expired
			if err := s.tell(tx, &u, a); err != nil {
				return err
			}
		}
	}
	user.SaveState(tx, u)
	return nil
}

// lock reads a user by id with the attempt that counts, and keeps others from changing either until the commit. P412 for
// a user who was deleted.
func (s *Service) lock(tx *db.Tx, partner int64, id clock.ID) (user.User, Attempt, error) {
	u, err := user.LockByID(tx, partner, id)
	if err != nil {
		return u, Attempt{}, err
	}
	a, err := s.latest(tx, u)
	return u, a, err
}

// expiryJob is the job that ends a verification whose document has expired. Its object is the attempt.
const expiryJob = "identity-document-expiry"

// watchExpiry makes the job that ends the verification on the day after the document's last one.
func (s *Service) watchExpiry(tx *db.Tx, a Attempt) {
	if last, err := time.Parse(time.DateOnly, a.Claims.ExpiryDate); err == nil {
		job.Enqueue(tx, a.Partner, expiryJob, a.ID, last.AddDate(0, 0, 1))
		tx.AfterCommit(s.Jobs.Wake)
	}
}

// expired tells whether the document of an attempt has expired.
func (s *Service) expired(a Attempt) bool {
	return a.Claims.ExpiryDate != "" && a.Claims.ExpiryDate < s.today().Format(time.DateOnly)
}

// expire ends the verification of a user whose document has expired: balances stay, nothing new goes out.
func (s *Service) expire(ctx context.Context, j job.Job) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		a, err := s.FindAttempt(tx, j.Partner, j.Object)
		if err != nil {
			return err
		}
		u, now, err := s.lock(tx, j.Partner, a.User)
		if err != nil {
			return passDeleted(err)
		}
		if now.ID != a.ID || u.Verification != user.Verified || !s.expired(now) {
			return nil
		}
		u.Verification = user.Expired
		if err := s.tell(tx, &u, now); err != nil {
			return err
		}
		user.SaveState(tx, u)
		return nil
	})
}
