package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"kontor/internal/adjustment"
	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
)

// adjustCommand corrects balances. Two persons are needed.
type adjustCommand struct {
	Propose adjustPropose `cmd:"" help:"Propose a correction of a balance, for another person to decide."`
	Approve adjustApprove `cmd:"" help:"Approve a correction, which executes it at once. Not for the person who proposed it."`
	Reject  adjustReject  `cmd:"" help:"Reject a correction. Not for the person who proposed it."`
	List    adjustList    `cmd:"" help:"List corrections, the newest first."`
}

// person says who acts.
type person struct {
	As string `help:"Who acts. Without it, the user of the operating system." env:"KONTOR_OPERATOR"`
}

func (p person) name(ctx context.Context) string {
	if p.As != "" {
		return p.As
	}
	return strings.TrimPrefix(audit.Actor(ctx), audit.Operator(""))
}

// signed is an amount with its sign. Unlike other values of flags it may begin with a hyphen.
type signed string

// Decode takes the next word, whatever it begins with.
func (s *signed) Decode(ctx *kong.DecodeContext) error {
	text, ok := ctx.Scan.Pop().Value.(string)
	if !ok || text == "" {
		return errors.New("an amount such as -12.50 is expected")
	}
	*s = signed(text)
	return nil
}

type adjustPropose struct {
	store
	person
	Partner  int64  `help:"Id of the partner." required:""`
	User     string `help:"externalUserId of the user. Without it, the partner's own balance." placeholder:"EXTERNAL"`
	Amount   signed `help:"What the customer gets, or with a minus, what is taken: -12.50." required:""`
	Currency string `help:"Currency of the balance: eur, btc …" required:""`
	Reason   string `help:"Why; kept for ever and shown in the customer's history." required:""`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run notes the proposal and prints its id.
func (c adjustPropose) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		currency, ok := a.Catalog.Currency(c.Currency)
		if !ok {
			return fmt.Errorf("%q is not a currency of this deployment", c.Currency)
		}
		amount, err := adjustment.ParseAmount(string(c.Amount), currency)
		if err != nil {
			return err
		}
		made, err := a.Adjustments.Propose(ctx, adjustment.Proposal{
			Partner: c.Partner, User: c.User, Amount: amount, Reason: c.Reason, By: c.name(ctx),
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"id": made.ID.String()})
		}
		_, err = fmt.Fprintf(out, "%s\nAnother person decides it: kontor adjust approve %[1]s, or kontor adjust reject %[1]s\n", made.ID)
		return err
	})
}

// decision is what approve and reject have in common.
type decision struct {
	store
	person
	ID   string `arg:"" help:"Id of the proposal."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// decide runs the verdict, and prints what became of the correction.
func (c decision) decide(ctx context.Context, out io.Writer, log *slog.Logger, verdict func(s *adjustment.Service, id clock.ID) (adjustment.Adjustment, error)) error {
	id, err := clock.ParseID(c.ID)
	if err != nil {
		return fmt.Errorf("%q is not the id of a proposal; kontor adjust list shows them", c.ID)
	}
	return c.with(ctx, log, func(a *app.App) error {
		done, err := verdict(a.Adjustments, id)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"id": c.ID, "state": string(done.State), "decidedBy": done.DecidedBy})
		}
		what := "rejected"
		if done.State == adjustment.Approved {
			what = "approved and executed"
		}
		_, err = fmt.Fprintf(out, "%s by %s: %s %s\n", what, done.DecidedBy, done.Amount, done.Amount.Currency().Code)
		return err
	})
}

type adjustApprove struct{ decision }

// Run approves and executes.
func (c adjustApprove) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.decide(ctx, out, log, func(s *adjustment.Service, id clock.ID) (adjustment.Adjustment, error) {
		return s.Approve(ctx, id, c.name(ctx))
	})
}

type adjustReject struct{ decision }

// Run rejects.
func (c adjustReject) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.decide(ctx, out, log, func(s *adjustment.Service, id clock.ID) (adjustment.Adjustment, error) {
		return s.Reject(ctx, id, c.name(ctx))
	})
}

type adjustList struct {
	store
	Partner *int64 `help:"Only those of this partner."`
	Pending bool   `help:"Only those that wait for a decision."`
	Limit   int    `help:"How many at most." default:"50"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

type listedAdjustment struct {
	ID         string  `json:"id"`
	Partner    string  `json:"partner"`
	User       *string `json:"externalUserId"` // null: the partner itself
	Amount     string  `json:"amount"`
	Currency   string  `json:"currency"`
	State      string  `json:"state"`
	Reason     string  `json:"reason"`
	ProposedBy string  `json:"proposedBy"`
	ProposedAt *string `json:"proposedAt"`
	DecidedBy  string  `json:"decidedBy"`
	DecidedAt  *string `json:"decidedAt"`
}

// Run prints one line for each correction.
func (c adjustList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	return c.reading(ctx, log, func(a *app.App) error {
		rows := [][]string{{"ID", "PARTNER", "CUSTOMER", "AMOUNT", "CURRENCY", "STATE", "PROPOSED", "BY", "DECIDED", "BY", "REASON"}}
		listed := []listedAdjustment{}
		err := a.DB.View(ctx, func(r db.Reader) error {
			all, err := a.Adjustments.List(r, adjustment.Filter{Partner: orAll(c.Partner), Pending: c.Pending, Limit: c.Limit})
			if err != nil {
				return err
			}
			for _, x := range all {
				name, err := customer(r, x.Partner, x.Owner)
				if err != nil {
					return err
				}
				currency, partner := x.Amount.Currency().Code, strconv.FormatInt(x.Partner, 10)
				decided := "-"
				if x.State != adjustment.Pending {
					decided = when(x.DecidedAt)
				}
				rows = append(rows, []string{
					x.ID.String(), partner, shown(name), x.Amount.String(), currency, string(x.State),
					when(x.ProposedAt), x.ProposedBy, decided, orDash(x.DecidedBy), x.Reason,
				})
				listed = append(listed, listedAdjustment{
					x.ID.String(), partner, name, x.Amount.String(), currency, string(x.State), x.Reason,
					x.ProposedBy, jsonTime(x.ProposedAt), x.DecidedBy, jsonTime(x.DecidedAt),
				})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, listed)
		}
		return printTable(out, rows...)
	})
}
