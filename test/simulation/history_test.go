package simulation

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// Sizes of histories. Many short ones find more than few long ones: the program's memory is young in each.
const (
	steps      = 120 // of a sequential history
	rounds     = 4   // of a concurrent one
	roundSteps = 15  // of each player in a round
	players    = 4

	returnRounds = 12  // of working off, before the bank's delay is over once more: it has got payments to send back
	calmRounds   = 40  // of working off, before faults end
	lastRound    = 120 // of working off, before it counts as stuck

	ownFaults = 30 // chance of the program's own calls to fail, in thousandths
)

// outside are operations on the program as a whole.
var outside = []operation{
	{"rotate master key", 1, (*player).rotateMasterKey},
	{"restart", 2, (*player).restart},
	{"move the clock", 5, (*player).moveClock},
	{"work off", 3, func(p *player) error { return p.world.workOff() }},
	{"book a statement", 4, (*player).bookStatement},
	{"assign a payment", 3, (*player).assign},
	{"verify again", 3, (*player).verifyAgain},
}

// runSequentially makes a history of one player.
func (w *world) runSequentially() {
	w.Helper()
	p := w.newPlayer("a", 3)
	if err := w.workOff(); err != nil {
		w.violated(sequential, err)
	}
	all := slices.Concat(everywhere, outside)
	for range steps {
		err := p.act(all)
		pass(time.Duration(p.rng.IntN(300)) * time.Millisecond)
		if err == nil {
			err = w.check()
		}
		if err != nil {
			w.violated(sequential, err)
		}
	}
	if err := w.workOff(); err != nil {
		w.violated(sequential, err)
	}
}

// runConcurrently makes a history of several players, with quiet points between rounds.
func (w *world) runConcurrently() {
	w.Helper()
	for i := range players {
		w.newPlayer(string(rune('a'+i)), 2)
	}
	var err error
	if w.shared, err = w.newContention(); err != nil {
		w.Fatal(err)
	}
	if err := w.workOff(); err != nil {
		w.violated(concurrent, err)
	}
	all := slices.Concat(everywhere, contending)
	for range rounds {
		err := w.round(all)
		if err == nil {
			err = w.workOff()
		}
		if err == nil {
			err = w.players[0].act(outside)
		}
		if err == nil {
			err = w.check()
		}
		if err != nil {
			w.violated(concurrent, err)
		}
	}
	if err := w.workOff(); err != nil {
		w.violated(concurrent, err)
	}
}

// round lets all players act at the same time.
func (w *world) round(of []operation) error {
	var group sync.WaitGroup
	found := make(chan error, len(w.players))
	for _, p := range w.players {
		group.Go(func() {
			for range roundSteps {
				if err := p.act(of); err != nil {
					found <- err
					return
				}
			}
		})
	}
	group.Wait()
	synctest.Wait()
	select {
	case err := <-found:
		return err
	default:
		return nil
	}
}

// workOff lets time pass until every payment is booked and every event is delivered or has failed, and checks
// everything.
func (w *world) workOff() error {
	latest := w.clock.Now()
	for _, m := range w.models() {
		if _, last := m.due(); last.After(latest) {
			latest = last
		}
	}
	w.clock.jump(latest.Sub(w.clock.Now()) + time.Minute)
	for n := 0; ; n++ {
		pass(time.Second)
		jobs, events, err := w.waiting()
		if err != nil {
			return err
		}
		if jobs+events == 0 {
			break
		}
		if n == calmRounds {
			w.faults.setBackground(0)
			w.receiver.setWell(true)
		}
		if n == lastRound {
			return fmt.Errorf("I9: after %d rounds %d jobs and %d events still wait", n, jobs, events)
		}
		w.clock.jump(time.Minute)
		if n%returnRounds == returnRounds-1 {
			w.clock.jump(bankDelay)
		}
	}
	pass(time.Second) // until results are stored and lanes are closed
	w.faults.setBackground(ownFaults)
	w.receiver.setWell(false)
	for _, m := range w.models() {
		m.settle(w.clock.Now())
	}
	if err := errors.Join(w.check(), w.checkBank()); err != nil {
		return err
	}
	return w.checkAllEvents()
}

// moveClock sets the business clock forwards or backwards. Payments that it makes due are worked off.
func (p *player) moveClock() error {
	d := time.Duration(p.rng.Int64N(int64(40*time.Minute))) - 20*time.Minute
	p.clock.jump(d)
	p.note(fmt.Sprintf("move the clock by %s", d), "", "", &plan{})
	soon := p.clock.Now().Add(time.Minute)
	for _, m := range p.models() {
		if first, _ := m.due(); !first.IsZero() && first.Before(soon) {
			return p.workOff()
		}
	}
	return nil
}

// downtimes are how long the program is away between stop and start.
var downtimes = []time.Duration{0, 0, time.Second, time.Minute, 3 * time.Hour, 26 * time.Hour}

// restart stops the program and starts it again. It may fail to start; it is started until it does.
func (p *player) restart() error {
	d := downtimes[p.rng.IntN(len(downtimes))]
	p.world.stop()
	pass(d)
	for n := 0; ; n++ {
		pl, before := p.plan(n), p.faults.past()
		err := p.open(pl.under(calm()))
		p.note(fmt.Sprintf("start after %s", d), codeOf(err), errorText(err), pl)
		if err == nil {
			break
		}
		if p.faults.count() == before {
			return err
		}
	}
	// What was to be booked while the program was away is booked now.
	return p.workOff()
}

// tell logs what a history was, for a look at single ones.
func (w *world) tell(m mode) {
	w.Logf("%s, seed %d: %d steps, %d faults", m, w.seed, w.journal.number, w.faults.count())
}
