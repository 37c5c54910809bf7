package identity

import (
	"encoding/json"
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// States of an attempt.
const (
	Pending        = "PENDING"      // files are stored, or the hosted page waits for the user
	InVerification = "VERIFICATION" // the check runs, or a person must decide
	Rejected       = "REJECTED_BY_PROVIDER"
	Successful     = "SUCCESSFUL"
)

// Methods of attempts.
const (
	Files  = "FILES"   // Method A: the partner uploads
	Hosted = "HOSTED"  // Method B: the user goes through the hosted page
	Staged = "SANDBOX" // the sandbox's own, without documents
)

// Types of documents.
const (
	Passport        = "PASSPORT"
	IDCard          = "ID_CARD"
	ResidencePermit = "RESIDENCE_PERMIT"
	DriverLicense   = "DRIVER_LICENSE"
)

// Sides of documents.
const (
	Front  = "FRONT" // of a passport: the page with the photo
	Back   = "BACK"
	Selfie = "SELFIE"
)

// Document is a file that was stored for an attempt.
type Document struct {
	ID        clock.ID
	Side      string // empty: the partner uploaded it, and the order tells
	MediaType string
	Name      string // that the file had, in staging; the sandbox reads outcomes from it
}

// Sides are what a type of document needs, in the order in which files without a side are taken.
func Sides(documentType string) []string {
	if documentType == Passport {
		return []string{Front, Selfie}
	}
	return []string{Front, Back, Selfie}
}

// MissingSides tells which sides the documents of an attempt lack. Files without a side fill what is open, in order.
func MissingSides(documentType string, documents []Document) []string {
	have, loose := map[string]bool{}, 0
	for _, d := range documents {
		if d.Side == "" {
			loose++
		}
		have[d.Side] = true
	}
	var missing []string
	for _, side := range Sides(documentType) {
		switch {
		case have[side]:
		case loose > 0:
			loose--
		default:
			missing = append(missing, side)
		}
	}
	return missing
}

// Income is where a user's money comes from, and what the account is for.
type Income struct {
	Source            string `json:"incomeSource,omitempty"`
	OpenAccountReason string `json:"openAccountReason,omitempty"`
	TaxID             string `json:"taxId,omitempty"`
	Occupation        string `json:"occupation,omitempty"`
	AdditionalInfo    string `json:"additionalInfo,omitempty"`
}

// Claims are what the partner and the user declare in an attempt. They are sealed at rest.
type Claims struct {
	DocumentType   string `json:"documentType,omitempty"`
	DocumentNumber string `json:"documentNumber,omitempty"`
	IssueCountry   string `json:"issueCountry,omitempty"` // ISO 3166 alpha-2
	IssueDate      string `json:"issueDate,omitempty"`    // YYYY-MM-DD
	ExpiryDate     string `json:"expiryDate,omitempty"`   // the last day on which the document is valid
	MRZ            string `json:"mrz,omitempty"`          // lines of ICAO 9303, typed or scanned
	Outcome        string `json:"outcome,omitempty"`      // staging: chosen on the hosted page
	Income         Income `json:"income"`
}

// with puts what is said now over what was said before.
func (c Claims) with(now Claims) Claims {
	for _, m := range []struct{ to, from *string }{
		{&c.DocumentType, &now.DocumentType},
		{&c.DocumentNumber, &now.DocumentNumber},
		{&c.IssueCountry, &now.IssueCountry},
		{&c.IssueDate, &now.IssueDate},
		{&c.ExpiryDate, &now.ExpiryDate},
		{&c.MRZ, &now.MRZ},
		{&c.Outcome, &now.Outcome},
	} {
		if *m.from != "" {
			*m.to = *m.from
		}
	}
	if now.Income.Source != "" {
		c.Income = now.Income
	}
	return c
}

// Attempt is one try at an identity check of a user. The one with the highest number counts; a refused one stays.
type Attempt struct {
	Partner      int64
	User         clock.ID
	Number       int64
	ID           clock.ID
	Method       string
	Status       string
	Reason       string // why it was refused
	ManualReview bool   // a compliance officer must decide
	Flagged      bool   // one had to, at some time
	Claims       Claims
	Link         string    // verificationId of a hosted attempt
	Fee          int64     // cents that are due when it succeeds
	ConsentedAt  time.Time // by the user, on the hosted page
	SubmittedAt  time.Time // by the user, on the hosted page
	RequestedAt  time.Time // POST /v1/user/verification came
	DecidedAt    time.Time
	ExpiresAt    time.Time // of the link
	CreatedAt    time.Time
}

// exists tells whether there is an attempt at all.
func (a Attempt) exists() bool { return a.Number > 0 }

// open tells whether the attempt can still become something.
func (a Attempt) open() bool { return a.Status == Pending || a.Status == InVerification }

// HighRisk tells whether a compliance officer looks or looked at the user, who then has to prove the address where the
// partner's rule says so. The sandbox's own attempts prove nothing.
func (a Attempt) HighRisk() bool { return a.Flagged && a.Method != Staged }

const attemptColumns = `partner_id, user_id, attempt, id, method, status, manual_review, flagged, rejection_reason, claims, link,
	fee, consented_at, submitted_at, requested_at, decided_at, expires_at, created_at`

var (
	insertAttempt = db.NewInsert("identity_attempt", `partner_id bigint, user_id uuid, attempt bigint, id uuid, method text,
		status text, manual_review boolean, flagged boolean, rejection_reason text, document_number bytes, claims bytes,
		link bytes, fee bigint, consented_at bigint, submitted_at bigint, requested_at bigint, decided_at bigint,
		expires_at bigint, created_at bigint`)
	updateAttempt = db.NewCommand(`
		UPDATE identity_attempt SET status = $4, manual_review = $5, flagged = $6, rejection_reason = $7, claims = $8,
			fee = $9, consented_at = $10, submitted_at = $11, requested_at = $12, decided_at = $13
		WHERE partner_id = $1 AND user_id = $2 AND attempt = $3`)
	selectLatest = db.NewQuery(`
		SELECT ` + attemptColumns + ` FROM identity_attempt
		WHERE partner_id = $1 AND user_id = $2 ORDER BY attempt DESC LIMIT 1`)
	selectLatestAt = db.NewQuery(`
		SELECT ` + attemptColumns + ` FROM identity_attempt
		WHERE partner_id = $1 AND user_id = $2 AND created_at <= $3 ORDER BY attempt DESC LIMIT 1`)
	selectNextBegun = db.NewQuery(`
		SELECT COALESCE(MIN(created_at), 0) FROM identity_attempt WHERE partner_id = $1 AND user_id = $2 AND attempt > $3`)
	selectAttempt = db.NewQuery(`SELECT ` + attemptColumns + ` FROM identity_attempt WHERE partner_id = $1 AND id = $2`)
	eraseClaims   = db.NewCommand(`
		UPDATE identity_attempt SET document_number = $3, claims = $3 WHERE partner_id = $1 AND user_id = $2`)
)

func attemptPlace(id clock.ID, column string) vault.Place {
	return vault.Place{Table: "identity_attempt", Column: column, Row: id.String()}
}

// latest reads the attempt that counts; the zero Attempt before the first one.
func (s *Service) latest(r db.Reader, u user.User) (Attempt, error) {
	return s.orNone(r.Row(selectLatest, u.Partner, u.ID))
}

// FindAt reads the attempt that counted at a time, the zero Attempt before the first one, and when the next one was
// begun; zero when there is none.
func (s *Service) FindAt(r db.Reader, u user.User, at time.Time) (a Attempt, next time.Time, err error) {
	if a, err = s.orNone(r.Row(selectLatestAt, u.Partner, u.ID, at)); err != nil {
		return Attempt{}, time.Time{}, err
	}
	err = r.Row(selectNextBegun, u.Partner, u.ID, a.Number).Scan(&next)
	return a, next, err
}

func (s *Service) orNone(row db.Scanner) (Attempt, error) {
	a, err := s.scan(row)
	if errors.Is(err, db.ErrNoRows) {
		return Attempt{}, nil
	}
	return a, err
}

// FindAttempt reads an attempt by its id; P445 when the partner has no such attempt.
func (s *Service) FindAttempt(r db.Reader, partner int64, id clock.ID) (Attempt, error) {
	a, err := s.scan(r.Row(selectAttempt, partner, id))
	if errors.Is(err, db.ErrNoRows) {
		return Attempt{}, fault.New(fault.KycNotFound)
	}
	return a, err
}

func (s *Service) scan(row db.Scanner) (Attempt, error) {
	var a Attempt
	var claims, link []byte
	err := row.Scan(&a.Partner, &a.User, &a.Number, &a.ID, &a.Method, &a.Status, &a.ManualReview, &a.Flagged, &a.Reason,
		&claims, &link, &a.Fee, &a.ConsentedAt, &a.SubmittedAt, &a.RequestedAt, &a.DecidedAt, &a.ExpiresAt, &a.CreatedAt)
	if err != nil {
		return Attempt{}, err
	}
	plain, err := s.Vault.Open(attemptPlace(a.ID, "claims"), claims)
	if err != nil {
		return Attempt{}, err
	}
	if len(plain) > 0 {
		if err := json.Unmarshal(plain, &a.Claims); err != nil {
			return Attempt{}, err
		}
	}
	plain, err = s.Vault.Open(attemptPlace(a.ID, "link"), link)
	a.Link = string(plain)
	return a, err
}

// begin makes the next attempt of a locked user and stores it.
func (s *Service) begin(tx *db.Tx, u user.User, last, a Attempt) (Attempt, error) {
	a.Partner, a.User, a.Number = u.Partner, u.ID, last.Number+1
	if a.ID.IsZero() {
		a.ID = clock.NewID()
	}
	a.Status, a.CreatedAt = Pending, s.Clock.Now()
	claims, err := s.seal(a)
	if err != nil {
		return Attempt{}, err
	}
	link, err := s.Vault.Seal(attemptPlace(a.ID, "link"), []byte(a.Link))
	if err != nil {
		return Attempt{}, err
	}
	tx.Write(insertAttempt, a.Partner, a.User, a.Number, a.ID, a.Method, a.Status, a.ManualReview, a.Flagged, a.Reason,
		[]byte{}, claims, link, a.Fee, a.ConsentedAt, a.SubmittedAt, a.RequestedAt, a.DecidedAt, a.ExpiresAt, a.CreatedAt)
	return a, nil
}

// save stores what became of an attempt of a locked user.
func (s *Service) save(tx *db.Tx, a Attempt) error {
	claims, err := s.seal(a)
	if err != nil {
		return err
	}
	tx.Write(updateAttempt, a.Partner, a.User, a.Number, a.Status, a.ManualReview, a.Flagged, a.Reason, claims,
		a.Fee, a.ConsentedAt, a.SubmittedAt, a.RequestedAt, a.DecidedAt)
	return nil
}

func (s *Service) seal(a Attempt) ([]byte, error) {
	text, err := json.Marshal(a.Claims)
	if err != nil {
		return nil, err
	}
	return s.Vault.Seal(attemptPlace(a.ID, "claims"), text)
}

// Status is where a user's verification stands.
type Status struct {
	User    user.User
	Attempt Attempt // the latest; the zero Attempt before the first one
}

// FindStatus reads where a user's verification stands.
func (s *Service) FindStatus(r db.Reader, u user.User) (Status, error) {
	a, err := s.latest(r, u)
	return Status{User: u, Attempt: a}, err
}

// ErasePerson removes what attempts hold about the person of a deleted user. It may be called again.
func (s *Service) ErasePerson(tx *db.Tx, partner int64, id clock.ID) error {
	tx.Write(eraseClaims, partner, id, []byte{})
	return nil
}
