// Package identity decides who a user is: attempts at an identity check, their outcome, and the activation
// that follows.
//
// An attempt is made over uploaded files (Method A), over the hosted page (Method B), or by the sandbox. Its
// documents are judged by a Checker, perhaps also by a Provider outside; who is accepted is screened, and a hit
// waits for a compliance officer. Every change of an attempt is told by webhook in the transaction that makes it.
// Users change only while their row is locked, so whatever races here is decided one after the other.
package identity

import (
	"context"
	"io"
	"net/url"
	"strings"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/job"
	"kontor/internal/money"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// LinkLife is how long the link to the hosted page can be used.
const LinkLife = 24 * time.Hour

// Checker judges an attempt by what is known of it. It asks nobody, and is called inside transactions.
type Checker interface {
	// Check answers how the check ends; P403 when the caller of a sandbox asks for an outcome that there is not.
	Check(c Case) (Outcome, error)
}

// Provider is an identity check outside of this program.
type Provider interface {
	// Start hands a case over. It answers how the check ended, or the zero Outcome while that is open; Service.Conclude
	// tells it then. It may be called again for a case that was handed over already: the attempt's id recognises it.
	// open reads a document of the case.
	Start(ctx context.Context, c Case, open func(Document) (io.ReadCloser, error)) (Outcome, error)
}

// Documents are the files that were stored for attempts.
type Documents interface {
	// List answers an attempt's documents in the order in which they were stored.
	List(r db.Reader, partner int64, user, attempt clock.ID) ([]Document, error)
	// Open reads a document.
	Open(ctx context.Context, partner int64, user clock.ID, d Document) (io.ReadCloser, error)
}

// Screener looks for people with whom the operator must not or need not deal.
type Screener interface {
	// Screen judges a subject. It reads, and changes nothing.
	Screen(r db.Reader, s Subject) (Finding, error)
	// Record stores what the screening of an accepted subject found, in the transaction that accepts it; with a
	// hit it opens a case, whose decision comes back by Service.Reviewed, and freezes a subject that is unchecked.
	Record(tx *db.Tx, s Subject, f Finding) error
}

// Subject is whom a screening judges.
type Subject struct {
	Partner        int64
	User           clock.ID
	Attempt        clock.ID
	Person         user.Person // as the partner told it
	DocumentType   string
	DocumentNumber string // as the check knows it; may be empty
	IssueCountry   string // of the document, ISO 3166 alpha-2; may be empty
	Flagged        bool   // the check itself wants a person to look
	Unchecked      bool   // the user needs no identity check, so that nothing but a freeze keeps it from going on
}

// Finding is what a screening found.
type Finding struct {
	Hit    bool // a compliance officer must decide
	Detail any  // the screener's own, for Record
}

// Activator fills in what a user gets at activation: an IBAN, wallets. It may be called for a user who has it
// already, and then changes nothing: what a later version adds is filled in for users who are active by then.
type Activator interface {
	Activate(tx *db.Tx, u user.User, residence catalog.Country) error
}

// Resumer goes on with what waited while an active user was not verified. It is called in the transaction that verifies
// the user again, before the user's state is saved.
type Resumer interface {
	Resume(tx *db.Tx, u user.User) error
}

// Config is what the service works with.
type Config struct {
	DB         *db.DB
	Vault      *vault.Vault
	Clock      clock.Clock
	Catalog    *catalog.Catalog
	Users      *user.Service
	Jobs       *job.Runner
	Checker    Checker
	Provider   Provider      // nil: the checker alone decides
	Documents  Documents     // nil: nothing can be uploaded
	Screener   Screener      // nil: nobody is screened
	Proofs     Proofs        // nil: no proof of address is asked for
	Activators []Activator   // in this order
	Resumers   []Resumer     // in this order
	Staging    bool          // outcomes can be chosen
	Delay      time.Duration // before the check of a submitted hosted page runs
	PagesURL   string        // where users' browsers reach the hosted pages, without a closing slash
}

// Service records attempts and activates users.
type Service struct {
	Config
	euro money.Currency
}

// NewService makes the service and registers its jobs.
func NewService(cfg Config) (*Service, error) {
	base, err := url.Parse(cfg.PagesURL)
	if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" || base.RawQuery != "" {
		return nil, errPagesURL
	}
	cfg.PagesURL = strings.TrimSuffix(cfg.PagesURL, "/")
	euro, ok := cfg.Catalog.Currency("eur")
	if !ok {
		return nil, errNoEuro
	}
	s := &Service{Config: cfg, euro: euro}
	cfg.Jobs.Register(checkJob, s.check)
	cfg.Jobs.Register(expiryJob, s.expire)
	return s, nil
}

// Notice is the body of the KYC Verification Status webhook.
type Notice struct {
	ExternalUserID     string `json:"externalUserId"`
	VerificationStatus string `json:"verificationStatus"`
	AttemptStatus      string `json:"attemptStatus"`
	RejectionReason    string `json:"rejectionReason,omitempty"`
}

// StatusNotice is the body of the User Balance Generation webhook, and of High Risk KYC Verification.
type StatusNotice struct {
	ExternalUserID string `json:"externalUserId"`
	Status         string `json:"status"`
}

// tell writes the webhook of an attempt's change, and has the user know whether a person must decide. The caller saves
// the user's state.
func (s *Service) tell(tx *db.Tx, u *user.User, a Attempt) error {
	u.UnderReview = a.ManualReview
	return s.Users.Tell(tx, u, event.KYCVerification, Notice{
		ExternalUserID: u.ExternalID, VerificationStatus: u.Verification,
		AttemptStatus: a.Status, RejectionReason: a.Reason,
	})
}
