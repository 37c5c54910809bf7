package sepa

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/iban"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// theEuro is the currency of SEPA.
var theEuro = money.Currency{Code: "eur", Scale: 2}

// aDay is how long a day of the bank's takes.
const aDay = 24 * time.Hour

// Cause is why the bank's balance and the books differ.
type Cause string

// The causes of differences.
const (
	Beginning    Cause = "BEGINNING"     // what the bank had before its first statement is not what the books had
	Carried      Cause = "CARRIED"       // the difference of the statement before
	WrongOpening Cause = "OPENING"       // the opening balance is not the closing balance of the statement before
	Gap          Cause = "GAP"           // statements are missing, by their numbers
	NotStated    Cause = "NOT_STATED"    // the bank told that it booked a payment, and its statement does not have it
	NotBooked    Cause = "NOT_BOOKED"    // a line of the statement has no posting
	OtherAmount  Cause = "OTHER_AMOUNT"  // a line of the statement was booked with another amount
	Repeated     Cause = "REPEATED"      // lines stood in an earlier statement
	NotTheBanks  Cause = "NOT_THE_BANKS" // a posting on the bank's account of which the bank knows nothing
)

// Difference is a part of what the bank has more than the books.
type Difference struct {
	Cause     Cause
	Amount    money.Amount // what the bank has more; below zero: the books have more
	Reference string       // the bank's own, of a payment; of a posting its operation
	From, To  int64        // of a Gap: the numbers that are missing
}

// Day is a statement beside the books.
type Day struct {
	Account          iban.IBAN
	ID               string
	Sequence         int64
	Day              time.Time
	MadeAt           time.Time
	Opening, Closing money.Amount
	Lines            int64        // how many
	Books            money.Amount // what the ledger has at the bank as of the statement
	Difference       money.Amount // what the bank has more
	Differences      []Difference // they sum up to Difference; the first maxNamed payments of a cause
	Unnamed          int64        // how many payments are not among them

	booked int64 // what the ledger has of the lines that stood in no earlier statement
	odd    int64 // and of payments that belong to the day and stand in no statement
}

// Agrees tells whether the bank and the books have the same, and nothing is missing. What somebody has corrected by a
// posting of the same amount agrees.
func (d Day) Agrees() bool {
	return d.Difference.IsZero() && !slices.ContainsFunc(d.Differences, func(n Difference) bool {
		return n.Cause != Beginning && n.Cause != Carried && n.Cause != NotTheBanks
	})
}

// maxNamed is how many payments of one cause are named.
const maxNamed = 100

var (
	selectNewest = db.NewQuery(`SELECT account FROM bank_statement WHERE partner_id = $1
		ORDER BY day DESC, sequence DESC, made_at DESC LIMIT 1`)
	selectDays = db.NewQuery(`SELECT account, day, statement_id, sequence, opening, closing, lines, booked, made_at
		FROM bank_statement WHERE partner_id = $1 AND account = $2 AND day >= $3
		ORDER BY day DESC, sequence DESC, made_at DESC, statement_id DESC LIMIT $4`)
	selectBefore = db.NewQuery(`SELECT account, day, statement_id, sequence, opening, closing, lines, booked, made_at
		FROM bank_statement WHERE partner_id = $1 AND account = $2 AND day < $3
		ORDER BY day DESC, sequence DESC, made_at DESC, statement_id DESC LIMIT 1`)
	selectHoldings = db.NewQuery(`SELECT id, -posted FROM account
		WHERE partner_id = $1 AND owner_id = $2 AND purpose = 'bank' AND currency = 'eur'`)
	// unstated are the postings at the bank ($2) since a moment that stand in no statement that was kept.
	unstated = `FROM (
			SELECT operation_id, amount, created_at FROM ledger_transfer
				WHERE partner_id = $1 AND debit_id = $2 AND created_at >= $3
			UNION ALL
			SELECT operation_id, -amount, created_at FROM ledger_transfer
				WHERE partner_id = $1 AND credit_id = $2 AND created_at >= $3
		) p
		LEFT JOIN bank_entry e ON e.partner_id = $1 AND e.id = p.operation_id
		LEFT JOIN bank_statement_line l ON l.partner_id = $1 AND l.account = e.account AND l.reference = e.reference AND l.part = e.part
		LEFT JOIN bank_statement s ON s.partner_id = $1 AND s.account = l.account AND s.day = l.day AND s.statement_id = l.statement_id
		WHERE s.statement_id IS NULL AND `
	// later is what came after a statement of the day $4, made at $5: what the bank told of later, or dates later; and what
	// is not the bank's, after the day ($6).
	later      = `CASE WHEN e.id IS NULL THEN p.created_at >= $6 ELSE e.booked_on > $4 OR p.created_at > $5 END`
	sumLater   = db.NewQuery(`SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) ` + unstated + later)
	selectOdds = db.NewQuery(`SELECT p.operation_id, p.amount, p.created_at, COALESCE(e.booked_on, 0), COALESCE(e.reference, '') ` +
		unstated + `NOT ` + later + ` ORDER BY p.created_at, p.operation_id`)
	selectMismatched = db.NewQuery(`
		SELECT l.reference, l.amount, COALESCE(e.amount, 0), e.amount IS NOT NULL FROM bank_statement_line l
		LEFT JOIN bank_entry e ON e.partner_id = l.partner_id AND e.account = l.account AND e.reference = l.reference AND e.part = l.part
		WHERE l.partner_id = $1 AND l.account = $2 AND l.day = $3 AND l.statement_id = $4 AND (e.amount IS NULL OR e.amount <> l.amount)
		ORDER BY l.reference, l.part`)
)

