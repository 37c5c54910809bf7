package ledger

import (
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

var (
	selectBalances = db.NewQuery(`
		SELECT id, currency, posted, held FROM account
		WHERE partner_id = $1 AND owner_id = $2 AND purpose = 'balance'`)
	selectPosted = db.NewQuery(`SELECT posted FROM account WHERE partner_id = $1 AND id = $2`)
	sumSince     = db.NewQuery(`
		SELECT CAST(COALESCE(SUM(CASE WHEN credit_id = $2 THEN amount ELSE -amount END), 0) AS BIGINT)
		FROM ledger_transfer
		WHERE partner_id = $1 AND (credit_id = $2 OR debit_id = $2) AND created_at >= $3`)
	selectEntries = db.NewQuery(`
		SELECT operation_id, leg, operation_type, debit_id, credit_id, amount, created_at
		FROM ledger_transfer
		WHERE partner_id = $1 AND (credit_id = $2 OR debit_id = $2) AND created_at >= $3 AND created_at < $4
		ORDER BY created_at, operation_id, leg LIMIT $5`)
)

// State is what stands on an account now.
type State struct {
	Account clock.ID
	Posted  money.Amount
	Held    money.Amount
}

// Available is what can be spent: posted - held.
func (s State) Available() (money.Amount, error) { return s.Posted.Sub(s.Held) }

// Balances reads all balances of an owner, by currency slug. currency gives each slug its scale.
func Balances(r db.Reader, partner int64, owner clock.ID, currency func(slug string) (money.Currency, bool)) (map[string]State, error) {
	rows := r.Rows(selectBalances, partner, owner)
	defer rows.Close()
	states := map[string]State{}
	for rows.Next() {
		var id clock.ID
		var slug string
		var posted, held int64
		if err := rows.Scan(&id, &slug, &posted, &held); err != nil {
			return nil, err
		}
		var err error
		if states[slug], err = NewState(id, slug, posted, held, currency); err != nil {
			return nil, err
		}
	}
	return states, rows.Err()
}

// NewState makes a state of what was read: an account, its currency's slug, and amounts in minor units. currency gives
// the slug its scale.
func NewState(account clock.ID, slug string, posted, held int64, currency func(slug string) (money.Currency, bool)) (State, error) {
	c, ok := currency(slug)
	if !ok {
		return State{}, errors.New("ledger: an account has the unknown currency " + slug)
	}
	return State{account, money.New(posted, c), money.New(held, c)}, nil
}

// Entry is one transfer as an account sees it.
type Entry struct {
	Operation Operation
	Leg       string
	Other     clock.ID     // the account on the other side
	Amount    money.Amount // positive: came in; negative: went out
	Balance   money.Amount // what is posted after it
	At        time.Time
}

// Statement is what happened on an account between two moments: from ≤ t < to.
type Statement struct {
	Opening, Closing money.Amount
	Entries          []Entry
}

// ErrTooLong says that a statement has more entries than were asked for.
var ErrTooLong = errors.New("ledger: the statement has too many entries")

// ReadStatement reads the statement of an account, with at most limit entries: ErrTooLong when there are
// more. The opening is what is posted now less all that came since, because statements are asked for while
// they are young. So r must be a Snapshot.
func ReadStatement(r db.Reader, partner int64, account clock.ID, c money.Currency, from, to time.Time, limit int) (Statement, error) {
	var posted, since int64
	if err := r.Row(selectPosted, partner, account).Scan(&posted); err != nil {
		return Statement{}, err
	}
	if err := r.Row(sumSince, partner, account, from).Scan(&since); err != nil {
		return Statement{}, err
	}
	opening, err := money.New(posted, c).Sub(money.New(since, c))
	if err != nil {
		return Statement{}, err
	}
	s := Statement{Opening: opening, Closing: opening}
	rows := r.Rows(selectEntries, partner, account, from, to, limit+1)
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var debit, credit clock.ID
		var units int64
		if err := rows.Scan(&e.Operation.ID, &e.Leg, &e.Operation.Type, &debit, &credit, &units, &e.At); err != nil {
			return Statement{}, err
		}
		e.Other, e.Amount = debit, money.New(units, c)
		if debit == account {
			e.Other, e.Amount = credit, money.New(-units, c)
		}
		if s.Closing, err = s.Closing.Add(e.Amount); err != nil {
			return Statement{}, err
		}
		if e.Balance = s.Closing; len(s.Entries) == limit {
			return Statement{}, ErrTooLong
		}
		s.Entries = append(s.Entries, e)
	}
	return s, rows.Err()
}
