package ledger

import (
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

// Debt is what a customer owes the platform.
type Debt struct {
	Partner int64
	Owner   clock.ID     // a user; none: the partner itself
	Amount  money.Amount // above zero
	Since   time.Time    // business time; since then the customer has owed something without a break
}

var (
	selectDebts = db.NewQuery(`
		SELECT partner_id, id, owner_id, currency, posted FROM account
		WHERE purpose = 'receivable' AND posted < 0 AND (CAST($1 AS BIGINT) < 0 OR partner_id = $1)
		ORDER BY partner_id, owner_id, currency`)
	selectMoves = db.NewQuery(`
		SELECT created_at, CAST(SUM(CASE WHEN credit_id = $2 THEN amount ELSE -amount END) AS BIGINT)
		FROM ledger_transfer WHERE partner_id = $1 AND (credit_id = $2 OR debit_id = $2)
		GROUP BY created_at ORDER BY created_at`)
)

// Debts reads who owes the platform, of one partner or, with a number below zero, of all. currency gives each
// slug its scale.
func Debts(r db.Reader, partner int64, currency func(slug string) (money.Currency, bool)) ([]Debt, error) {
	debts, accounts, err := readDebts(r, partner, currency)
	if err != nil {
		return nil, err
	}
	for i := range debts {
		if debts[i].Since, err = owedSince(r, debts[i].Partner, accounts[i]); err != nil {
			return nil, err
		}
	}
	return debts, nil
}

func readDebts(r db.Reader, partner int64, currency func(slug string) (money.Currency, bool)) (debts []Debt, accounts []clock.ID, err error) {
	rows := r.Rows(selectDebts, partner)
	defer rows.Close()
	for rows.Next() {
		var d Debt
		var account clock.ID
		var slug string
		var posted int64
		if err := rows.Scan(&d.Partner, &account, &d.Owner, &slug, &posted); err != nil {
			return nil, nil, err
		}
		c, ok := currency(slug)
		if !ok {
			return nil, nil, errors.New("ledger: an account has the unknown currency " + slug)
		}
		d.Amount = money.New(-posted, c)
		debts, accounts = append(debts, d), append(accounts, account)
	}
	return debts, accounts, rows.Err()
}

// owedSince finds the moment at which a receivable last left zero.
func owedSince(r db.Reader, partner int64, account clock.ID) (since time.Time, err error) {
	rows := r.Rows(selectMoves, partner, account)
	defer rows.Close()
	var owed int64
	for rows.Next() {
		var at time.Time
		var change int64
		if err := rows.Scan(&at, &change); err != nil {
			return time.Time{}, err
		}
		if owed == 0 {
			since = at
		}
		owed += change
	}
	return since, rows.Err()
}
