package sepa

import (
	"strings"
	"testing"
)

// detail is a payment of an entry that has several, which are so much together.
func detail(reference, part string, cents, whole int64) Entry {
	e := bankLine(reference, cents, 2)
	e.Part, e.Whole = part, euros(whole)
	return e
}

// batchLine is an entry whose payments the bank tells elsewhere.
func batchLine(reference string, cents, payments int64) Entry {
	e := bankLine(reference, cents, 2)
	e.Batch = payments
	return e
}

func TestBatchIsBookedOnce(t *testing.T) {
	eachSender(t, func(s *sender) {
		single := bankLine("S", 1_00, 2)
		s.told(noon(2), detail("B", "1", 30_00, 50_00), detail("B", "2", 20_00, 50_00))
		s.told(noon(2), detail("B", "x/0", 20_00, 50_00), detail("B", "x/1", 30_00, 50_00)) // the same, by other references
		s.told(noon(2), bankLine("B", 50_00, 2))                                            // and as a line that says nothing of a batch
		s.states(bankStatement(1, 2, 0, batchLine("B", 50_00, 2), single))
		s.wantDays("2: bank 51.00, books 51.00")
		s.states(bankStatement(2, 3, 51_00, bankLine("W", 9_00, 3))) // a line without details; they come later
		s.told(noon(4), detail("W", "1", 4_00, 9_00), detail("W", "2", 5_00, 9_00))
		s.states(bankStatement(3, 4, 60_00))
		s.wantDays("4: bank 60.00, books 60.00", "3: bank 60.00, books 60.00", "2: bank 51.00, books 51.00")
		if found := s.violations(); len(found) != 0 {
			s.Errorf("verify finds %q", found)
		}
	})
}

func TestBatchWaitsForItsPayments(t *testing.T) {
	eachSender(t, func(s *sender) {
		s.told(noon(2), detail("B", "1", 30_00, 70_00))
		s.states(bankStatement(1, 2, 0, batchLine("B", 70_00, 3)))
		s.wantDays("2: bank 70.00, books 30.00; BATCH 40.00 B")
		s.told(noon(3), detail("B", "2", 25_00, 70_00))
		s.wantDays("2: bank 70.00, books 55.00; BATCH 15.00 B")
		if found := s.violations(); len(found) != 2 || !strings.Contains(found[1], "line B of the statement is a batch") {
			s.Errorf("verify finds %q", found)
		}
		s.states(bankStatement(2, 3, 70_00))
		s.wantDays("3: bank 70.00, books 55.00; CARRIED 15.00", "2: bank 70.00, books 55.00; BATCH 15.00 B")
		s.told(noon(5), detail("B", "3", 15_00, 70_00))
		for day := 5; day < 8; day++ {
			s.states(bankStatement(int64(day), day, 70_00))
		}
		s.wantDays("7: bank 70.00, books 70.00", "6: bank 70.00, books 70.00", "5: bank 70.00, books 70.00; GAP 0.00",
			"3: bank 70.00, books 70.00", "2: bank 70.00, books 70.00")
		if found := s.violations(); len(found) != 0 {
			s.Errorf("verify finds %q", found)
		}
	})
}
