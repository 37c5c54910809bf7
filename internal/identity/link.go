package identity

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/money"
	"kontor/internal/user"
)

// Terms are what a hosted verification costs the partner. They are fixed when it is created.
type Terms struct {
	Fee       money.Amount
	OnSuccess bool // due when the verification succeeds, rather than when it is created
}

// byVerification is the kind of the directory's entries that find a hosted attempt.
const byVerification = "kyc_verification"

var (
	insertDirectory = db.NewInsert("directory", "kind text, key text, partner_id bigint, object_id uuid")
	selectDirectory = db.NewQuery(`SELECT partner_id, object_id FROM directory WHERE kind = $1 AND key = $2`)
)

// Host is POST /v1/kyc: it makes the link to the hosted page. While the user's last link can still be used, it
// is answered again, without another fee. P403 while another check runs or the user is verified, P412, P455, P466.
func (s *Service) Host(tx *db.Tx, partner int64, externalID string, declared Claims, terms Terms) (Attempt, error) {
	u, err := user.Lock(tx, partner, externalID)
	if err != nil {
		return Attempt{}, err
	}
	if err := u.MayVerify(); err != nil {
		return Attempt{}, err
	}
	last, err := s.latest(tx, u)
	if err != nil {
		return Attempt{}, err
	}
	if err := mayBegin(u, last); err != nil {
		return Attempt{}, err
	}
	if s.usable(last) {
		last.Claims = last.Claims.with(declared)
		return last, s.save(tx, last)
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return Attempt{}, err
	}
	a := Attempt{ID: clock.NewID(), Method: Hosted, Claims: declared, Link: id.String(), ExpiresAt: s.Clock.Now().Add(LinkLife)}
	if terms.OnSuccess {
		a.Fee = terms.Fee.Units()
	}
	key, err := s.linkKey(a.Link)
	if err != nil {
		return Attempt{}, err
	}
	if a, err = s.begin(tx, u, last, a); err != nil {
		return Attempt{}, err
	}
	tx.Write(insertDirectory, byVerification, key, partner, a.ID)
	if !terms.OnSuccess {
		if err := s.charge(tx, a, terms.Fee); err != nil {
			return Attempt{}, err
		}
	}
	if err := s.tell(tx, &u, a); err != nil {
		return Attempt{}, err
	}
	user.SaveState(tx, u)
	return a, nil
}

// URL is the address of an attempt's hosted page.
func (s *Service) URL(externalID string, a Attempt) string {
	return s.PagesURL + "/v1/kyc/verification/" + url.PathEscape(externalID) + "/" + a.Link
}

// linkKey is how the directory knows a verificationId: who reads the database cannot use it.
func (s *Service) linkKey(verificationID string) (string, error) {
	hash, err := s.Vault.Hash("verification", []byte(verificationID))
	return hex.EncodeToString(hash), err
}

// usable tells whether the link of an attempt can be used now.
func (s *Service) usable(a Attempt) bool {
	return a.Method == Hosted && a.Status == Pending && s.Clock.Now().Before(a.ExpiresAt)
}

// Link is what a link to the hosted page leads to.
type Link struct {
	User      user.User
	Attempt   Attempt
	Documents []Document
	Open      bool // the user can go on; otherwise the attempt was submitted, has expired, or another one took its place
	Expired   bool
}

// FindLink reads what a link leads to. P412 for a link that there never was, also when only the user is wrong.
func (s *Service) FindLink(r db.Reader, externalID, verificationID string) (Link, error) {
	if _, err := clock.ParseID(verificationID); err != nil {
		return Link{}, fault.New(fault.InvalidUser)
	}
	key, err := s.linkKey(verificationID)
	if err != nil {
		return Link{}, err
	}
	var partner int64
	var id clock.ID
	err = r.Row(selectDirectory, byVerification, key).Scan(&partner, &id)
	if errors.Is(err, db.ErrNoRows) {
		return Link{}, fault.New(fault.InvalidUser)
	}
	if err != nil {
		return Link{}, err
	}
	a, err := s.FindAttempt(r, partner, id)
	if err != nil {
		return Link{}, err
	}
	u, err := user.FindByID(r, partner, a.User)
	if err != nil {
		return Link{}, err
	}
	if u.ExternalID != externalID || !u.DeletedAt.IsZero() {
		return Link{}, fault.New(fault.InvalidUser)
	}
	return s.readLink(r, u, a)
}

