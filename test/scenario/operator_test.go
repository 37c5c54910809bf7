package scenario

import (
	"context"
	"errors"

	"kontor/internal/adjustment"
)

// command is what the operator does to the partner between two calls, as kontor partner, kontor key and kontor
// adjust do it: one of these.
type command struct {
	Close  bool
	Revoke bool // the API key that the scenario uses
	Set    map[string]string
	Adjust *correction
}

// correction is a correction in euros, which two persons make.
type correction struct {
	User   string // none: the partner itself
	Amount string
	Reason string
}

// check refuses a step that is more than the command.
func (c *command) check(s *step) error {
	given := 0
	for _, is := range []bool{c.Close, c.Revoke, c.Set != nil, c.Adjust != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("the operator does one of close, revoke, set and adjust")
	}
	if s.Call != "" || s.Status != 0 || s.Parallel != 0 || s.Each != nil {
		return errors.New("a step of the operator has no call and nothing that belongs to one but events")
	}
	return nil
}

func (c *command) run(ctx context.Context, whose *caller) error {
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
	default:
		err = c.Adjust.run(ctx, whose)
	}
	return err
}

func (c *correction) run(ctx context.Context, whose *caller) error {
	euro, _ := whose.app.Catalog.Currency("eur")
	amount, err := adjustment.ParseAmount(c.Amount, euro)
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
