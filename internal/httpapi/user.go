package httpapi

import (
	"net/http"
	"strings"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/identity"
	"kontor/internal/partner"
	"kontor/internal/user"
)

// newPerson turns a body of either generation into personal data.
func newPerson(f oas.UserForms) (externalUserID string, p user.Person) {
	if b := f.Older; b != nil {
		return b.ExternalUserId, user.Person{
			Email: b.Email, Phone: b.Phone, FirstName: b.FirstName, LastName: b.LastName, Street: b.Address,
			City: b.City, PostCode: b.PostCode, Country: b.Country, Citizenship: b.Citizenship,
			DocumentType: string(b.DocumentType), DocumentNumber: b.DocumentNumber,
		}
	}
	b := f.Newer
	return b.ExternalUserId, user.Person{
		Email: b.Email, Phone: b.Phone, FirstName: b.FirstName, LastName: b.LastName, Street: b.Street,
		StreetNumber: b.Number, City: b.City, PostCode: b.PostCode, Country: b.Country, Citizenship: b.Citizenship,
		Nationality: b.Nationality, BirthCountry: b.BirthCountry, BirthDate: b.BirthDate,
		NationalNumber: value(b.UserIdentificationNumber),
	}
}

// CreateUser opens a user with balances that wait for the verification.
func (a *api) CreateUser(w http.ResponseWriter, r *http.Request, _ oas.CreateUserParams) {
	change(a, w, r, "createUser", func(tx *db.Tx, p partner.Partner, body oas.UserForms) (result, error) {
		if p.Settings.Text("model") != user.KYC {
			return result{}, fault.New(fault.WrongUserModel)
		}
		if body.Newer != nil && !value(body.Newer.HasAcceptedP100Tc) {
			return result{}, fault.New(fault.TermsNotAccepted)
		}
		externalUserID, person := newPerson(body)
		u, accounts, err := a.Users.Create(tx, p.ID, user.New{
			ExternalID: externalUserID, Model: user.KYC, Person: person, Reuse: reuse(p),
		})
		if err != nil {
			return result{}, err
		}
		poa := a.poaRequired(p, person.Country)
		if body.Older == nil {
			return result{status: http.StatusCreated, object: u.ID, body: oas.UserCreated{
				UserId: u.ID.String(), PoaRequiredForExtended: poa,
			}}, nil
		}
		b, err := a.show(p, accounts, fiatState{status: waiting(p)})
		return result{status: http.StatusCreated, object: u.ID, body: oas.OlderUserCreated{
			UserId: u.ID.String(), PoaRequired: poa, PoaRequiredForExtended: poa,
			Balances: b, FiatBalances: b.FiatBalances, CryptoBalances: b.CryptoBalances,
		}}, err
	})
}

// GetUser answers a user's profile and state.
func (a *api) GetUser(w http.ResponseWriter, r *http.Request, externalUserID string) {
	read(a, w, r, "getUser", func(rd db.Reader, p partner.Partner) (oas.User, error) {
		u, err := user.Find(rd, p.ID, externalUserID)
		if err != nil {
			return oas.User{}, err
		}
		person, err := a.Users.FindPerson(rd, u)
		if err != nil {
			return oas.User{}, err
		}
		status, err := a.Identity.FindStatus(rd, u)
		if err != nil {
			return oas.User{}, err
		}
		missing, err := a.missing(rd, status)
		if err != nil {
			return oas.User{}, err
		}
		out := oas.User{
			UserId: u.ID.String(), ExternalUserId: u.ExternalID, Model: userModel(u), Status: oas.UserStatus(u.Status()),
			MissingForActivation: missing,
			SuspendedByPartner:   !u.SuspendedAt.IsZero(), FrozenByOperator: !u.FrozenAt.IsZero(),
			Verification: oas.UserVerification{
				VerificationStatus: oas.VerificationStatus(u.Verification), ManualReview: u.UnderReview,
				VerificationId: optional(status.Attempt.Link),
				PoaRequired: u.Model == user.KYC && !u.Active() &&
					a.Uploads.ProofRequired(p.Settings.Text("poa.required"), person.Country, status.Attempt.HighRisk()),
			},
			Profile: profile(u, person), CreatedAt: clock.Format(u.CreatedAt), ActivatedAt: optionalTime(u.ActivatedAt),
		}
		proof, err := a.Uploads.ProofStatus(rd, u)
		if err != nil {
			return oas.User{}, err
		}
		if proof != "" {
			out.Verification.PoaStatus = (*oas.PoaStatus)(&proof)
		}
		if status.Attempt.Status != "" {
			attempt := oas.AttemptStatus(status.Attempt.Status)
			out.Verification.AttemptStatus = &attempt
		}
		if status.Attempt.Reason != "" {
			reason := oas.RejectionReason(status.Attempt.Reason)
			out.Verification.RejectionReason = &reason
		}
		return out, nil
	})
}

