package sepa

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/iban"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// DepositOperation names deposits in the ledger and in histories.
const DepositOperation = "SEPA_DEPOSIT"

// States of a deposit.
const (
	DepositPending    = "PENDING"    // announced or booked by the bank; nothing is decided
	DepositSuccessful = "SUCCESSFUL" // credited
	DepositSuspended  = "SUSPENDED"  // kept on suspense until a person decides; the reason says why
	DepositReturning  = "RETURNING"  // refused; on suspense until the bank has sent it back
	DepositReturned   = "RETURNED"   // refused, and gone
)

// Why a deposit waits on suspense, or went back.
const (
	WaitsName     = "NAME"                 // the sender's name is neither surely the owner's nor surely another one
	WaitsFrozen   = "FROZEN"               // the operator froze the owner
	WaitsReview   = "UNDER_REVIEW"         // a compliance officer has to decide on the owner
	WaitsExpired  = "VERIFICATION_EXPIRED" // the owner's document expired
	WaitsDeleted  = "DELETED"              // the owner was deleted
	WaitsInactive = "NOT_ACTIVE"           // the owner may not receive money for another reason
	WaitsRefused  = "RETURN_REFUSED"       // the bank refused to send it back
	OtherName     = "OTHER_NAME"           // sent back: the sender is somebody else
	Decided       = "DECIDED"              // sent back: a person decided so
)

// Incoming is a payment as the bank reports it.
type Incoming struct {
	IBAN       iban.IBAN // where it went; empty on a collective account
	Title      string
	Amount     money.Amount
	SenderName string
	SenderIBAN iban.IBAN
}

// Deposit is an incoming payment that belongs to an owner.
type Deposit struct {
	Partner    int64
	ID         clock.ID
	Owner      clock.ID // a user; none: the partner
	Amount     money.Amount
	Title      string
	SenderName string
	SenderIBAN string
	Status     string
	Reason     string   // why it waits or went back; empty otherwise
	Score      int64    // of the names' comparison, in thousandths; 0 before it
	Entry      clock.ID // the payment that the bank booked; none while it is only announced
	Returns    int64    // how often its return was ordered
	Version    int64    // of its last event
	CreatedAt  time.Time
}

// Config is what a Service needs.
type Config struct {
	DB      *db.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Catalog *catalog.Catalog
	Bank    Bank
	Owners  Owners
	Events  *event.Log
	Users   *user.Service
	Jobs    *job.Runner
	Log     *slog.Logger

	Calendar Calendar                                       // when the bank takes batches; nil: at any time, for the same day
	FourEyes func(r db.Reader, partner int64) (bool, error) // the partner's setting
}

// Service keeps accounts, books payments that arrive, and sends those that leave.
type Service struct {
	db        *db.DB
	vault     *vault.Vault
	clock     clock.Clock
	euro      money.Currency
	bank      Bank
	owners    Owners
	events    *event.Log
	users     *user.Service
	jobs      *job.Runner
	log       *slog.Logger
	rail      Rail
	simulated Payer

	calendar Calendar
	fourEyes func(r db.Reader, partner int64) (bool, error)
}

// NewService makes the service and registers its jobs.
func NewService(c Config) (*Service, error) {
	euro, ok := c.Catalog.Currency("eur")
	if !ok {
		return nil, errors.New("sepa: the catalogue has no eur")
	}
	s := &Service{
		db: c.DB, vault: c.Vault, clock: c.Clock, euro: euro, bank: c.Bank, owners: c.Owners, events: c.Events, users: c.Users, jobs: c.Jobs,
		log: c.Log, calendar: c.Calendar,
		fourEyes: c.FourEyes,
	}
	c.Jobs.Register(bookDeposit, s.book)
	c.Jobs.Register(sendTransfer, s.send)
	c.Jobs.Register(submitBatch, s.submit)
	c.Jobs.Register(applyEntries, s.apply)
	c.Jobs.Register(orderReturn, s.order)
	c.Jobs.Register(sendReturn, s.sendReturn)
	c.Jobs.Register(resumeDeposits, s.resume)
	c.Jobs.Register(assignEntry, s.assigned)
	return s, nil
}

// Join connects the bank. Until then transfers wait. It is called before the jobs run.
func (s *Service) Join(r Rail) { s.rail = r }

// Simulate connects who makes deposits in the sandbox.
func (s *Service) Simulate(p Payer) { s.simulated = p }

