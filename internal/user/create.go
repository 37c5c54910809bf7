package user

import (
	"strings"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// New is the order to open a user's account.
type New struct {
	ExternalID string
	Model      string
	Person     Person
	// Reuse lets the id of a deleted user be given again.
	Reuse bool
}

var (
	insertUser = db.NewInsert("users", `partner_id bigint, id uuid, external_id text, model text, verification text,
		activated_at bigint, suspended_at bigint, frozen_at bigint, version bigint, created_at bigint`)
	releaseID = db.NewCommand(`
		UPDATE users SET external_id = external_id || '#' || CAST(id AS TEXT)
		WHERE partner_id = $1 AND external_id = $2 AND deleted_at <> 0`)
)

// Create opens a user with empty balances of all currencies, which it answers by slug; the fiat ones of a user
// without KYC never move. P403 for what cannot be true of a person; P431 when the country of residence is not served;
// P411, at the commit, when the partner has used the externalUserId.
func (s *Service) Create(tx *db.Tx, partner int64, n New) (User, map[string]ledger.State, error) {
	p, err := s.Canonical(n.Person)
	if err != nil {
		return User{}, nil, err
	}
	u := User{
		Partner: partner, ID: clock.NewID(), ExternalID: n.ExternalID, Model: n.Model,
		Verification: NotVerified, CreatedAt: s.clock.Now(),
	}
	person, err := s.values(u, p)
	if err != nil {
		return User{}, nil, err
	}
	if n.Reuse {
		tx.Write(releaseID, partner, u.ExternalID)
	}
	tx.Write(insertUser, partner, u.ID, u.ExternalID, u.Model, u.Verification,
		u.ActivatedAt, u.SuspendedAt, u.FrozenAt, u.Version, u.CreatedAt)
	tx.Write(insertPerson, person...)
	balances := map[string]ledger.State{}
	for _, e := range s.catalog.Currencies() {
		var id clock.ID
		if u.Model == NoKYC && e.Kind == catalog.Fiat {
			id = ledger.OpenIdleBalance(tx, partner, u.ID, e.Currency, u.CreatedAt)
		} else {
			id = ledger.OpenAccount(tx, partner, u.ID, ledger.Balance, e.Currency, u.CreatedAt)
		}
		balances[e.Code] = ledger.State{Account: id, Posted: money.New(0, e.Currency), Held: money.New(0, e.Currency)}
	}
	return u, balances, nil
}

// Canonical is a person as one is kept: with the catalogue's codes of countries. P403 for what cannot be true of a
// person; P431 when the country of residence is not served.
func (s *Service) Canonical(p Person) (Person, error) {
	if problems := p.implausible(s.clock.Now()); len(problems) > 0 {
		return Person{}, fault.Invalid(problems...)
	}
	country, ok := s.catalog.Country(p.Country)
	if !ok {
		return Person{}, fault.New(fault.ForbiddenCountry)
	}
	p.Country, p.Citizenship = country.Code, strings.ToUpper(p.Citizenship)
	p.Nationality, p.BirthCountry = strings.ToUpper(p.Nationality), strings.ToUpper(p.BirthCountry)
	return p, nil
}
