// Package transfer moves money between a partner and its users, and between users of one partner. A
// transfer is executed when it is accepted: it has no state but SUCCESSFUL.
package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
)

// OperationType names internal transfers in the ledger and in histories.
const OperationType = "INTERNAL_TRANSFER"

// Successful is the status of every internal transfer.
const Successful = "SUCCESSFUL"

// amountLeg names the one posting that every transfer has.
const amountLeg = "amount"

// Create is the order to transfer an amount. A side without externalUserId is the partner itself.
type Create struct {
	Source, Destination string // externalUserIds
	Amount              money.Amount
	Fiat                bool // the amount's currency is fiat
	Reference           string
	Metadata            map[string]string
}

// Transfer is an internal transfer that was made.
type Transfer struct {
	Partner             int64
	ID                  clock.ID
	Source, Destination clock.ID // users; none: the partner itself
	Amount              money.Amount
	Reference           string
	Metadata            map[string]string
	CreatedAt           time.Time
}

// Service makes and finds internal transfers.
type Service struct {
	clock  clock.Clock
	events *event.Log
	users  *user.Service
}

// NewService makes the service.
func NewService(c clock.Clock, events *event.Log, users *user.Service) *Service {
	return &Service{clock: c, events: events, users: users}
}

var (
	insertTransfer = db.NewInsert("internal_transfer", `partner_id bigint, id uuid, source_id uuid, destination_id uuid,
		currency text, amount bigint, reference text, metadata text, created_at bigint`)
	selectTransfer = db.NewQuery(`SELECT ` + columns + ` FROM internal_transfer WHERE partner_id = $1 AND id = $2`)
)

const columns = "id, source_id, destination_id, currency, amount, reference, metadata, created_at"

// Create makes a transfer: its row, its posting and its event. P424 without any side, P403 with the same
// user on both, P412, P455, P459, P462; P433, at the commit, when the source's balance does not cover it.
func (s *Service) Create(tx *db.Tx, partner int64, c Create) (Transfer, error) {
	switch {
	case c.Source == "" && c.Destination == "":
		return Transfer{}, fault.New(fault.SourceOrDestinationRequired)
	case c.Source == c.Destination:
		return Transfer{}, fault.Invalid("sourceExternalUserId and destinationExternalUserId must be different users")
	}
	source, destination, err := s.parties(tx, partner, c)
	if err != nil {
		return Transfer{}, err
	}
	metadata, err := entry.EncodeMetadata(c.Metadata)
	if err != nil {
		return Transfer{}, err
	}
	t := Transfer{
		Partner: partner, ID: clock.NewID(), Source: source.User.ID, Destination: destination.User.ID,
		Amount: c.Amount, Reference: c.Reference, Metadata: c.Metadata, CreatedAt: s.clock.Now(),
	}
	tx.Write(insertTransfer, partner, t.ID, t.Source, t.Destination, t.Amount.Currency().Code, t.Amount.Units(),
		t.Reference, metadata, t.CreatedAt)
	ledger.Post(tx, partner, ledger.Operation{Type: OperationType, ID: t.ID}, t.CreatedAt,
		ledger.Credit(amountLeg, source.Balance, destination.Customer, t.Amount)...)
	return t, s.events.Write(tx, event.Event{
		Partner: partner, Object: t.ID, Version: 1, Type: event.Transfer, At: t.CreatedAt,
		Body: notice(t, c),
	})
}

// parties reads both sides and checks, in the contract's order, that they may pay and receive.
func (s *Service) parties(tx *db.Tx, partner int64, c Create) (source, destination *user.Party, err error) {
	source, destination, err = s.users.Parties(tx, partner, c.Source, c.Destination, c.Amount.Currency())
	if err != nil {
		return nil, nil, err
	}
	if err := mayPass(source, destination, c.Fiat); err != nil {
		return nil, nil, err
	}
	for _, side := range []**user.Party{&source, &destination} {
		if *side != nil {
			continue
		}
		own, err := ledger.FindCustomer(tx, partner, ledger.PartnerItself, c.Amount.Currency())
		if err != nil {
			return nil, nil, err
		}
		*side = &user.Party{Customer: own}
	}
	return source, destination, source.Customer.MayPay()
}

// mayPass puts the most general refusal of either side first: suspended, not verified, not active.
func mayPass(source, destination *user.Party, fiat bool) error {
	var refusals []error
	if source != nil {
		refusals = append(refusals, source.User.MayPay(fiat))
	}
	if destination != nil {
		refusals = append(refusals, destination.User.MayReceive(fiat))
	}
	for _, code := range []fault.Code{fault.UserSuspended, fault.UserNotVerified, fault.BalanceNotActive, fault.InvalidCurrency} {
		for _, err := range refusals {
			if err != nil && fault.From(err).Code == code {
				return err
			}
		}
	}
	return errors.Join(refusals...)
}

// Notice is the body of the P2P Transfer webhook.
type Notice struct {
	ID                        string            `json:"id"`
	SourceExternalUserID      *string           `json:"sourceExternalUserId"`
	DestinationExternalUserID *string           `json:"destinationExternalUserId"`
	Amount                    json.Number       `json:"amount"`
	Currency                  string            `json:"currency"`
	Status                    string            `json:"status"`
	CreatedAt                 string            `json:"createdAt"`
	Reference                 string            `json:"reference,omitempty"`
	Metadata                  map[string]string `json:"metadata,omitempty"`
}

func notice(t Transfer, c Create) Notice {
	n := Notice{
		ID: t.ID.String(), Amount: json.Number(t.Amount.Number()), Currency: t.Amount.Currency().Code,
		Status: Successful, CreatedAt: clock.Format(t.CreatedAt), Reference: t.Reference, Metadata: t.Metadata,
	}
	if c.Source != "" {
		n.SourceExternalUserID = &c.Source
	}
	if c.Destination != "" {
		n.DestinationExternalUserID = &c.Destination
	}
	return n
}

// Find reads a transfer; P417 when the partner has no such transfer.
func (s *Service) Find(r db.Reader, partner int64, id clock.ID, currency func(slug string) (money.Currency, bool)) (Transfer, error) {
	t, known, err := scan(r.Row(selectTransfer, partner, id), partner, currency)
	if errors.Is(err, db.ErrNoRows) {
		return Transfer{}, fault.New(fault.TransferNotFound)
	}
	if err == nil && !known {
		err = fmt.Errorf("transfer %s has an unknown currency", id)
	}
	return t, err
}

var selectUnposted = db.NewQuery(`
	SELECT t.partner_id, t.id FROM internal_transfer t
	WHERE NOT EXISTS (
			SELECT 1 FROM ledger_transfer l
			WHERE l.partner_id = t.partner_id AND l.operation_id = t.id AND l.leg = 'amount'
				AND l.amount = t.amount AND l.currency = t.currency)
		OR NOT EXISTS (
			SELECT 1 FROM event e WHERE e.partner_id = t.partner_id AND e.object_id = t.id AND e.version = 1)
		AND NOT EXISTS (
			SELECT 1 FROM event_lane n WHERE n.partner_id = t.partner_id AND n.removed_until >= t.created_at)`)

// Verify names the transfers that lack their posting or, unless events of their age were removed, their event
// (I4). It is for a quiet hour: it reads everything.
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	rows := r.Rows(selectUnposted)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var partner int64
		var id clock.ID
		if err := rows.Scan(&partner, &id); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf("I4: transfer %s of partner %d has no posting or no event", id, partner))
	}
	return violations, rows.Err()
}
