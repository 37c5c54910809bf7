package sepa

import (
	"context"
	"errors"
	"fmt"
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
	DepositPending    = "PENDING"    // seen at the bank, not credited yet
	DepositSuccessful = "SUCCESSFUL" // credited
	DepositSuspended  = "SUSPENDED"  // kept on suspense until a person decides
)

// bookDeposit is the job that books a deposit.
const bookDeposit = "sepa-deposit-book"

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
	Version    int64 // of its last event
	CreatedAt  time.Time
}

// Config is what a Service needs.
type Config struct {
	DB      *db.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Catalog *catalog.Catalog
	Bank    Bank
	Delay   time.Duration // how long a deposit stays PENDING
	Events  *event.Log
	Users   *user.Service
	Jobs    *job.Runner

	Calendar Calendar // when the bank takes batches; nil: at any time, for the same day
}

// Service keeps accounts, books payments that arrive, and sends those that leave.
type Service struct {
	db     *db.DB
	vault  *vault.Vault
	clock  clock.Clock
	euro   money.Currency
	bank   Bank
	delay  time.Duration
	events *event.Log
	users  *user.Service
	jobs   *job.Runner
	rail   Rail

	calendar Calendar
}

// NewService makes the service and registers its jobs.
func NewService(c Config) (*Service, error) {
	euro, ok := c.Catalog.Currency("eur")
	if !ok {
		return nil, errors.New("sepa: the catalogue has no eur")
	}
	s := &Service{
		db: c.DB, vault: c.Vault, clock: c.Clock, euro: euro, bank: c.Bank, delay: c.Delay, events: c.Events, users: c.Users, jobs: c.Jobs,
		calendar: c.Calendar,
	}
	c.Jobs.Register(bookDeposit, s.book)
	c.Jobs.Register(sendTransfer, s.send)
	c.Jobs.Register(submitBatch, s.submit)
	c.Jobs.Register(applyEntries, s.apply)
	return s, nil
}

// Join connects the bank. Until then transfers wait. It is called before the jobs run.
func (s *Service) Join(r Rail) { s.rail = r }

var (
	insertDeposit = db.NewInsert("sepa_deposit", `partner_id bigint, id uuid, owner_id uuid, amount bigint, currency text,
		title text, sender_name text, sender_iban text, status text, version bigint, created_at bigint`)
	lockDeposit   = db.NewQuery(`SELECT ` + columns + ` FROM sepa_deposit WHERE partner_id = $1 AND id = $2 FOR UPDATE`)
	selectDeposit = db.NewQuery(`SELECT ` + columns + ` FROM sepa_deposit WHERE partner_id = $1 AND id = $2`)
	updateDeposit = db.NewCommand(`UPDATE sepa_deposit SET status = $3, version = $4 WHERE partner_id = $1 AND id = $2`)
)

const columns = "id, owner_id, amount, title, sender_name, sender_iban, status, version, created_at"

// Receive notes a payment for one of the partner's accounts; a job books it. P412 when neither IBAN nor
// reference is of this partner.
func (s *Service) Receive(tx *db.Tx, partner int64, in Incoming) (Deposit, error) {
	id, err := owner(tx, partner, in.IBAN, in.Title)
	if err != nil {
		return Deposit{}, err
	}
	d := Deposit{
		Partner: partner, ID: clock.NewID(), Owner: id, Amount: in.Amount, Title: in.Title,
		SenderName: in.SenderName, SenderIBAN: string(in.SenderIBAN), Status: DepositPending, CreatedAt: s.clock.Now(),
	}
	tx.Write(insertDeposit, partner, d.ID, d.Owner, d.Amount.Units(), d.Amount.Currency().Code, d.Title,
		d.SenderName, d.SenderIBAN, d.Status, d.Version, d.CreatedAt)
	job.Enqueue(tx, partner, bookDeposit, d.ID, d.CreatedAt.Add(s.delay))
	tx.AfterCommit(s.jobs.Wake)
	return d, nil
}

// book moves a deposit through both books: from the bank to clearing in the operator's, from clearing to the
// owner in the partner's. The books may stand in different databases, so these are two transactions; each
// can be repeated.
func (s *Service) book(ctx context.Context, j job.Job) error {
	var d Deposit
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		d, err = s.FindDeposit(r, j.Partner, j.Object)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.bookAtBank(ctx, d); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return s.credit(tx, j) })
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
	err := row.Scan(&d.ID, &d.Owner, &units, &d.Title, &d.SenderName, &d.SenderIBAN, &d.Status, &d.Version, &d.CreatedAt)
	d.Amount = money.New(units, s.euro)
	return d, err
}

func (s *Service) bookAtBank(ctx context.Context, d Deposit) error {
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		bank, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Bank, s.euro)
		if err != nil {
			return err
		}
		clearing, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Clearing, s.euro)
		if err != nil {
			return err
		}
		ledger.Post(tx, ledger.Operator, ledger.Operation{Type: DepositOperation, ID: d.ID}, s.clock.Now(),
			ledger.Leg{Name: "amount", Debit: bank, Credit: clearing, Amount: d.Amount})
		return nil
	})
	if db.Violates(err, "ledger_transfer_pkey") {
		return nil // an earlier run of the job came this far
	}
	return err
}

