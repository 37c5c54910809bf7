package bank

import (
	"slices"
	"testing"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ecb"
)

// The European Central Bank decided on 14 December 2000 ("Long-term calendar for TARGET closing days") on which days
// TARGET is closed from 2002 until further notice. The judge is a library that has them by name, and Easter by itself.
func TestBusinessDaysAreThoseOfTARGET(t *testing.T) {
	t.Parallel()
	judge := cal.NewBusinessCalendar()
	judge.AddHoliday(ecb.Holidays...)
	closed := 0
	for day := time.Date(2002, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2100; day = day.AddDate(0, 0, 1) {
		want := judge.IsWorkday(day)
		if got := businessDay(day); got != want {
			t.Errorf("%s is a business day: %v, want %v", day.Format(time.DateOnly), got, want)
		}
		if holiday, _, _ := judge.IsHoliday(day); holiday {
			closed++
		}
	}
	if want := 98 * 6; closed != want {
		t.Errorf("the judge has %d holidays, want six in each of 98 years", closed)
	}
	// As the bank published them for one year: https://www.ecb.europa.eu, and Deutsche Bundesbank, ecb_holidays_2013.pdf.
	var published []string
	for day := time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2013; day = day.AddDate(0, 0, 1) {
		if weekday := day.Weekday(); weekday != time.Saturday && weekday != time.Sunday && !businessDay(day) {
			published = append(published, day.Format("01-02"))
		}
	}
	if want := []string{"01-01", "03-29", "04-01", "05-01", "12-25", "12-26"}; !slices.Equal(published, want) {
		t.Errorf("closed in 2013 on %q, want %q", published, want)
	}
}

// The extremes of Easter, and years in which formulas for it go wrong.
func TestEaster(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"1818-03-22", "1943-04-25", "1954-04-18", "1981-04-19", "2000-04-23", "2038-04-25", "2049-04-18", "2076-04-19", "2285-03-22"} {
		day, _ := time.Parse(time.DateOnly, want)
		if got := easter(day.Year()); !got.Equal(day) {
			t.Errorf("Easter is on %s, want %s", got.Format(time.DateOnly), want)
		}
	}
}

func TestBatchesOfBusinessDays(t *testing.T) {
	t.Parallel()
	c, err := BusinessDays("15:30")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ now, at, executeOn string }{
		{"2026-03-03T09:00:00Z", "", "2026-03-03"},
		{"2026-03-03T14:29:59Z", "", "2026-03-03"},
		{"2026-03-03T14:30:00Z", "2026-03-03T23:00:00Z", "2026-03-04"},        // the cut-off itself is too late
		{"2026-07-01T13:29:59Z", "", "2026-07-01"},                            // summer time
		{"2026-07-01T13:30:00Z", "2026-07-01T22:00:00Z", "2026-07-02"},        // summer time
		{"2026-03-03T23:10:00Z", "", "2026-03-04"},                            // midnight has passed in Frankfurt
		{"2026-03-06T15:00:00Z", "2026-03-08T23:00:00Z", "2026-03-09"},        // Friday
		{"2026-03-07T10:00:00Z", "2026-03-08T23:00:00Z", "2026-03-09"},        // Saturday
		{"2026-04-02T18:00:00Z", "2026-04-06T22:00:00Z", "2026-04-07"},        // before Easter
		{"2026-12-24T18:00:00Z", "2026-12-27T23:00:00Z", "2026-12-28"},        // before Christmas and a weekend
		{"2025-12-31T16:00:00Z", "2026-01-01T23:00:00Z", "2026-01-02"},        // into another year
		{"2026-03-28T12:00:00.5Z", "2026-03-29T22:00:00Z", "2026-03-30"},      // over the change to summer time
		{"2026-10-23T20:00:00.000001Z", "2026-10-25T23:00:00Z", "2026-10-26"}, // and back
	} {
		now, _ := time.Parse(time.RFC3339Nano, test.now)
		if test.at == "" {
			test.at = test.now
		}
		at, day := c.Next(now)
		if got := at.UTC().Format(time.RFC3339Nano); got != test.at || day.Format(time.DateOnly) != test.executeOn {
			t.Errorf("at %s: a batch at %s, executed on %s; want %s and %s", test.now, got, day.Format(time.DateOnly), test.at, test.executeOn)
		}
		if again, same := c.Next(at); !again.Equal(at) || !same.Equal(day) {
			t.Errorf("the batch of %s is put off once more when its time has come", test.now)
		}
	}
}

func TestAnyTimeIsAlwaysOpen(t *testing.T) {
	t.Parallel()
	c, err := AnyTime()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 12, 25, 23, 30, 0, 0, time.UTC) // the next day in Frankfurt
	if at, day := c.Next(now); !at.Equal(now) || day.Format(time.DateOnly) != "2026-12-26" {
		t.Errorf("a batch at %s, executed on %s", at, day)
	}
}

func TestCutOffMustBeATime(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "00:00", "24:00", "15", "15:60", "3pm", "-1:00"} {
		if _, err := BusinessDays(text); err == nil {
			t.Errorf("%q is taken for a cut-off", text)
		}
	}
}
