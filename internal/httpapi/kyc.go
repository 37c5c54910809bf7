package httpapi

import (
	"net/http"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/identity"
	"kontor/internal/partner"
	"kontor/internal/user"
)

// CreateHostedVerification makes the link to a page on which a user's identity is checked.
func (a *api) CreateHostedVerification(w http.ResponseWriter, r *http.Request, _ oas.CreateHostedVerificationParams) {
	change(a, w, r, "createHostedVerification", func(tx *db.Tx, p partner.Partner, body oas.NewHostedVerification) (result, error) {
		income, err := declaredIncome(&body.IncomeSource, &body.OpenAccountReason, body.TaxId, body.Occupation, body.AdditionalInfo)
		if err != nil {
			return result{}, err
		}
		u, err := user.Find(tx, p.ID, body.ExternalUserId)
		if err != nil {
			return result{}, err
		}
		if _, served := a.Catalog.Country(body.Country); !served {
			return result{}, fault.New(fault.ForbiddenCountry)
		}
		fees, err := a.Catalog.FeesWith(p.Settings.Family("fees."))
		if err != nil {
			return result{}, err
		}
		made, err := a.Identity.Host(tx, p.ID, body.ExternalUserId, identity.Claims{
			DocumentType: string(body.DocumentType), IssueCountry: body.Country, Income: income,
		}, identity.Terms{Fee: fees.KycVerification, OnSuccess: p.Settings.Text("kycFee.at") == "successful"})
		return result{status: http.StatusCreated, object: made.ID, secret: true, body: a.hostedVerification(u, made)}, err
	}, func(rd db.Reader, p partner.Partner, object clock.ID) (any, error) {
		made, err := a.Identity.FindAttempt(rd, p.ID, object)
		if err != nil {
			return nil, err
		}
		u, err := user.FindByID(rd, p.ID, made.User)
		return a.hostedVerification(u, made), err
	})
}

func (a *api) hostedVerification(u user.User, made identity.Attempt) oas.HostedVerification {
	return oas.HostedVerification{VerificationId: made.Link, Url: a.Identity.URL(u.ExternalID, made)}
}

// declaredIncome reads what a partner says of a user's income. Which members belong to it, the source decides: P403.
func declaredIncome(source *oas.IncomeSource, reason *oas.OpenAccountReason, taxID *string, occupation *oas.Occupation, info *string) (identity.Income, error) {
	if source == nil {
		return identity.Income{}, nil
	}
	var problems []string
	if *source == oas.BUSINESSACTIVITY && taxID == nil {
		problems = append(problems, "taxId must be provided")
	}
	if *source == oas.SALARY && occupation == nil {
		problems = append(problems, "occupation must be provided")
	}
	if *source != oas.BUSINESSACTIVITY && info == nil {
		problems = append(problems, "additionalInfo must be provided")
	}
	if len(problems) > 0 {
		return identity.Income{}, fault.Invalid(problems...)
	}
	return identity.Income{
		Source: string(*source), OpenAccountReason: string(value(reason)), TaxID: value(taxID),
		Occupation: string(value(occupation)), AdditionalInfo: value(info),
	}, nil
}

// GetKycStatus answers how far a user's latest identity check is.
func (a *api) GetKycStatus(w http.ResponseWriter, r *http.Request, externalUserID oas.ExternalUserId) {
	read(a, w, r, "getKycStatus", func(rd db.Reader, p partner.Partner) (oas.KycStatus, error) {
		u, err := user.Find(rd, p.ID, externalUserID)
		if err != nil {
			return oas.KycStatus{}, err
		}
		status, err := a.Identity.FindStatus(rd, u)
		if err != nil {
			return oas.KycStatus{}, err
		}
		last := status.Attempt
		if last.Status == "" {
			return oas.KycStatus{}, fault.New(fault.KycNotFound)
		}
		out := oas.KycStatus{
			ExternalUserId: u.ExternalID, VerificationStatus: oas.VerificationStatus(u.Verification),
			AttemptStatus: oas.AttemptStatus(last.Status), VerificationId: optional(last.Link), ManualReview: last.ManualReview,
		}
		if last.Reason != "" {
			reason := oas.RejectionReason(last.Reason)
			out.RejectionReason = &reason
		}
		return out, nil
	})
}

// RequestVerification completes a user's verification.
func (a *api) RequestVerification(w http.ResponseWriter, r *http.Request, _ oas.RequestVerificationParams) {
	change(a, w, r, "requestVerification", func(tx *db.Tx, p partner.Partner, body oas.VerificationRequest) (result, error) {
		income, err := declaredIncome(body.IncomeSource, body.OpenAccountReason, body.TaxId, body.Occupation, body.AdditionalInfo)
		if err != nil {
			return result{}, err
		}
		status, err := a.Identity.Request(tx, p.ID, body.ExternalUserId, identity.Claims{
			DocumentType: string(body.DocumentType), DocumentNumber: body.DocumentNumber, IssueCountry: body.DocumentIssueCountry,
			IssueDate: value(body.DocumentIssueDate), ExpiryDate: body.DocumentExpiryDate, Income: income,
		})
		return result{status: http.StatusCreated, body: oas.Message{Message: verificationMessage(status)}}, err
	})
}

// verificationMessage tells a person what became of a request for verification.
func verificationMessage(s identity.Status) string {
	switch {
	case s.Attempt.ManualReview:
		return "The user is under review."
	case s.Attempt.Status == identity.Rejected:
		return "The identity check was refused."
	case s.Attempt.Status == identity.InVerification:
		return "The identity check runs."
	default:
		return "The user is verified."
	}
}
