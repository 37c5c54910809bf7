package scenario

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"kontor/internal/adjustment"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/sepa"
	"kontor/internal/user"
)

// command is what the operator does to the partner between two calls, as kontor partner, kontor key, kontor
// adjust and kontor user do it: one of these.
type command struct {
	Close  bool
	Revoke bool // the API key that the scenario uses
	Set    map[string]string
	Adjust *correction
	// Freeze and Unfreeze name a user.
	Freeze, Unfreeze string
	Wait             time.Duration // moves the clock of the sandbox
	Decide           *decision
}

// decision is an officer's on a deposit that waits on suspense.
type decision struct{ Deposit, Verdict string }

// correction is a correction, which two persons make.
type correction struct {
	User     string // none: the partner itself
	Amount   string
	Currency string // none: eur
	Reason   string
}

// check refuses a step that is more than the command.
func (c *command) check(s *step) error {
	given := 0
	for _, is := range []bool{
		c.Close, c.Revoke, c.Set != nil, c.Adjust != nil, c.Freeze != "", c.Unfreeze != "", c.Wait > 0, c.Decide != nil,
	} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("the operator does one of close, revoke, set, adjust, freeze, unfreeze, wait and decide")
	}
	if s.Call != "" || s.Status != 0 || s.Parallel != 0 || s.Each != nil {
		return errors.New("a step of the operator has no call and nothing that belongs to one but events")
	}
	return nil
}

func (c *command) run(ctx context.Context, whose *caller, v vars) error {
	partners := whose.app.Partners
	var err error
	switch {
	case c.Close:
		_, err = partners.Close(ctx, whose.id)
	case c.Revoke:
		_, err = partners.RevokeKey(ctx, whose.id, whose.keyID)
	case c.Set != nil:
		changes := map[string]string{}
		for name, value := range c.Set {
			changes[name] = withWebhook(value, whose.url)
		}
		_, err = partners.Set(ctx, whose.id, changes)
	case c.Adjust != nil:
		err = c.Adjust.run(ctx, whose)
	case c.Wait > 0:
		err = whose.wait(c.Wait)
	case c.Decide != nil:
		err = c.Decide.run(ctx, whose, v)
	default:
		err = c.freeze(ctx, whose)
	}
	return err
}

// wait moves the clock of a program that has one of its own.
func (p *platform) wait(d time.Duration) error {
	own, ok := p.app.API.Clock.(*ahead)
	if !ok {
		return errors.New("only where the scenario has a deployment time can be made to pass")
	}
	own.by.Add(int64(d))
	return nil
}

// ahead is the machine's clock, moved forward.
type ahead struct{ by atomic.Int64 }

// Now returns the time.
func (a *ahead) Now() time.Time { return clock.System().Now().Add(time.Duration(a.by.Load())) }

// run decides, once the deposit has come to rest on suspense.
func (d *decision) run(ctx context.Context, whose *caller, v vars) error {
	text, err := v.text(d.Deposit)
	if err != nil {
		return err
	}
	id, err := clock.ParseID(text)
	if err != nil {
		return err
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		_, err := whose.app.API.SEPA.Decide(ctx, sepa.Decision{
			Item: id, Officer: "officer", Verdict: compliance.Verdict(d.Verdict), Reason: "A reason of the test's",
		})
		if !errors.Is(err, sepa.ErrNoItem) {
			return err
		}
		select {
		case <-again.C:
		case <-late:
			return err
		}
	}
}

// freeze sets or lifts the operator's mark on a user.
func (c *command) freeze(ctx context.Context, whose *caller) error {
	users, name := whose.app.API.Users, cmp.Or(c.Freeze, c.Unfreeze)
	return whose.app.DB.Update(ctx, func(tx *db.Tx) error {
		u, err := user.Find(tx, whose.id, name)
		if err != nil {
			return err
		}
		if c.Freeze != "" {
			_, err = users.Freeze(tx, whose.id, u.ID, audit.Operator("test"), "A reason of the test's")
		} else {
			_, err = users.Unfreeze(tx, whose.id, u.ID, audit.Operator("test"), "A reason of the test's")
		}
		return err
	})
}

func (c *correction) run(ctx context.Context, whose *caller) error {
	currency, _ := whose.app.Catalog.Currency(cmp.Or(c.Currency, "eur"))
	amount, err := adjustment.ParseAmount(c.Amount, currency)
	if err != nil {
		return err
	}
	proposed, err := whose.app.Adjustments.Propose(ctx, adjustment.Proposal{
		Partner: whose.id, User: c.User, Amount: amount, Reason: c.Reason, By: "first",
	})
	if err != nil {
		return err
	}
	_, err = whose.app.Adjustments.Approve(ctx, proposed.ID, "second")
	return err
}
