package sepa

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/ledger"
)

// opens lets a person say what the bank had before its first statement.
func (s *sender) opens(cents int64, person string) (Opening, error) {
	return s.sepa.OpenBank(s.Context(), Opening{Amount: euros(cents), Person: person, Reason: "The account had own funds."})
}

func (s *sender) refusesToOpen(want string, cents int64, person string) {
	s.Helper()
	if _, err := s.sepa.OpenBank(s.Context(), Opening{Amount: euros(cents), Person: person, Reason: "Why"}); err == nil || !strings.Contains(err.Error(), want) {
		s.Errorf("%s opens with %d: %v, want %q", person, cents, err, want)
	}
}

func TestOpeningBalanceIsBookedOnceByTwoPersons(t *testing.T) {
	eachSender(t, func(s *sender) {
		s.refusesToOpen("no statement yet", 50_00, "anna")
		a := bankLine("A", 100_00, 2)
		s.told(noon(2), a)
		s.states(bankStatement(2, 2, 50_00, a))
		s.states(bankStatement(3, 3, 150_00))
		s.wantDays("3: bank 150.00, books 100.00; CARRIED 50.00", "2: bank 150.00, books 100.00; BEGINNING 50.00")
		s.refusesToOpen("had 50.00 more", 50_01, "anna")
		s.refusesToOpen("had 50.00 more", -50_00, "anna")
		if said, err := s.opens(50_00, "anna"); err != nil || said.Final {
			s.Fatalf("the proposal: %+v, %v", said, err)
		}
		if _, err := s.opens(50_00, "Anna"); !errors.Is(err, compliance.ErrSameOfficer) {
			s.Errorf("one person opens: %v", err)
		}
		if found := s.violations(); len(found) != 2 {
			s.Errorf("a proposal changes what verify finds: %q", found)
		}
		if said, err := s.opens(50_00, "bea"); err != nil || !said.Final || said.ProposedBy != "anna" {
			s.Fatalf("the confirmation: %+v, %v", said, err)
		}
		s.wantDays("3: bank 150.00, books 150.00", "2: bank 150.00, books 150.00")
		if found := s.violations(); len(found) != 0 {
			s.Errorf("verify finds %q", found)
		}
		s.refusesToOpen("had what the books had", 50_00, "cora")

		b := bankLine("B", 20_00, 1)
		s.states(bankStatement(1, 1, 30_00, b)) // the true first statement comes late
		s.wantDays("3: bank 150.00, books 170.00; CARRIED -20.00", "2: bank 150.00, books 170.00; CARRIED -20.00",
			"1: bank 50.00, books 70.00; BEGINNING -20.00")
		if found := s.violations(); len(found) != 3 || !strings.Contains(found[0], "50.00 was booked as opening balance") {
			s.Errorf("verify finds %q", found)
		}
		for _, person := range []string{"anna", "bea"} {
			if _, err := s.opens(-20_00, person); err != nil {
				s.Fatal(err)
			}
		}
		s.wantDays("3: bank 150.00, books 150.00", "2: bank 150.00, books 150.00", "1: bank 50.00, books 50.00")
		if found := s.violations(); len(found) != 0 {
			s.Errorf("verify finds %q", found)
		}
	})
}

func TestOpeningBalanceIsAtMostTheStatements(t *testing.T) {
	eachSender(t, func(s *sender) {
		a, fee := bankLine("A", 100_00, 2), bankLine("F", -10_00, 1)
		s.told(noon(1), fee) // before the first statement: the bank had 60.00 then
		s.told(noon(2), a)
		s.states(bankStatement(1, 2, 50_00, a))
		s.wantDays("2: bank 150.00, books 90.00; BEGINNING 60.00")
		s.refusesToOpen("which is 50.00", 60_00, "anna")

		err := s.db.Update(s.Context(), func(tx *db.Tx) error { // somebody posts what nobody has confirmed
			bank, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Bank, theEuro)
			if err != nil {
				return err
			}
			equity, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Equity, theEuro)
			ledger.Post(tx, ledger.Operator, ledger.Operation{Type: OpeningOperation, ID: clock.ID{9}}, noon(4),
				ledger.Leg{Name: openingLeg, Debit: bank, Credit: equity, Amount: euros(60_00)})
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
		if found := s.violations(); len(found) != 1 || !strings.Contains(found[0], "is not booked as two persons said") {
			s.Errorf("verify finds %q", found)
		}
	})
}

func TestWhatNoStatementHasIsRememberedForLater(t *testing.T) {
	eachSender(t, func(s *sender) {
		a, lost := bankLine("A", 100_00, 2), bankLine("L", 5_00, 2)
		s.told(noon(2), a, lost)
		s.states(bankStatement(1, 2, 0, a))
		if log := s.log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "difference=-5.00 causes=[NOT_STATED]") {
			s.Errorf("the log says %q", log)
		}
		for day := 3; day <= 9; day++ {
			s.states(bankStatement(int64(day-1), day, 100_00))
		}
		want := make([]string, 0, 8)
		for day := 9; day >= 3; day-- {
			want = append(want, "x: bank 100.00, books 105.00; CARRIED -5.00")
		}
		want = append(want, "x: bank 100.00, books 105.00; NOT_STATED -5.00 L")
		for i := range want {
			want[i] = strings.Replace(want[i], "x", strconv.Itoa(9-i), 1)
		}
		s.wantDays(want...)
		var compared time.Time
		if err := s.db.View(s.Context(), func(r db.Reader) error { return r.Row(selectCompared, ledger.Operator).Scan(&compared) }); err != nil {
			s.Fatal(err)
		}
		if !compared.Equal(bankDay(8)) {
			s.Errorf("postings are compared until %s", compared)
		}
		s.states(bankStatement(9, 10, 100_00, lost)) // at last
		want[7] = "2: bank 100.00, books 100.00"
		for i := range 7 {
			want[i] = strconv.Itoa(9-i) + ": bank 100.00, books 100.00"
		}
		s.wantDays(append([]string{"10: bank 105.00, books 105.00"}, want...)...)
	})
}
