package main

import (
	"context"
	"io"
	"log/slog"
	"strconv"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

// receivablesCommand shows who owes the platform.
type receivablesCommand struct {
	List receivablesList `cmd:"" help:"List the customers who owe the platform something."`
}

type receivablesList struct {
	store
	Partner *int64 `help:"Only this partner and its users."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

type listedDebt struct {
	Partner  string  `json:"partner"`
	User     *string `json:"externalUserId"` // null: the partner itself
	Amount   string  `json:"amount"`
	Currency string  `json:"currency"`
	Since    *string `json:"since"`
}

// Run prints one line for each customer and currency.
func (c receivablesList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.reading(ctx, log, func(a *app.App) error {
		rows, listed := [][]string{{"PARTNER", "CUSTOMER", "AMOUNT", "CURRENCY", "SINCE"}}, []listedDebt{}
		err := a.DB.Snapshot(ctx, func(r db.Reader) error {
			debts, err := ledger.Debts(r, orAll(c.Partner), a.Catalog.Currency)
			if err != nil {
				return err
			}
			for _, d := range debts {
				name, err := customer(r, d.Partner, d.Owner)
				if err != nil {
					return err
				}
				currency, partner := d.Amount.Currency().Code, strconv.FormatInt(d.Partner, 10)
				rows = append(rows, []string{partner, shown(name), d.Amount.String(), currency, when(d.Since)})
				listed = append(listed, listedDebt{partner, name, d.Amount.String(), currency, jsonTime(d.Since)})
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

// orAll is the number of a partner, or one below zero for all partners.
func orAll(partner *int64) int64 {
	if partner == nil {
		return -1
	}
	return *partner
}

// customer answers the externalUserId of an owner; nil for the partner itself.
func customer(r db.Reader, partner int64, owner clock.ID) (*string, error) {
	if owner == ledger.PartnerItself {
		return nil, nil
	}
	u, err := user.FindByID(r, partner, owner)
	return &u.ExternalID, err
}

// shown is a customer's name for people.
func shown(name *string) string {
	if name == nil {
		return "(the partner)"
	}
	return *name
}
