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
	UnderReview  bool      // a compliance officer must decide; identity says when
	DeletedAt    time.Time // zero while the partner has the user
}

// Suspended tells whether the user can do nothing, by the partner's or the operator's will.
func (u User) Suspended() bool { return !u.SuspendedAt.IsZero() || !u.FrozenAt.IsZero() }

// Active tells whether the user's fiat balance can be used.
func (u User) Active() bool { return !u.ActivatedAt.IsZero() }

// MayPay refuses a user who may not move money of a currency now: P412 when the user was deleted, P455, P459,
// P462, P410, in this order.
func (u User) MayPay(fiat bool) error {
	switch {
	case !u.DeletedAt.IsZero():
		return fault.New(fault.InvalidUser)
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

// MayReceive refuses a user to whom money may not be credited now: P412 when the user was deleted, P455 while
// the operator froze the user, P459 also during a review and once the document expired, P462, P410. What arrives
// from outside all the same is kept on suspense until a person decides. The partner's own suspension stops only
// what goes out.
func (u User) MayReceive(fiat bool) error {
	if u.FrozenAt.IsZero() {
		u.SuspendedAt = time.Time{}
	}
	return u.MayPay(fiat)
}

// MayAct refuses a user for whom the partner may do nothing now but manage the account: P455 while suspended or
// frozen. Identity checks, uploads and the like ask for it.
func (u User) MayAct() error {
	if u.Suspended() {
		return fault.New(fault.UserSuspended)
	}
	return nil
}

// MayVerify refuses a user whose identity may not be checked now: P455, and P466 for one of the model without KYC.
func (u User) MayVerify() error {
	if err := u.MayAct(); err != nil {
		return err
	}
	if u.Model != KYC {
		return fault.New(fault.WrongUserModel)
	}
	return nil
}

// Service creates, finds and changes users.
type Service struct {
	vault   *vault.Vault
	clock   clock.Clock
	catalog *catalog.Catalog
	events  *event.Log
	others  Others
	parties parties
}

// NewService makes the service.
func NewService(v *vault.Vault, c clock.Clock, cat *catalog.Catalog, events *event.Log) *Service {
	return &Service{vault: v, clock: c, catalog: cat, events: events}
}

// hot are the columns that a payment reads; columns are all.
const (
	hot = `u.partner_id, u.id, u.external_id, u.model, u.verification, u.activated_at, u.suspended_at,
	u.frozen_at, u.version, u.created_at`
	columns = hot + `, u.under_review, u.deleted_at`
)

var (
	selectUser  = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.external_id = $2 AND u.deleted_at = 0`)
	selectByID  = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.id = $2`)
	lockUser    = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.external_id = $2 AND u.deleted_at = 0 FOR UPDATE`)
	lockByID    = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.id = $2 AND u.deleted_at = 0 FOR UPDATE`)
	updateState = db.NewCommand(`
		UPDATE users SET verification = $3, activated_at = $4, version = $5, under_review = $6
		WHERE partner_id = $1 AND id = $2`)
)

// Find reads a user by the partner's own id; P412 when the partner has no such user.
func Find(r db.Reader, partner int64, externalID string) (User, error) {
	return found(scan(r.Row(selectUser, partner, externalID)))
}

// FindByID reads a user by our id, also one that was deleted; P412 when the partner never had such a user.
func FindByID(r db.Reader, partner int64, id clock.ID) (User, error) {
	return found(scan(r.Row(selectByID, partner, id)))
}

// Lock reads a user in a locked transaction and keeps others from changing it until the commit. P412 as Find.
func Lock(tx *db.Tx, partner int64, externalID string) (User, error) {
	tx.Locked()
	return found(scan(tx.Row(lockUser, partner, externalID)))
}

// LockByID is Lock by our id. P412 also for a user who was deleted.
func LockByID(tx *db.Tx, partner int64, id clock.ID) (User, error) {
	tx.Locked()
	return found(scan(tx.Row(lockByID, partner, id)))
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
		&u.Partner, &u.ID, &u.ExternalID, &u.Model, &u.Verification, &u.ActivatedAt, &u.SuspendedAt, &u.FrozenAt,
		&u.Version, &u.CreatedAt, &u.UnderReview, &u.DeletedAt,
	}, more...)...)
	u.ExternalID = formerID(u.ExternalID)
	return u, err
}

// formerID is the id that the partner gave a user. An id that was given to another one since carries our own id
// behind a #, which no partner's id contains.
func formerID(stored string) string {
	id, _, _ := strings.Cut(stored, "#")
	return id
}

// Tell writes an event of a locked user and counts its version.
func (s *Service) Tell(tx *db.Tx, u *User, t event.Type, body any) error {
	u.Version++
	return s.events.Write(tx, event.Event{
		Partner: u.Partner, Object: u.ID, Version: u.Version, Type: t, Body: body, At: s.clock.Now(),
	})
}

// SaveState writes the state of a locked user back: verification, review, activation, version.
func SaveState(tx *db.Tx, u User) {
	tx.Write(updateState, u.Partner, u.ID, u.Verification, u.ActivatedAt, u.Version, u.UnderReview)
	ledger.Revise(tx, u.Partner, u.ID)
}
