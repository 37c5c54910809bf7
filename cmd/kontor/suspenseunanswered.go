package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/sepa"
)

type suspenseUnanswered struct {
	store
	Limit int  `help:"How many at most." default:"50"`
	JSON  bool `name:"json" help:"Print JSON."`
}

type listedReturn struct {
	ID       string  `json:"id"`
	Item     string  `json:"item"`
	Partner  *string `json:"partner"` // null: the payment was nobody's
	Amount   string  `json:"amount"`
	Currency string  `json:"currency"`
	Since    *string `json:"since"`
}

// Run prints one line for each return that the bank has not answered.
func (c suspenseUnanswered) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	return c.reading(ctx, log, func(a *app.App) error {
		var all []sepa.Unanswered
		err := a.DB.View(ctx, func(r db.Reader) (err error) {
			all, err = a.API.SEPA.ListUnanswered(r, c.Limit)
			return err
		})
		if err != nil {
			return err
		}
		listed := []listedReturn{}
		rows := [][]string{{"RETURN", "ITEM", "PARTNER", "AMOUNT", "CURRENCY", "SINCE"}}
		for _, u := range all {
			l := listedReturn{u.ID.String(), u.Item.String(), nil, u.Amount.String(), u.Amount.Currency().Code, jsonTime(u.Since)}
			partner := "-"
			if u.Partner != ledger.Operator {
				partner = strconv.FormatInt(u.Partner, 10)
				l.Partner = &partner
			}
			listed = append(listed, l)
			rows = append(rows, []string{l.ID, l.Item, partner, l.Amount, l.Currency, *l.Since})
		}
		if c.JSON {
			return printJSON(out, listed)
		}
		return printTable(out, rows...)
	})
}

type suspenseReopen struct {
	store
	person
	Return string `arg:"" help:"Id of the return."`
	Reason string `help:"What the bank says; kept for ever, in the audit log." required:""`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Run lets a payment wait for a decision again.
func (c suspenseReopen) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	id, err := clock.ParseID(c.Return)
	if err != nil {
		return fmt.Errorf("%q is not the id of a return; kontor suspense unanswered shows them", c.Return)
	}
	return c.with(ctx, log, func(a *app.App) error {
		if err := a.API.SEPA.Reopen(ctx, id, c.name(ctx), c.Reason); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"id": c.Return})
		}
		_, err := fmt.Fprintln(out, "reopened: kontor suspense list shows it")
		return err
	})
}
