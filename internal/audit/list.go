package audit

import (
	"math"

	"kontor/internal/db"
)

// Filter chooses entries. The zero value chooses all.
type Filter struct {
	Partner *int64 // only what concerns this partner
}

const columns = `number, at, actor, action, partner_id, object, details, previous, hash`

var (
	selectNewest = db.NewQuery(`SELECT ` + columns + ` FROM audit_entry WHERE number < $1 ORDER BY number DESC LIMIT $2`)
	selectOfOne  = db.NewQuery(`SELECT ` + columns + ` FROM audit_entry WHERE partner_id = $3 AND number < $1 ORDER BY number DESC LIMIT $2`)
)

// List reads entries, the newest first: at most limit of them, of those with numbers below before; 0 begins
// with the newest.
func List(r db.Reader, f Filter, limit int, before int64) ([]Recorded, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	query, args := selectNewest, []any{before, limit}
	if f.Partner != nil {
		query, args = selectOfOne, append(args, *f.Partner)
	}
	return scan(r.Rows(query, args...))
}

func scan(rows *db.Rows) ([]Recorded, error) {
	defer rows.Close()
	var all []Recorded
	for rows.Next() {
		e, err := scanOne(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

func scanOne(rows *db.Rows) (e Recorded, err error) {
	err = rows.Scan(&e.Number, &e.At, &e.Actor, &e.Action, &e.Partner, &e.Object, &e.Details, &e.Previous, &e.Hash)
	return e, err
}
