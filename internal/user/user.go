// Package user keeps the partners' users: who they are, and in which state they are. Personal data stand in
// a table of their own (person) that erasure can empty; everything else refers to users by id.
package user

import (
	"errors"
	"strings"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/vault"
)

// The models of users. A user keeps the model it was created under.
const (
	KYC   = "kyc"   // verified first; then fiat and crypto balances, an IBAN, cards
	NoKYC = "nokyc" // crypto only, without verification
)

// Verification states of a user.
const (
	NotVerified = "NOT_VERIFIED"
	Verified    = "VERIFIED"
	Expired     = "EXPIRED" // the document expired later: balances stay, nothing new goes out
)

// User is a user's identity and state.
type User struct {
	Partner      int64
	ID           clock.ID
	ExternalID   string
	Model        string
	Verification string
	ActivatedAt  time.Time // zero until the fiat balance is ACTIVE
	SuspendedAt  time.Time // by the partner; zero while not
	FrozenAt     time.Time // by the operator; zero while not
	Version      int64     // of the user's last event
	CreatedAt    time.Time
}

// Person is a user's personal data. Texts may be in any script and are kept exactly.
type Person struct {
	Email, Phone                         string
	FirstName, LastName                  string
	Street, StreetNumber, City, PostCode string // Street alone holds a one-line address
	Country, Citizenship, Nationality    string // ISO 3166 alpha-2
	BirthCountry, BirthDate              string // alpha-2; YYYY-MM-DD
	DocumentType                         string
	DocumentNumber, NationalNumber       string // encrypted at rest
}

// Suspended tells whether the user can do nothing, by the partner's or the operator's will.
func (u User) Suspended() bool { return !u.SuspendedAt.IsZero() || !u.FrozenAt.IsZero() }

// Active tells whether the user's fiat balance can be used.
func (u User) Active() bool { return !u.ActivatedAt.IsZero() }

// MayPay refuses a user who may not move money of a currency now: P455, P459, P462, in this order.
func (u User) MayPay(fiat bool) error {
	switch {
	case u.Suspended():
		return fault.New(fault.UserSuspended)
	case u.Model == NoKYC && fiat:
		return fault.New(fault.InvalidCurrency)
	case u.Model == KYC && u.Verification != Verified:
		return fault.New(fault.UserNotVerified)
	case u.Model == KYC && fiat && !u.Active():
		return fault.New(fault.BalanceNotActive)
	}
	return nil
}

// MayReceive refuses a user to whom a transfer may not be credited now: P455 while the operator froze the
// user, P459, P462. The partner's own suspension stops only what goes out.
func (u User) MayReceive(fiat bool) error {
	if u.FrozenAt.IsZero() {
		u.SuspendedAt = time.Time{}
	}
	return u.MayPay(fiat)
}

// Service creates, finds and changes users.
type Service struct {
	vault   *vault.Vault
	clock   clock.Clock
	catalog *catalog.Catalog
	events  *event.Log
}

// NewService makes the service.
func NewService(v *vault.Vault, c clock.Clock, cat *catalog.Catalog, events *event.Log) *Service {
	return &Service{vault: v, clock: c, catalog: cat, events: events}
}

const columns = `u.partner_id, u.id, u.external_id, u.model, u.verification, u.activated_at, u.suspended_at,
	u.frozen_at, u.version, u.created_at`

