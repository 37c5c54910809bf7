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

// selectDebts reads every move of the receivables that are not zero, and what they are now. Each side of the
// ledger is looked through by its own index.
var selectDebts = db.NewQuery(`
	SELECT partner_id, id, owner_id, currency, posted, created_at, CAST(SUM(change) AS BIGINT)
	FROM (` + movesOf("credit_id", "t.amount") + ` UNION ALL ` + movesOf("debit_id", "-t.amount") + `) AS moves
	GROUP BY partner_id, id, owner_id, currency, posted, created_at
	ORDER BY partner_id, owner_id, currency, created_at`)

func movesOf(side, change string) string {
	return `SELECT a.partner_id, a.id, a.owner_id, a.currency, a.posted, t.created_at, ` + change + ` AS change
		FROM account a JOIN ledger_transfer t ON t.partner_id = a.partner_id AND t.` + side + ` = a.id
		WHERE a.purpose = 'receivable' AND a.posted < 0 AND (CAST($1 AS BIGINT) < 0 OR a.partner_id = $1)`
}

// Debts reads who owes the platform, of one partner or, with a number below zero, of all. currency gives each
// slug its scale.
func Debts(r db.Reader, partner int64, currency func(slug string) (money.Currency, bool)) ([]Debt, error) {
	rows := r.Rows(selectDebts, partner)
	defer rows.Close()
	var debts []Debt
	var current clock.ID // the receivable whose moves are read
	var owed int64       // on it, after the moves so far
	for rows.Next() {
		var d Debt
		var account clock.ID
		var slug string
		var posted, change int64
		if err := rows.Scan(&d.Partner, &account, &d.Owner, &slug, &posted, &d.Since, &change); err != nil {
			return nil, err
		}
		if account != current {
			c, ok := currency(slug)
			if !ok {
				return nil, errors.New("ledger: an account has the unknown currency " + slug)
			}
			d.Amount = money.New(-posted, c)
			debts, current, owed = append(debts, d), account, 0
		}
		if owed == 0 { // it leaves zero, perhaps not for the first time
			debts[len(debts)-1].Since = d.Since
		}
		owed += change
	}
	return debts, rows.Err()
}
