package event

import (
	"testing"
	"time"
)

func TestOpenBreakerAdmitsOneAtATime(t *testing.T) {
	t.Parallel()
	b := &breaker{sending: 3}
	for i := range openAfter {
		if !b.admits() {
			t.Fatalf("closed to the next attempt after %d failures", i)
		}
		b.note(false)
	}
	if !b.isOpen() || b.admits() {
		t.Error("an open breaker admits attempts beside others")
	}
	if b.sending = 0; !b.admits() {
		t.Error("an open breaker skips attempts")
	}
	b.sending = 1
	if b.note(true); b.isOpen() || !b.admits() {
		t.Error("a success does not close it")
	}
}

func TestPaceKeepsTheRate(t *testing.T) {
	t.Parallel()
	var p pace
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sent := 0
	for now := begin; now.Before(begin.Add(10 * time.Second)); now = now.Add(time.Millisecond) {
		for p.wait(now) == 0 {
			p.take(now, 50)
			sent++
		}
	}
	if sent < 500 || sent > 510 {
		t.Errorf("%d attempts in 10 seconds at 50 a second", sent)
	}
	late := begin.Add(time.Hour)
	burst := 0
	for p.wait(late) == 0 {
		p.take(late, 50)
		burst++
	}
	if burst > 10 {
		t.Errorf("%d attempts at once after a rest", burst)
	}
}
