package httpapi

import (
	"net/http"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/httpapi/oas"
	"kontor/internal/partner"
	"kontor/internal/user"
)

// ListUsers answers a page of the partner's users.
func (a *api) ListUsers(w http.ResponseWriter, r *http.Request, _ oas.ListUsersParams) {
	read(a, w, r, "listUsers", func(rd db.Reader, p partner.Partner) (oas.UserPage, error) {
		query := r.URL.Query()
		filter := user.Filter{Status: query.Get("status"), Email: query.Get("email")}
		l, err := a.listing(r, "users", filter.Status, filter.Email)
		if err != nil {
			return oas.UserPage{}, err
		}
		filter.Range = l.Range
		filter.Limit++ // one more tells whether there is another page
		found, err := user.List(rd, p.ID, filter)
		if err != nil {
			return oas.UserPage{}, err
		}
		out := oas.UserPage{Users: []oas.UserSummary{}}
		for _, s := range found[:min(len(found), l.Limit)] {
			out.Users = append(out.Users, showSummary(s))
		}
		if len(found) > l.Limit {
			out.NextCursor, err = a.next(l, found[l.Limit-1].Position(), true)
		}
		return out, err
	})
}

func showSummary(s user.Summary) oas.UserSummary {
	return oas.UserSummary{
		UserId: s.ID.String(), ExternalUserId: s.ExternalID, Model: userModel(s.User), Status: oas.UserStatus(s.Status()),
		VerificationStatus: oas.VerificationStatus(s.Verification),
		SuspendedByPartner: !s.SuspendedAt.IsZero(), FrozenByOperator: !s.FrozenAt.IsZero(),
		Email: s.Email, FirstName: s.FirstName, LastName: s.LastName, Country: s.Country,
		CreatedAt: clock.Format(s.CreatedAt), ActivatedAt: optionalTime(s.ActivatedAt),
	}
}

func userModel(u user.User) oas.UserModel {
	if u.Model == user.NoKYC {
		return "NO_KYC"
	}
	return "KYC"
}