// Days compares the statements since a day with the books, the newest first, at most so many of them. r should be a
// Snapshot.
//
// A payment belongs to the first statement that has it, whatever its booking day: banks date back. One that the bank has
// told of, and that stands in no statement yet, belongs to the first statement of its booking day or later that the
// bank made after it had told. A posting of which the bank knows nothing belongs to its day in UTC.
func Days(r db.Reader, since time.Time, limit int) ([]Day, error) {
	days, before, err := readDays(r, since, limit)
	if err != nil || len(days) == 0 {
		return nil, err
	}
	all := days // with the one before, whose closing balance counts
	if before != nil {
		all = append(slices.Clone(days), *before)
	}
	from := time.Time{} // of the first statement of all, everything before it counts
	if before != nil {
		from = before.Day.Add(-aDay) // a bank's day may begin earlier than ours
	}
	bank, books, err := holdings(r, all[0])
	if err != nil {
		return nil, err
	}
	if err := assign(r, bank, from, all, before == nil); err != nil {
		return nil, err
	}
	for i := range all {
		d := &all[i]
		d.Books, d.Difference = euros(books), euros(d.Closing.Units()-books)
		books -= d.booked + d.odd
	}
	for i := range days {
		var earlier *Day
		if i+1 < len(all) {
			earlier = &all[i+1]
		}
		if err := explain(r, &all[i], earlier); err != nil {
			return nil, err
		}
	}
	return all[:len(days)], nil
}

func euros(units int64) money.Amount { return money.New(units, theEuro) }

// readDays reads statements, the newest first, and the one before them, nil when there is none.
func readDays(r db.Reader, since time.Time, limit int) (days []Day, before *Day, err error) {
	var account string
	err = r.Row(selectNewest, ledger.Operator).Scan(&account)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if days, err = scanDays(r.Rows(selectDays, ledger.Operator, account, since, limit+1)); err != nil {
		return nil, nil, err
	}
	if len(days) > limit {
		return days[:limit], &days[limit], nil
	}
	earlier, err := scanDays(r.Rows(selectBefore, ledger.Operator, account, since))
	if err == nil && len(earlier) > 0 {
		before = &earlier[0]
	}
	return days, before, err
}

func scanDays(rows *db.Rows) ([]Day, error) {
	defer rows.Close()
	var all []Day
	for rows.Next() {
		var d Day
		var account string
		var opening, closing int64
		err := rows.Scan(&account, &d.Day, &d.ID, &d.Sequence, &opening, &closing, &d.Lines, &d.booked, &d.MadeAt)
		if err != nil {
			return nil, err
		}
		d.Account, d.Opening, d.Closing = iban.IBAN(account), euros(opening), euros(closing)
		all = append(all, d)
	}
	return all, rows.Err()
}

// holdings is the ledger's account at the bank, and what it had as of a statement after which there is no other.
func holdings(r db.Reader, newest Day) (bank clock.ID, units int64, err error) {
	if err := r.Row(selectHoldings, ledger.Operator, ledger.PartnerItself).Scan(&bank, &units); err != nil {
		return bank, 0, err
	}
	var after int64
	err = r.Row(sumLater, ledger.Operator, bank, newest.Day.Add(-aDay), newest.Day, newest.MadeAt, newest.Day.Add(aDay)).Scan(&after)
	return bank, units - after, err
}

// odd is a posting at the bank that stands in no statement.
type odd struct {
	operation  clock.ID
	units      int64
	at, booked time.Time // booked is zero for what is not the bank's
	reference  string
}

