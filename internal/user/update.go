package user

import (
	"strings"

	"kontor/internal/db"
	"kontor/internal/fault"
)

// Change is what a partner wants of a user's profile. Members that are nil stay as they are.
type Change struct {
	Email, Phone                  *string
	FirstName, LastName           *string
	Street, StreetNumber, Address *string // Address is the one line that stands for both others
	City, PostCode                *string
	Country                       *string // only the one that the user has
	Citizenship, Nationality      *string
	BirthCountry, BirthDate       *string
	DocumentType                  *string
	DocumentNumber                *string
	NationalNumber                *string
}

// Update changes a user's profile. What an identity check established stays as it is; when the name or the birth
// date of a user changes whom a check knows, the reviewer is told. Of two changes at once neither is lost. P412;
// P403 for another country of residence, half an address and what cannot be true of a person; P455.
func (s *Service) Update(tx *db.Tx, partner int64, externalID string, c Change) (User, error) {
	u, err := Lock(tx, partner, externalID)
	if err != nil {
		return User{}, err
	}
	before, err := s.FindPerson(tx, u)
	if err != nil {
		return User{}, err
	}
	if problems := s.misfits(before, c); len(problems) > 0 {
		return User{}, fault.Invalid(problems...)
	}
	if err := u.MayAct(); err != nil {
		return User{}, err
	}
	after := c.apply(before)
	if after == before {
		return u, nil
	}
	values, err := s.values(u, after)
	if err != nil {
		return User{}, err
	}
	tx.Write(updatePerson, values...)
	if s.others.Reviewer != nil && u.known() && after.identifying() != before.identifying() {
		return u, s.others.Reviewer.PersonChanged(tx, u, before, after)
	}
	return u, nil
}

// known tells whether somebody has judged who the user is: an identity check, even if it expired; an officer who has
// to decide, and must not decide about somebody else than the person that will be verified; the screening that lets a
// user without KYC begin.
func (u User) known() bool {
	return u.Verification != NotVerified || u.Active() || u.UnderReview || u.Model == NoKYC
}

// identifying is what tells persons apart.
func (p Person) identifying() [3]string { return [3]string{p.FirstName, p.LastName, p.BirthDate} }

// misfits tells what of a change does not fit the profile that there is.
func (s *Service) misfits(p Person, c Change) (problems []string) {
	if c.Country != nil {
		if country, served := s.catalog.Country(*c.Country); !served || country.Code != p.Country {
			problems = append(problems, "country cannot be changed: it is the country of residence of the account's creation")
		}
	}
	switch parts := c.Street != nil || c.StreetNumber != nil; {
	case parts && c.Address != nil:
		problems = append(problems, "address must not be given together with street or number: it stands for both")
	case parts && p.StreetNumber == "" && (c.Street == nil || c.StreetNumber == nil):
		problems = append(problems, "street and number must be given together: the account has its address in one line")
	}
	// What is sent alone: what an earlier version took does not stop other changes.
	return append(problems, c.apply(Person{}).implausible(s.clock.Now())...)
}

func (c Change) apply(p Person) Person {
	for _, member := range []struct {
		into *string
		from *string
	}{
		{&p.Email, c.Email},
		{&p.Phone, c.Phone},
		{&p.FirstName, c.FirstName},
		{&p.LastName, c.LastName},
		{&p.Street, c.Street},
		{&p.StreetNumber, c.StreetNumber},
		{&p.City, c.City},
		{&p.PostCode, c.PostCode},
		{&p.BirthDate, c.BirthDate},
		{&p.DocumentType, c.DocumentType},
		{&p.DocumentNumber, c.DocumentNumber},
		{&p.NationalNumber, c.NationalNumber},
	} {
		if member.from != nil {
			*member.into = *member.from
		}
	}
	for _, member := range []struct {
		into *string
		from *string
	}{{&p.Citizenship, c.Citizenship}, {&p.Nationality, c.Nationality}, {&p.BirthCountry, c.BirthCountry}} {
		if member.from != nil {
			*member.into = strings.ToUpper(*member.from)
		}
	}
	if c.Address != nil {
		p.Street, p.StreetNumber = *c.Address, ""
	}
	return p
}