var (
	insertDeposit = db.NewInsert("sepa_deposit", `partner_id bigint, id uuid, owner_id uuid, amount bigint, currency text,
		payer bytes, sealed boolean, title text, sender_name text, sender_iban text, status text, reason text, score bigint,
		entry_id uuid, returns bigint, version bigint, created_at bigint`)
	lockDeposit   = db.NewQuery(`SELECT ` + columns + ` FROM sepa_deposit WHERE partner_id = $1 AND id = $2 FOR UPDATE`)
	selectDeposit = db.NewQuery(`SELECT ` + columns + ` FROM sepa_deposit WHERE partner_id = $1 AND id = $2`)
	updateDeposit = db.NewCommand(`UPDATE sepa_deposit SET status = $3, reason = $4, score = $5, returns = $6, version = $7
		WHERE partner_id = $1 AND id = $2`)
	linkDeposit = db.NewCommand(`UPDATE sepa_deposit SET entry_id = $3 WHERE partner_id = $1 AND id = $2`)
)

const columns = `id, owner_id, amount, status, reason, score, entry_id, returns, version, created_at, ` + payerColumns

// DepositID is the id of the deposit that a payment becomes. The bank's reference makes it, so that whoever knows the
// payment knows the id, and telling of it twice makes one deposit. It is a UUID of version 7 with the booking day as
// its time.
func DepositID(e Entry) clock.ID {
	id := clock.FirstID(day(e.Day))
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", e.Account, e.Reference, e.Part))
	copy(id[6:], sum[:])
	id[6] = id[6]&0x0f | 0x70 // version
	id[8] = id[8]&0x3f | 0x80 // variant
	return id
}

// Receive lets the sandbox's bank send a payment for one of the partner's accounts, and notes it as the bank announces
// it. P412 when neither IBAN nor reference is of this partner.
func (s *Service) Receive(tx *db.Tx, partner int64, in Incoming) (Deposit, error) {
	owner, err := owner(tx, partner, in.IBAN, in.Title)
	if err != nil {
		return Deposit{}, err
	}
	to, err := recipient(tx, partner, owner)
	if err != nil {
		return Deposit{}, err
	}
	if s.simulated == nil {
		return Deposit{}, fault.New(fault.ServiceUnavailable).Wrap(errors.New("the bank is not in this program: let payments arrive there, at the sandbox's by kontor sandbox-bank deposit"))
	}
	e, err := s.simulated.Pay(tx, in)
	if err != nil {
		return Deposit{}, err
	}
	d := Deposit{
		Partner: partner, ID: DepositID(e), Owner: owner, Amount: in.Amount, Title: in.Title,
		SenderName: in.SenderName, SenderIBAN: string(in.SenderIBAN), CreatedAt: s.clock.Now(),
	}
	return d, s.note(tx, &d, to)
}

// recipient is the user who gets a payment; nil for the partner.
func recipient(r db.Reader, partner int64, owner clock.ID) (*user.User, error) {
	if owner == ledger.PartnerItself {
		return nil, nil
	}
	u, err := user.FindByID(r, partner, owner)
	return &u, err
}

// note writes a new deposit, and tells of it.
func (s *Service) note(tx *db.Tx, d *Deposit, to *user.User) error {
	d.Status, d.Version = DepositPending, 1
	if err := s.insert(tx, *d); err != nil {
		return err
	}
	return s.tellCheck(tx, *d, checkPending, d.CreatedAt, to)
}

func (s *Service) insert(tx *db.Tx, d Deposit) error {
	sealed, err := s.sealPayer(d.ID, payer{d.SenderName, d.SenderIBAN, d.Title})
	if err != nil {
		return err
	}
	tx.Write(insertDeposit, d.Partner, d.ID, d.Owner, d.Amount.Units(), d.Amount.Currency().Code, sealed, true, "", "", "", d.Status,
		d.Reason, d.Score, d.Entry, d.Returns, d.Version, d.CreatedAt)
	return nil
}

func (s *Service) save(tx *db.Tx, d Deposit) {
	tx.Write(updateDeposit, d.Partner, d.ID, d.Status, d.Reason, d.Score, d.Returns, d.Version)
}

// FindDeposit reads a deposit; P428 when the partner has no such deposit.
func (s *Service) FindDeposit(r db.Reader, partner int64, id clock.ID) (Deposit, error) {
	d, err := s.scanDeposit(r.Row(selectDeposit, partner, id), partner)
	if errors.Is(err, db.ErrNoRows) {
		return Deposit{}, fault.New(fault.SepaTransferNotFound)
	}
	return d, err
}

func (s *Service) scanDeposit(row db.Scanner, partner int64) (Deposit, error) {
	d := Deposit{Partner: partner}
	var units int64
	var from payerRow
	err := row.Scan(append([]any{
		&d.ID, &d.Owner, &units, &d.Status, &d.Reason, &d.Score, &d.Entry, &d.Returns, &d.Version, &d.CreatedAt,
	}, from.dest()...)...)
	if err != nil {
		return d, err
	}
	p, err := s.openPayer(d.ID, from)
	d.Amount, d.SenderName, d.SenderIBAN, d.Title = money.New(units, s.euro), p.Name, p.IBAN, p.Title
	return d, err
}
