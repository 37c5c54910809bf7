package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/sepa"
)

// suspenseCommand lets officers decide about money on suspense without the console.
type suspenseCommand struct {
	List       suspenseList       `cmd:"" help:"List incoming money that waits for a decision, the longest waiting first; with --decided, what was decided, the newest decision first."`
	Show       suspenseShow       `cmd:"" help:"Show one item with its decisions. The look is in the audit log."`
	Release    suspenseRelease    `cmd:"" help:"Credit a deposit to its owner."`
	Assign     suspenseAssign     `cmd:"" help:"Make a payment that was nobody's a deposit of an owner, which is then checked like any other."`
	Return     suspenseReturn     `cmd:"" help:"Send a payment back to who sent it."`
	Unanswered suspenseUnanswered `cmd:"" help:"List payments to be sent back that the bank has neither refused nor debited for more than five days, the oldest first."`
	Reopen     suspenseReopen     `cmd:"" help:"Decide anew about a payment that the bank, when asked, says it will not send back."`
	Close      suspenseClose      `cmd:"" help:"Book a debit or a return that fits nothing against the operator's equity. It always takes two persons."`
}

type suspenseList struct {
	store
	Decided bool `help:"What was decided."`
	Limit   int  `help:"How many at most." default:"50"`
	JSON    bool `name:"json" help:"Print JSON."`
}

type listedItem struct {
	ID        string  `json:"id"`
	Kind      string  `json:"kind"`
	Partner   *string `json:"partner"`        // null: nobody's
	User      *string `json:"externalUserId"` // null: the partner itself, or nobody
	Amount    string  `json:"amount"`
	Currency  string  `json:"currency"`
	State     string  `json:"state"`
	Proposed  bool    `json:"proposed"`
	Why       string  `json:"reason"`
	Hindrance string  `json:"hindrance"`
	Progress  string  `json:"progress"`
	Since     *string `json:"since"`
}

// listItem shows an item without what it says of persons.
func listItem(r db.Reader, it sepa.Item) (listedItem, error) {
	l := listedItem{
		ID: it.ID.String(), Kind: string(it.Kind), Amount: it.Amount.String(), Currency: it.Amount.Currency().Code, State: it.State,
		Proposed: it.Proposed, Why: it.Why, Hindrance: it.Hindrance, Progress: it.Progress, Since: jsonTime(it.Since),
	}
	if it.Partner == ledger.Operator {
		return l, nil
	}
	partner := strconv.FormatInt(it.Partner, 10)
	l.Partner = &partner
	var err error
	l.User, err = customer(r, it.Partner, it.Owner)
	return l, err
}