// after tells whether the posting came after a statement; later says the same in SQL.
func (o odd) after(d Day) bool {
	if o.booked.IsZero() {
		return !o.at.Before(d.Day.Add(aDay))
	}
	return o.booked.After(d.Day) || o.at.After(d.MadeAt)
}

// before tells whether the posting is of a day before that of a statement.
func (o odd) before(d Day) bool {
	if o.booked.IsZero() {
		return o.at.Before(d.Day)
	}
	return o.booked.Before(d.Day)
}

// assign gives each posting that stands in no statement to the day that it belongs to. The days are there from the
// newest to the oldest. What is older than the first statement of all is part of what the books had then.
func assign(r db.Reader, bank clock.ID, from time.Time, days []Day, first bool) error {
	newest := days[0]
	rows := r.Rows(selectOdds, ledger.Operator, bank, from, newest.Day, newest.MadeAt, newest.Day.Add(aDay))
	defer rows.Close()
	for rows.Next() {
		var o odd
		if err := rows.Scan(&o.operation, &o.units, &o.at, &o.booked, &o.reference); err != nil {
			return err
		}
		i := len(days) - 1
		if first && o.before(days[i]) {
			continue
		}
		for i > 0 && o.after(days[i]) {
			i--
		}
		d := &days[i]
		d.odd += o.units
		if o.booked.IsZero() {
			d.add(Difference{Cause: NotTheBanks, Amount: euros(-o.units), Reference: o.operation.String()})
		} else {
			d.add(Difference{Cause: NotStated, Amount: euros(-o.units), Reference: o.reference})
		}
	}
	return rows.Err()
}

// add names a payment that makes a difference, or counts it.
func (d *Day) add(n Difference) {
	same := 0
	for _, known := range d.Differences {
		if known.Cause == n.Cause {
			same++
		}
	}
	if same >= maxNamed {
		d.Unnamed++
		return
	}
	d.Differences = append(d.Differences, n)
}

// opening names what is wrong ahead of the day.
func (d *Day) opening(before *Day) (all []Difference) {
	named := func(c Cause, units int64) {
		if units != 0 {
			all = append(all, Difference{Cause: c, Amount: euros(units)})
		}
	}
	if before == nil {
		named(Beginning, d.Opening.Units()-(d.Books.Units()-d.booked-d.odd))
		return all
	}
	named(Carried, before.Difference.Units())
	named(WrongOpening, d.Opening.Units()-before.Closing.Units())
	if before.Sequence > 0 && d.Sequence > before.Sequence+1 {
		all = append(all, Difference{Cause: Gap, Amount: euros(0), From: before.Sequence + 1, To: d.Sequence - 1})
	}
	return all
}

// explain names what makes a day's difference, beside the postings that stand in no statement.
func explain(r db.Reader, d, before *Day) error {
	d.Differences = append(d.opening(before), d.Differences...)
	left := d.Closing.Units() - d.Opening.Units() - d.booked
	if left == 0 {
		return nil
	}
	rows := r.Rows(selectMismatched, ledger.Operator, string(d.Account), d.Day, d.ID)
	defer rows.Close()
	for rows.Next() {
		var n Difference
		var told, booked int64
		var known bool
		if err := rows.Scan(&n.Reference, &told, &booked, &known); err != nil {
			return err
		}
		if n.Cause = NotBooked; known {
			n.Cause = OtherAmount
		}
		n.Amount = euros(told - booked)
		left -= told - booked
		d.add(n)
	}
	if left != 0 {
		d.Differences = append(d.Differences, Difference{Cause: Repeated, Amount: euros(left)})
	}
	return rows.Err()
}

// String tells a difference in words.
func (n Difference) String() string {
	switch n.Cause {
	case Beginning:
		return "before its first statement the bank had this much more than the books"
	case Carried:
		return "the difference of the statement before"
	case WrongOpening:
		return "the opening balance is not the closing balance of the statement before"
	case Gap:
		if n.From == n.To {
			return fmt.Sprintf("statement %d is missing", n.From)
		}
		return fmt.Sprintf("statements %d to %d are missing", n.From, n.To)
	case NotStated:
		return fmt.Sprintf("payment %s was told to be booked, and the statement does not have it", n.Reference)
	case NotBooked:
		return fmt.Sprintf("line %s of the statement has no posting", n.Reference)
	case OtherAmount:
		return fmt.Sprintf("line %s of the statement was booked with another amount", n.Reference)
	case Repeated:
		return "lines of the statement stood in an earlier one"
	case NotTheBanks:
		return fmt.Sprintf("the posting of operation %s is not of a payment that the bank told of", n.Reference)
	}
	return string(n.Cause)
}
