package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/sepa"
)

// tries is how often something whose outcome is unknown is asked for with faults; after that without.
const tries = 4

// firstUsers are the users that each partner has at the beginning, with money on its way to them.
const firstUsers = 3

// player makes a history with partners of its own: one step after another, each of them settled before the next.
type player struct {
	*world
	name    string
	rng     *rand.Rand
	model   *model
	parties []*party
	past    []*ended     // acknowledged requests
	number  int          // of the idempotency key that was invented last
	lines   []sepa.Entry // payments that the bank has booked and told
}

// ended is a request that was acknowledged, with its answer.
type ended struct {
	request
	answer answer
	object string    // what it made
	at     time.Time // when it was acknowledged, in the machine's time
}

func (w *world) newPlayer(name string, parties int) *player {
	w.Helper()
	p := &player{world: w, name: name, rng: rand.New(rand.NewPCG(w.seed, uint64(len(w.players)))), model: newModel()}
	for range parties {
		q, err := w.newParty()
		if err != nil {
			w.Fatal(err)
		}
		p.parties = append(p.parties, q)
		for q.users < firstUsers {
			q.users++
			if err := p.populate(q, q.owner(fmt.Sprintf("user-%d", q.users)), 30_000); err != nil {
				w.Fatal(err)
			}
		}
	}
	w.players = append(w.players, p)
	return p
}

func (p *player) party() *party { return p.parties[p.rng.IntN(len(p.parties))] }

func (p *player) newKey() string {
	p.number++
	return fmt.Sprintf("%s-%d", p.name, p.number)
}

// plan draws how often calls fail in the n-th try of something, counted from 0.
func (p *player) plan(n int) *plan {
	chances := []int{0, 0, 0, 40, 100, 250}
	chance := 0
	if n < tries {
		chance = chances[p.rng.IntN(len(chances))]
	}
	if n > 0 {
		chance /= 2
	}
	return &plan{rng: rand.New(rand.NewPCG(p.rng.Uint64(), 0)), chance: chance}
}

// excused tells whether P501 is a right answer to the n-th try: more faults have hit than those that were past when it
// began. In a concurrent history a neighbour in the same group may have been hit before.
func (p *player) excused(n, faults int) bool {
	if p.shared != nil {
		return n < 5*tries
	}
	return n <= tries && p.faults.count() > faults
}

// wish is what the model says of a request: the code it must be refused with, or the effect that it must have.
type wish struct {
	code   string
	effect func(m *model, got answer)
	check  func(got answer) error // of a success
}

// ask makes a request until its outcome is known, and holds it against the wish. It answers the outcome.
func (p *player) ask(r *request, want wish) (answer, error) {
	took := 0
	for n := 0; ; n++ {
		pl, before := p.plan(n), p.faults.past()
		got := p.call(pl.under(context.Background()), r)
		took += pl.took
		p.note(r.String(), got.code, got.String(), pl)
		if got.code != "P501" {
			return got, p.judge(r, want, got, took)
		}
		if got.retry == "" || !p.excused(n, before) {
			return got, fmt.Errorf("%s: answered %s, when %d faults hit", r, got, p.faults.count()-before)
		}
		if err := p.either(r.party, want.effect, took); err != nil {
			return got, fmt.Errorf("I4: after %s, whose outcome is unknown and of which %d transactions took effect: %w", r, took, err)
		}
	}
}

// judge holds an answer against the wish. took is how many transactions of the request took effect, in all tries:
// exactly one when it succeeded, and none when it was refused.
func (p *player) judge(r *request, want wish, got answer, took int) error {
	if got.code != want.code {
		return fmt.Errorf("%s: answered %s, want %q", r, got, want.code)
	}
	if r.body != nil {
		if once := map[bool]int{true: 1}[got.code == ""]; took != once {
			return fmt.Errorf("I5, I6: %s: answered %s, and %d transactions took effect", r, got, took)
		}
	}
	if got.code != "" {
		return nil
	}
	if want.effect != nil {
		want.effect(p.model, got)
	}
	if want.check != nil {
		return want.check(got)
	}
	return nil
}

// either compares the books of a partner with the model, or with what it becomes by an effect that happened.
func (p *player) either(q *party, effect func(m *model, got answer), took int) error {
	m := p.model
	if took > 0 && effect != nil {
		m = m.clone()
		effect(m, answer{})
	}
	before := p.compareBook(q.id, m)
	if before == nil || len(m.stuck) == 0 {
		return before
	}
	m = m.clone()
	if m.resume(); p.compareBook(q.id, m) == nil {
		return nil
	}
	return before
}

// deed is something that is done through a service, without a key that would make repeating it safe.
type deed struct {
	what     string
	want     string // the code or word of the refusal
	do       func(ctx context.Context) error
	happened func() (bool, error) // reads whether it took effect
	effect   func(m *model)
}

// perform does a deed until its outcome is known, and holds it against the model.
func (p *player) perform(d deed) error {
	for n := 0; ; n++ {
		pl, before := p.plan(n), p.faults.past()
		err := d.do(pl.under(context.Background()))
		code := codeOf(err)
		p.note(d.what, code, errorText(err), pl)
		if code != "P501" {
			return p.judgeDeed(d, code, pl.took)
		}
		if !p.excused(n, before) {
			return fmt.Errorf("%s: %w, when %d faults hit", d.what, err, p.faults.count()-before)
		}
		happened, err := d.happened()
		if err != nil {
			return err
		}
		if happened != (pl.took > 0) {
			return fmt.Errorf("I4: %s: reading tells %t, and %d transactions took effect", d.what, happened, pl.took)
		}
		if happened {
			d.effect(p.model)
			return nil
		}
	}
}

func (p *player) judgeDeed(d deed, code string, took int) error {
	if code != d.want {
		return fmt.Errorf("%s: answered %q, want %q", d.what, code, d.want)
	}
	if once := map[bool]int{true: 1}[code == ""]; took != once {
		return fmt.Errorf("I5: %s: answered %q, and %d transactions took effect", d.what, code, took)
	}
	if code == "" {
		d.effect(p.model)
	}
	return nil
}

// refusals are errors of services that partners do not see, by a word.
var refusals = map[string]string{
	ledger.ErrHoldEnded.Error():    "ended",
	ledger.ErrHoldExceeded.Error(): "exceeded",
	"was decided already":          "decided",
	"cannot be done now":           "not now",
	"another person must":          "same person",
	"the master key does not open": "wrong master key",
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return string(known.Code)
	}
	for text, word := range refusals {
		if strings.Contains(err.Error(), text) {
			return word
		}
	}
	return "other: " + err.Error()
}

// errorText is an error as the journal shows it.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// note writes into the journal what was done.
func (p *player) note(what, result, answer string, pl *plan) {
	if result == "" {
		result = "done"
	}
	p.journal.step(p.name, p.clock.Now(), what, result, answer, pl.fired)
}
