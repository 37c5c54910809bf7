// Package history tells owners what happened on their accounts: lists of entries, which it merges from what
// the features tell of their own operations, and statements, which come from the ledger alone. An operation
// that has not moved money yet, or failed to, is in a list and never in a statement.
package history

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// maxStatement is how many entries a statement can have. It is read and sent as a whole.
const maxStatement = 100_000

// Source is a feature that tells its entries: at least the newest that a query asks for, as many as its
// limit says, in any order.
type Source interface {
	History(r db.Reader, q entry.Query) ([]entry.Entry, error)
}

// Service reads histories.
type Service struct {
	clock   clock.Clock
	sources []Source
	longest int // statement, in entries
}

// NewService makes the service. Sources that find their entries through the ledger come last: see List.
func NewService(c clock.Clock, sources ...Source) *Service {
	return &Service{clock: c, sources: sources, longest: maxStatement}
}

// List reads the entries that a query asks for, newest first, and tells whether more follow them.
//
// What the sources so far have found makes a page narrows the search of the next one. A source that looks
// through the ledger therefore does not pass by more postings of other features than the page is about.
func (s *Service) List(r db.Reader, q entry.Query) (entries []entry.Entry, more bool, err error) {
	size := q.Limit
	q.Limit++
	for _, source := range s.sources {
		found, err := source.History(r, q)
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, found...)
		slices.SortFunc(entries, func(a, b entry.Entry) int { return a.Compare(b.Position) })
		if len(entries) > size {
			entries = entries[:size+1]
			q.From = entries[size].At
		}
	}
	if len(entries) > size {
		return entries[:size], true, nil
	}
	return entries, false, nil
}

// Statement reads what was booked on the partner's own balance of a currency on the day (UTC) that begins at
// the given moment. r must be a Snapshot. P403 for a day that has not begun, and for one with more than
// 100,000 entries.
func (s *Service) Statement(r db.Reader, partner int64, c money.Currency, day time.Time) (ledger.Statement, error) {
	if day.After(s.clock.Now()) {
		return ledger.Statement{}, fault.Invalid("date must not be in the future")
	}
	account, err := ledger.FindAccount(r, partner, ledger.PartnerItself, ledger.Balance, c)
	if errors.Is(err, db.ErrNoRows) { // the currency is younger than the partner
		return ledger.Statement{Opening: money.New(0, c), Closing: money.New(0, c)}, nil
	}
	if err != nil {
		return ledger.Statement{}, err
	}
	statement, err := ledger.ReadStatement(r, partner, account, c, day, day.AddDate(0, 0, 1), s.longest)
	if errors.Is(err, ledger.ErrTooLong) {
		return statement, fault.Invalid(fmt.Sprintf(
			"the day has more than %d entries: list its transactions with from and to instead", s.longest))
	}
	return statement, err
}
