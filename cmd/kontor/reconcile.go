package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"kontor/internal/adjustment"
	"kontor/internal/app"
	"kontor/internal/db"
	"kontor/internal/rail/bank"
	"kontor/internal/sepa"
)

// reconcileCommand compares the books with what the bank says.
type reconcileCommand struct {
	Bank      reconcileBank      `cmd:"" help:"Compare the bank's end-of-day balances with the books; name what makes a difference."`
	Open      reconcileOpen      `cmd:"" help:"Book what the bank had before its first statement against the operator's equity. It always takes two persons: the first proposes, the other one says the same."`
	Statement reconcileStatement `cmd:"" help:"Staging: let the sandbox's bank make its statement now, instead of at midnight."`
}

type reconcileBank struct {
	place
	Day  string `help:"Only this day, as 2026-03-01. Without it the newest statements."`
	Last int    `help:"How many statements are shown at most." default:"10"`
	JSON bool   `name:"json" help:"Print JSON."`
}

// maxStatements is how many statements are shown at most.
const maxStatements = 1000

type shownDay struct {
	Account     string            `json:"account"`
	Day         string            `json:"day"`
	Statement   string            `json:"statement"`
	Sequence    int64             `json:"sequence"` // 0: the bank gave none
	MadeAt      *string           `json:"madeAt"`
	Opening     string            `json:"opening"`
	Closing     string            `json:"closing"`
	Lines       int64             `json:"lines"`
	Books       string            `json:"books"`
	Difference  string            `json:"difference"`
	Agrees      bool              `json:"agrees"`
	Differences []shownDifference `json:"differences"`
	Unnamed     int64             `json:"unnamed"`
}

type shownDifference struct {
	Cause     string `json:"cause"`
	Amount    string `json:"amount"`
	Reference string `json:"reference,omitempty"`
	Text      string `json:"text"`
}

// Run prints the statements and their differences; the exit status is 1 when the newest of them does not agree.
func (c reconcileBank) Run(ctx context.Context, out io.Writer) error {
	var since time.Time
	limit := min(max(c.Last, 1), maxStatements)
	if c.Day != "" {
		var err error
		if since, err = time.Parse(time.DateOnly, c.Day); err != nil {
			return fmt.Errorf("--day %q is not a day such as 2026-03-01", c.Day)
		}
		limit = maxStatements
	}
	days, err := c.read(ctx, since, limit)
	if err != nil {
		return err
	}
	if !since.IsZero() {
		days = slices.DeleteFunc(days, func(d sepa.Day) bool { return !d.Day.Equal(since) })
		if len(days) == 0 {
			return fmt.Errorf("the bank has given no statement of %s", c.Day)
		}
	}
	if c.JSON {
		err = printJSON(out, showDays(days))
	} else {
		err = printDays(out, days)
	}
	if err == nil && len(days) > 0 && !days[0].Agrees() {
		return exitStatus(1)
	}
	return err
}

func (c reconcileBank) read(ctx context.Context, since time.Time, limit int) (days []sepa.Day, err error) {
	d, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	err = d.Snapshot(ctx, func(r db.Reader) (err error) {
		days, err = sepa.Days(r, sepa.Span{Since: since, Limit: limit})
		return err
	})
	return days, errors.Join(err, d.Close())
}

func showDays(days []sepa.Day) []shownDay {
	all := make([]shownDay, len(days))
	for i, d := range days {
		all[i] = shownDay{
			Account: string(d.Account), Day: d.Day.Format(time.DateOnly), Statement: d.ID, Sequence: d.Sequence, MadeAt: jsonTime(d.MadeAt),
			Opening: d.Opening.String(), Closing: d.Closing.String(), Lines: d.Lines, Books: d.Books.String(),
			Difference: d.Difference.String(), Agrees: d.Agrees(), Differences: []shownDifference{}, Unnamed: d.Unnamed,
		}
		for _, n := range d.Differences {
			all[i].Differences = append(all[i].Differences, shownDifference{string(n.Cause), n.Amount.String(), n.Reference, n.String()})
		}
	}
	return all
}

func printDays(out io.Writer, days []sepa.Day) error {
	if len(days) == 0 {
		_, err := fmt.Fprintln(out, "the bank has given no statement yet")
		return err
	}
	rows := [][]string{{"DAY", "STATEMENT", "LINES", "OPENING", "CLOSING", "BOOKS", "DIFFERENCE"}}
	named := [][]string{{"DAY", "AMOUNT", "WHY"}}
	for _, d := range days {
		day := d.Day.Format(time.DateOnly)
		rows = append(rows, []string{
			day, d.ID, strconv.FormatInt(d.Lines, 10), d.Opening.String(), d.Closing.String(), d.Books.String(), d.Difference.String(),
		})
		for _, n := range d.Differences {
			named = append(named, []string{day, n.Amount.String(), n.String()})
		}
		if d.Unnamed > 0 {
			named = append(named, []string{day, "", fmt.Sprintf("and %d more payments", d.Unnamed)})
		}
	}
	if err := printTable(out, rows...); err != nil || len(named) == 1 {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return printTable(out, named...)
}

type reconcileOpen struct {
	store
	person
	Amount signed `help:"What the bank had more than the books before its first statement, as reconcile bank tells: 1234.56." required:""`
	Reason string `help:"Why; kept for ever." required:""`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Run proposes or confirms, and prints which of the two.
func (c reconcileOpen) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		euro, ok := a.Catalog.Currency("eur")
		if !ok {
			return errors.New("this deployment has no eur")
		}
		amount, err := adjustment.ParseAmount(string(c.Amount), euro)
		if err != nil {
			return err
		}
		said, err := a.API.SEPA.OpenBank(ctx, sepa.Opening{Amount: amount, Person: c.name(ctx), Reason: c.Reason})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]any{
				"amount": said.Amount.String(), "by": said.Person, "proposedBy": said.ProposedBy, "booked": said.Final,
				"day": said.Day.Format(time.DateOnly), "statement": said.Statement,
			})
		}
		if said.Final {
			_, err = fmt.Fprintf(out, "booked %s eur against equity, as proposed by %s\n", said.Amount, said.ProposedBy)
			return err
		}
		_, err = fmt.Fprintf(out, "proposed by %s; another person confirms it by the same command\n", said.Person)
		return err
	})
}

type reconcileStatement struct {
	store
	JSON bool `name:"json" help:"Print JSON."`
}

// Run makes a statement, which is taken as one of a real bank, and prints its number.
func (c reconcileStatement) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		if err := inProcess(ctx, a); err != nil {
			return err
		}
		made, err := a.SandboxBank.CloseNow(ctx)
		if err != nil {
			return err
		}
		if err := a.SandboxBank.SendNow(ctx, made); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]int64{"sequence": made.Sequence})
		}
		_, err = fmt.Fprintf(out, "statement %d\n", made.Sequence)
		return err
	})
}

// inProcess makes sure that the sandbox's bank in the program itself keeps the account, and no other one does.
func inProcess(ctx context.Context, a *app.App) error {
	if a.SandboxBank == nil {
		return errors.New("this deployment has no sandbox bank: a real bank makes its statements itself")
	}
	var files bool
	err := a.DB.View(ctx, func(r db.Reader) (err error) {
		files, err = bank.Exchanged(r)
		return err
	})
	if err == nil && files {
		err = errors.New("this deployment exchanges files with a bank, which makes its statements itself; the sandbox's does so by kontor sandbox-bank statement")
	}
	return err
}
