package sepa

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

const ourIBAN = "LT121000011101001000"

// bankDay is a day in March at midnight.
func bankDay(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }

// bankLine is a payment of nobody's that the bank booked.
func bankLine(reference string, cents int64, day int) Entry {
	return Entry{Account: ourIBAN, Reference: reference, Amount: money.New(cents, theEuro), Day: bankDay(day)}
}

// bankStatement is made six hours after its day.
func bankStatement(sequence int64, day int, opening int64, lines ...Entry) Statement {
	closing := opening
	for _, l := range lines {
		closing += l.Amount.Units()
	}
	return Statement{
		Account: ourIBAN, ID: fmt.Sprintf("S%d", sequence), Sequence: sequence, Day: bankDay(day), MadeAt: bankDay(day + 1).Add(6 * time.Hour),
		Opening: euros(opening), Closing: euros(closing), Lines: lines,
	}
}

// told moves the clock to a day and hour and lets the bank tell of payments, by notice.
func (s *sender) told(at time.Time, lines ...Entry) {
	s.Helper()
	s.moveTo(at)
	s.until(func() error { return s.sepa.Book(s.Context(), lines) })
}

func (s *sender) moveTo(at time.Time) {
	if now := s.sepa.clock.(*clock.Manual); now.Now().Before(at) {
		now.Set(at)
	}
}

// states lets the bank give a statement, as its document is taken.
func (s *sender) states(st Statement) {
	s.Helper()
	s.moveTo(st.MadeAt.Add(time.Minute))
	for range 2 { // the same file twice
		s.told(st.MadeAt.Add(time.Minute), st.Lines...)
		s.until(func() error { return s.sepa.KeepStatement(s.Context(), st) })
	}
}

