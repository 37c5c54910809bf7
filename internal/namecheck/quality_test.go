package namecheck_test

import (
	"os"
	"strings"
	"testing"

	"kontor/internal/namecheck"
)

// TestQualityOnLabelledNames holds the comparison to what docs/sepa.md says of it, on each half of the labelled names by
// itself. Run it with -v to see the figures, and every name that is judged otherwise than it is labelled.
func TestQualityOnLabelledNames(t *testing.T) {
	t.Parallel()
	const leastAccepted, mostRefused, leastAsked = 90, 0, 80 // per cent
	text, err := os.ReadFile("testdata/people.tsv")
	if err != nil {
		t.Fatal(err)
	}
	type figures struct{ same, accepted, refused, others, mistaken, waiting, unsure, asked int }
	var halves [2]figures
	n := 0
	for line := range strings.Lines(string(text)) {
		row := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if row[0][0] == '#' {
			continue
		}
		if len(row) != 5 {
			t.Fatalf("%q has %d fields", line, len(row))
		}
		f := &halves[n%2]
		n++
		score := namecheck.Person(row[1], row[2], row[3])
		got := said(score)
		if got != row[4] {
			t.Logf("half %d, %s: %s %s against %q: %d, %s, labelled %s", (n-1)%2, row[0], row[1], row[2], row[3], score, got, row[4])
		}
		switch row[4] {
		case "same":
			f.same++
			f.accepted += count(got == "same")
			f.refused += count(got == "other")
		case "other":
			f.others++
			f.mistaken += count(got == "same")
			f.waiting += count(got == "unsure")
		default:
			f.unsure++
			f.asked += count(got != "same")
		}
	}
	for half, f := range halves {
		t.Logf("half %d: of %d the same, %d accepted, %d refused; of %d others, %d accepted, %d left open; of %d in doubt, %d not accepted",
			half, f.same, f.accepted, f.refused, f.others, f.mistaken, f.waiting, f.unsure, f.asked)
		if 100*f.accepted < leastAccepted*f.same || 100*f.refused > mostRefused*f.same || f.mistaken > 0 || 100*f.asked < leastAsked*f.unsure {
			t.Errorf("half %d is judged worse than documented", half)
		}
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