// credit gives a pending deposit to its owner and tells so. What arrives for a user whose money is stopped
// by the operator, or whose verification has expired, waits on suspense for a decision.
func (s *Service) credit(tx *db.Tx, j job.Job) error {
	tx.Locked()
	d, err := s.scanDeposit(tx.Row(lockDeposit, j.Partner, j.Object), j.Partner)
	if err != nil || d.Status != DepositPending {
		return err
	}
	to, err := ledger.FindCustomer(tx, d.Partner, d.Owner, s.euro)
	if err != nil {
		return err
	}
	var recipient *user.User
	if d.Owner != ledger.PartnerItself {
		u, err := user.FindByID(tx, d.Partner, d.Owner)
		if err != nil {
			return err
		}
		recipient = &u
		if u.MayReceive(true) != nil {
			return s.suspend(tx, d)
		}
	}
	clearing, err := ledger.FindAccount(tx, d.Partner, ledger.PartnerItself, ledger.Clearing, s.euro)
	if err != nil {
		return err
	}
	at := s.clock.Now()
	d.Status, d.Version = DepositSuccessful, d.Version+1
	if err := s.learn(tx, d, at); err != nil {
		return err
	}
	tx.Write(updateDeposit, d.Partner, d.ID, d.Status, d.Version)
	ledger.Post(tx, d.Partner, ledger.Operation{Type: DepositOperation, ID: d.ID}, at,
		ledger.Credit("amount", clearing, to, d.Amount)...)
	return s.events.Write(tx, event.Event{
		Partner: d.Partner, Object: d.ID, Version: d.Version, Type: event.SEPADeposit, At: at, Body: notice(d, recipient),
	})
}

func (s *Service) suspend(tx *db.Tx, d Deposit) error {
	clearing, err := ledger.FindAccount(tx, d.Partner, ledger.PartnerItself, ledger.Clearing, s.euro)
	if err != nil {
		return err
	}
	suspense, err := ledger.FindAccount(tx, d.Partner, ledger.PartnerItself, ledger.Suspense, s.euro)
	if err != nil {
		return err
	}
	tx.Write(updateDeposit, d.Partner, d.ID, DepositSuspended, d.Version)
	ledger.Post(tx, d.Partner, ledger.Operation{Type: DepositOperation, ID: d.ID}, s.clock.Now(),
		ledger.Leg{Name: "suspense", Debit: clearing, Credit: suspense, Amount: d.Amount})
	return nil
}

// Notice is the body of the SEPA Deposit webhook.
type Notice struct {
	ID             string `json:"id"`
	ExternalUserID string `json:"externalUserId,omitempty"`
	Amount         string `json:"amount"`
	Currency       string `json:"currency"`
	SenderName     string `json:"senderName"`
	SenderIBAN     string `json:"senderIban"`
	Title          string `json:"title"`
	Status         string `json:"status"`
	CreatedAt      string `json:"createdAt"`
}

func notice(d Deposit, recipient *user.User) Notice {
	n := Notice{
		ID: d.ID.String(), Amount: d.Amount.String(), Currency: d.Amount.Currency().Code, SenderName: d.SenderName,
		SenderIBAN: d.SenderIBAN, Title: d.Title, Status: d.Status, CreatedAt: clock.Format(d.CreatedAt),
	}
	if recipient != nil {
		n.ExternalUserID = recipient.ExternalID
	}
	return n
}

var selectUncredited = db.NewQuery(`
	SELECT d.partner_id, d.id FROM sepa_deposit d
	WHERE (SELECT COUNT(*) FROM ledger_transfer l
			WHERE l.partner_id = d.partner_id AND l.operation_id = d.id AND l.leg IN ('amount', 'suspense'))
		<> CASE d.status WHEN 'PENDING' THEN 0 ELSE 1 END
	OR d.status = 'SUCCESSFUL' AND (
		NOT EXISTS (
			SELECT 1 FROM ledger_transfer l
			WHERE l.partner_id = d.partner_id AND l.operation_id = d.id AND l.leg = 'amount' AND l.amount = d.amount)
		OR NOT EXISTS (
			SELECT 1 FROM event e WHERE e.partner_id = d.partner_id AND e.object_id = d.id AND e.version = d.version)
		AND NOT EXISTS (
			SELECT 1 FROM event_lane n WHERE n.partner_id = d.partner_id AND n.removed_until >= d.created_at))`)

// Verify names the transfers whose state, hold, postings and event do not belong together, and the deposits whose state and postings differ, and, unless events of their age were removed, the
// credited ones without their event (I4).
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	rows := r.Rows(selectUncredited)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var partner int64
		var id clock.ID
		if err := rows.Scan(&partner, &id); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf("I4: SEPA deposit %s of partner %d does not agree with its posting or its event", id, partner))
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	odd, err := verifyTransfers(r)
	for _, t := range odd {
		violations = append(violations, fmt.Sprintf("I4: SEPA transfer %s of partner %d does not agree with its hold, its postings or its event", t.id, t.partner))
	}
	return violations, err
}