// days are all days beside the books in short: the newest first.
func (s *sender) days(limit int) (got []string) {
	s.Helper()
	err := s.db.Snapshot(s.Context(), func(r db.Reader) error {
		days, err := Days(r, Span{Limit: limit})
		got = nil
		for _, d := range days {
			var sum int64
			for _, n := range d.Differences {
				sum += n.Amount.Units()
			}
			if sum != d.Difference.Units() || d.Difference.Units() != d.Closing.Units()-d.Books.Units() {
				s.Errorf("the differences of day %d sum up to %s, and it is %s", d.Day.Day(), euros(sum), d.Difference)
			}
			got = append(got, short(d))
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return got
}

// paged are all days, read in pages.
func (s *sender) paged(size int) (got []string) {
	s.Helper()
	var before *Place
	for {
		var days []Day
		err := s.db.Snapshot(s.Context(), func(r db.Reader) (err error) {
			days, err = Days(r, Span{Before: before, Limit: size})
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
		if len(days) == 0 {
			return got
		}
		for _, d := range days {
			got = append(got, short(d))
		}
		last := days[len(days)-1].Place()
		before = &last
	}
}

// short tells a day in a line.
func short(d Day) string {
	text := fmt.Sprintf("%d: bank %s, books %s", d.Day.Day(), d.Closing, d.Books)
	for _, n := range d.Differences {
		text = strings.TrimSpace(text + fmt.Sprintf("; %s %s %s", n.Cause, n.Amount, n.Reference))
	}
	return text
}

func (s *sender) wantDays(want ...string) {
	s.Helper()
	if got := s.days(10); !slices.Equal(got, want) {
		s.Errorf("the days are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for size := 1; size < len(want); size++ { // each page is what the whole list has there
		if got := s.paged(size); !slices.Equal(got, want) {
			s.Errorf("pages of %d are\n%s\nwant\n%s", size, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for limit := 1; limit < len(want); limit++ { // what is not shown does not count otherwise
		if got := s.days(limit); !slices.Equal(got, want[:limit]) {
			s.Errorf("the newest %d days are\n%s\nwant\n%s", limit, strings.Join(got, "\n"), strings.Join(want[:limit], "\n"))
		}
	}
}

// violations are what verify finds.
func (s *sender) violations() (found []string) {
	s.Helper()
	err := s.db.Snapshot(s.Context(), func(r db.Reader) (err error) {
		found, err = VerifyBank(s.Context(), r)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return found
}

// eachSender runs a test on both engines.
func eachSender(t *testing.T, f func(s *sender)) {
	t.Helper()
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(newSender(t, dbtest.Target(t, kind), &crash{}))
		})
	}
}

func noon(day int) time.Time { return bankDay(day).Add(12 * time.Hour) }

func TestBooksAgreeWithTheBank(t *testing.T) {
	eachSender(t, func(s *sender) {
		a, b, c, late, dated := bankLine("A", 100_00, 2), bankLine("B", -30_00, 2), bankLine("C", 7, 3), bankLine("L", 1_00, 2), bankLine("D", 2_00, 4)
		s.told(noon(2), a)
		s.wantDays()
		s.told(bankDay(3).Add(time.Hour), c)          // after midnight, before the statement of the day is made
		s.states(bankStatement(1, 2, 0, b, a))        // B is told by the statement alone, and the order does not matter
		s.states(bankStatement(2, 3, 70_00, late, c)) // L was booked on the day before, and is dated back
		s.told(bankDay(4).Add(7*time.Hour), dated)    // in no statement yet
		s.states(bankStatement(3, 3, 71_07))          // a second one of the same day, without payments
		s.wantDays("3: bank 71.07, books 71.07", "3: bank 71.07, books 71.07", "2: bank 70.00, books 70.00")
		if found := s.violations(); len(found) != 0 {
			s.Errorf("verify finds %q", found)
		}
		s.states(bankStatement(4, 4, 71_07, dated))
		s.wantDays("4: bank 73.07, books 73.07", "3: bank 71.07, books 71.07", "3: bank 71.07, books 71.07", "2: bank 70.00, books 70.00")
	})
}

// Banks state lines of nothing, such as interest of 0.00: they stay lines, and nothing is posted for them.
func TestLinesThatMoveNothingAreKept(t *testing.T) {
	eachSender(t, func(s *sender) {
		nothing, a := bankLine("Z", 0, 2), bankLine("A", 100_00, 2)
		s.told(noon(2), nothing)
		s.states(bankStatement(1, 2, 0, nothing, a))
		s.states(bankStatement(2, 3, 100_00, bankLine("Y", 0, 3)))
		s.wantDays("3: bank 100.00, books 100.00", "2: bank 100.00, books 100.00")
		if found := s.violations(); len(found) != 0 {
			s.Errorf("verify finds %q", found)
		}
		var lines, entries int64
		err := s.db.View(s.Context(), func(r db.Reader) error {
			return errors.Join(
				r.Row(db.NewQuery(`SELECT COUNT(*) FROM bank_statement_line WHERE partner_id = $1`), ledger.Operator).Scan(&lines),
				r.Row(db.NewQuery(`SELECT COUNT(*) FROM bank_entry WHERE partner_id = $1`), ledger.Operator).Scan(&entries))
		})
		if err != nil || lines != 3 || entries != 1 {
			s.Errorf("%d lines and %d entries (%v), want 3 and 1", lines, entries, err)
		}
	})
}

func TestDifferencesAreNamed(t *testing.T) {
	eachSender(t, func(s *sender) {
		a, b := bankLine("A", 100_00, 2), bankLine("B", 5_00, 2)
		s.told(noon(2), a, b)
		s.states(bankStatement(1, 2, 50_00, a))
		s.wantDays("2: bank 150.00, books 105.00; BEGINNING 50.00; NOT_STATED -5.00 B")
		found := s.violations()
		if len(found) != 3 || !strings.HasPrefix(found[0], "I11: on 2026-03-02 the bank has 150.00 on "+ourIBAN+" and the books have 105.00") {
			s.Errorf("verify finds %q", found)
		}
		s.states(bankStatement(2, 3, 150_00, b)) // the bank states it on the next day: nothing was missing
		s.wantDays("3: bank 155.00, books 105.00; CARRIED 50.00", "2: bank 150.00, books 100.00; BEGINNING 50.00")

		err := s.db.Update(s.Context(), func(tx *db.Tx) error { // somebody corrects it
			bank, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Bank, theEuro)
			if err != nil {
				return err
			}
			equity, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Equity, theEuro)
			ledger.Post(tx, ledger.Operator, ledger.Operation{Type: "TEST", ID: clock.ID{9}}, noon(4),
				ledger.Leg{Name: "amount", Debit: bank, Credit: equity, Amount: euros(50_00)})
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
		s.wantDays("3: bank 155.00, books 105.00; CARRIED 50.00", "2: bank 150.00, books 100.00; BEGINNING 50.00")
		repeated := bankLine("E", 3_00, 4)
		s.states(bankStatement(3, 4, 155_00, repeated))
		s.wantDays("4: bank 158.00, books 158.00; CARRIED 50.00; NOT_THE_BANKS -50.00 09000000-0000-0000-0000-000000000000",
			"3: bank 155.00, books 105.00; CARRIED 50.00", "2: bank 150.00, books 100.00; BEGINNING 50.00")
		if found := s.violations(); len(found) != 0 {
			s.Errorf("what was corrected is found: %q", found)
		}
		s.states(bankStatement(6, 7, 160_00, repeated, bankLine("F", -1_00, 7)))
		s.wantDays("7: bank 162.00, books 157.00; OPENING 2.00; GAP 0.00; REPEATED 3.00",
			"4: bank 158.00, books 158.00; CARRIED 50.00; NOT_THE_BANKS -50.00 09000000-0000-0000-0000-000000000000",
			"3: bank 155.00, books 105.00; CARRIED 50.00", "2: bank 150.00, books 100.00; BEGINNING 50.00")
		s.states(bankStatement(5, 6, 158_00, bankLine("G", 2_00, 6))) // one comes late
		if got := s.days(1)[0]; got != "7: bank 162.00, books 159.00; REPEATED 3.00" {
			s.Errorf("after the missing statement: %s", got)
		}
	})
}

func TestLinesThatWereNotBookedAreNamed(t *testing.T) {
	eachSender(t, func(s *sender) {
		a, b, other := bankLine("A", 100_00, 2), bankLine("B", 5_00, 2), bankLine("A", 90_00, 2)
		s.told(noon(2), other)
		s.moveTo(noon(3))
		if err := s.sepa.KeepStatement(s.Context(), bankStatement(1, 2, 0, a, b)); err != nil { // without Book
			s.Fatal(err)
		}
		s.wantDays("2: bank 105.00, books 90.00; OTHER_AMOUNT 10.00 A; NOT_BOOKED 5.00 B")
	})
}

func TestStatementsThatContradictAreRefused(t *testing.T) {
	eachSender(t, func(s *sender) {
		a := bankLine("A", 100_00, 2)
		s.states(bankStatement(1, 2, 0, a))
		if err := s.sepa.KeepStatement(s.Context(), bankStatement(1, 2, 1, a)); !errors.Is(err, ErrContradiction) {
			s.Errorf("another opening balance: %v", err)
		}
		s.wantDays("2: bank 100.00, books 100.00")
	})
}
