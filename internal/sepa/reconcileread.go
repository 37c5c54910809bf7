package sepa

import (
	"context"
	"errors"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/iban"
	"kontor/internal/ledger"
)

const (
	dayColumns = "account, day, statement_id, sequence, opening, closing, lines, booked, made_at"
	standing   = "(day, sequence, made_at, statement_id)"
	// postings are those at the bank ($2) since a moment ($3). Those before $4 were compared with the statements: the few
	// of them that stood in none are in a table of their own. The opening balance is no payment.
	postings = `
			SELECT operation_id, leg, amount, created_at FROM ledger_transfer
				WHERE partner_id = $1 AND debit_id = $2 AND created_at >= $4 AND operation_type <> '` + OpeningOperation + `'
			UNION ALL
			SELECT operation_id, leg, -amount, created_at FROM ledger_transfer
				WHERE partner_id = $1 AND credit_id = $2 AND created_at >= $4 AND operation_type <> '` + OpeningOperation + `'
			UNION ALL
			SELECT operation_id, leg, amount, created_at FROM bank_unstated
				WHERE partner_id = $1 AND created_at >= $3 AND created_at < $4`
	// unstated are the postings that stand in no statement that was kept.
	unstated = `FROM (` + postings + `
		) p
		LEFT JOIN bank_entry e ON e.partner_id = $1 AND e.id = p.operation_id
		LEFT JOIN bank_statement_line l ON l.partner_id = $1 AND l.account = e.account AND l.reference = e.reference AND l.part = e.part
		LEFT JOIN bank_statement s ON s.partner_id = $1 AND s.account = l.account AND s.day = l.day AND s.statement_id = l.statement_id
		LEFT JOIN bank_statement_line b ON b.partner_id = $1 AND b.account = e.account AND b.reference = e.reference AND b.part = '' AND b.batch > 0
		WHERE s.statement_id IS NULL AND `
	// later is what came after a statement of the day $5, made at $6: what the bank told of later, or dates later, and what
	// is not the bank's, after the day ($7). A payment of a batch belongs to the day of the statement that has the batch.
	later = `CASE WHEN e.id IS NULL THEN p.created_at >= $7 WHEN b.day IS NOT NULL THEN b.day > $5 ELSE e.booked_on > $5 OR p.created_at > $6 END`
)

var (
	selectNewest = db.NewQuery(`SELECT account FROM bank_statement WHERE partner_id = $1
		ORDER BY day DESC, sequence DESC, made_at DESC LIMIT 1`)
	selectDays = db.NewQuery(`SELECT ` + dayColumns + ` FROM bank_statement
		WHERE partner_id = $1 AND account = $2 AND day >= $3 AND day <= $4 AND ` + standing + ` < ($4, $5, $6, $7)
		ORDER BY day DESC, sequence DESC, made_at DESC, statement_id DESC LIMIT $8`)
	selectDay = db.NewQuery(`SELECT ` + dayColumns + ` FROM bank_statement
		WHERE partner_id = $1 AND account = $2 AND day = $3 AND statement_id = $4`)
	sumNewer = db.NewQuery(`SELECT CAST(COALESCE(SUM(booked), 0) AS BIGINT) FROM bank_statement
		WHERE partner_id = $1 AND account = $2 AND day >= $3 AND ` + standing + ` > ($3, $4, $5, $6)`)
	selectOldest   = db.NewQuery(`SELECT COALESCE(MIN(day), 0) FROM bank_statement WHERE partner_id = $1 AND account = $2`)
	selectHoldings = db.NewQuery(`SELECT id, -posted FROM account
		WHERE partner_id = $1 AND owner_id = $2 AND purpose = 'bank' AND currency = 'eur'`)
	selectCompared = db.NewQuery(`SELECT COALESCE(MAX(until), 0) FROM bank_compared WHERE partner_id = $1`)
	insertCompared = db.NewInsertOnce("bank_compared", "partner_id bigint, until bigint", "partner_id, until")
	insertUnstated = db.NewInsertOnce("bank_unstated", "partner_id bigint, operation_id uuid, leg text, amount bigint, created_at bigint",
		"partner_id, operation_id, leg")
	sumLater   = db.NewQuery(`SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) ` + unstated + later)
	selectOdds = db.NewQuery(`SELECT p.operation_id, p.amount, p.created_at, COALESCE(e.booked_on, 0), COALESCE(e.reference, ''),
		COALESCE(b.day, 0) ` +
		unstated + `NOT ` + later + ` ORDER BY p.created_at, p.operation_id`)
	selectUnstated   = db.NewQuery(`SELECT p.operation_id, p.leg, p.amount, p.created_at ` + unstated + `p.created_at < $5`)
	selectMismatched = db.NewQuery(`
		SELECT l.reference, l.amount, COALESCE(e.amount, 0), e.amount IS NOT NULL, l.batch FROM bank_statement_line l
		LEFT JOIN bank_entry e ON e.partner_id = l.partner_id AND e.account = l.account AND e.reference = l.reference AND e.part = l.part
		WHERE l.partner_id = $1 AND l.account = $2 AND l.day = $3 AND l.statement_id = $4 AND (e.amount IS NULL OR e.amount <> l.amount)
		ORDER BY l.reference, l.part`)
)

