package sepa

import (
	"cmp"
	"maps"
	"slices"
	"strings"
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
	noteContact = db.NewUpsert("sepa_contact",
		"partner_id bigint, owner_id uuid, iban text, id uuid, name bytes, created_at bigint, last_used_at bigint",
		"partner_id, owner_id, iban", "last_used_at")
	selectContact = db.NewQuery(`SELECT id, iban, name, created_at, last_used_at FROM sepa_contact
		WHERE partner_id = $1 AND owner_id = $2 AND iban = $3`)
	selectContacts = db.NewQuery(`SELECT id, iban, name, created_at, last_used_at FROM sepa_contact
		WHERE partner_id = $1 AND owner_id = $2 ORDER BY last_used_at DESC, id DESC LIMIT $3`)
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

// contactKey is what an owner's contact is known by.
type contactKey struct {
	owner clock.ID
	iban  string
}

// learn remembers from which accounts owners of a partner have paid in, in the order of the keys, so that of two
// transactions none waits for the other's rows. A contact that is known keeps its name.
func (s *Service) learn(tx *db.Tx, partner int64, names map[contactKey]string, at time.Time) error {
	keys := slices.SortedFunc(maps.Keys(names), func(a, b contactKey) int {
		return cmp.Or(slices.Compare(a.owner[:], b.owner[:]), strings.Compare(a.iban, b.iban))
	})
	for _, k := range keys {
		id := clock.NewID()
		name, err := s.vault.Seal(namePlace(id), []byte(names[k]))
		if err != nil {
			return err
		}
		tx.Write(noteContact, partner, k.owner, k.iban, id, name, at, at)
	}
	return nil
}

var deleteContacts = db.NewCommand(`DELETE FROM sepa_contact WHERE partner_id = $1 AND owner_id = $2`)

// ErasePerson forgets the accounts that a deleted user paid in from, and who paid the user's deposits in.
func (s *Service) ErasePerson(tx *db.Tx, partner int64, owner clock.ID) error {
	tx.Write(deleteContacts, partner, owner)
	tx.Write(erasePayers, partner, owner, []byte{})
	return nil
}