// missing tells what still has to happen before a user is active.
func (a *api) missing(rd db.Reader, s identity.Status) ([]oas.MissingForActivation, error) {
	found, err := a.Identity.Missing(rd, s)
	all := make([]oas.MissingForActivation, len(found))
	for i, m := range found {
		all[i] = oas.MissingForActivation{
			Condition:  oas.MissingForActivationCondition(m.Condition),
			WaitingFor: oas.MissingForActivationWaitingFor(m.WaitingFor), NextStep: m.NextStep,
		}
	}
	return all, err
}

// profile shows personal data as the partner sent them. The one line of an older body's address stands in
// Street without a number of its own.
func profile(u user.User, p user.Person) oas.UserProfile {
	out := oas.UserProfile{
		Email: p.Email, Phone: optional(p.Phone), FirstName: p.FirstName, LastName: p.LastName,
		Street: optional(p.Street), Number: optional(p.StreetNumber), City: p.City, PostCode: optional(p.PostCode),
		Country: p.Country, Citizenship: optional(p.Citizenship), Nationality: optional(p.Nationality),
		BirthCountry: optional(p.BirthCountry), BirthDate: optional(p.BirthDate),
	}
	if u.Model == user.KYC { // a PESEL is not shown
		out.UserIdentificationNumber = optional(p.NationalNumber)
	}
	if p.StreetNumber == "" {
		out.Street, out.Address = nil, optional(p.Street)
	}
	return out
}

func optionalTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return optional(clock.Format(t))
}

// SandboxActivateUser decides a user's identity check as the caller wants it.
func (a *api) SandboxActivateUser(w http.ResponseWriter, r *http.Request, externalUserID string, _ oas.SandboxActivateUserParams) {
	change(a, w, r, "sandboxActivateUser", func(tx *db.Tx, p partner.Partner, body oas.SandboxActivation) (result, error) {
		s, err := a.Identity.Activate(tx, p.ID, externalUserID, strings.TrimSpace(value(body.DocumentNumber)))
		return result{status: http.StatusOK, object: s.User.ID, body: activated(s)}, err
	})
}

// SandboxReviewUser decides about a user under review, in the place of compliance officers.
func (a *api) SandboxReviewUser(w http.ResponseWriter, r *http.Request, externalUserID string, _ oas.SandboxReviewUserParams) {
	change(a, w, r, "sandboxReviewUser", func(tx *db.Tx, p partner.Partner, body oas.SandboxReview) (result, error) {
		u, err := user.Lock(tx, p.ID, externalUserID)
		if err != nil {
			return result{}, err
		}
		if err := a.Compliance.DecideUser(tx, p.ID, u.ID, compliance.Verdict(body.Status)); err != nil {
			return result{}, err
		}
		if u, err = user.FindByID(tx, p.ID, u.ID); err != nil {
			return result{}, err
		}
		s, err := a.Identity.FindStatus(tx, u)
		return result{status: http.StatusOK, object: u.ID, body: activated(s)}, err
	})
}

// activated shows where a user stands after a call of the sandbox.
func activated(s identity.Status) oas.SandboxActivated {
	return oas.SandboxActivated{
		ExternalUserId: s.User.ExternalID, VerificationStatus: oas.VerificationStatus(s.User.Verification),
		AttemptStatus: (*oas.AttemptStatus)(optional(s.Attempt.Status)), ManualReview: s.User.UnderReview,
	}
}
