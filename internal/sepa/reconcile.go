package sepa

import (
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
	Undetailed   Cause = "BATCH"         // a line of the statement is a batch, of which not all payments were told
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

	booked int64            // what the ledger has of the lines that stood in no earlier statement
	odd    int64            // and of payments that belong to the day and stand in no statement
	late   map[string]int64 // of these, the payments of batches that were told after the statement, by the entry
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

// Span says which statements to compare.
type Span struct {
	Since  time.Time // of this day or later
	Before *Place    // older than this one; nil: from the newest on
	Limit  int       // how many at most
}

// Place is where a statement stands among all of an account: by its day, the bank's number, and the time it was made at.
type Place struct {
	Day      time.Time
	Sequence int64
	MadeAt   time.Time
	ID       string
}

// Place is where the statement stands.
func (d Day) Place() Place { return Place{d.Day, d.Sequence, d.MadeAt, d.ID} }

// behindAll is newer than each statement.
var behindAll = Place{Day: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// Booked is what the ledger has of the lines that stood in no earlier statement.
func (d Day) Booked() money.Amount { return euros(d.booked) }

// Days compares statements with the books, the newest first. r should be a Snapshot.
//
// A payment belongs to the first statement that has it, whatever its booking day: banks date back. One that the bank has
// told of, and that stands in no statement yet, belongs to the first statement of its booking day or later that the
// bank made after it had told. A posting of which the bank knows nothing belongs to its day in UTC. What an officer has
// booked as the opening balance belongs to the time before the first statement.
func Days(r db.Reader, span Span) ([]Day, error) {
	days, before, err := readDays(r, span)
	if err != nil || len(days) == 0 {
		return nil, err
	}
	all := days // with the one before, whose closing balance counts
	if before != nil {
		all = append(slices.Clone(days), *before)
	}
	bank, books, err := holdings(r, all[0])
	if err != nil {
		return nil, err
	}
	if err := assign(r, bank, all, before == nil); err != nil {
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

// odd is a posting at the bank that stands in no statement.
type odd struct {
	operation  clock.ID
	units      int64
	at, booked time.Time // booked is zero for what is not the bank's
	reference  string
	batch      time.Time // the day of the statement that has the batch of which it is; zero: none has
}

// after tells whether the posting came after a statement; later says the same in SQL.
func (o odd) after(d Day) bool {
	if !o.batch.IsZero() {
		return o.batch.After(d.Day)
	}
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
func assign(r db.Reader, bank clock.ID, days []Day, first bool) error {
	args, err := since(r, bank, days[len(days)-1], days[0])
	if err != nil {
		return err
	}
	rows := r.Rows(selectOdds, args...)
	defer rows.Close()
	for rows.Next() {
		var o odd
		if err := rows.Scan(&o.operation, &o.units, &o.at, &o.booked, &o.reference, &o.batch); err != nil {
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
		d.take(o)
	}
	return rows.Err()
}

// take gives a posting to the day.
func (d *Day) take(o odd) {
	d.odd += o.units
	switch {
	case !o.batch.IsZero():
		if d.late == nil {
			d.late = map[string]int64{}
		}
		d.late[o.reference] += o.units
	case o.booked.IsZero():
		d.add(Difference{Cause: NotTheBanks, Amount: euros(-o.units), Reference: o.operation.String()})
	default:
		d.add(Difference{Cause: NotStated, Amount: euros(-o.units), Reference: o.reference})
	}
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
		n := Difference{Cause: NotBooked}
		var told, booked, batch int64
		var known bool
		if err := rows.Scan(&n.Reference, &told, &booked, &known, &batch); err != nil {
			return err
		}
		left -= told - booked
		switch {
		case known:
			n.Cause = OtherAmount
		case batch > 0:
			n.Cause, booked = Undetailed, d.late[n.Reference]
		}
		if n.Amount = euros(told - booked); told != booked {
			d.add(n)
		}
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
	case Undetailed:
		return fmt.Sprintf("line %s of the statement is a batch, and the bank has not told all of its payments", n.Reference)
	case Repeated:
		return "lines of the statement stood in an earlier one"
	case NotTheBanks:
		return fmt.Sprintf("the posting of operation %s is not of a payment that the bank told of", n.Reference)
	}
	return string(n.Cause)
}
