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

// treasuryCommand shows what exchanges have made of the platform's money, and notes what was done against it.
type treasuryCommand struct {
	Show  treasuryShow  `cmd:"" help:"Show the position and the exposure in each currency, and what exchanges have earned."`
	Hedge treasuryHedge `cmd:"" help:"Note that a position was hedged elsewhere. It moves no money."`
}

type treasuryHedge struct {
	store
	person
	Currency string `arg:"" help:"What was bought or sold: btc, eth …"`
	Bought   string `help:"How much of it was bought." xor:"side" required:"" placeholder:"AMOUNT"`
	Sold     string `help:"How much of it was sold." xor:"side" required:"" placeholder:"AMOUNT"`
	Price    string `help:"EUR for one unit, fees of the venue included." required:""`
	Reason   string `help:"Why, and where: kept for ever." required:""`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run notes the hedge and prints its id.
func (c treasuryHedge) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		h, err := c.hedge(ctx, a)
		if err != nil {
			return err
		}
		if h, err = a.API.Exchange.NoteHedge(ctx, h); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"id": h.ID.String()})
		}
		_, err = fmt.Fprintln(out, h.ID)
		return err
	})
}

// hedge reads the flags.
func (c treasuryHedge) hedge(ctx context.Context, a *app.App) (h exchange.Hedge, err error) {
	currency, ok := a.Catalog.Currency(c.Currency)
	if !ok {
		return h, fmt.Errorf("%q is not a currency of this deployment", c.Currency)
	}
	h = exchange.Hedge{Reason: c.Reason, By: c.name(ctx)}
	if h.Amount, err = money.Parse(c.Bought+c.Sold, currency); err != nil {
		return h, fmt.Errorf("%q is not an amount in %s with at most %d decimals", c.Bought+c.Sold, currency.Code, currency.Scale)
	}
	if c.Sold != "" {
		h.Amount = h.Amount.Neg()
	}
	if h.Price, err = money.ParseRate(c.Price); err != nil {
		return h, fmt.Errorf("--price %q: %w", c.Price, err)
	}
	return h, nil
}

type treasuryShow struct {
	store
	Since string `help:"Earnings since this time (ISO 8601, or a date); without it, all."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

type shownPosition struct {
	Currency    string  `json:"currency"`
	Owed        string  `json:"owed"`
	Open        string  `json:"open"`
	Hedged      string  `json:"hedged"`
	HedgedAt    *string `json:"hedgedAt"` // null: never
	Exposure    string  `json:"exposure"`
	Price       *string `json:"price"`   // EUR, the last one that was kept; null: none was
	OpenEUR     *string `json:"openEur"` // at that price, as the other figures in EUR
	ExposureEUR *string `json:"exposureEur"`
	LimitEUR    *string `json:"maxExposureEur"` // null: none
	Exchanges   int64   `json:"exchanges"`
	Fees        string  `json:"fees"`
	GainEUR     string  `json:"gainEur"`
	ProfitEUR   *string `json:"profitEur"` // fees and gain
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
		rows := [][]string{{
			"CURRENCY", "OWED", "OPEN", "HEDGED", "EXPOSURE", "PRICE", "EXPOSURE EUR", "LIMIT EUR", "EXCHANGES", "FEES", "GAIN EUR",
			"PROFIT EUR", "LAST HEDGE",
		}}
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
				rows = append(rows, s.row(p.HedgedAt))
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
	v, err := p.Value(price)
	if err != nil {
		return shownPosition{}, err
	}
	s := shownPosition{
		Currency: p.Currency.Code, Owed: p.Owed.String(), Open: p.Open.String(), Hedged: p.Hedged.String(),
		HedgedAt: jsonTime(p.HedgedAt), Exposure: p.Exposure.String(), Exchanges: p.Exchanges, Fees: p.Fees.String(),
		GainEUR: money.New(p.Gain, money.Currency{Code: "eur", Scale: 8}).String(),
	}
	if !p.Limit.IsZero() {
		limit := p.Limit.String()
		s.LimitEUR = &limit
	}
	if !price.IsZero() {
		shown, open, exposure, profit := price.String(), v.OpenEUR.String(), v.ExposureEUR.String(), v.ProfitEUR.String()
		s.Price, s.OpenEUR, s.ExposureEUR, s.ProfitEUR = &shown, &open, &exposure, &profit
	}
	return s, nil
}

// row is a line of the table.
func (s shownPosition) row(hedged time.Time) []string {
	last := "-"
	if !hedged.IsZero() {
		last = when(hedged)
	}
	return []string{
		s.Currency, s.Owed, s.Open, s.Hedged, s.Exposure, orDash(text(s.Price)), orDash(text(s.ExposureEUR)), orDash(text(s.LimitEUR)),
		strconv.FormatInt(s.Exchanges, 10), s.Fees, s.GainEUR, orDash(text(s.ProfitEUR)), last,
	}
}

// text is what a member holds, or nothing.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