// newestAccount is the account of the newest statement; empty when there is none.
func newestAccount(r db.Reader) (account string, err error) {
	if err = r.Row(selectNewest, ledger.Operator).Scan(&account); errors.Is(err, db.ErrNoRows) {
		return "", nil
	}
	return account, err
}

// readDays reads statements of the account that had the newest one, the newest first, and the one before them, nil when
// there is none.
func readDays(r db.Reader, span Span) (days []Day, before *Day, err error) {
	account, err := newestAccount(r)
	if err != nil || account == "" {
		return nil, nil, err
	}
	from := behindAll
	if span.Before != nil {
		from = *span.Before
	}
	if days, err = olderDays(r, account, span.Since, from, span.Limit+1); err != nil || len(days) == 0 {
		return nil, nil, err
	}
	if len(days) > span.Limit {
		return days[:span.Limit], &days[span.Limit], nil
	}
	earlier, err := olderDays(r, account, time.Time{}, days[len(days)-1].Place(), 1)
	if err == nil && len(earlier) > 0 {
		before = &earlier[0]
	}
	return days, before, err
}

func olderDays(r db.Reader, account string, since time.Time, than Place, limit int) ([]Day, error) {
	rows := r.Rows(selectDays, ledger.Operator, account, since, than.Day, than.Sequence, than.MadeAt, than.ID, limit)
	defer rows.Close()
	var all []Day
	for rows.Next() {
		d, err := scanDay(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

func scanDay(row db.Scanner) (d Day, err error) {
	var account string
	var opening, closing int64
	err = row.Scan(&account, &d.Day, &d.ID, &d.Sequence, &opening, &closing, &d.Lines, &d.booked, &d.MadeAt)
	d.Account, d.Opening, d.Closing = iban.IBAN(account), euros(opening), euros(closing)
	return d, err
}

// FindPlace tells where a statement of the account that had the newest one stands; db.ErrNoRows when there is no such one.
func FindPlace(r db.Reader, day time.Time, id string) (Place, error) {
	account, err := newestAccount(r)
	if err != nil {
		return Place{}, err
	}
	d, err := scanDay(r.Row(selectDay, ledger.Operator, account, day, id))
	return d.Place(), err
}

// since are the arguments with which the postings are read that stand in no statement: what belongs to the older
// statement, or to a later one. A bank's day may begin earlier than ours.
func since(r db.Reader, bank clock.ID, older, newest Day) ([]any, error) {
	from := older.Day.Add(-aDay)
	var compared time.Time
	if err := r.Row(selectCompared, ledger.Operator).Scan(&compared); err != nil {
		return nil, err
	}
	return []any{ledger.Operator, bank, from, latest(from, compared), newest.Day, newest.MadeAt, newest.Day.Add(aDay)}, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// holdings is the ledger's account at the bank, and what it had as of a statement.
func holdings(r db.Reader, d Day) (bank clock.ID, units int64, err error) {
	if err := r.Row(selectHoldings, ledger.Operator, ledger.PartnerItself).Scan(&bank, &units); err != nil {
		return bank, 0, err
	}
	args, err := since(r, bank, d, d)
	if err != nil {
		return bank, 0, err
	}
	var after, newer int64
	if err := r.Row(sumLater, args...).Scan(&after); err != nil {
		return bank, 0, err
	}
	err = r.Row(sumNewer, ledger.Operator, string(d.Account), d.Day, d.Sequence, d.MadeAt, d.ID).Scan(&newer)
	return bank, units - after - newer, err
}

// posting is a posting at the bank that stands in no statement.
type posting struct {
	operation clock.ID
	leg       string
	units     int64
	at        time.Time
}

// noteUnstated compares the postings that are older than the day before a statement with all statements, so that nobody
// has to do so again: those that stand in none are noted. Each statement finds only what came since the one before. One
// that comes late and is older than all that was compared has it done again from its day on.
func (s *Service) noteUnstated(ctx context.Context, st Statement) error {
	start := st.Day.Add(-aDay)
	until := start
	if yesterday := s.clock.Now().Add(-aDay); yesterday.Before(until) {
		until = yesterday // what commits now has a time of now
	}
	var all []posting
	err := s.db.View(ctx, func(r db.Reader) error {
		all = nil
		var compared time.Time
		if err := r.Row(selectCompared, ledger.Operator).Scan(&compared); err != nil {
			return err
		}
		from := start
		switch {
		case compared.IsZero(): // the first one, or of a version of this program that compared nothing
			var oldest time.Time
			if err := r.Row(selectOldest, ledger.Operator, string(st.Account)).Scan(&oldest); err != nil {
				return err
			}
			from = oldest.Add(-aDay)
		case compared.Before(start):
			from = compared
		}
		until = latest(until, compared)
		if !from.Before(until) {
			return nil
		}
		var bank clock.ID
		var units int64
		if err := r.Row(selectHoldings, ledger.Operator, ledger.PartnerItself).Scan(&bank, &units); err != nil {
			return err
		}
		rows := r.Rows(selectUnstated, ledger.Operator, bank, from, from, until)
		defer rows.Close()
		for rows.Next() {
			var p posting
			if err := rows.Scan(&p.operation, &p.leg, &p.units, &p.at); err != nil {
				return err
			}
			all = append(all, p)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(all, maxLines) {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			for _, p := range some {
				tx.Write(insertUnstated, ledger.Operator, p.operation, p.leg, p.units, p.at)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(insertCompared, ledger.Operator, until)
		return nil
	})
}
