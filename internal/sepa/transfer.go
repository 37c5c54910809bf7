package sepa

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/fault"
	"kontor/internal/iban"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// TransferOperation names transfers in the ledger and in histories.
const TransferOperation = "SEPA_TRANSFER"

// States of a transfer.
const (
	TransferPending    = "PENDING"    // accepted, its money held
	TransferProcessing = "PROCESSING" // in a batch for the bank
	TransferSuccessful = "SUCCESSFUL" // executed by the bank
	TransferFailed     = "FAILED"     // refused by the bank, or never covered by the balance
	TransferReturned   = "RETURNED"   // sent back by the beneficiary's bank after success
)

// The kinds of receivers.
const (
	Natural = "NATURAL"
	Legal   = "LEGAL"
)

// Receiver is who receives a transfer on level 2; on level 1 it has a name only, that of the contact.
type Receiver struct {
	Type      string `json:"type,omitempty"`
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
	Company   string `json:"company,omitempty"`
	Known     string `json:"known,omitempty"` // the contact's name
}

// name is what the bank is told.
func (r Receiver) name() string {
	switch r.Type {
	case Natural:
		return r.FirstName + " " + r.LastName
	case Legal:
		return r.Company
	}
	return r.Known
}

// Terms are a partner's settings as far as they concern transfers.
type Terms struct {
	OpenLoop bool          // level 2: to anybody; otherwise only to accounts that the owner paid in from
	Share    money.Percent // the fee, of the amount
	Least    money.Amount  // the fee, at least
	Markup   money.Percent // the partner's own part, on top, of users' transfers
	Largest  money.Amount

	PerDay      money.Amount // what one owner may send on a day; zero: any
	PerDayTotal money.Amount // what the partner and all its users may; zero: any
}

// fee is what a transfer costs, and the partner's part of it.
func (t Terms) fee(amount money.Amount, ofUser bool) (fee, markup money.Amount, err error) {
	fee, markup = t.Share.Of(amount), money.New(0, amount.Currency())
	if fee.Cmp(t.Least) < 0 {
		fee = t.Least
	}
	if ofUser {
		markup = t.Markup.Of(amount)
	}
	fee, err = fee.Add(markup)
	return fee, markup, err
}

// Order is the order to transfer an amount.
type Order struct {
	User        string // externalUserId; empty: the partner pays
	Amount      money.Amount
	Destination iban.IBAN
	Title       string
	Receiver    Receiver
	Terms       Terms
	Reference   string
	Metadata    map[string]string
	Short       bool // an earlier run of the same order found at its commit that the balance does not cover it
}

// Transfer is a SEPA transfer.
type Transfer struct {
	Partner     int64
	ID          clock.ID
	Owner       clock.ID // a user; none: the partner
	Amount      money.Amount
	Fee         money.Amount // with the mark-up
	Markup      money.Amount
	Title       string
	Destination iban.IBAN
	Receiver    Receiver
	Reference   string
	Metadata    map[string]string
	Status      string
	Reason      string       // why it failed or came back
	Returned    money.Amount // what came back
	Version     int64        // of its last event
	CreatedAt   time.Time
	hold        clock.ID
}

// EndToEnd is the transfer's end-to-end id: its own id in 32 digits.
func EndToEnd(id clock.ID) string { return hex.EncodeToString(id[:]) }

// sendTransfer is the job that puts waiting transfers into a batch.
const sendTransfer = "sepa-transfer-send"

const transferColumns = `partner_id, id, owner_id, amount, fee, markup, title, destination_iban, receiver, reference, metadata,
	status, hold_id, reason, returned, version, created_at`

var (
	insertTransfer = db.NewInsert("sepa_transfer", `partner_id bigint, id uuid, owner_id uuid, amount bigint, fee bigint,
		markup bigint, title text, destination_iban text, receiver bytes, reference text, metadata text, status text,
		hold_id uuid, reason text, returned bigint, version bigint, created_at bigint`)
	selectTransfer = db.NewQuery(`SELECT ` + transferColumns + ` FROM sepa_transfer WHERE partner_id = $1 AND id = $2`)
)

