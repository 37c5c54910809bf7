package sepa

import (
	"errors"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/iban"
)

// OwnerOf finds, for the operator, whose an IBAN is, of whatever partner. ok is false when it is nobody's.
func (s *Service) OwnerOf(r db.Reader, number iban.IBAN) (partner int64, owner clock.ID, ok bool, err error) {
	err = r.Row(selectOwner, byIBAN, string(number)).Scan(&partner, &owner)
	if errors.Is(err, db.ErrNoRows) {
		return 0, clock.ID{}, false, nil
	}
	return partner, owner, err == nil, err
}

// IBAN answers the IBAN of an owner; empty when the owner has none.
func (s *Service) IBAN(r db.Reader, partner int64, owner clock.ID) (iban.IBAN, error) {
	a, err := s.FindAccount(r, partner, owner)
	if err != nil && fault.From(err).Code == fault.BalanceNotActive {
		return "", nil
	}
	return a.IBAN, err
}
