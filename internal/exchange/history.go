package exchange

import (
	"errors"
	"fmt"
	"slices"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/page"
)

// stretches is how many currencies one statement looks through.
const stretches = 8

var (
	selectListed = db.NewQuery(`
		SELECT ` + columns + ` FROM exchange WHERE partner_id = $1 AND id IN (` + db.List(2) + `)`)
	selectEveryones = db.NewQuery(page.Merged("id", stretches,
		`SELECT `+columns+` FROM exchange WHERE partner_id = $1 AND currency_from = KEY`))
	selectReferenced = db.NewQuery(page.Merged("id", stretches,
		`SELECT `+columns+` FROM exchange
			WHERE partner_id = $1 AND currency_from = KEY AND reference = $14 AND reference <> '' AND ($15 OR owner_id = $16)`))
)

// History answers the entries of exchanges that a query asks for, in no order: at least the newest, as many
// as its limit says.
func (s *Service) History(r db.Reader, q entry.Query) ([]entry.Entry, error) {
	if !q.Wants(OperationType) || (q.Status != "" && q.Status != Completed) {
		return nil, nil
	}
	made, err := s.search(r, q)
	if err != nil {
		return nil, err
	}
	var found []entry.Entry
	for _, x := range made {
		if e := x.entry(); q.Matches(e) {
			found = append(found, e)
		}
	}
	return found, nil
}

// search reads the exchanges by what finds them fastest.
func (s *Service) search(r db.Reader, q entry.Query) ([]Exchange, error) {
	switch {
	case !q.Operation.IsZero():
		t, known, err := s.scan(r.Row(selectExchange, q.Partner, q.Operation), q.Partner, q.Currency)
		if errors.Is(err, db.ErrNoRows) || err == nil && (!known || q.Reference != "" && q.Reference != t.Reference) {
			return nil, nil
		}
		return []Exchange{t}, err
	case q.Reference != "":
		return s.byCurrency(r, q, selectReferenced, q.Reference, q.Everyone, q.Owner)
	case q.Everyone:
		return s.byCurrency(r, q, selectEveryones)
	default:
		return s.ownersOf(r, q)
	}
}

// byCurrency reads from an index that has a stretch for each currency, so that a list of one currency and a list
// of all are equally fast.
func (s *Service) byCurrency(r db.Reader, q entry.Query, query *db.Query, more ...any) ([]Exchange, error) {
	var all []Exchange
	for chunk := range slices.Chunk(q.Currencies, stretches) {
		args := append([]any{q.Partner}, q.Args()...)
		for i := range stretches {
			slug := "" // no currency's
			if i < len(chunk) {
				slug = chunk[i].Code
			}
			args = append(args, slug)
		}
		found, err := s.collect(r.Rows(query, append(args, more...)...), q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// ownersOf finds an owner's exchanges through the ledger: every exchange has a posting, of the same moment.
func (s *Service) ownersOf(r db.Reader, q entry.Query) ([]Exchange, error) {
	positions, err := ledger.OperationsOf(r, q, OperationType, amountLeg)
	if err != nil {
		return nil, err
	}
	ids := make([]clock.ID, len(positions))
	for i, p := range positions {
		ids[i] = p.ID
	}
	var all []Exchange
	for _, args := range db.Lists(ids, q.Partner) {
		found, err := s.collect(r.Rows(selectListed, args...), q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// collect reads the rows of an answer.
func (s *Service) collect(rows *db.Rows, q entry.Query) ([]Exchange, error) {
	defer rows.Close()
	var all []Exchange
	for rows.Next() {
		t, known, err := s.scan(rows, q.Partner, q.Currency)
		if err != nil {
			return nil, err
		}
		if known {
			all = append(all, t)
		}
	}
	return all, rows.Err()
}

// scan reads a row of the columns. known is false when its source currency is none of those that are looked for.
func (s *Service) scan(row db.Scanner, partner int64, currency func(slug string) (money.Currency, bool)) (x Exchange, known bool, err error) {
	x.Partner = partner
	var from, to, rateFrom, rateTo, feePercent, markupPercent, metadata string
	var given, received, fee, markup int64
	err = row.Scan(&x.ID, &x.Owner, &x.Lock, &from, &given, &to, &received, &rateFrom, &rateTo, &feePercent, &fee,
		&markupPercent, &markup, &x.Gain, &x.Reference, &metadata, &x.CreatedAt)
	if err != nil {
		return x, false, err
	}
	source, known := currency(from)
	target, ok := s.catalog.Currency(to)
	if !ok {
		return x, false, fmt.Errorf("exchange %s has the unknown currency %s", x.ID, to)
	}
	x.From, x.Fee, x.Markup = money.New(given, source), money.New(fee, source), money.New(markup, source)
	x.To = money.New(received, target)
	for _, r := range []struct {
		text string
		into *money.Rate
	}{{rateFrom, &x.RateFrom}, {rateTo, &x.RateTo}} {
		if *r.into, err = money.ParseRate(r.text); err != nil {
			return x, false, err
		}
	}
	if x.FeePercent, err = money.ParsePercent(feePercent); err != nil {
		return x, false, err
	}
	if x.MarkupPercent, err = money.ParsePercent(markupPercent); err != nil {
		return x, false, err
	}
	x.Metadata, err = entry.DecodeMetadata(metadata)
	return x, known, err
}

// entry is the one side that an exchange has in a history.
func (x Exchange) entry() entry.Entry {
	return entry.Entry{
		Position: page.Position{At: x.CreatedAt, ID: x.ID, Part: entry.Out}, Owner: x.Owner,
		Type: OperationType, Status: Completed, Amount: x.From, Fee: x.Fee, Object: x,
	}
}