// Run prints one line for each item.
func (c suspenseList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	return c.reading(ctx, log, func(a *app.App) error {
		var listed []listedItem
		err := a.DB.Snapshot(ctx, func(r db.Reader) error {
			listed = []listedItem{}
			all, err := a.API.SEPA.ListItems(r, sepa.ItemFilter{Decided: c.Decided, Limit: c.Limit})
			if err != nil {
				return err
			}
			for _, it := range all {
				l, err := listItem(r, it)
				if err != nil {
					return err
				}
				listed = append(listed, l)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, listed)
		}
		rows := [][]string{{"ID", "KIND", "PARTNER", "USER", "AMOUNT", "CURRENCY", "STATE", "REASON", "SINCE"}}
		for _, l := range listed {
			state := l.State
			if l.Proposed {
				state = "PROPOSED"
			}
			partner, whose := "-", "-"
			if l.Partner != nil {
				partner, whose = *l.Partner, shown(l.User)
			}
			since := "-"
			if l.Since != nil {
				since = *l.Since
			}
			rows = append(rows, []string{l.ID, l.Kind, partner, whose, l.Amount, l.Currency, state, orDash(l.Why), since})
		}
		return printTable(out, rows...)
	})
}

// oneItem names an item.
type oneItem struct {
	store
	ID   string `arg:"" help:"Id of the item."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c oneItem) id() (clock.ID, error) {
	id, err := clock.ParseID(c.ID)
	if err != nil {
		return clock.ID{}, fmt.Errorf("%q is not the id of an item; kontor suspense list shows them", c.ID)
	}
	return id, nil
}

type suspenseShow struct{ oneItem }

type shownItem struct {
	listedItem
	Name      string      `json:"name"`
	IBAN      string      `json:"iban"`
	Title     string      `json:"title"`
	EndToEnd  string      `json:"endToEndId"`
	Reference string      `json:"bankReference"`
	Booked    *string     `json:"bookedOn"`
	Score     int64       `json:"nameScore"` // in thousandths
	Verdicts  []string    `json:"verdicts"`  // what can be decided now
	Decisions []shownSaid `json:"decisions"`
}

type shownSaid struct {
	shownDecision
	ToPartner string `json:"toPartner,omitempty"`
	ToOwner   string `json:"toOwnerId,omitempty"`
}

func showItem(l listedItem, it sepa.Item) shownItem {
	out := shownItem{
		listedItem: l, Name: it.Name, IBAN: it.IBAN, Title: it.Title, EndToEnd: it.EndToEnd, Reference: it.Reference, Booked: jsonTime(it.Day),
		Score: it.Score, Verdicts: []string{}, Decisions: []shownSaid{},
	}
	for _, v := range it.Verdicts() {
		out.Verdicts = append(out.Verdicts, string(v))
	}
	for _, d := range it.Decisions {
		said := shownSaid{shownDecision: jsonDecision(d.Decided)}
		if d.ToPartner != ledger.Operator {
			said.ToPartner, said.ToOwner = strconv.FormatInt(d.ToPartner, 10), d.ToOwner.String()
		}
		out.Decisions = append(out.Decisions, said)
	}
	return out
}

// Run prints the item. It names persons, so that looking at it is an entry of the audit log, as it is in the console.
func (c suspenseShow) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	return c.with(ctx, log, func(a *app.App) error {
		var found shownItem
		err := a.DB.Update(ctx, func(tx *db.Tx) error {
			it, err := a.API.SEPA.FindItem(tx, id)
			if err != nil {
				return err
			}
			l, err := listItem(tx, it)
			if err != nil {
				return err
			}
			found = showItem(l, it)
			return audit.Write(tx, audit.Entry{Actor: audit.Actor(ctx), Action: "suspense.view", Partner: it.Partner, Object: c.ID})
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, found)
		}
		return printItem(out, found)
	})
}

func printItem(out io.Writer, i shownItem) error {
	whose := "-"
	if i.Partner != nil {
		whose = shown(i.User)
	}
	text := func(p *string) string {
		if p == nil {
			return "-"
		}
		return *p
	}
	err := printTable(out, []string{"item", i.ID}, []string{"kind", i.Kind}, []string{"partner", text(i.Partner)}, []string{"user", whose},
		[]string{"amount", i.Amount + " " + i.Currency}, []string{"name", orDash(i.Name)}, []string{"IBAN", orDash(i.IBAN)},
		[]string{"title", orDash(i.Title)}, []string{"end-to-end id", orDash(i.EndToEnd)}, []string{"bank's reference", orDash(i.Reference)},
		[]string{"since", text(i.Since)}, []string{"state", i.State}, []string{"waits because", orDash(i.Why)},
		[]string{"in the way now", orDash(i.Hindrance)}, []string{"name score", fmt.Sprintf("%d of 1000", i.Score)}, []string{"way back", orDash(i.Progress)})
	for _, d := range i.Decisions {
		kind := "proposed"
		if d.Final {
			kind = "decided"
		}
		to := ""
		if d.ToPartner != "" {
			to = fmt.Sprintf(" to partner %s, owner %s", d.ToPartner, d.ToOwner)
		}
		_, printErr := fmt.Fprintf(out, "\n%s%s %s by %s at %s: %s\n", d.Verdict, to, kind, d.Officer, text(d.At), d.Reason)
		err = errors.Join(err, printErr)
	}
	return err
}

// itemDecision is what all decisions have in common.
type itemDecision struct {
	oneItem
	person
	Reason string `help:"Why; kept for ever, and shown to officers only." required:""`
}

// decide decides, or proposes.
func (c itemDecision) decide(ctx context.Context, out io.Writer, log *slog.Logger, v compliance.Verdict, to sepa.Target) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	return c.with(ctx, log, func(a *app.App) error {
		it, err := a.API.SEPA.Decide(ctx, sepa.Decision{Item: id, Officer: c.name(ctx), Verdict: v, Reason: c.Reason, To: to})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]any{"id": c.ID, "state": it.State, "proposed": it.Proposed})
		}
		if it.State == sepa.ItemWaiting {
			_, err = fmt.Fprintf(out, "%s proposed; another officer confirms it by the same command\n", v)
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", it.State)
		return err
	})
}

type suspenseRelease struct{ itemDecision }

// Run credits a deposit.
func (c suspenseRelease) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.decide(ctx, out, log, sepa.Release, sepa.Target{})
}

type suspenseReturn struct{ itemDecision }

// Run sends a payment back.
func (c suspenseReturn) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.decide(ctx, out, log, sepa.GiveBack, sepa.Target{})
}

type suspenseClose struct{ itemDecision }

// Run books a debit, or a return, against the operator's equity.
func (c suspenseClose) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.decide(ctx, out, log, sepa.Close, sepa.Target{})
}

type suspenseAssign struct {
	itemDecision
	Partner int64  `help:"Id of the partner who gets the payment." required:""`
	User    string `help:"externalUserId of the user. Without it, the partner itself." placeholder:"EXTERNAL"`
}

// Run gives a payment to an owner.
func (c suspenseAssign) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.decide(ctx, out, log, sepa.Assign, sepa.Target{Partner: c.Partner, User: c.User})
}
