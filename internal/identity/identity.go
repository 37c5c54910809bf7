// Package identity decides who a user is: attempts at an identity check, their outcome, and the activation
// that follows.
package identity

import (
	"slices"
	"strings"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// States of an attempt.
const (
	InVerification = "VERIFICATION"
	Rejected       = "REJECTED_BY_PROVIDER"
	Successful     = "SUCCESSFUL"
)

// reasons are why an attempt is refused.
var reasons = []string{
	"NO_FACE_FOUND", "FACE_MISMATCH", "DOCUMENT_EXPIRED", "DOCUMENT_UNREADABLE", "DOCUMENT_NOT_SUPPORTED",
	"DATA_MISMATCH", "UNDERAGE", "SUSPECTED_FRAUD", "DUPLICATE_USER", "HIGH_RISK",
}

// Outcome is how an identity check ended.
type Outcome struct {
	Status       string
	Reason       string // why it was refused
	ManualReview bool   // a compliance officer must decide
	Expired      bool   // accepted, but the document has expired since
}

// SandboxOutcome reads the outcome that the caller of a sandbox chose by a document's number:
// REJECT-<REASON>, MANUAL, EXPIRED; without any of them the check succeeds. P403 for an unknown reason.
func SandboxOutcome(documentNumber string) (Outcome, error) {
	number := strings.ToUpper(documentNumber)
	if _, reason, ok := strings.Cut(number, "REJECT-"); ok {
		// A number may go on after the reason; no reason is the beginning of another.
		i := slices.IndexFunc(reasons, func(r string) bool { return strings.HasPrefix(reason, r) })
		if i < 0 {
			return Outcome{}, fault.Invalid("documentNumber contains REJECT- without one of the following reasons: " + strings.Join(reasons, ", "))
		}
		return Outcome{Status: Rejected, Reason: reasons[i]}, nil
	}
	if strings.Contains(number, "MANUAL") {
		return Outcome{Status: InVerification, ManualReview: true}, nil
	}
	return Outcome{Status: Successful, Expired: strings.Contains(number, "EXPIRED")}, nil
}

// Activator fills in what a user gets at activation: an IBAN, wallets.
type Activator interface {
	Activate(tx *db.Tx, u user.User) error
}

// Service records attempts and activates users.
type Service struct {
	vault      *vault.Vault
	clock      clock.Clock
	users      *user.Service
	activators []Activator
}

// NewService makes the service.
func NewService(v *vault.Vault, c clock.Clock, users *user.Service, activators ...Activator) *Service {
	return &Service{vault: v, clock: c, users: users, activators: activators}
}

// Status is where a user's verification stands.
type Status struct {
	User         user.User
	Attempt      string // empty before the first attempt
	Reason       string
	ManualReview bool
}

var (
	insertAttempt = db.NewInsert("identity_attempt", `partner_id bigint, user_id uuid, attempt bigint, id uuid, status text,
		manual_review boolean, rejection_reason text, document_number bytes, created_at bigint`)
	selectAttempt = db.NewQuery(`
		SELECT attempt, status, manual_review, rejection_reason FROM identity_attempt
		WHERE partner_id = $1 AND user_id = $2 ORDER BY attempt DESC LIMIT 1`)
)

// FindStatus reads where a user's verification stands.
func FindStatus(r db.Reader, u user.User) (Status, error) {
	s := Status{User: u}
	var attempt int64
	err := r.Row(selectAttempt, u.Partner, u.ID).Scan(&attempt, &s.Attempt, &s.ManualReview, &s.Reason)
	if err == db.ErrNoRows { //nolint:errorlint // the store answers the value itself
		return s, nil
	}
	return s, err
}

// Notice is the body of the KYC Verification Status webhook.
type Notice struct {
	ExternalUserID     string `json:"externalUserId"`
	VerificationStatus string `json:"verificationStatus"`
	AttemptStatus      string `json:"attemptStatus"`
	RejectionReason    string `json:"rejectionReason,omitempty"`
}

// StatusNotice is the body of the User Balance Generation webhook.
type StatusNotice struct {
	ExternalUserID string `json:"externalUserId"`
	Status         string `json:"status"`
}

// Decide records the outcome of an identity check of a user and, when it was accepted, verifies and
// activates the user, all in this transaction. A user who is verified or under review stays as it is. P412,
// P455, P466 for a user of the model without KYC.
func (s *Service) Decide(tx *db.Tx, partner int64, externalID, documentNumber string, o Outcome) (Status, error) {
	u, err := user.Lock(tx, partner, externalID)
	if err != nil {
		return Status{}, err
	}
	if err := u.MayVerify(); err != nil {
		return Status{}, err
	}
	now, err := FindStatus(tx, u)
	if err != nil || now.ManualReview || u.Verification == user.Verified {
		return now, err
	}
	if err := s.record(tx, u, documentNumber, o); err != nil {
		return Status{}, err
	}
	st := Status{User: u, Attempt: o.Status, Reason: o.Reason, ManualReview: o.ManualReview}
	st.User.UnderReview = o.ManualReview
	if o.Status == Successful {
		st.User.Verification = user.Verified
		if err := s.establish(tx, u, documentNumber); err != nil {
			return Status{}, err
		}
	}
	if err := s.tell(tx, &st); err != nil {
		return Status{}, err
	}
	if o.Status == Successful {
		if err := s.activate(tx, &st.User); err != nil {
			return Status{}, err
		}
	}
	if o.Expired {
		st.User.Verification = user.Expired
		if err := s.tell(tx, &st); err != nil {
			return Status{}, err
		}
	}
	user.SaveState(tx, st.User)
	return st, nil
}

// establish keeps what the check found: the person as told, with the document that was shown.
func (s *Service) establish(tx *db.Tx, u user.User, documentNumber string) error {
	p, err := s.users.FindPerson(tx, u)
	if err != nil {
		return err
	}
	return s.users.Establish(tx, u, user.Established{
		FirstName: p.FirstName, LastName: p.LastName, BirthDate: p.BirthDate, DocumentType: p.DocumentType,
		DocumentNumber: documentNumber, At: s.clock.Now(),
	})
}

func (s *Service) record(tx *db.Tx, u user.User, documentNumber string, o Outcome) error {
	var last int64
	var skip string
	var manual bool
	err := tx.Row(selectAttempt, u.Partner, u.ID).Scan(&last, &skip, &manual, &skip)
	if err != nil && err != db.ErrNoRows { //nolint:errorlint // the store answers the value itself
		return err
	}
	id := clock.NewID()
	sealed, err := s.vault.Seal(vault.Place{Table: "identity_attempt", Column: "document_number", Row: id.String()}, []byte(documentNumber))
	if err != nil {
		return err
	}
	tx.Write(insertAttempt, u.Partner, u.ID, last+1, id, o.Status, o.ManualReview, o.Reason, sealed, s.clock.Now())
	return nil
}

func (s *Service) tell(tx *db.Tx, st *Status) error {
	return s.users.Tell(tx, &st.User, event.KYCVerification, Notice{
		ExternalUserID: st.User.ExternalID, VerificationStatus: st.User.Verification,
		AttemptStatus: st.Attempt, RejectionReason: st.Reason,
	})
}

// activate makes the fiat balance usable, once in a user's life.
func (s *Service) activate(tx *db.Tx, u *user.User) error {
	if u.Active() {
		return nil
	}
	u.ActivatedAt = s.clock.Now()
	for _, a := range s.activators {
		if err := a.Activate(tx, *u); err != nil {
			return err
		}
	}
	return s.users.Tell(tx, u, event.UserStatus, StatusNotice{ExternalUserID: u.ExternalID, Status: "ACTIVE"})
}
