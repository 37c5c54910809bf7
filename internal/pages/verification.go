package pages

import (
	"context"
	"errors"
	"io"
	"time"
)

// Link is what the address of a hosted verification names. The verification's id gives access: it is shown to
// nobody and never logged.
type Link struct {
	ExternalUserID string
	VerificationID string
}

// State is where a verification stands.
type State string

// States of a verification.
const (
	Open     State = "open"     // the user still fills it in
	Checking State = "checking" // it was submitted, and nothing is decided
	Accepted State = "accepted"
	Refused  State = "refused"
)

// Side is one picture of a verification.
type Side string

// The pictures, in the order in which they are asked for. The front of a passport is its photo page.
const (
	Front  Side = "front"
	Back   Side = "back"
	Selfie Side = "selfie"
)

// The kinds of documents, as POST /v1/kyc names them.
const (
	IDCard          = "ID_CARD"
	Passport        = "PASSPORT"
	ResidencePermit = "RESIDENCE_PERMIT"
	DriverLicense   = "DRIVER_LICENSE"
)

// documentTypes are the kinds of documents in the order in which they are offered.
var documentTypes = []string{IDCard, Passport, ResidencePermit, DriverLicense}

// Document is what the user says about the document.
type Document struct {
	Type    string // one of the kinds of documents
	Number  string
	Country string // that issued it: ISO 3166-1 alpha-2
	Expires string // YYYY-MM-DD
	MRZ     string // the machine-readable lines (ICAO 9303), separated by line feeds; empty when not given
}

// Verification is a hosted verification as its page needs it.
type Verification struct {
	Partner   string // who asks for it, in words for the user
	State     State
	Reason    string // why it was refused: a rejectionReason of the contract
	Consented bool
	Document  Document // what is known of it; its type and country come with the verification
	Described bool     // the user has given the document's data
	Stored    []Side   // the pictures that are there
	Expires   time.Time
}

// Errors that tell the page more than the table of faults does.
var (
	// ErrEnded is answered to changes of a verification that was submitted already, in another tab perhaps.
	ErrEnded = errors.New("pages: the verification was submitted already")
	// ErrMRZ says that the machine-readable lines are not in themselves right, or not those of the document.
	ErrMRZ = errors.New("pages: the machine-readable lines are wrong")
	// ErrOutcome says that the document's number chooses an outcome of the sandbox that there is not.
	ErrOutcome = errors.New("pages: the document's number chooses an outcome that there is not")
)

// Verifications is what the pages need of identity checks. A link that is unknown or has expired is P412. Changes
// of a verification that was submitted are ErrEnded and change nothing.
type Verifications interface {
	// Find answers where the verification of a link stands.
	Find(ctx context.Context, l Link) (Verification, error)
	// Consent notes that the user agreed to the check. Again is harmless.
	Consent(ctx context.Context, l Link) error
	// Describe keeps what the user says about the document; another kind of document discards the pictures of the
	// old one. P403, ErrMRZ, ErrOutcome.
	Describe(ctx context.Context, l Link, d Document) error
	// Store keeps a picture in the place of an earlier one of the same side, and reads the content to its end.
	// P426, P440, P446 before the document is described.
	Store(ctx context.Context, l Link, side Side, name string, content io.Reader) error
	// Submit ends the user's part and begins the check; it does so once, whoever else submits. P446 when something
	// is missing. The outcome is what a tester of the sandbox chose: ACCEPT, MANUAL or REJECT-<REASON>; empty
	// lets the check decide.
	Submit(ctx context.Context, l Link, outcome string) error
}

// sides are the pictures that a kind of document needs.
func sides(documentType string) []Side {
	if documentType == Passport {
		return []Side{Front, Selfie}
	}
	return []Side{Front, Back, Selfie}
}
