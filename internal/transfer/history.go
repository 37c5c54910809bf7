package transfer

import (
	"errors"
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
		SELECT ` + columns + ` FROM internal_transfer WHERE partner_id = $1 AND id IN (` + db.List(2) + `)`)
	selectEveryones = db.NewQuery(page.Merged("id", stretches,
		`SELECT `+columns+` FROM internal_transfer WHERE partner_id = $1 AND currency = KEY`))
	selectReferenced = db.NewQuery(page.Merged("id", stretches,
		`SELECT `+columns+` FROM internal_transfer
			WHERE partner_id = $1 AND currency = KEY AND reference = $14 AND reference <> ''
				AND ($15 OR source_id = $16 OR destination_id = $16)`))
)

// History answers the entries of transfers that a query asks for, in no order: at least the newest, as many
// as its limit says.
func (s *Service) History(r db.Reader, q entry.Query) ([]entry.Entry, error) {
	if !q.Wants(OperationType) || (q.Status != "" && q.Status != Successful) {
		return nil, nil
	}
	transfers, err := s.search(r, q)
	if err != nil {
		return nil, err
	}
	var found []entry.Entry
	for _, t := range transfers {
		for _, e := range t.entries() {
			if q.Matches(e) {
				found = append(found, e)
			}
		}
	}
	return found, nil
}

// search reads the transfers by what finds them fastest.
func (s *Service) search(r db.Reader, q entry.Query) ([]Transfer, error) {
	switch {
	case !q.Operation.IsZero():
		t, known, err := scan(r.Row(selectTransfer, q.Partner, q.Operation), q.Partner, q.Currency)
		if errors.Is(err, db.ErrNoRows) || err == nil && (!known || q.Reference != "" && q.Reference != t.Reference) {
			return nil, nil
		}
		return []Transfer{t}, err
	case q.Reference != "":
		return byCurrency(r, q, selectReferenced, q.Reference, q.Everyone, q.Owner)
	case q.Everyone:
		return byCurrency(r, q, selectEveryones)
	default:
		return ownersOf(r, q)
	}
}

// byCurrency reads from an index that has a stretch for each currency, so that a list of one currency and a list
// of all are equally fast.
func byCurrency(r db.Reader, q entry.Query, query *db.Query, more ...any) ([]Transfer, error) {
	var all []Transfer
	for chunk := range slices.Chunk(q.Currencies, stretches) {
		args := append([]any{q.Partner}, q.Args()...)
		for i := range stretches {
			slug := "" // no currency's
			if i < len(chunk) {
				slug = chunk[i].Code
			}
			args = append(args, slug)
		}
		found, err := collect(r.Rows(query, append(args, more...)...), q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// ownersOf finds an owner's transfers through the ledger: every transfer has a posting, of the same moment.
func ownersOf(r db.Reader, q entry.Query) ([]Transfer, error) {
	positions, err := ledger.OperationsOf(r, q, OperationType, amountLeg)
	if err != nil {
		return nil, err
	}
	ids := make([]clock.ID, len(positions))
	for i, p := range positions {
		ids[i] = p.ID
	}
	var all []Transfer
	for _, args := range db.Lists(ids, q.Partner) {
		found, err := collect(r.Rows(selectListed, args...), q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// collect reads the rows of an answer.
func collect(rows *db.Rows, q entry.Query) ([]Transfer, error) {
	defer rows.Close()
	var all []Transfer
	for rows.Next() {
		t, known, err := scan(rows, q.Partner, q.Currency)
		if err != nil {
			return nil, err
		}
		if known {
			all = append(all, t)
		}
	}
	return all, rows.Err()
}

// scan reads a row of the columns. known is false when its currency is none of those that are looked for.
func scan(row db.Scanner, partner int64, currency func(slug string) (money.Currency, bool)) (t Transfer, known bool, err error) {
	t.Partner = partner
	var slug, metadata string
	var units int64
	err = row.Scan(&t.ID, &t.Source, &t.Destination, &slug, &units, &t.Reference, &metadata, &t.CreatedAt)
	if err != nil {
		return t, false, err
	}
	c, known := currency(slug)
	t.Amount = money.New(units, c)
	t.Metadata, err = entry.DecodeMetadata(metadata)
	return t, known, err
}

// entries are the two sides of a transfer.
func (t Transfer) entries() []entry.Entry {
	out := entry.Entry{
		Position: page.Position{At: t.CreatedAt, ID: t.ID, Part: entry.Out}, Owner: t.Source,
		Type: OperationType, Status: Successful,
		Amount: t.Amount, Fee: money.New(0, t.Amount.Currency()), Object: t,
	}
	in := out
	in.Part, in.Owner = entry.In, t.Destination
	return []entry.Entry{out, in}
}
