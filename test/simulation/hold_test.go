package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

// holding names the operations of holds and collections in the ledger.
const holding = "SIMULATED"

// ownerID is the id under which the ledger knows an owner; false when the model knows of none.
func (p *player) ownerID(o owner) (clock.ID, bool) {
	if o.name == "" {
		return ledger.PartnerItself, true
	}
	id, err := clock.ParseID(p.model.users[o].id)
	return id, err == nil
}

func (p *player) placeHold() error {
	q := p.party()
	o := p.someOwner(q)
	owner, known := p.ownerID(o)
	if !known {
		return nil
	}
	cents := p.cents()
	var id clock.ID
	return p.perform(deed{
		what: fmt.Sprintf("hold %d of %v", cents, o), want: p.model.mayHold(o, cents),
		do: func(ctx context.Context) error {
			return p.app.DB.Update(ctx, func(tx *db.Tx) error {
				customer, err := ledger.FindCustomer(tx, q.id, owner, euro)
				if err != nil {
					return err
				}
				op := ledger.Operation{Type: holding, ID: clock.NewID()}
				id = ledger.Place(tx, q.id, op, customer.Balance, money.New(cents, euro), p.clock.Now())
				return nil
			})
		},
		happened: func() (bool, error) {
			err := p.app.DB.View(calm(), func(r db.Reader) error {
				_, err := ledger.FindHold(r, q.id, id, euro)
				return err
			})
			if errors.Is(err, db.ErrNoRows) {
				return false, nil
			}
			return err == nil, err
		},
		effect: func(m *model) { m.place(id.String(), o, cents) },
	})
}

// someHold is a hold, mostly an open one.
func (p *player) someHold() (id string, h hold, ok bool) {
	all := sortedKeys(p.model.holds)
	if p.rng.IntN(6) > 0 {
		all = slices.DeleteFunc(all, func(id string) bool { return p.model.holds[id].ended })
	}
	if len(all) == 0 {
		return "", hold{}, false
	}
	slices.SortFunc(all, func(a, b string) int { return p.model.holds[a].number - p.model.holds[b].number })
	id = all[p.rng.IntN(len(all))]
	return id, p.model.holds[id], true
}

func (p *player) captureHold() error {
	id, h, ok := p.someHold()
	if !ok {
		return nil
	}
	cents, final := 1+p.rng.Int64N(max(h.remaining, 1)), p.rng.IntN(3) == 0
	switch p.rng.IntN(5) {
	case 0:
		cents += h.remaining // too much
	case 1:
		cents = max(h.remaining, 1)
	}
	return p.step(id, h, fmt.Sprintf("capture %d of %d, final: %t", cents, h.remaining, final), p.model.mayCapture(id, cents),
		func(tx *db.Tx, l ledger.Hold) error {
			fees, err := ledger.FindAccount(tx, h.partner, ledger.PartnerItself, ledger.Fees, euro)
			if err != nil {
				return err
			}
			leg := ledger.Leg{Name: "amount", Debit: l.Account, Credit: fees, Amount: money.New(cents, euro)}
			return ledger.Capture(tx, h.partner, l, p.clock.Now(), final, leg)
		},
		func(m *model) { m.capture(id, cents, final) })
}

func (p *player) endHold() error {
	id, h, ok := p.someHold()
	if !ok {
		return nil
	}
	what, end := "release", ledger.Release
	if p.rng.IntN(2) == 0 {
		what, end = "expire", ledger.Expire
	}
	return p.step(id, h, what, p.model.mayCapture(id, 0),
		func(tx *db.Tx, l ledger.Hold) error { return end(tx, h.partner, l, p.clock.Now()) },
		func(m *model) { m.release(id) })
}

// step does one of a hold's steps. Whether it took effect shows in what remains of the hold.
func (p *player) step(id string, h hold, what, want string, do func(tx *db.Tx, l ledger.Hold) error, effect func(m *model)) error {
	parsed, err := clock.ParseID(id)
	if err != nil {
		return err
	}
	return p.perform(deed{
		what: fmt.Sprintf("hold of %v: %s", h.owner, what), want: want,
		do: func(ctx context.Context) error {
			return p.app.DB.Update(ctx, func(tx *db.Tx) error {
				l, err := ledger.FindHold(tx, h.partner, parsed, euro)
				if err != nil {
					return err
				}
				return do(tx, l)
			})
		},
		happened: func() (happened bool, err error) {
			err = p.app.DB.View(calm(), func(r db.Reader) error {
				l, err := ledger.FindHold(r, h.partner, parsed, euro)
				happened = l.Ended != h.ended || l.Remaining.Units() != h.remaining
				return err
			})
			return happened, err
		},
		effect: effect,
	})
}

var countOperation = db.NewQuery(`SELECT COUNT(*) FROM ledger_transfer WHERE partner_id = $1 AND operation_id = $2`)

// collect takes money from an owner who cannot refuse.
func (p *player) collect() error {
	q := p.party()
	o := p.someOwner(q)
	id, known := p.ownerID(o)
	if !known {
		return nil
	}
	cents := p.cents()
	op := ledger.Operation{Type: holding, ID: clock.NewID()}
	return p.perform(deed{
		what: fmt.Sprintf("collect %d from %v", cents, o),
		do: func(ctx context.Context) error {
			return p.app.DB.Update(ctx, func(tx *db.Tx) error {
				tx.Locked()
				fees, err := ledger.FindAccount(tx, q.id, ledger.PartnerItself, ledger.Fees, euro)
				if err != nil {
					return err
				}
				return ledger.Collect(tx, q.id, op, p.clock.Now(), id, "amount", fees, money.New(cents, euro))
			})
		},
		happened: func() (bool, error) {
			var legs int64
			err := p.app.DB.View(calm(), func(r db.Reader) error { return r.Row(countOperation, q.id, op.ID).Scan(&legs) })
			return legs > 0, err
		},
		effect: func(m *model) { m.take(o, q.owner("").account("fees"), cents) },
	})
}
