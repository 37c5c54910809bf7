package sepa

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// everyone stands in sepa_day for a partner and all its users together.
var everyone = clock.ID(bytes.Repeat([]byte{0xff}, len(clock.ID{})))

var (
	countSent = db.NewTally("sepa_day", "partner_id bigint, day bigint, owner_id uuid", "earlier bigint", "counted bigint", "most bigint")
	// uncountSent finds no row when there is no limit.
	uncountSent = db.NewCommand(`UPDATE sepa_day SET counted = counted - $4 WHERE partner_id = $1 AND day = $2 AND owner_id = $3`)
	sweepSent   = db.NewCommand(`DELETE FROM sepa_day WHERE partner_id = $1 AND day < $2`)
	selectUsed  = db.NewQuery(`SELECT owner_id, earlier + counted FROM sepa_day WHERE partner_id = $1 AND day = $2 AND owner_id IN ($3, $4)`)
)

// What is sent counts, whatever comes back; it is read where it was not counted, on the day on which a limit is set.
const sumSent = `SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM sepa_transfer
	WHERE partner_id = $1 AND status IN ('` + TransferPending + `', '` + TransferProcessing + `', '` + TransferSuccessful + `', '` + TransferReturned + `')
	AND created_at >= $2 AND created_at < $3`

var (
	sumSentByAll = db.NewQuery(sumSent)
	sumSentByOne = db.NewQuery(sumSent + ` AND owner_id = $4`)
)

// dayLimit is how much may be sent on a day, by one owner or by everyone, and how much was.
type dayLimit struct {
	owner clock.ID
	most  money.Amount
	sent  money.Amount
}

// dayLimits reads what a transfer counts towards, and refuses one that goes beyond it with P430.
func (s *Service) dayLimits(r db.Reader, t Transfer, terms Terms) ([]dayLimit, error) {
	if terms.PerDay.IsZero() && terms.PerDayTotal.IsZero() {
		return nil, nil
	}
	used, err := readUsed(r, t)
	if err != nil {
		return nil, err
	}
	var limits []dayLimit
	for _, l := range []dayLimit{{owner: t.Owner, most: terms.PerDay}, {owner: everyone, most: terms.PerDayTotal}} {
		if l.most.IsZero() {
			continue
		}
		units, known := used[l.owner]
		if !known {
			if units, err = sumUsed(r, t, l.owner); err != nil {
				return nil, err
			}
		}
		l.sent = money.New(units, s.euro)
		if after, err := l.sent.Add(t.Amount); err != nil || after.Cmp(l.most) > 0 {
			return nil, l.refuse(t.CreatedAt)
		}
		limits = append(limits, l)
	}
	return limits, nil
}

// readUsed reads what was counted on the day of a transfer, for its owner and for everyone.
func readUsed(r db.Reader, t Transfer) (map[clock.ID]int64, error) {
	rows := r.Rows(selectUsed, t.Partner, day(t.CreatedAt), t.Owner, everyone)
	defer rows.Close()
	used := map[clock.ID]int64{}
	for rows.Next() {
		var owner clock.ID
		var units int64
		if err := rows.Scan(&owner, &units); err != nil {
			return nil, err
		}
		used[owner] = units
	}
	return used, rows.Err()
}

// sumUsed adds up what was sent on the day of a transfer, before any of it is counted.
func sumUsed(r db.Reader, t Transfer, owner clock.ID) (units int64, err error) {
	today := day(t.CreatedAt)
	query, args := sumSentByAll, []any{t.Partner, today, today.AddDate(0, 0, 1)}
	if owner != everyone {
		query, args = sumSentByOne, append(args, owner)
	}
	err = r.Row(query, args...).Scan(&units)
	return units, err
}

// refuse says how much is left, and when there is more.
func (l dayLimit) refuse(at time.Time) error {
	whose := "one payer"
	if l.owner == everyone {
		whose = "the partner and all its users together"
	}
	left, err := l.most.Sub(l.sent)
	if err != nil || left.Sign() < 0 {
		left = money.New(0, l.most.Currency())
	}
	return fault.Newf(fault.AmountOutOfRange,
		"amount must be at most %s until %s: SEPA transfers of %s are limited to %s per day (UTC), and %s were sent today.",
		left, clock.Format(day(at).AddDate(0, 0, 1)), whose, l.most, l.sent)
}

// count counts a transfer. The constraint sepa_day_limit refuses it when others were faster; then it is decided anew.
func (t Transfer) count(tx *db.Tx, limits []dayLimit) {
	today := day(t.CreatedAt)
	for _, l := range limits {
		tx.Write(countSent, t.Partner, today, l.owner, l.sent.Units(), t.Amount.Units(), l.most.Units())
	}
}

// uncount gives back what transfers of today that have failed had counted: each owner's part, and their sum.
func uncount(tx *db.Tx, partner int64, at time.Time, failed []*Transfer) {
	amounts := map[clock.ID]int64{}
	for _, t := range failed {
		if day(t.CreatedAt).Equal(day(at)) {
			amounts[t.Owner] += t.Amount.Units()
			amounts[everyone] += t.Amount.Units()
		}
	}
	for _, owner := range slices.SortedFunc(maps.Keys(amounts), func(a, b clock.ID) int { return bytes.Compare(a[:], b[:]) }) {
		tx.Write(uncountSent, partner, day(at), owner, amounts[owner])
	}
}
