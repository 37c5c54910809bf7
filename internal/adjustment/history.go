package adjustment

import (
	"fmt"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/money"
	"kontor/internal/page"
)

// Successful is the status of every correction in a history: only what was executed is there.
const Successful = "SUCCESSFUL"

// Executed is a correction as the customer's history shows it.
type Executed struct {
	ID        clock.ID
	Owner     clock.ID     // a user; none: the partner itself
	Amount    money.Amount // above zero: came in; below zero: went out
	Reason    string
	CreatedAt time.Time // when it was executed
}

// selectExecuted reads one currency, or all when $6 is empty; one owner's, or everybody's; one correction, or
// all in the window.
var selectExecuted = db.NewQuery(`
	SELECT id, owner_id, currency, amount, reason, created_at FROM adjustment
	WHERE partner_id = $1 AND ($6 = '' OR currency = $6) AND ($7 OR owner_id = $8) AND ($9 OR id = $10)
		AND ` + page.Window("id", 2))

// History answers the entries of executed corrections that a query asks for, in no order: at least the newest,
// as many as its limit says.
func (s *Service) History(r db.Reader, q entry.Query) ([]entry.Entry, error) {
	if !q.Wants(OperationType) || (q.Status != "" && q.Status != Successful) || q.Reference != "" {
		return nil, nil // a partner gives corrections no reference
	}
	slug := ""
	if len(q.Currencies) == 1 {
		slug = q.Currencies[0].Code
	}
	args := append([]any{q.Partner}, q.Args()...)
	rows := r.Rows(selectExecuted, append(args, slug, q.Everyone, q.Owner, q.Operation.IsZero(), q.Operation)...)
	defer rows.Close()
	var found []entry.Entry
	for rows.Next() {
		var e Executed
		var currency string
		var units int64
		if err := rows.Scan(&e.ID, &e.Owner, &currency, &units, &e.Reason, &e.CreatedAt); err != nil {
			return nil, err
		}
		c, ok := s.currency(currency)
		if !ok {
			return nil, fmt.Errorf("adjustment %s has the unknown currency %q", e.ID, currency)
		}
		e.Amount = money.New(units, c)
		if told := e.entry(); q.Matches(told) {
			found = append(found, told)
		}
	}
	return found, rows.Err()
}

func (e Executed) entry() entry.Entry {
	direction, amount := entry.In, e.Amount
	if amount.Sign() < 0 {
		direction, amount = entry.Out, amount.Neg()
	}
	return entry.Entry{
		Position: page.Position{At: e.CreatedAt, ID: e.ID, Part: direction}, Owner: e.Owner, Type: OperationType,
		Status: Successful, Amount: amount, Fee: money.New(0, amount.Currency()), Object: e,
	}
}
