package sepa

import (
	"context"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/iban"
	"kontor/internal/money"
)

// Rail is the way to the bank. It is called outside of transactions, and again after a crash, until it has
// succeeded.
type Rail interface {
	// Submit gives a batch to the bank. A batch that was given before has the same ids and the same content, so
	// that giving it again changes nothing.
	Submit(ctx context.Context, b Batch) error
	// Return lets the bank send a payment back to who sent it. The same holds for its id and content.
	Return(ctx context.Context, r ReturnOrder) error
}

// ReturnOrder is a payment that goes back, all of it.
type ReturnOrder struct {
	ID        clock.ID // makes the ids of the message, of the return and of the file; see EndToEnd
	CreatedAt time.Time
	Reference string // of the payment: the bank's own
	EndToEnd  string // of the payment: the sender's; empty when there was none
	Amount    money.Amount
	Reason    string // a code of ISO 20022's external list of return reasons
	Debtor    Party  // who sent the payment, and gets it back
	Creditor  Party  // where it had arrived
}

// Party is one side of a payment, as far as the bank tells.
type Party struct {
	Name string
	IBAN iban.IBAN
	BIC  string
}

// Payer sends payments to our account: the sandbox's bank, which makes deposits.
type Payer interface {
	// Pay lets a payment arrive. It answers it as the bank announces it; the bank books it a moment after the
	// transaction.
	Pay(tx *db.Tx, in Incoming) (Entry, error)
}

// Calendar tells when the bank takes batches.
type Calendar interface {
	// Next is the first moment from now on at which a batch may be made, and the day on which the bank executes a
	// batch that is made then.
	Next(now time.Time) (at, executeOn time.Time)
}

// Batch is transfers that the bank gets together.
type Batch struct {
	ID        clock.ID // makes the ids of the message and of the file
	CreatedAt time.Time
	ExecuteOn time.Time // a day
	Payments  []Payment // in the order of their ids
}

// Payment is a transfer as the bank gets it.
type Payment struct {
	ID     string // end-to-end id; see EndToEnd
	Amount money.Amount
	Name   string // of the beneficiary
	IBAN   iban.IBAN
	Title  string
}

// Status is what the bank says has become of a transfer.
type Status struct {
	EndToEnd string
	Settled  bool   // executed; otherwise refused
	Reason   string // why it was refused: a code of ISO 20022's external list
}

// Entry is a payment that the bank booked on the collective account.
type Entry struct {
	Account   iban.IBAN
	Reference string       // the bank's own, unique on the account
	Part      string       // which payment of an entry that has several
	Whole     money.Amount // of an entry that has several payments: all of them
	Batch     int64        // above zero: the entry is so many payments (1: the bank did not say), which the bank tells elsewhere
	EndToEnd  string       // empty or any text, when the payment was not made by us
	Ours      string       // the id that we gave the instruction, when the bank tells it apart from the end-to-end id
	Amount    money.Amount // credits are above zero
	Returned  bool         // a payment that came back to us, or that we sent back
	Reason    string       // why it did
	Debtor    Party        // as the bank has it
	Creditor  Party        // of a deposit: with the virtual IBAN that it was sent to, when the bank tells it
	Title     string       // the remittance information
	Day       time.Time
}

// Statement is the bank's account of a day on the collective account, or of a part of it: every payment that it booked
// between two balances.
type Statement struct {
	Account          iban.IBAN
	ID               string    // the bank's own, unique on the account and day
	Sequence         int64     // the bank's own number; 0: it gave none
	Day              time.Time // of the closing balance
	MadeAt           time.Time
	Opening, Closing money.Amount // booked; they differ by the sum of the lines
	Lines            []Entry
}
