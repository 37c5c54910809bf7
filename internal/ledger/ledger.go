// Package ledger keeps the books: double entry, in minor units, without exceptions.
//
// Accounts belong to a partner's book and have an owner (a user, or the partner itself), a purpose and a
// currency. A transfer moves one amount from one account to another and is never changed or removed. An
// operation that moves money in several legs posts several transfers in one transaction. A hold reserves
// money; it can be captured several times and ends exactly once.
//
// What a customer may not do is refused by the schema, not by the code that reads first: an account of a
// customer cannot fall below zero (account_funds), a leg is posted once (ledger_transfer_pkey), a hold ends
// once (hold_step_end_key). The functions here queue writes on the caller's transaction; nothing has
// happened until it commits.
package ledger

import (
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// Purpose says what an account is for.
type Purpose string

// The purposes of accounts. Balances are what customers see; the rest is the platform's.
const (
	Balance    Purpose = "balance"    // a customer's money: the platform owes it
	Receivable Purpose = "receivable" // what a customer owes the platform; zero or below
	Fees       Purpose = "fees"       // earned by the platform
	Liquidity  Purpose = "liquidity"  // counter-account of currency exchange
	Clearing   Purpose = "clearing"   // between a partner's book and the operator's
	Bank       Purpose = "bank"       // the operator's account at the bank
	Suspense   Purpose = "suspense"   // received money that cannot be credited yet
	Equity     Purpose = "equity"     // counter-account of corrections
)

// customer tells whether an account may not fall below zero.
func (p Purpose) customer() bool { return p == Balance }

// MaxUnits is the most that an account may hold, in minor units: the bound that account_range sets.
const MaxUnits int64 = 9_000_000_000_000_000_000

// Operator is the partner id of the operator's own book.
const Operator int64 = 0

// PartnerItself is the owner id of accounts that belong to no user.
var PartnerItself clock.ID

// Operation names the business operation that moves money. Together with a leg's name it is the posting's
// identity: posting the same leg again fails.
type Operation struct {
	Type string
	ID   clock.ID
}

// Leg is one transfer of an operation.
type Leg struct {
	Name   string // unique within the operation: amount, fee, return …
	Debit  clock.ID
	Credit clock.ID
	Amount money.Amount
}

// Customer is where a customer's money of one currency is.
type Customer struct {
	Balance    clock.ID
	Receivable clock.ID     // none unless the customer owed something once
	Owed       money.Amount // zero or above
	Revision   int64        // of the balance when this was read, for db.Tx.Rely; see Revise
}

// MayPay refuses with P433 while the customer owes the platform: the next credits repay that first.
func (c Customer) MayPay() error {
	if c.Owed.Sign() > 0 {
		return fault.New(fault.InsufficientFunds)
	}
	return nil
}

var (
	insertAccount = db.NewInsert("account", `partner_id bigint, id uuid, owner_id uuid, purpose text, currency text,
		overdraft boolean, closed boolean, posted bigint, held bigint, created_at bigint`)
	insertTransfer = db.NewInsert("ledger_transfer", `partner_id bigint, operation_id uuid, leg text, operation_type text,
		debit_id uuid, credit_id uuid, currency text, amount bigint, created_at bigint`)
	selectCustomer = db.NewQuery(`
		SELECT b.id, COALESCE(r.id, b.id), COALESCE(r.posted, 0), b.revision
		FROM account b
		LEFT JOIN account r ON r.partner_id = b.partner_id AND r.owner_id = b.owner_id
			AND r.purpose = 'receivable' AND r.currency = b.currency
		WHERE b.partner_id = $1 AND b.owner_id = $2 AND b.purpose = 'balance' AND b.currency = $3`)
	selectAccount = db.NewQuery(`
		SELECT id FROM account WHERE partner_id = $1 AND owner_id = $2 AND purpose = $3 AND currency = $4`)
	lockAccounts  = db.NewQuery(`SELECT posted, held FROM account WHERE partner_id = $1 AND owner_id = $2 ORDER BY id FOR UPDATE`)
	closeAccounts = db.NewCommand(`UPDATE account SET closed = TRUE, revision = revision + 1
		WHERE partner_id = $1 AND owner_id = $2 AND purpose = 'balance'`)
	reviseAccounts = db.NewCommand(`UPDATE account SET revision = revision + 1
		WHERE partner_id = $1 AND owner_id = $2 AND purpose = 'balance'`)
)

// OpenAccount opens an account with nothing on it and answers its id.
func OpenAccount(tx *db.Tx, partner int64, owner clock.ID, p Purpose, c money.Currency, at time.Time) clock.ID {
	return open(tx, partner, owner, p, c, at, false)
}

// OpenIdleBalance opens a customer's balance that is shown and never moves: it is closed from the start, see
// CloseAccounts.
func OpenIdleBalance(tx *db.Tx, partner int64, owner clock.ID, c money.Currency, at time.Time) clock.ID {
	return open(tx, partner, owner, Balance, c, at, true)
}

func open(tx *db.Tx, partner int64, owner clock.ID, p Purpose, c money.Currency, at time.Time, closed bool) clock.ID {
	id := clock.NewID()
	tx.Write(insertAccount, partner, id, owner, string(p), c.Code, !p.customer(), closed, int64(0), int64(0), at)
	return id
}

// LockEmpty tells whether nothing is posted, held or owed on any account of an owner, and keeps others from moving
// anything there until the commit, in a transaction that becomes a locked one.
func LockEmpty(tx *db.Tx, partner int64, owner clock.ID) (bool, error) {
	tx.Locked()
	rows := tx.Rows(lockAccounts, partner, owner)
	defer rows.Close()
	empty := true
	for rows.Next() {
		var posted, held int64
		if err := rows.Scan(&posted, &held); err != nil {
			return false, err
		}
		empty = empty && posted == 0 && held == 0
	}
	return empty, rows.Err()
}

// CloseAccounts ends a customer's balances. It fails, now or at the commit, while anything is on them, and
// so does every later transfer that would put something there: account_open. Receivables stay open: a debit that
// cannot be refused may still come, and has to be booked.
func CloseAccounts(tx *db.Tx, partner int64, owner clock.ID) { tx.Write(closeAccounts, partner, owner) }

// Revise has every payment decided again that was decided on what is about to change with an owner, and is not
// committed yet: a right to pay or to receive, a debt. Whoever changes such a thing calls it in the same transaction.
func Revise(tx *db.Tx, partner int64, owner clock.ID) { tx.Write(reviseAccounts, partner, owner) }

// FindCustomer reads a customer's accounts of one currency; db.ErrNoRows when there are none.
func FindCustomer(r db.Reader, partner int64, owner clock.ID, c money.Currency) (Customer, error) {
	var found Customer
	var owed int64
	err := r.Row(selectCustomer, partner, owner, c.Code).Scan(&found.Balance, &found.Receivable, &owed, &found.Revision)
	if found.Receivable == found.Balance {
		found.Receivable = clock.ID{}
	}
	found.Owed = money.New(-owed, c)
	return found, err
}

// FindAccount reads the id of an account; db.ErrNoRows when there is none.
func FindAccount(r db.Reader, partner int64, owner clock.ID, p Purpose, c money.Currency) (clock.ID, error) {
	var id clock.ID
	err := r.Row(selectAccount, partner, owner, string(p), c.Code).Scan(&id)
	return id, err
}

// FindOrOpenAccount is FindAccount that opens what is missing: books that were opened by earlier versions lack
// the accounts that came later.
func FindOrOpenAccount(tx *db.Tx, partner int64, owner clock.ID, p Purpose, c money.Currency, at time.Time) (clock.ID, error) {
	id, err := FindAccount(tx, partner, owner, p, c)
	if errors.Is(err, db.ErrNoRows) {
		return OpenAccount(tx, partner, owner, p, c, at), nil
	}
	return id, err
}

// Post queues the legs of an operation. The commit fails with P433 when a customer's balance does not
// cover them.
func Post(tx *db.Tx, partner int64, op Operation, at time.Time, legs ...Leg) {
	for _, l := range legs {
		record(tx, partner, op, at, l)
		tx.Move(partner, l.Debit, -l.Amount.Units(), 0)
		tx.Move(partner, l.Credit, l.Amount.Units(), 0)
	}
}

// record queues the immutable row of a leg, without its effect on the accounts.
func record(tx *db.Tx, partner int64, op Operation, at time.Time, l Leg) {
	tx.Write(insertTransfer, partner, op.ID, l.Name, op.Type, l.Debit, l.Credit,
		l.Amount.Currency().Code, l.Amount.Units(), at)
}

// Credit makes the legs that give a customer an amount: the amount itself, and the repayment of what the
// customer owes, as far as it goes.
func Credit(name string, from clock.ID, to Customer, amount money.Amount) []Leg {
	legs := []Leg{{Name: name, Debit: from, Credit: to.Balance, Amount: amount}}
	if to.Owed.Sign() <= 0 {
		return legs
	}
	repaid := amount
	if to.Owed.Cmp(repaid) < 0 {
		repaid = to.Owed
	}
	return append(legs, Leg{Name: name + "-repayment", Debit: to.Balance, Credit: to.Receivable, Amount: repaid})
}

// OpenBook opens the accounts that every partner's book has, for each currency: the partner's own balance
// and the platform's.
func OpenBook(tx *db.Tx, partner int64, currencies []money.Currency, at time.Time) {
	purposes := []Purpose{Balance, Fees, Liquidity, Clearing, Suspense, Equity}
	if partner == Operator {
		purposes = []Purpose{Bank, Clearing, Suspense, Fees, Equity}
	}
	for _, c := range currencies {
		for _, p := range purposes {
			OpenAccount(tx, partner, PartnerItself, p, c, at)
		}
	}
}