// CreateTransfer accepts an order: the transfer, with amount and fee held. One that the balance does not cover is
// stored as FAILED with its event. P403 for receivers that do not fit the level; P412, P455, P466, P459, P462;
// P425 outside of SEPA; P430 for an amount beyond a limit; P432 for an account that is not a contact on level 1. P433, at the
// commit, when the balance does not cover it after all: the caller then runs again with Short.
func (s *Service) CreateTransfer(tx *db.Tx, partner int64, o Order) (Transfer, error) {
	t := Transfer{
		Partner: partner, ID: clock.NewID(), Amount: o.Amount, Title: o.Title, Destination: o.Destination, Receiver: o.Receiver,
		Reference: o.Reference, Metadata: o.Metadata, Status: TransferPending, Returned: money.New(0, s.euro), CreatedAt: s.clock.Now(),
	}
	if s.rail == nil {
		return Transfer{}, fault.New(fault.ServiceUnavailable).Wrap(errors.New("no bank is connected"))
	}
	if err := o.Receiver.fits(o.Terms.OpenLoop); err != nil {
		return Transfer{}, err
	}
	if !o.Destination.SEPA() {
		return Transfer{}, fault.Newf(fault.InvalidIban, "destinationIban is of a country outside of SEPA.")
	}
	payer, funds, err := s.payer(tx, partner, o.User)
	if err != nil {
		return Transfer{}, err
	}
	if o.Amount.Cmp(o.Terms.Largest) > 0 {
		return Transfer{}, fault.Newf(fault.AmountOutOfRange, "amount must be at most %s.", o.Terms.Largest)
	}
	if payer != nil {
		t.Owner = payer.ID
	}
	limits, err := s.dayLimits(tx, t, o.Terms)
	if err != nil {
		return Transfer{}, err
	}
	if !o.Terms.OpenLoop {
		if t.Receiver, err = s.known(tx, t); err != nil {
			return Transfer{}, err
		}
	}
	if t.Fee, t.Markup, err = o.Terms.fee(o.Amount, payer != nil); err != nil {
		return Transfer{}, fault.New(fault.AmountOutOfRange).Wrap(err)
	}
	held, err := o.Amount.Add(t.Fee)
	if err != nil {
		return Transfer{}, fault.New(fault.AmountOutOfRange).Wrap(err)
	}
	if o.Short || funds.MayPay() != nil {
		t.Status, t.Reason = TransferFailed, insufficientFunds
		t.Version++
		if err := s.tellTransfer(tx, t, payer, nil); err != nil {
			return Transfer{}, err
		}
		return t, s.insertTransfer(tx, t)
	}
	t.count(tx, limits)
	t.hold = ledger.Place(tx, partner, t.operation(), funds.Balance, held, t.CreatedAt)
	job.Enqueue(tx, partner, sendTransfer, t.ID, t.CreatedAt)
	tx.AfterCommit(s.jobs.Wake)
	return t, s.insertTransfer(tx, t)
}

func (t Transfer) operation() ledger.Operation {
	return ledger.Operation{Type: TransferOperation, ID: t.ID}
}

// fits refuses receivers that do not belong to the level.
func (r Receiver) fits(openLoop bool) error {
	if !openLoop {
		if r != (Receiver{}) {
			return fault.Invalid("receiverType, receiverFirstName, receiverLastName and companyName must not be sent on SEPA level 1")
		}
		return nil
	}
	switch r.Type {
	case Natural:
		if r.FirstName == "" || r.LastName == "" {
			return fault.Invalid("receiverFirstName and receiverLastName must be provided when receiverType is NATURAL")
		}
		if r.Company != "" {
			return fault.Invalid("companyName must not be sent when receiverType is NATURAL")
		}
	case Legal:
		if r.Company == "" {
			return fault.Invalid("companyName must be provided when receiverType is LEGAL")
		}
		if r.FirstName != "" || r.LastName != "" {
			return fault.Invalid("receiverFirstName and receiverLastName must not be sent when receiverType is LEGAL")
		}
	default:
		return fault.Invalid("receiverType must be one of the following values: NATURAL, LEGAL")
	}
	return nil
}

