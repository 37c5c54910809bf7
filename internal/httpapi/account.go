package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/partner"
	"kontor/internal/user"
)

// CreateUserWithoutKyc opens a user of the older model, whose balances can be used at once, unless the screening stops the user.
func (a *api) CreateUserWithoutKyc(w http.ResponseWriter, r *http.Request, _ oas.CreateUserWithoutKycParams) {
	change(a, w, r, "createUserWithoutKyc", func(tx *db.Tx, p partner.Partner, body oas.NewUserWithoutKyc) (result, error) {
		if p.Settings.Text("model") != user.NoKYC {
			return result{}, fault.New(fault.WrongUserModel)
		}
		u, accounts, err := a.Identity.Open(tx, p.ID, user.New{
			ExternalID: body.ExternalUserId, Reuse: reuse(p), Person: user.Person{
				Email: body.Email, FirstName: body.FirstName, LastName: body.LastName, Street: body.Address,
				City: body.City, Country: body.Country, DocumentType: string(body.DocumentType),
				DocumentNumber: body.DocumentNumber, NationalNumber: value(body.Pesel),
				BirthCountry: body.BirthCountry, BirthDate: body.BirthDate,
			},
		})
		if err != nil {
			return result{}, err
		}
		b, err := a.show(p, accounts, fiatState{})
		return result{status: http.StatusCreated, object: u.ID, body: oas.UserWithoutKycCreated{
			UserId: u.ID.String(), Balances: flat(b),
		}}, err
	})
}

// reuse tells whether the partner may give the id of a deleted user to another one.
func reuse(p partner.Partner) bool { return p.Settings.Text("externalId.reuse") == "on" }

// UpdateUser changes what the partner told about a user.
func (a *api) UpdateUser(w http.ResponseWriter, r *http.Request, externalUserID string, _ oas.UpdateUserParams) {
	change(a, w, r, "updateUser", func(tx *db.Tx, p partner.Partner, body oas.UserChange) (result, error) {
		switch {
		case body.ExternalUserId != nil && *body.ExternalUserId != externalUserID:
			return result{}, fault.Invalid("externalUserId cannot be changed")
		case body.Pesel != nil && body.UserIdentificationNumber != nil && *body.Pesel != *body.UserIdentificationNumber:
			return result{}, fault.Invalid("pesel and userIdentificationNumber must not be different numbers")
		case body.HasAcceptedP100Tc != nil && !*body.HasAcceptedP100Tc:
			return result{}, fault.New(fault.TermsNotAccepted)
		}
		c := user.Change{
			Email: body.Email, Phone: body.Phone, FirstName: body.FirstName, LastName: body.LastName,
			Street: body.Street, StreetNumber: body.Number, Address: body.Address, City: body.City,
			PostCode: body.PostCode, Country: body.Country, Citizenship: body.Citizenship,
			Nationality: body.Nationality, BirthCountry: body.BirthCountry, BirthDate: body.BirthDate,
			DocumentType: (*string)(body.DocumentType), DocumentNumber: body.DocumentNumber,
			NationalNumber: body.UserIdentificationNumber,
		}
		if body.Pesel != nil {
			c.NationalNumber = body.Pesel
		}
		u, err := a.Users.Update(tx, p.ID, externalUserID, c)
		return result{status: http.StatusOK, object: u.ID, body: oas.UserUpdated{
			Message: "User updated", UserId: u.ID.String(),
		}}, err
	})
}

// DeleteUser ends a user for good.
func (a *api) DeleteUser(w http.ResponseWriter, r *http.Request, externalUserID string, _ oas.DeleteUserParams) {
	a.manage(w, r, "deleteUser", "User deleted", func(tx *db.Tx, p partner.Partner) (user.User, error) {
		days, err := strconv.Atoi(p.Settings.Text("retention.days"))
		if err != nil {
			return user.User{}, err
		}
		return a.Users.Delete(tx, p.ID, externalUserID, time.Duration(days)*24*time.Hour)
	})
}

// SuspendUser stops what goes out of a user's account.
func (a *api) SuspendUser(w http.ResponseWriter, r *http.Request, externalUserID string, _ oas.SuspendUserParams) {
	a.manage(w, r, "suspendUser", "User suspended", func(tx *db.Tx, p partner.Partner) (user.User, error) {
		return a.Users.Suspend(tx, p.ID, externalUserID)
	})
}

// UnsuspendUser takes the partner's suspension back.
func (a *api) UnsuspendUser(w http.ResponseWriter, r *http.Request, externalUserID string, _ oas.UnsuspendUserParams) {
	a.manage(w, r, "unsuspendUser", "User unsuspended", func(tx *db.Tx, p partner.Partner) (user.User, error) {
		return a.Users.Unsuspend(tx, p.ID, externalUserID)
	})
}

// manage is change for operations without a body that answer a message.
func (a *api) manage(w http.ResponseWriter, r *http.Request, operation, message string, fn func(tx *db.Tx, p partner.Partner) (user.User, error)) {
	change(a, w, r, operation, func(tx *db.Tx, p partner.Partner, _ struct{}) (result, error) {
		u, err := fn(tx, p)
		return result{status: http.StatusOK, object: u.ID, body: oas.Message{Message: message}}, err
	})
}