func (s *Service) readLink(r db.Reader, u user.User, a Attempt) (Link, error) {
	last, err := s.latest(r, u)
	if err != nil {
		return Link{}, err
	}
	l := Link{User: u, Attempt: a, Open: a.ID == last.ID && s.usable(a), Expired: a.Status == Pending && !s.Clock.Now().Before(a.ExpiresAt)}
	if s.Documents != nil {
		l.Documents, err = s.Documents.List(r, a.Partner, a.User, a.ID)
	}
	return l, err
}

// View is FindLink on a connection of its own.
func (s *Service) View(ctx context.Context, externalID, verificationID string) (l Link, err error) {
	err = s.DB.View(ctx, func(r db.Reader) error {
		l, err = s.FindLink(r, externalID, verificationID)
		return err
	})
	return l, err
}

// LockLink is FindLink that keeps others from changing the user until the commit: whoever stores a file for the
// attempt asks it whether the link is still open.
func (s *Service) LockLink(tx *db.Tx, externalID, verificationID string) (Link, error) {
	tx.Locked()
	l, err := s.FindLink(tx, externalID, verificationID)
	if err != nil {
		return Link{}, err
	}
	u, err := user.Lock(tx, l.User.Partner, externalID)
	if err != nil {
		return Link{}, err
	}
	a, err := s.FindAttempt(tx, u.Partner, l.Attempt.ID)
	if err != nil {
		return Link{}, err
	}
	return s.readLink(tx, u, a)
}

// change changes the attempt of an open link. Without one it answers what the link leads to, unchanged.
func (s *Service) change(ctx context.Context, externalID, verificationID string, fn func(tx *db.Tx, l *Link) error) (l Link, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		if l, err = s.LockLink(tx, externalID, verificationID); err != nil || !l.Open {
			return err
		}
		if err := l.User.MayVerify(); err != nil {
			return err
		}
		if err := fn(tx, &l); err != nil {
			return err
		}
		return s.save(tx, l.Attempt)
	})
	return l, err
}

// Consent records that the user agreed to the check. The first consent counts.
func (s *Service) Consent(ctx context.Context, externalID, verificationID string) (Link, error) {
	return s.change(ctx, externalID, verificationID, func(_ *db.Tx, l *Link) error {
		if l.Attempt.ConsentedAt.IsZero() {
			l.Attempt.ConsentedAt = s.Clock.Now()
		}
		return nil
	})
}

// Declare records what the user says of the document: its type, and what was typed or scanned from it. The lines that a
// machine reads are taken back by declaring none.
func (s *Service) Declare(ctx context.Context, externalID, verificationID string, c Claims) (Link, error) {
	return s.change(ctx, externalID, verificationID, func(_ *db.Tx, l *Link) error {
		c.Outcome, l.Attempt.Claims.MRZ = "", c.MRZ
		l.Attempt.Claims = l.Attempt.Claims.with(c)
		return nil
	})
}

// Submit ends the user's part: the check begins. Of two tabs that submit, one wins, and the other gets what the
// first one made. In staging an outcome can be chosen (REJECT-<REASON>, MANUAL, EXPIRED, ACCEPT); documents may be
// missing then. P403 for an outcome that there is not, P446 while the consent or documents are missing.
func (s *Service) Submit(ctx context.Context, externalID, verificationID, outcome string) (Link, error) {
	return s.change(ctx, externalID, verificationID, func(tx *db.Tx, l *Link) error {
		a := &l.Attempt
		switch missing := MissingSides(a.Claims.DocumentType, l.Documents); {
		case a.ConsentedAt.IsZero():
			return fault.Newf(fault.KycNotCompleted, "The consent is missing.")
		case outcome != "" && s.Staging:
			a.Claims.Outcome = outcome
		case len(missing) > 0:
			return incomplete(missing)
		}
		c, err := s.caseOf(tx, l.User, *a)
		if err != nil {
			return err
		}
		if _, err := s.Checker.Check(c); err != nil { // nobody would hear the job say it
			return err
		}
		a.Status, a.SubmittedAt = InVerification, s.Clock.Now()
		l.Open = false
		job.Enqueue(tx, a.Partner, checkJob, a.ID, a.SubmittedAt.Add(s.Delay))
		tx.AfterCommit(s.Jobs.Wake)
		if err := s.tell(tx, &l.User, *a); err != nil {
			return err
		}
		user.SaveState(tx, l.User)
		return nil
	})
}

// LinkLeft is how long a link can still be used.
func (s *Service) LinkLeft(a Attempt) time.Duration { return max(0, a.ExpiresAt.Sub(s.Clock.Now())) }
