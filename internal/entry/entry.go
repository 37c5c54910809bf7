// Package entry is what a history consists of: the sides that operations have for their owners. It lies
// below the features, so that each of them can tell its own entries without knowing the history that merges
// them.
package entry

import (
	"slices"

	"kontor/internal/clock"
	"kontor/internal/money"
	"kontor/internal/page"
)

// The directions of entries, seen from the owner. They are the Part of an entry's position: (operation,
// direction) is unique.
const (
	In  = "IN"
	Out = "OUT"
)

// Entry is one owner's side of an operation.
type Entry struct {
	page.Position          // when the operation was made, its id, and the direction
	Owner         clock.ID // a user; none: the partner
	Type          string   // of the operation, as the ledger names it
	Status        string   // of the operation, in its own words
	Amount        money.Amount
	Fee           money.Amount // beyond the amount, in its currency
	Object        any          // the operation, as its feature has it
}

// Query asks for entries, newest first.
type Query struct {
	Partner    int64
	Everyone   bool     // the partner and all its users, or
	Owner      clock.ID // this one: a user; none: the partner
	Currencies []money.Currency
	Type       string   // empty: all
	Status     string   // empty: all
	Reference  string   // that the partner gave the operation; empty: all
	Operation  clock.ID // only this one; none: all
	page.Range
}

// Wants tells whether entries of a type can be an answer.
func (q Query) Wants(operationType string) bool { return q.Type == "" || q.Type == operationType }

// Currency finds one of the currencies that are asked for.
func (q Query) Currency(slug string) (money.Currency, bool) {
	i := slices.IndexFunc(q.Currencies, func(c money.Currency) bool { return c.Code == slug })
	if i < 0 {
		return money.Currency{}, false
	}
	return q.Currencies[i], true
}

// Matches tells whether an entry is an answer, as far as an entry shows it: a feature looks at the reference
// itself.
func (q Query) Matches(e Entry) bool {
	return (q.Everyone || e.Owner == q.Owner) &&
		q.Wants(e.Type) &&
		(q.Status == "" || q.Status == e.Status) &&
		(q.Operation.IsZero() || q.Operation == e.ID) &&
		slices.Contains(q.Currencies, e.Amount.Currency()) &&
		q.Contains(e.Position)
}
