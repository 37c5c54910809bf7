package identity

import (
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

// Open opens the account of a user of the model without KYC, which can be used at once, and answers it with its
// balances by slug. Nobody will check this identity, so the person is screened here: with a hit a compliance officer
// gets a case, and the user is frozen from the first moment until the officer's OK. P431, P411 as user.Service.Create.
func (s *Service) Open(tx *db.Tx, partner int64, n user.New) (user.User, map[string]ledger.State, error) {
	n.Model = user.NoKYC
	if s.Screener == nil {
		return s.Users.Create(tx, partner, n)
	}
	person, err := s.Users.Canonical(n.Person)
	if err != nil {
		return user.User{}, nil, err
	}
	n.Person = person
	subject := Subject{
		Partner: partner, Person: person, DocumentType: person.DocumentType, DocumentNumber: person.DocumentNumber, Unchecked: true,
	}
	found, err := s.Screener.Screen(tx, subject)
	if err != nil {
		return user.User{}, nil, err
	}
	u, accounts, err := s.Users.Create(tx, partner, n)
	if err != nil {
		return user.User{}, nil, err
	}
	subject.User = u.ID
	return u, accounts, s.Screener.Record(tx, subject, found)
}
