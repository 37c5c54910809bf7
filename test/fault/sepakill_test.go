//go:build linux

package fault

import (
	"math/rand/v2"
	"testing"
	"time"

	"kontor/internal/db"
)

// How often one of the two processes is killed in a round.
const (
	exchangeKills     = 4
	exchangeKillsLong = 40
)

// TestExchangeKilled kills Kontor and the bank at random moments while transfers leave and payments arrive. Each
// transfer reaches the bank once and ends once, each deposit is credited once or sent back once, and in the end the
// books are what the bank's statement says.
func TestExchangeKilled(t *testing.T) {
	t.Parallel()
	eachEngine(t, 50, func(t *testing.T, engine db.Engine) {
		rng := random(t)
		x := startExchange(t, engine, 3, 90_000_00) // enough for a long round
		stop := x.payments(rng, 4)
		kills := exchangeKills
		if *long {
			kills = exchangeKillsLong
		}
		for kill := range kills {
			x.killOne(rng, kill%2 == 0)
		}
		x.progress(20)
		stop()
		x.settle(x.kontor.url)
		x.checkExchange()
		x.report()
	})
}

// killOne kills Kontor, or the bank, at a random moment, and starts it again. Now and then the other one is killed while
// it is away.
func (x *exchanged) killOne(rng *rand.Rand, bank bool) {
	x.t.Helper()
	const workFor, awayFor = 300 * time.Millisecond, 100 * time.Millisecond
	first, second := x.kontor, x.bank
	if bank {
		first, second = x.bank, x.kontor
	}
	pause(x.t.Context(), time.Duration(rng.Int64N(int64(workFor))))
	first.kill()
	x.fault(0)
	if rng.IntN(4) == 0 {
		pause(x.t.Context(), time.Duration(rng.Int64N(int64(awayFor))))
		second.kill()
		x.fault(0)
	}
	if rng.IntN(4) == 0 {
		x.verifyExchange("after kill -9")
	}
	if x.bank.process == nil {
		x.bank.begin()
	}
	if x.kontor.process == nil {
		x.kontor.start()
	}
}
