package user

import (
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// Person is a user's personal data, as the partner tells them. Texts may be in any script and are kept exactly.
type Person struct {
	Email, Phone                         string
	FirstName, LastName                  string
	Street, StreetNumber, City, PostCode string // Street alone holds a one-line address
	Country, Citizenship, Nationality    string // ISO 3166 alpha-2
	BirthCountry, BirthDate              string // alpha-2; YYYY-MM-DD
	DocumentType                         string
	DocumentNumber, NationalNumber       string // encrypted at rest
}

// Established is what an identity check found out about a user. It stands apart from what the partner tells
// (Person), whose changes never touch it; names are checked against it.
type Established struct {
	FirstName, LastName string
	BirthDate           string // YYYY-MM-DD; empty when nobody told it
	DocumentType        string
	DocumentCountry     string // that issued it, alpha-2; empty when nobody told it
	DocumentNumber      string // encrypted at rest
	At                  time.Time
}

const personColumns = `email, phone, first_name, last_name, street, street_number, city, post_code, country, citizenship,
	nationality, birth_country, birth_date, document_type, document_number, national_number`

var (
	insertPerson = db.NewInsert("person", `partner_id bigint, user_id uuid, email text, phone text, first_name text,
		last_name text, street text, street_number text, city text, post_code text, country text, citizenship text,
		nationality text, birth_country text, birth_date text, document_type text, document_number bytes,
		national_number bytes`)
	selectPerson = db.NewQuery(`SELECT user_id, ` + personColumns + ` FROM person WHERE partner_id = $1 AND user_id = $2`)
	updatePerson = db.NewCommand(`
		UPDATE person SET email = $3, phone = $4, first_name = $5, last_name = $6, street = $7, street_number = $8,
			city = $9, post_code = $10, country = $11, citizenship = $12, nationality = $13, birth_country = $14,
			birth_date = $15, document_type = $16, document_number = $17, national_number = $18
		WHERE partner_id = $1 AND user_id = $2`)
	deletePerson      = db.NewCommand(`DELETE FROM person WHERE partner_id = $1 AND user_id = $2`)
	selectEstablished = db.NewQuery(`
		SELECT verified_first_name, verified_last_name, verified_birth_date, verified_document_type,
			verified_document_country, verified_document_number, verified_at
		FROM person WHERE partner_id = $1 AND user_id = $2`)
	updateEstablished = db.NewCommand(`
		UPDATE person SET verified_first_name = $3, verified_last_name = $4, verified_birth_date = $5,
			verified_document_type = $6, verified_document_country = $7, verified_document_number = $8, verified_at = $9
		WHERE partner_id = $1 AND user_id = $2`)
)

func place(user clock.ID, column string) vault.Place {
	return vault.Place{Table: "person", Column: column, Row: user.String()}
}

// values are the columns of a person behind its key, as insertPerson and updatePerson take them.
func (s *Service) values(u User, p Person) ([]any, error) {
	document, err := s.vault.Seal(place(u.ID, "document_number"), []byte(p.DocumentNumber))
	if err != nil {
		return nil, err
	}
	national, err := s.vault.Seal(place(u.ID, "national_number"), []byte(p.NationalNumber))
	if err != nil {
		return nil, err
	}
	return []any{
		u.Partner, u.ID, p.Email, p.Phone, p.FirstName, p.LastName, p.Street, p.StreetNumber, p.City, p.PostCode,
		p.Country, p.Citizenship, p.Nationality, p.BirthCountry, p.BirthDate, p.DocumentType, document, national,
	}, nil
}

// FindPerson reads and decrypts a user's personal data; db.ErrNoRows when they were erased.
func (s *Service) FindPerson(r db.Reader, u User) (Person, error) {
	var id clock.ID
	return s.scanPerson(r.Row(selectPerson, u.Partner, u.ID), &id)
}

func (s *Service) scanPerson(row db.Scanner, id *clock.ID) (Person, error) {
	var p Person
	var document, national []byte
	err := row.Scan(id, &p.Email, &p.Phone, &p.FirstName, &p.LastName, &p.Street,
		&p.StreetNumber, &p.City, &p.PostCode, &p.Country, &p.Citizenship, &p.Nationality, &p.BirthCountry,
		&p.BirthDate, &p.DocumentType, &document, &national)
	if err != nil {
		return Person{}, err
	}
	plain, err := s.vault.Open(place(*id, "document_number"), document)
	if err != nil {
		return Person{}, err
	}
	p.DocumentNumber = string(plain)
	plain, err = s.vault.Open(place(*id, "national_number"), national)
	p.NationalNumber = string(plain)
	return p, err
}

// Establish stores what an identity check that was accepted found out about a locked user.
func (s *Service) Establish(tx *db.Tx, u User, e Established) error {
	number, err := s.vault.Seal(place(u.ID, "verified_document_number"), []byte(e.DocumentNumber))
	if err != nil {
		return err
	}
	tx.Write(updateEstablished, u.Partner, u.ID, e.FirstName, e.LastName, e.BirthDate, e.DocumentType,
		e.DocumentCountry, number, e.At)
	return nil
}

// FindEstablished reads and decrypts what identity checks found out about a user. found is false before the
// first check was accepted; db.ErrNoRows when the personal data were erased.
func (s *Service) FindEstablished(r db.Reader, u User) (e Established, found bool, err error) {
	var number []byte
	err = r.Row(selectEstablished, u.Partner, u.ID).Scan(&e.FirstName, &e.LastName, &e.BirthDate, &e.DocumentType,
		&e.DocumentCountry, &number, &e.At)
	if err != nil || e.At.IsZero() {
		return Established{}, false, err
	}
	if len(number) > 0 { // it is not known of users who were verified by early versions
		plain, err := s.vault.Open(place(u.ID, "verified_document_number"), number)
		if err != nil {
			return Established{}, false, err
		}
		e.DocumentNumber = string(plain)
	}
	return e, true, nil
}
