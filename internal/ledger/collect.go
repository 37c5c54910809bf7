package ledger

import (
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

var lockBalance = db.NewQuery(`
	SELECT posted - held FROM account WHERE partner_id = $1 AND id = $2 FOR UPDATE`)

// LockCustomer is FindCustomer that keeps others from moving the balance until the commit, in a transaction
// that becomes a locked one: what the customer owes is then what is owed at the commit.
func LockCustomer(tx *db.Tx, partner int64, owner clock.ID, c money.Currency) (Customer, error) {
	tx.Locked()
	customer, err := FindCustomer(tx, partner, owner, c)
	if err != nil {
		return Customer{}, err
	}
	var available int64
	if err := tx.Row(lockBalance, partner, customer.Balance).Scan(&available); err != nil {
		return Customer{}, err
	}
	return FindCustomer(tx, partner, owner, c)
}

// Collect debits a customer who cannot refuse: a clearing above its hold, a recall, a monthly fee. It takes
// what is available and books the rest as the customer's receivable, in this transaction, which becomes
// a locked one. name is the leg's name; the part that is owed has "-receivable" appended.
func Collect(tx *db.Tx, partner int64, op Operation, at time.Time, owner clock.ID, name string, to clock.ID, amount money.Amount) error {
	tx.Locked()
	customer, err := FindCustomer(tx, partner, owner, amount.Currency())
	if err != nil {
		return err
	}
	var available int64
	if err := tx.Row(lockBalance, partner, customer.Balance).Scan(&available); err != nil {
		return err
	}
	taken := money.New(min(max(available, 0), amount.Units()), amount.Currency())
	if taken.Sign() > 0 {
		Post(tx, partner, op, at, Leg{Name: name, Debit: customer.Balance, Credit: to, Amount: taken})
	}
	rest, err := amount.Sub(taken)
	if err != nil || rest.IsZero() {
		return err
	}
	if customer.Receivable.IsZero() {
		customer.Receivable = OpenAccount(tx, partner, owner, Receivable, amount.Currency(), at)
	}
	Post(tx, partner, op, at, Leg{Name: name + "-receivable", Debit: customer.Receivable, Credit: to, Amount: rest})
	Revise(tx, partner, owner)
	return nil
}
