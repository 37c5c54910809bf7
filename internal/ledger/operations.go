package ledger

import (
	"slices"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/page"
)

// stretches is how many accounts one statement looks through.
const stretches = 8

var (
	selectAccounts = db.NewQuery(`
		SELECT id, currency FROM account WHERE partner_id = $1 AND owner_id = $2 AND purpose = 'balance'`)
	selectOperations = db.NewQuery(page.MergedTies("operation_id", stretches,
		page.Branch{
			Columns: `SELECT operation_id, created_at, 'OUT' AS direction`,
			Rows:    `FROM ledger_transfer WHERE partner_id = $1 AND debit_id = KEY AND operation_type = $14 AND leg = $15`,
		},
		page.Branch{
			Columns: `SELECT operation_id, created_at, 'IN' AS direction`,
			Rows:    `FROM ledger_transfer WHERE partner_id = $1 AND credit_id = KEY AND operation_type = $14 AND leg = $15`,
		}))
)

// OperationsOf tells which operations of a type moved money on the balances of the query's one owner, by the
// leg of the given name, newest first; at least as many as the query asks for, if there are. It looks
// through the indexes of the owner's accounts, so that a feature whose operations are posted when they are
// made, at the same moment, needs no index of its own for its owners.
func OperationsOf(r db.Reader, q entry.Query, operationType, leg string) ([]page.Position, error) {
	accounts, err := accountsOf(r, q)
	if err != nil {
		return nil, err
	}
	var found []page.Position
	for chunk := range slices.Chunk(accounts, stretches) {
		args := append([]any{q.Partner}, q.Args()...)
		for i := range stretches {
			var account clock.ID // of no account
			if i < len(chunk) {
				account = chunk[i]
			}
			args = append(args, account)
		}
		rows := r.Rows(selectOperations, append(args, operationType, leg)...)
		defer rows.Close()
		for rows.Next() {
			var p page.Position
			if err := rows.Scan(&p.ID, &p.At, &p.Part); err != nil {
				return nil, err
			}
			found = append(found, p)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func accountsOf(r db.Reader, q entry.Query) ([]clock.ID, error) {
	rows := r.Rows(selectAccounts, q.Partner, q.Owner)
	defer rows.Close()
	var found []clock.ID
	for rows.Next() {
		var id clock.ID
		var slug string
		if err := rows.Scan(&id, &slug); err != nil {
			return nil, err
		}
		if _, asked := q.Currency(slug); asked {
			found = append(found, id)
		}
	}
	return found, rows.Err()
}
