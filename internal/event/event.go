// Package event is the event log and the delivery of webhooks.
//
// An event is a row that the transaction which changes an object writes with it: no change without its
// event, no event without its change. (object, version) is its key; versions of one object have no gaps.
// The node that holds a partner's lane numbers new events, commits the number, and only then sends them:
// in order per object, with the contract's retries, each partner apart from all others.
package event

import (
	"encoding/json"
	"fmt"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// Type names an event, as the header x-kontor-event and the settings webhook.url.<event> do. Its path and
// its body's schema stand under the same name in the contract's webhooks.
type Type string

// The event types.
const (
	UserStatus          Type = "user-balance-generation"
	KYCFile             Type = "kyc-file-added"
	POAVerification     Type = "poa-verification-status"
	KYCVerification     Type = "kyc-verification-status"
	Wallet              Type = "create-wallet"
	HighRisk            Type = "high-risk-kyc-verification"
	Transfer            Type = "p2p-transfer"
	IBANStatus          Type = "iban-status"
	PartnerSEPATransfer Type = "partner-sepa-transfer"
	SEPATransfer        Type = "user-sepa-transfer"
	SEPADeposit         Type = "sepa-deposit"
	CryptoWithdrawal    Type = "crypto-withdrawal"
	CryptoDeposit       Type = "crypto-deposit"
	Exchange            Type = "exchange"
	CardTransaction     Type = "card-transaction"
	OrderStatus         Type = "order-status"
	PaymentLink         Type = "payment-link"
	Card3DS             Type = "card-3ds-code"
	CardActivation      Type = "card-activation-code"
	URLChanged          Type = "webhook-url-changed"
)

// States of an event's delivery.
const (
	Pending   = "PENDING"
	Delivered = "DELIVERED"
	Failed    = "FAILED"
)

// Event is what happened to an object.
type Event struct {
	Partner int64
	Object  clock.ID
	Version int64 // of the object, counted from 1
	Type    Type
	Body    any // what the receiver gets, as JSON
	At      time.Time
}

var insertEvent = db.NewInsert("event", `partner_id bigint, object_id uuid, version bigint, id uuid, type text,
	body bytes, created_at bigint, status text, attempts bigint, due_at bigint, outcome text, secrets boolean`)

// Log writes events, shows them, and has them sent again.
type Log struct {
	vault *vault.Vault
	wake  func(partner int64)
	check func(kind Type, body []byte) error
}

// NewLog makes the log. wake is called after each commit that wrote an event, with its partner.
func NewLog(v *vault.Vault, wake func(partner int64)) *Log { return &Log{vault: v, wake: wake} }

// Check has each body judged before it is written; an error fails the transaction. Tests hold every event against
// its schema so. A deployment does not: it would pay for each event, and refuse money operations because of a
// mistake that tests find.
func (l *Log) Check(judge func(kind Type, body []byte) error) { l.check = judge }

// Write queues an event on the transaction that makes the change it tells of.
func (l *Log) Write(tx *db.Tx, e Event) error {
	body, err := json.Marshal(e.Body)
	if err != nil {
		return fmt.Errorf("event %s: %w", e.Type, err)
	}
	if l.check != nil {
		if err := l.check(e.Type, body); err != nil {
			return err
		}
	}
	id := clock.NewID()
	sealed, err := l.vault.Seal(bodyPlace(id), body)
	if err != nil {
		return err
	}
	tx.Write(insertEvent, e.Partner, e.Object, e.Version, id, string(e.Type), sealed, e.At, Pending, 0, e.At, "", e.Type.hasSecrets())
	tx.AfterCommit(func() { l.wake(e.Partner) })
	return nil
}

func bodyPlace(id clock.ID) vault.Place {
	return vault.Place{Table: "event", Column: "body", Row: id.String()}
}
