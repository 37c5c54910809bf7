package app

import (
	"context"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/identity"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// newCompliance makes the service, without those who need it themselves.
func newCompliance(cfg Config, a *App, v *vault.Vault) *compliance.Service {
	risk := a.Catalog.Risk()
	return compliance.NewService(compliance.Config{
		DB: a.DB, Vault: v, Clock: cfg.Clock, Log: cfg.Log, Sandbox: cfg.Environment == partner.Staging,
		HighRisk: a.Catalog.HighRisk,
		Risk:     compliance.RiskVersion{Date: risk.Date, Hash: risk.Hash, Countries: len(risk.Countries())},
		FourEyes: a.fourEyes,
	})
}

// fourEyes is the partner's setting: decisions take two officers.
func (a *App) fourEyes(r db.Reader, id int64) (bool, error) {
	p, err := a.Partners.Find(r, id)
	return err == nil && p.Settings.Text("fourEyes") == "on", err
}

// screener is how identity screens.
type screener struct{ compliance *compliance.Service }

// Screen judges a subject. It reads, and changes nothing.
func (s screener) Screen(r db.Reader, sub identity.Subject) (identity.Finding, error) {
	subject, err := s.subject(sub)
	if err != nil {
		return identity.Finding{}, err
	}
	found, err := s.compliance.Check(r, subject, s.compliance.Screen(subject))
	if sub.Flagged {
		found.Findings = append(found.Findings, compliance.Finding{
			Kind: compliance.Requested, Ref: "attempt:" + sub.Attempt.String(), Text: "The identity check wants a person to look.",
		})
	}
	return identity.Finding{Hit: found.Flagged(), Detail: found}, err
}

// Record keeps by what the person is recognised, and opens a case when there was a hit; it stops whom nothing else does.
func (s screener) Record(tx *db.Tx, sub identity.Subject, f identity.Finding) error {
	subject, err := s.subject(sub)
	if err != nil {
		return err
	}
	found, _ := f.Detail.(compliance.Result)
	if err := s.compliance.Remember(tx, subject, found); err != nil {
		return err
	}
	if !found.Flagged() {
		return nil
	}
	if sub.Unchecked {
		_, err = s.compliance.Stop(tx, subject, compliance.Onboarding, found)
		return err
	}
	_, err = s.compliance.OpenCase(tx, subject, compliance.Onboarding, found)
	return err
}

func (s screener) subject(sub identity.Subject) (compliance.Subject, error) {
	subject := personSubject(sub.Partner, sub.User, sub.Person)
	if sub.DocumentNumber == "" {
		return subject, nil
	}
	hash, err := s.compliance.DocumentHash(sub.DocumentType, sub.IssueCountry, sub.DocumentNumber)
	subject.Documents = [][]byte{hash}
	return subject, err
}

// personSubject is a person as one is screened.
func personSubject(partner int64, id clock.ID, p user.Person) compliance.Subject {
	return compliance.Subject{
		Partner: partner, User: id, BirthDate: p.BirthDate, Names: []compliance.Name{{First: p.FirstName, Last: p.LastName}},
		Countries: compliance.Countries{
			Residence: p.Country, Citizenship: p.Citizenship, Nationality: p.Nationality, Birth: p.BirthCountry,
		},
	}
}

// reviews joins compliance to the users whom it concerns.
type reviews struct {
	app      *App
	users    *user.Service
	identity *identity.Service
}

// joinReviews joins compliance to users and identity, and registers its job.
func joinReviews(a *App, users *user.Service, identities *identity.Service) *reviews {
	v := &reviews{app: a, users: users, identity: identities}
	a.Compliance.Join(v, v, v)
	a.jobs.Register(compliance.RescreenJob, a.Compliance.Rescreen)
	return v
}

// Reviewed lets identity do what follows from a decision.
func (v *reviews) Reviewed(tx *db.Tx, r compliance.Review) error {
	return v.identity.Reviewed(tx, r.Partner, r.User, r.Verdict == compliance.OK)
}

// Freeze puts a user under review and freezes it.
func (v *reviews) Freeze(tx *db.Tx, partner int64, id clock.ID) (changed bool, err error) {
	_, err = user.LockByID(tx, partner, id)
	if isCode(err, fault.InvalidUser) { // who was deleted meanwhile
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := v.identity.Flag(tx, partner, id); err != nil {
		return false, err
	}
	return v.users.FreezeForReview(tx, partner, id)
}

// Unfreeze lifts the screening's mark.
func (v *reviews) Unfreeze(tx *db.Tx, partner int64, id clock.ID) error {
	return v.users.UnfreezeReviewed(tx, partner, id)
}

// PersonChanged opens a case for a user whom the identity check knows under another name or birth date. Of a user
// without KYC nobody has established anything: the new name is screened as the first one was.
func (v *reviews) PersonChanged(tx *db.Tx, u user.User, before, after user.Person) error {
	if u.Model == user.NoKYC {
		return v.screenAgain(tx, u, after)
	}
	subject := personSubject(u.Partner, u.ID, after)
	subject.Names = append(subject.Names, compliance.Name{First: before.FirstName, Last: before.LastName})
	found := v.app.Compliance.Screen(subject)
	found.Findings = append(found.Findings, compliance.Finding{
		Kind: compliance.ProfileChanged, Ref: "profile:" + clock.NewID().String(), Text: "The name or the birth date of a verified user was changed.",
	})
	if err := v.identity.Flag(tx, u.Partner, u.ID); err != nil {
		return err
	}
	_, err := v.app.Compliance.OpenCase(tx, subject, compliance.ProfileChange, found)
	return err
}

func (v *reviews) screenAgain(tx *db.Tx, u user.User, p user.Person) error {
	subject, err := screener{v.app.Compliance}.subject(identity.Subject{
		Partner: u.Partner, User: u.ID, Person: p, DocumentType: p.DocumentType, DocumentNumber: p.DocumentNumber,
	})
	if err != nil {
		return err
	}
	found, err := v.app.Compliance.Check(tx, subject, v.app.Compliance.Screen(subject))
	if err != nil {
		return err
	}
	if err := v.app.Compliance.Remember(tx, subject, found); err != nil || !found.Flagged() {
		return err
	}
	_, err = v.app.Compliance.Stop(tx, subject, compliance.ProfileChange, found)
	return err
}

// ErasePerson removes what cases say about a deleted user's person.
func (v *reviews) ErasePerson(tx *db.Tx, partner int64, id clock.ID) error {
	compliance.Forget(tx, partner, id)
	return nil
}

// Next answers users to be screened again. Those whom nobody has accepted yet are screened when somebody does.
func (v *reviews) Next(ctx context.Context, after compliance.Position, limit int) ([]compliance.Candidate, error) {
	partners, err := v.app.Partners.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range partners {
		if p.ID < after.Partner {
			continue
		}
		from := page.Range{Limit: limit}
		if p.ID == after.Partner && !after.User.IsZero() {
			from.After = &page.Position{At: after.At, ID: after.User}
		}
		found, err := v.ofPartner(ctx, p.ID, from)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// ofPartner reads on until some of the users are to be watched, or there are no more.
func (v *reviews) ofPartner(ctx context.Context, partner int64, from page.Range) (found []compliance.Candidate, err error) {
	for len(found) == 0 {
		var users []user.Summary
		err := v.app.DB.View(ctx, func(r db.Reader) (err error) {
			if users, err = user.List(r, partner, user.Filter{Range: from}); err != nil {
				return err
			}
			found, err = v.candidates(r, users)
			return err
		})
		if err != nil || len(users) == 0 {
			return nil, err
		}
		last := users[len(users)-1].Position()
		from.After = &last
	}
	return found, nil
}

func (v *reviews) candidates(r db.Reader, users []user.Summary) (found []compliance.Candidate, err error) {
	for _, u := range users {
		if !u.DeletedAt.IsZero() || (u.Model == user.KYC && u.Verification == user.NotVerified && !u.UnderReview && !u.Active()) {
			continue
		}
		p, err := v.users.FindPerson(r, u.User)
		if err != nil {
			return nil, err
		}
		c := compliance.Candidate{Subject: personSubject(u.Partner, u.ID, p), At: u.CreatedAt}
		e, established, err := v.users.FindEstablished(r, u.User)
		if err != nil {
			return nil, err
		}
		if name := (compliance.Name{First: e.FirstName, Last: e.LastName}); established && name != c.Names[0] {
			c.Names = append(c.Names, name)
		}
		found = append(found, c)
	}
	return found, nil
}
