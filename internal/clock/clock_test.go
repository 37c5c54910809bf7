package clock_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kontor/internal/clock"
)

var start = time.Date(2025, 8, 5, 10, 33, 54, 730_456_000, time.UTC)

func TestSystemClockTellsTheMachinesTimeInUTC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := clock.System().Now()
		if !now.Equal(time.Now()) || now.Location() != time.UTC {
			t.Errorf("got %v, want %v in UTC", now, time.Now())
		}
	})
}

func TestTimesReadBackAsTheyWere(t *testing.T) {
	t.Parallel()
	fine := start.Add(789 * time.Nanosecond)
	for name, now := range map[string]time.Time{
		"system": clock.System().Now(),
		"manual": clock.NewManual(fine.In(time.FixedZone("east", 7200))).Now(),
	} {
		if back := clock.FromMicros(clock.Micros(now)); back != now {
			t.Errorf("%s: %v is stored and read as %v", name, now, back)
		}
	}
	if got := clock.Micros(fine); got != 1_754_390_034_730_456 {
		t.Errorf("Micros: got %d", got)
	}
}

func TestManualClockMovesForwardOnly(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(start)
	if c.Now() != start {
		t.Errorf("starts at %v", c.Now())
	}
	c.Advance(40 * time.Second)
	if want := start.Add(40 * time.Second); c.Now() != want {
		t.Errorf("got %v, want %v", c.Now(), want)
	}
	c.Set(c.Now()) // standing still is allowed
	later := start.AddDate(0, 1, 0)
	c.Set(later)
	mustPanic(t, "Set to an earlier time", func() { c.Set(later.Add(-time.Microsecond)) })
	mustPanic(t, "Advance by a negative duration", func() { c.Advance(-time.Second) })
	if c.Now() != later {
		t.Errorf("a refused move changed the clock to %v", c.Now())
	}
}

func TestManualClockIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(start)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { c.Advance(time.Second) })
		wg.Go(func() { c.Now() })
	}
	wg.Wait()
	if want := start.Add(100 * time.Second); c.Now() != want {
		t.Errorf("got %v, want %v", c.Now(), want)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		time time.Time
		want string
	}{
		{start, "2025-08-05T10:33:54.730Z"},
		{start.Add(543 * time.Microsecond), "2025-08-05T10:33:54.730Z"}, // .730999: cut
		{time.Date(2026, 1, 1, 1, 30, 0, 0, time.FixedZone("east", 7200)), "2025-12-31T23:30:00.000Z"},
		{time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "1969-12-31T23:59:59.999Z"},
	} {
		if got := clock.Format(c.time); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}
