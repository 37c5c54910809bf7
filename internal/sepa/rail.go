package sepa

import (
	"context"
	"time"

	"kontor/internal/clock"
	"kontor/internal/iban"
	"kontor/internal/money"
)

// Rail is the way to the bank. It is called outside of transactions, and again after a crash, until it has
// succeeded.
type Rail interface {
	// Submit gives a batch to the bank. A batch that was given before has the same ids and the same content, so
	// that giving it again changes nothing.
	Submit(ctx context.Context, b Batch) error
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
	EndToEnd  string       // empty or any text, when the payment was not made by us
	Amount    money.Amount // credits are above zero
	Returned  bool         // a payment of ours that came back
	Reason    string       // why it did
	Debtor    string       // names and remittance information, as the bank has them
	Creditor  string
	Title     string
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
