package simulation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// contention is a partner whose users' money several players move at the same time. What happens in which order
// is not known, and so neither is who finds the balance empty; but sums are. Nobody of them ever owes anything.
type contention struct {
	party *party
	users []owner

	mu    sync.Mutex
	model *model
}

// contending are the operations on what is shared.
var contending = []operation{
	{"contend for money", 14, (*player).contend},
	{"send the same request twice at once", 6, (*player).twins},
	{"race for the end of a hold", 6, (*player).raceForHold},
}

// newContention opens the shared partner and its users, with some money.
func (w *world) newContention() (*contention, error) {
	q, err := w.newParty()
	if err != nil {
		return nil, err
	}
	c := &contention{party: q, model: newModel()}
	founder := &player{world: w, name: "setup", model: c.model, parties: []*party{q}}
	for i := range 3 {
		o := q.owner(fmt.Sprintf("shared-%d", i))
		c.users = append(c.users, o)
		if err := founder.populate(q, o, 20_000); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// populate makes an active user to whom money is on its way.
func (p *player) populate(q *party, o owner, cents int64) error {
	made := p.world.call(calm(), &request{party: q, method: http.MethodPost, path: "/v1/user/balances/crypto-and-fiat", body: newUser(o.name)})
	p.model.create(o, made.text("userId"))
	verified := p.world.call(calm(), &request{
		party: q, method: http.MethodPost, path: "/v1/sandbox/user/" + o.name + "/activate", body: encode(map[string]string{"documentNumber": accepted + "-" + o.name}),
	})
	p.model.decide(o, accepted)
	info := p.world.call(calm(), &request{party: q, method: http.MethodGet, path: "/v1/sepa-deposit/info/" + o.name})
	paid := p.world.call(calm(), paymentTo(q, o, same, info.text("iban"), cents))
	p.model.deposits[paid.text("depositId")] = deposit{owner: o, cents: cents, due: p.clock.Now().Add(bankDelay), sender: same}
	p.model.tell(paid.text("depositId"), "iban-status")
	for _, a := range []answer{made, verified, info, paid} {
		if a.code != "" {
			return fmt.Errorf("a first user: %s", a)
		}
	}
	return nil
}

// sides draws two of the shared users.
func (p *player) sides() (from, to owner) {
	users := p.shared.users
	i := p.rng.IntN(len(users))
	return users[i], users[(i+1+p.rng.IntN(len(users)-1))%len(users)]
}

// contend moves money between shared users: it succeeds, or there is not enough.
func (p *player) contend() error {
	from, to := p.sides()
	cents := p.cents()
	_, err := p.askShared(p.transferRequest(p.shared.party, from, to, cents), p.plan(0), from, to, cents)
	return err
}

// askShared asks for a transfer until its outcome is known, first under the given plan.
func (p *player) askShared(r *request, pl *plan, from, to owner, cents int64) (answer, error) {
	took := 0
	for n := 0; ; n++ {
		got := p.call(pl.under(context.Background()), r)
		took += pl.took
		p.note("shared: "+r.String(), got.code, got.String(), pl)
		switch {
		case got.code == "P501" && p.excused(n, 0):
			pl = &plan{chance: pl.chance / 2, rng: pl.rng}
			continue
		case got.code == "P433" && took == 0:
			return got, nil
		case got.code != "" || took > 1:
			return got, fmt.Errorf("I5, I6: %s: answered %s, and %d transactions took effect", r, got, took)
		}
		p.shared.mu.Lock()
		defer p.shared.mu.Unlock()
		if id := got.text("transferId"); p.shared.model.events[id] == nil {
			p.shared.model.transfer(id, from, to, cents)
		}
		return got, nil
	}
}

// twins send the same request at the same time: it is carried out once, and both are told the same.
func (p *player) twins() error {
	from, to := p.sides()
	cents := p.cents()
	r := p.transferRequest(p.shared.party, from, to, cents)
	var group sync.WaitGroup
	answers, failed := [2]answer{}, [2]error{}
	for i := range answers {
		pl := p.plan(0)
		group.Go(func() { answers[i], failed[i] = p.askShared(r, pl, from, to, cents) })
	}
	group.Wait()
	if err := errors.Join(failed[:]...); err != nil {
		return err
	}
	// Refused requests are not remembered: of two, one may have found enough money, and the other not yet.
	if a, b := answers[0], answers[1]; a.code == "" && b.code == "" && a.body != b.body {
		return fmt.Errorf("I6: the same request at the same time: %s and %s", a, b)
	}
	return nil
}

// raceForHold places a hold which two then end at the same time, each in another way: one of them does.
func (p *player) raceForHold() error {
	o, _ := p.sides()
	cents := p.cents()
	q := p.shared.party
	id, err := p.holdShared(o, cents)
	if err != nil || id.IsZero() {
		return err
	}
	taken := money.New(1+p.rng.Int64N(cents), euro)
	ways := []func(tx *db.Tx, h ledger.Hold) error{
		func(tx *db.Tx, h ledger.Hold) error { return ledger.Release(tx, q.id, h, p.clock.Now()) },
		func(tx *db.Tx, h ledger.Hold) error {
			fees, err := ledger.FindAccount(tx, q.id, ledger.PartnerItself, ledger.Fees, euro)
			if err != nil {
				return err
			}
			return ledger.Capture(tx, q.id, h, p.clock.Now(), true, ledger.Leg{Name: "amount", Debit: h.Account, Credit: fees, Amount: taken})
		},
	}
	var group sync.WaitGroup
	ended, failed := [2]bool{}, [2]error{}
	for i, way := range ways {
		pl := p.plan(0)
		group.Go(func() { ended[i], failed[i] = p.endShared(id, pl, way) })
	}
	group.Wait()
	if err := errors.Join(failed[:]...); err != nil {
		return err
	}
	if ended[0] == ended[1] {
		return fmt.Errorf("I8: of two who end a hold at the same time: released %t, captured %t", ended[0], ended[1])
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	if m := p.shared.model; ended[0] {
		m.release(id.String())
	} else {
		m.capture(id.String(), taken.Units(), true)
	}
	return nil
}

// holdShared places a hold on a shared user's balance; it answers no id when there is not enough.
func (p *player) holdShared(o owner, cents int64) (id clock.ID, err error) {
	q := p.shared.party
	user, err := clock.ParseID(p.shared.model.users[o].id)
	if err != nil {
		return id, err
	}
	err = p.app.DB.Update(calm(), func(tx *db.Tx) error {
		customer, err := ledger.FindCustomer(tx, q.id, user, euro)
		if err != nil {
			return err
		}
		op := ledger.Operation{Type: holding, ID: clock.NewID()}
		id = ledger.Place(tx, q.id, op, customer.Balance, money.New(cents, euro), p.clock.Now())
		return nil
	})
	p.note(fmt.Sprintf("shared: hold %d of %v", cents, o), codeOf(err), errorText(err), &plan{})
	switch codeOf(err) {
	case "":
		p.shared.mu.Lock()
		defer p.shared.mu.Unlock()
		p.shared.model.place(id.String(), o, cents)
		return id, nil
	case "P433", "P501": // not enough, or a neighbour's group was aborted, which changed nothing
		return clock.ID{}, nil
	}
	return id, err
}

// endShared ends a hold, and tells whether it was this one who did.
func (p *player) endShared(id clock.ID, pl *plan, way func(tx *db.Tx, h ledger.Hold) error) (bool, error) {
	for n := 0; ; n++ {
		err := p.app.DB.Update(pl.under(context.Background()), func(tx *db.Tx) error {
			h, err := ledger.FindHold(tx, p.shared.party.id, id, euro)
			if err != nil {
				return err
			}
			return way(tx, h)
		})
		p.note("shared: end a hold", codeOf(err), errorText(err), pl)
		switch code := codeOf(err); {
		case pl.took > 0:
			return true, nil
		case code == "ended":
			return false, nil
		case code != "P501" || !p.excused(n, 0):
			return false, fmt.Errorf("the end of a hold: %w", err)
		}
		pl = &plan{rng: pl.rng, chance: pl.chance / 2}
	}
}
