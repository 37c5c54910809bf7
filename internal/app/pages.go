package app

import (
	"context"
	"io"
	"strings"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/identity"
	"kontor/internal/pages"
	"kontor/internal/partner"
	"kontor/internal/rail/idcheck"
	"kontor/internal/rail/idcheck/mrz"
)

// hosted gives the hosted pages what identity knows of a verification.
type hosted struct {
	db       *db.DB
	clock    clock.Clock
	partners *partner.Service
	checks   *identity.Service
	uploads  *identity.Uploads
}

// newPages makes the pages for users.
func newPages(cfg Config, a *App, checks *identity.Service) (*pages.Pages, error) {
	return pages.New(pages.Config{
		Verifications: hosted{db: a.DB, clock: cfg.Clock, partners: a.Partners, checks: checks, uploads: a.Uploads},
		Catalog:       a.Catalog, Clock: cfg.Clock, Staging: cfg.Environment == partner.Staging, Log: cfg.Log,
	})
}

// Find implements pages.Verifications. A link that another one replaced, and one whose time is over, is P412.
func (h hosted) Find(ctx context.Context, l pages.Link) (v pages.Verification, err error) {
	err = h.db.View(ctx, func(r db.Reader) error {
		found, err := h.checks.FindLink(r, l.ExternalUserID, l.VerificationID)
		if err != nil {
			return err
		}
		a := found.Attempt
		if !h.clock.Now().Before(a.ExpiresAt) || (a.Status == identity.Pending && !found.Open) {
			return fault.New(fault.InvalidUser)
		}
		p, err := h.partners.Find(r, a.Partner)
		if err != nil {
			return err
		}
		v = verification(found)
		v.Partner = p.Settings.Text("legalName")
		return nil
	})
	return v, err
}

func verification(l identity.Link) pages.Verification {
	a := l.Attempt
	v := pages.Verification{
		State: pages.Open, Reason: a.Reason, Expires: a.ExpiresAt,
		Consented: !a.ConsentedAt.IsZero(), Described: a.Claims.DocumentNumber != "",
		Document: pages.Document{
			Type: a.Claims.DocumentType, Number: a.Claims.DocumentNumber, Country: a.Claims.IssueCountry,
			Expires: a.Claims.ExpiryDate, MRZ: a.Claims.MRZ,
		},
	}
	switch a.Status {
	case identity.InVerification:
		v.State = pages.Checking
	case identity.Successful:
		v.State = pages.Accepted
	case identity.Rejected:
		v.State = pages.Refused
	}
	for _, d := range l.Documents {
		v.Stored = append(v.Stored, pages.Side(strings.ToLower(d.Side)))
	}
	return v
}

// Consent implements pages.Verifications.
func (h hosted) Consent(ctx context.Context, l pages.Link) error {
	return ended(h.checks.Consent(ctx, l.ExternalUserID, l.VerificationID))
}

// Describe implements pages.Verifications.
func (h hosted) Describe(ctx context.Context, l pages.Link, d pages.Document) error {
	if !readable(d) {
		return pages.ErrMRZ
	}
	if h.checks.Staging && idcheck.CheckNumber(d.Number) != nil {
		return pages.ErrOutcome
	}
	before, err := h.checks.View(ctx, l.ExternalUserID, l.VerificationID)
	if err != nil {
		return err
	}
	if before.Open && before.Attempt.Claims.DocumentType != d.Type && len(before.Documents) > 0 {
		if err := h.uploads.ClearSides(ctx, l.ExternalUserID, l.VerificationID); err != nil {
			return err
		}
	}
	return ended(h.checks.Declare(ctx, l.ExternalUserID, l.VerificationID, identity.Claims{
		DocumentType: d.Type, DocumentNumber: d.Number, IssueCountry: d.Country, ExpiryDate: d.Expires, MRZ: d.MRZ,
	}))
}

// readable tells whether the machine-readable lines, if there are any, are right in themselves and those of the
// document. A number that is longer than its field is cut there.
func readable(d pages.Document) bool {
	if d.MRZ == "" {
		return true
	}
	zone, err := mrz.Parse(d.MRZ)
	if err != nil {
		return false
	}
	plain := strings.NewReplacer("-", "", "<", "")
	return strings.HasPrefix(plain.Replace(d.Number), plain.Replace(zone.Number)) && zone.Expiry.Format("2006-01-02") == d.Expires
}

// Store implements pages.Verifications.
func (h hosted) Store(ctx context.Context, l pages.Link, side pages.Side, name string, content io.Reader) error {
	return ended(h.uploads.StoreSide(ctx, l.ExternalUserID, l.VerificationID, strings.ToUpper(string(side)), name, content))
}

// Submit implements pages.Verifications. Of two that submit, the later one is told nothing else than the first.
func (h hosted) Submit(ctx context.Context, l pages.Link, outcome string) error {
	_, err := h.checks.Submit(ctx, l.ExternalUserID, l.VerificationID, outcome)
	return err
}

// ended tells that a change came too late.
func ended(l identity.Link, err error) error {
	if err == nil && !l.Open {
		return pages.ErrEnded
	}
	return err
}