var (
	insertUser = db.NewInsert("users", `partner_id bigint, id uuid, external_id text, model text, verification text,
		activated_at bigint, suspended_at bigint, frozen_at bigint, version bigint, created_at bigint`)
	insertPerson = db.NewInsert("person", `partner_id bigint, user_id uuid, email text, phone text, first_name text,
		last_name text, street text, street_number text, city text, post_code text, country text, citizenship text,
		nationality text, birth_country text, birth_date text, document_type text, document_number bytes,
		national_number bytes`)
	selectUser   = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.external_id = $2`)
	selectByID   = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.id = $2`)
	lockUser     = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.external_id = $2 FOR UPDATE`)
	updateState  = db.NewCommand(`UPDATE users SET verification = $3, activated_at = $4, version = $5 WHERE partner_id = $1 AND id = $2`)
	selectPerson = db.NewQuery(`
		SELECT email, phone, first_name, last_name, street, street_number, city, post_code, country, citizenship,
			nationality, birth_country, birth_date, document_type, document_number, national_number
		FROM person WHERE partner_id = $1 AND user_id = $2`)
)

// Create opens a user of the KYC model with empty balances of all currencies, which it answers by slug. P431 when the country is
// not served; P411, at the commit, when the partner has used the externalUserId.
func (s *Service) Create(tx *db.Tx, partner int64, externalID string, p Person) (User, map[string]ledger.State, error) {
	country, ok := s.catalog.Country(p.Country)
	if !ok {
		return User{}, nil, fault.New(fault.ForbiddenCountry)
	}
	p.Country = country.Code
	u := User{
		Partner: partner, ID: clock.NewID(), ExternalID: externalID, Model: KYC,
		Verification: NotVerified, CreatedAt: s.clock.Now(),
	}
	document, err := s.vault.Seal(place(u.ID, "document_number"), []byte(p.DocumentNumber))
	if err != nil {
		return User{}, nil, err
	}
	national, err := s.vault.Seal(place(u.ID, "national_number"), []byte(p.NationalNumber))
	if err != nil {
		return User{}, nil, err
	}
	tx.Write(insertUser, partner, u.ID, externalID, u.Model, u.Verification,
		u.ActivatedAt, u.SuspendedAt, u.FrozenAt, u.Version, u.CreatedAt)
	tx.Write(insertPerson, partner, u.ID, p.Email, p.Phone, p.FirstName, p.LastName, p.Street, p.StreetNumber,
		p.City, p.PostCode, p.Country, strings.ToUpper(p.Citizenship), strings.ToUpper(p.Nationality),
		strings.ToUpper(p.BirthCountry), p.BirthDate, p.DocumentType, document, national)
	balances := map[string]ledger.State{}
	for _, e := range s.catalog.Currencies() {
		id := ledger.OpenAccount(tx, partner, u.ID, ledger.Balance, e.Currency, u.CreatedAt)
		balances[e.Code] = ledger.State{Account: id, Posted: money.New(0, e.Currency), Held: money.New(0, e.Currency)}
	}
	return u, balances, nil
}

func place(user clock.ID, column string) vault.Place {
	return vault.Place{Table: "person", Column: column, Row: user.String()}
}

// Find reads a user by the partner's own id; P412 when the partner has no such user.
func Find(r db.Reader, partner int64, externalID string) (User, error) {
	return found(scan(r.Row(selectUser, partner, externalID)))
}

// FindByID reads a user by our id; P412 when the partner has no such user.
func FindByID(r db.Reader, partner int64, id clock.ID) (User, error) {
	return found(scan(r.Row(selectByID, partner, id)))
}

// Lock reads a user in a locked transaction and keeps others from changing it until the commit.
func Lock(tx *db.Tx, partner int64, externalID string) (User, error) {
	tx.Locked()
	return found(scan(tx.Row(lockUser, partner, externalID)))
}

func found(u User, err error) (User, error) {
	if errors.Is(err, db.ErrNoRows) {
		return User{}, fault.New(fault.InvalidUser)
	}
	return u, err
}

func scan(row db.Scanner, more ...any) (User, error) {
	var u User
	err := row.Scan(append([]any{
		&u.Partner, &u.ID, &u.ExternalID, &u.Model, &u.Verification,
		&u.ActivatedAt, &u.SuspendedAt, &u.FrozenAt, &u.Version, &u.CreatedAt,
	}, more...)...)
	return u, err
}

// FindPerson reads and decrypts a user's personal data.
func (s *Service) FindPerson(r db.Reader, u User) (Person, error) {
	var p Person
	var document, national []byte
	err := r.Row(selectPerson, u.Partner, u.ID).Scan(&p.Email, &p.Phone, &p.FirstName, &p.LastName, &p.Street,
		&p.StreetNumber, &p.City, &p.PostCode, &p.Country, &p.Citizenship, &p.Nationality, &p.BirthCountry,
		&p.BirthDate, &p.DocumentType, &document, &national)
	if err != nil {
		return Person{}, err
	}
	plain, err := s.vault.Open(place(u.ID, "document_number"), document)
	if err != nil {
		return Person{}, err
	}
	p.DocumentNumber = string(plain)
	plain, err = s.vault.Open(place(u.ID, "national_number"), national)
	p.NationalNumber = string(plain)
	return p, err
}

// Tell writes an event of a locked user and counts its version.
func (s *Service) Tell(tx *db.Tx, u *User, t event.Type, body any) error {
	u.Version++
	return s.events.Write(tx, event.Event{
		Partner: u.Partner, Object: u.ID, Version: u.Version, Type: t, Body: body, At: s.clock.Now(),
	})
}

// SaveState writes the state of a locked user back.
func SaveState(tx *db.Tx, u User) {
	tx.Write(updateState, u.Partner, u.ID, u.Verification, u.ActivatedAt, u.Version)
}

// Party is one side of a payment: a user with the accounts of one currency.
type Party struct {
	User
	ledger.Customer
}

var selectParties = db.NewQuery(`
		SELECT ` + columns + `, b.id, COALESCE(r.id, b.id), COALESCE(r.posted, 0)
		FROM users u
		JOIN account b ON b.partner_id = u.partner_id AND b.owner_id = u.id AND b.purpose = 'balance' AND b.currency = $4
		LEFT JOIN account r ON r.partner_id = u.partner_id AND r.owner_id = u.id AND r.purpose = 'receivable'
			AND r.currency = $4
		WHERE u.partner_id = $1 AND u.external_id IN ($2, $3)`)

// FindParties reads the users of a payment together with their accounts, in one round trip: this is the
// hot path, and the accounts are the ledger's published columns. An id that is empty is no party. P412 when
// one of the others does not exist.
func FindParties(r db.Reader, partner int64, externalA, externalB string, c money.Currency) (a, b *Party, err error) {
	rows := r.Rows(selectParties, partner, externalA, externalB, c.Code)
	defer rows.Close()
	for rows.Next() {
		p := &Party{}
		var owed int64
		err := rows.Scan(&p.Partner, &p.User.ID, &p.ExternalID, &p.Model, &p.Verification, &p.ActivatedAt,
			&p.SuspendedAt, &p.FrozenAt, &p.Version, &p.CreatedAt, &p.Balance, &p.Receivable, &owed)
		if err != nil {
			return nil, nil, err
		}
		if p.Receivable == p.Balance {
			p.Receivable = clock.ID{}
		}
		p.Owed = money.New(-owed, c)
		if p.ExternalID == externalA {
			a = p
		}
		if p.ExternalID == externalB {
			b = p
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	if (externalA != "" && a == nil) || (externalB != "" && b == nil) {
		return nil, nil, fault.New(fault.InvalidUser)
	}
	return a, b, nil
}