// payer finds who pays, nil for the partner, and the money.
func (s *Service) payer(tx *db.Tx, partner int64, externalID string) (*user.User, ledger.Customer, error) {
	if externalID == "" {
		funds, err := ledger.FindCustomer(tx, partner, ledger.PartnerItself, s.euro)
		return nil, funds, err
	}
	party, _, err := s.users.Parties(tx, partner, externalID, "", s.euro)
	if err != nil {
		return nil, ledger.Customer{}, err
	}
	if err := party.MayAct(); err != nil {
		return nil, ledger.Customer{}, err
	}
	if party.Model == user.NoKYC {
		return nil, ledger.Customer{}, fault.New(fault.WrongUserModel)
	}
	return &party.User, party.Customer, party.User.MayPay(true)
}

// known is the receiver of a transfer on level 1: the owner, by the account that the owner has paid in from. P432.
func (s *Service) known(r db.Reader, t Transfer) (Receiver, error) {
	c, err := s.scanContact(r.Row(selectContact, t.Partner, t.Owner, string(t.Destination)))
	if errors.Is(err, db.ErrNoRows) {
		return Receiver{}, fault.New(fault.IbanNotWhitelisted)
	}
	return Receiver{Known: c.Name}, err
}

func receiverPlace(id clock.ID) vault.Place {
	return vault.Place{Table: "sepa_transfer", Column: "receiver", Row: id.String()}
}

func (s *Service) insertTransfer(tx *db.Tx, t Transfer) error {
	text, err := json.Marshal(t.Receiver)
	if err != nil {
		return err
	}
	receiver, err := s.vault.Seal(receiverPlace(t.ID), text)
	if err != nil {
		return err
	}
	metadata, err := entry.EncodeMetadata(t.Metadata)
	if err != nil {
		return err
	}
	tx.Write(insertTransfer, t.Partner, t.ID, t.Owner, t.Amount.Units(), t.Fee.Units(), t.Markup.Units(), t.Title,
		string(t.Destination), receiver, t.Reference, metadata, t.Status, t.hold, t.Reason, t.Returned.Units(), t.Version, t.CreatedAt)
	return nil
}

// FindTransfer reads a transfer; P428 when the partner has no such transfer.
func (s *Service) FindTransfer(r db.Reader, partner int64, id clock.ID) (Transfer, error) {
	t, err := s.scanTransfer(r.Row(selectTransfer, partner, id))
	if errors.Is(err, db.ErrNoRows) {
		return Transfer{}, fault.New(fault.SepaTransferNotFound)
	}
	return t, err
}

func (s *Service) scanTransfer(row db.Scanner) (Transfer, error) {
	var t Transfer
	var amount, fee, markup, returned int64
	var destination, metadata string
	var receiver []byte
	err := row.Scan(&t.Partner, &t.ID, &t.Owner, &amount, &fee, &markup, &t.Title, &destination, &receiver, &t.Reference, &metadata,
		&t.Status, &t.hold, &t.Reason, &returned, &t.Version, &t.CreatedAt)
	if err != nil {
		return t, err
	}
	t.Amount, t.Fee = money.New(amount, s.euro), money.New(fee, s.euro)
	t.Markup, t.Returned = money.New(markup, s.euro), money.New(returned, s.euro)
	t.Destination = iban.IBAN(destination)
	text, err := s.vault.Open(receiverPlace(t.ID), receiver)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(text, &t.Receiver); err != nil {
		return t, fmt.Errorf("sepa: the receiver of transfer %s: %w", t.ID, err)
	}
	t.Metadata, err = entry.DecodeMetadata(metadata)
	return t, err
}
