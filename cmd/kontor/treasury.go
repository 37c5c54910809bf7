package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"kontor/internal/app"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/money"
	"kontor/internal/rail/market"
)

// treasuryCommand shows what exchanges have made of the platform's money.
type treasuryCommand struct {
	Show treasuryShow `cmd:"" help:"Show the open position in each currency, and what exchanges have earned."`
}

type treasuryShow struct {
	store
	Since string `help:"Earnings since this time (ISO 8601, or a date); without it, all."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

type shownPosition struct {
	Currency  string  `json:"currency"`
	Owed      string  `json:"owed"`
	Open      string  `json:"open"`
	Price     *string `json:"price"`   // EUR, the last one that was kept; null: none was
	OpenEUR   *string `json:"openEur"` // at that price
	Exchanges int64   `json:"exchanges"`
	Fees      string  `json:"fees"`
	GainEUR   string  `json:"gainEur"`
}

// Run prints one line for each currency.
func (c treasuryShow) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	var since time.Time
	if c.Since != "" {
		var err error
		if since, err = contract.Moment(c.Since); err != nil {
			return fmt.Errorf("--since %w", err)
		}
	}
	return c.reading(ctx, log, func(a *app.App) error {
		rows := [][]string{{"CURRENCY", "OWED", "OPEN", "PRICE", "OPEN EUR", "EXCHANGES", "FEES", "GAIN EUR"}}
		listed := []shownPosition{}
		err := a.DB.Snapshot(ctx, func(r db.Reader) error {
			positions, err := a.API.Exchange.Positions(r, since)
			if err != nil {
				return err
			}
			prices, err := market.LastRecorded(r)
			if err != nil {
				return err
			}
			for _, p := range positions {
				s, err := showPosition(p, prices[p.Currency.Code].Price)
				if err != nil {
					return err
				}
				listed = append(listed, s)
				rows = append(rows, []string{
					s.Currency, s.Owed, s.Open, orDash(text(s.Price)), orDash(text(s.OpenEUR)),
					strconv.FormatInt(s.Exchanges, 10), s.Fees, s.GainEUR,
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

func showPosition(p exchange.Position, price money.Rate) (shownPosition, error) {
	s := shownPosition{
		Currency: p.Currency.Code, Owed: p.Owed.String(), Open: p.Open.String(), Exchanges: p.Exchanges, Fees: p.Fees.String(),
		GainEUR: money.New(p.Gain, money.Currency{Code: "eur", Scale: 8}).String(),
	}
	if price.IsZero() {
		return s, nil
	}
	cents, err := money.ValueOf(p.Open, price).Floor(2)
	shown, worth := price.String(), money.New(cents, money.Currency{Code: "eur", Scale: 2}).String()
	s.Price, s.OpenEUR = &shown, &worth
	return s, err
}

// text is what a member holds, or nothing.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
