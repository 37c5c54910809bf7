package ratelimit

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// fail counts how many guesses an address has before it must wait, up to a limit.
func (g *Guesses) fail(from netip.Addr, limit int) (guesses int) {
	for ; guesses < limit && g.Wait(from) == 0; guesses++ {
		g.Failed(from)
	}
	return guesses
}

func TestAnAddressHasSixtyGuessesAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, from := NewGuesses(), netip.MustParseAddr("203.0.113.7")
		if got := g.fail(from, 100); got != 60 {
			t.Errorf("%d guesses at once, want 60", got)
		}
		if got := g.Wait(from); got != time.Second {
			t.Errorf("it must wait %v, want a second", got)
		}
		for range 10_000 { // those that were under way do not add to the wait
			g.Failed(from)
		}
		elapse(time.Second)
		if got := g.fail(from, 100); got != 1 {
			t.Errorf("%d guesses after a second, want 1", got)
		}
		elapse(time.Hour)
		if got := g.fail(from, 100); got != 60 {
			t.Errorf("%d guesses after an hour, want 60", got)
		}
	})
}

func TestAddressesAreTakenTogetherAsSubscribersHaveThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"203.0.113.7", "203.0.113.8", false},
		{"203.0.113.7", "::ffff:203.0.113.7", true},
		{"::ffff:203.0.113.7", "::ffff:203.0.113.8", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		separate := 0
		for range 5 { // two addresses fall on the same slot once in a thousand times
			g := NewGuesses()
			g.fail(netip.MustParseAddr(c.one), 100)
			if g.Wait(netip.MustParseAddr(c.other)) == 0 {
				separate++
			}
		}
		if same := separate == 0; same != c.same {
			t.Errorf("%s and %s count as one: %v, want %v", c.one, c.other, same, c.same)
		}
	}
}

func TestAMillionAddressesNeedNoMemoryAndGetFewGuesses(t *testing.T) { // not parallel: it counts allocations
	g, guesses := NewGuesses(), 0
	attack := func(i uint32) {
		var address [16]byte
		binary.BigEndian.PutUint32(address[:], 0x20010db8)
		binary.BigEndian.PutUint32(address[4:], i)
		guesses += g.fail(netip.AddrFrom16(address), 1)
	}
	for i := range uint32(1_000_000) {
		attack(i)
	}
	allowed := guessSlots * (guessesPerMinute + 60) // as if the loop above took a minute
	if guesses > allowed {
		t.Errorf("a million addresses had %d guesses, want at most %d", guesses, allowed)
	}
	next := uint32(1_000_000)
	if n := testing.AllocsPerRun(1000, func() { next++; attack(next) }); n != 0 {
		t.Errorf("each further address costs %v allocations", n)
	}
}
