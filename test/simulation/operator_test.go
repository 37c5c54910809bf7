package simulation

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"kontor/internal/adjustment"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/vault"
)

// persons are those who propose and decide corrections.
var persons = []string{"person a", "person b"}

func (p *player) propose() error {
	q := p.party()
	o := p.someOwner(q)
	if _, known := p.ownerID(o); !known {
		return nil
	}
	cents := p.cents()
	if p.rng.IntN(2) == 0 {
		cents = -cents
	}
	by := persons[p.rng.IntN(len(persons))]
	var made adjustment.Adjustment
	return p.perform(deed{
		what: fmt.Sprintf("propose a correction of %v by %d", o, cents), want: p.model.mayCorrect(o),
		do: func(ctx context.Context) (err error) {
			made, err = p.app.Adjustments.Propose(ctx, adjustment.Proposal{
				Partner: q.id, User: o.name, Amount: money.New(cents, euro), Reason: "test", By: by,
			})
			return err
		},
		happened: func() (bool, error) {
			state, err := p.stateOfCase(q.id, made.ID.String())
			return state != "", err
		},
		effect: func(m *model) { m.propose(made.ID.String(), o, cents, by) },
	})
}

// stateOfCase reads the state of a correction; empty when there is none.
func (p *player) stateOfCase(partner int64, id string) (state string, err error) {
	err = p.app.DB.View(calm(), func(r db.Reader) error {
		all, err := p.app.Adjustments.List(r, adjustment.Filter{Partner: partner, Limit: 10_000})
		for _, a := range all {
			if a.ID.String() == id {
				state = string(a.State)
			}
		}
		return err
	})
	return state, err
}

func (p *player) decideCase() error {
	all := sortedKeys(p.model.cases)
	if p.rng.IntN(6) > 0 {
		all = slices.DeleteFunc(all, func(id string) bool { return p.model.cases[id].state != "PENDING" })
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b string) int { return p.model.cases[a].number - p.model.cases[b].number })
	id := all[p.rng.IntN(len(all))]
	before, by := p.model.cases[id], persons[p.rng.IntN(len(persons))]
	verdict, decide := "APPROVED", p.app.Adjustments.Approve
	if p.rng.IntN(4) == 0 {
		verdict, decide = "REJECTED", p.app.Adjustments.Reject
	}
	parsed, err := clock.ParseID(id)
	if err != nil {
		return err
	}
	return p.perform(deed{
		what: fmt.Sprintf("correction %d of %v by %d: %s", before.number, before.owner, before.cents, verdict),
		want: p.model.mayDecideCase(id, verdict, by),
		do: func(ctx context.Context) error {
			_, err := decide(ctx, parsed, by)
			return err
		},
		happened: func() (bool, error) {
			state, err := p.stateOfCase(before.partner, id)
			return state != before.state, err
		},
		effect: func(m *model) { m.decideCase(id, verdict) },
	})
}

func (p *player) issueKey() error {
	q := p.party()
	var k apiKey
	return p.perform(deed{
		what: fmt.Sprintf("issue a key of partner %d", q.id),
		do: func(ctx context.Context) (err error) {
			k.id, k.text, err = p.app.Partners.IssueKeyWith(ctx, q.id, partner.KeyTerms{Label: "test"})
			return err
		},
		happened: func() (bool, error) {
			keys, err := p.app.Partners.Keys(calm(), q.id)
			return slices.ContainsFunc(keys, func(other partner.Key) bool { return other.ID == k.id }), err
		},
		effect: func(*model) { q.keys = append(q.keys, k) },
	})
}

// revokeKey ends a partner's oldest key, unless it is the only one.
func (p *player) revokeKey() error {
	q := p.party()
	if len(q.keys) < 2 {
		return nil
	}
	k := q.keys[0]
	return p.perform(deed{
		what: fmt.Sprintf("revoke a key of partner %d", q.id),
		do: func(ctx context.Context) error {
			_, err := p.app.Partners.RevokeKey(ctx, q.id, k.id)
			return err
		},
		happened: func() (bool, error) {
			keys, err := p.app.Partners.Keys(calm(), q.id)
			return slices.ContainsFunc(keys, func(other partner.Key) bool { return other.ID == k.id && !other.RevokedAt.IsZero() }), err
		},
		effect: func(*model) {
			q.keys = q.keys[1:]
			q.revoked = append(q.revoked, revocation{k, time.Now()})
		},
	})
}

// revocation is a key that lost its force.
type revocation struct {
	apiKey
	at time.Time
}

// keyMemory is how long a node may trust a key that was revoked while nobody could tell it.
const keyMemory = time.Second

// useRevokedKey calls with a key that must not let anybody in, each time from another address, because addresses
// from which wrong keys come are stopped.
func (p *player) useRevokedKey() error {
	q := p.party()
	if len(q.revoked) == 0 {
		return nil
	}
	k := q.revoked[p.rng.IntN(len(q.revoked))]
	if time.Since(k.at) < keyMemory {
		return nil
	}
	q.guesses++
	address := fmt.Sprintf("198.51.%d.%d:1000", q.id%256, q.guesses%256)
	r := &request{party: q, method: http.MethodGet, path: "/v1/partner/balances", apiKey: k.text, address: address}
	_, err := p.ask(r, wish{code: "P401"})
	return err
}

// storeUses stores when keys were last used, which changes nothing that the model knows.
func (p *player) storeUses() error {
	pl, before := p.plan(0), p.faults.past()
	err := p.app.Partners.StoreUses(pl.under(calm()))
	p.note("store the last uses of keys", codeOf(err), errorText(err), pl)
	if err != nil && p.faults.count() == before {
		return err
	}
	return nil
}

// rotateMasterKey seals the data keys anew. The program goes on, and needs the new key at its next start.
func (p *player) rotateMasterKey() error {
	fresh := p.world.master + 1
	err := p.perform(deed{
		what: fmt.Sprintf("rotate the master key from %d to %d", p.world.master, fresh),
		do: func(ctx context.Context) error {
			return vault.Rotate(ctx, p.app.DB, masterKey(p.world.master), masterKey(fresh), func(tx *db.Tx) error {
				return audit.Write(tx, audit.Entry{Actor: audit.Actor(ctx), Action: "masterkey.rotate", Partner: ledger.Operator})
			})
		},
		happened: func() (bool, error) {
			_, err := vault.Open(calm(), p.app.DB, masterKey(fresh))
			if codeOf(err) == "wrong master key" {
				return false, nil
			}
			return err == nil, err
		},
		effect: func(*model) { p.world.master = fresh },
	})
	if err != nil {
		return err
	}
	_, err = vault.Open(calm(), p.app.DB, masterKey(p.world.master-1))
	if p.world.master > 1 && codeOf(err) != "wrong master key" {
		return fmt.Errorf("I10: after a rotation the old master key opens the database: %w", err)
	}
	return nil
}
