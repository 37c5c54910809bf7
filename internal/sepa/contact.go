package sepa

import (
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/iban"
	"kontor/internal/vault"
)

// maxContacts is how many contacts a list shows: the ones used last.
const maxContacts = 1000

// Contact is an account that an owner has paid in from.
type Contact struct {
	ID         clock.ID
	IBAN       iban.IBAN
	Name       string // as the bank reported it with the first payment
	CreatedAt  time.Time
	LastUsedAt time.Time
}

var (
	insertContact = db.NewInsert("sepa_contact",
		"partner_id bigint, owner_id uuid, iban text, id uuid, name bytes, created_at bigint, last_used_at bigint")
	selectContact = db.NewQuery(`SELECT id, iban, name, created_at, last_used_at FROM sepa_contact
		WHERE partner_id = $1 AND owner_id = $2 AND iban = $3`)
	selectContacts = db.NewQuery(`SELECT id, iban, name, created_at, last_used_at FROM sepa_contact
		WHERE partner_id = $1 AND owner_id = $2 ORDER BY last_used_at DESC, id DESC LIMIT $3`)
	touchContact = db.NewCommand(`UPDATE sepa_contact SET last_used_at = $4
		WHERE partner_id = $1 AND owner_id = $2 AND iban = $3`)
)

func namePlace(id clock.ID) vault.Place {
	return vault.Place{Table: "sepa_contact", Column: "name", Row: id.String()}
}

// Contacts reads the accounts that an owner has paid in from, the one used last first, at most 1,000.
func (s *Service) Contacts(r db.Reader, partner int64, owner clock.ID) ([]Contact, error) {
	rows := r.Rows(selectContacts, partner, owner, maxContacts)
	defer rows.Close()
	var all []Contact
	for rows.Next() {
		c, err := s.scanContact(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

func (s *Service) scanContact(row db.Scanner) (Contact, error) {
	var c Contact
	var number string
	var sealed []byte
	if err := row.Scan(&c.ID, &number, &sealed, &c.CreatedAt, &c.LastUsedAt); err != nil {
		return c, err
	}
	name, err := s.vault.Open(namePlace(c.ID), sealed)
	c.IBAN, c.Name = iban.IBAN(number), string(name)
	return c, err
}

// learn remembers from which account an owner has paid in, in a locked transaction.
func (s *Service) learn(tx *db.Tx, d Deposit, at time.Time) error {
	if d.SenderIBAN == "" {
		return nil
	}
	_, err := s.scanContact(tx.Row(selectContact, d.Partner, d.Owner, d.SenderIBAN))
	if err == nil {
		tx.Write(touchContact, d.Partner, d.Owner, d.SenderIBAN, at)
		return nil
	}
	if !errors.Is(err, db.ErrNoRows) {
		return err
	}
	id := clock.NewID()
	name, err := s.vault.Seal(namePlace(id), []byte(d.SenderName))
	if err != nil {
		return err
	}
	tx.Write(insertContact, d.Partner, d.Owner, d.SenderIBAN, id, name, at, at)
	return nil
}

var deleteContacts = db.NewCommand(`DELETE FROM sepa_contact WHERE partner_id = $1 AND owner_id = $2`)

// ErasePerson forgets the accounts that a deleted user paid in from.
func (s *Service) ErasePerson(tx *db.Tx, partner int64, owner clock.ID) error {
	tx.Write(deleteContacts, partner, owner)
	return nil
}
