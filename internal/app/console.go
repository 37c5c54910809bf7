package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"kontor/internal/clock"
	"kontor/internal/console"
	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/ratelimit"
)

// consoleConfig joins the back office to the parts that its pages show. Its sign-ins have a table of guesses of
// their own: partners' programs and officers do not lock each other out.
func (a *App) consoleConfig(cfg Config) console.Config {
	return console.Config{
		DB: a.DB, Accounts: a.Officers, Partners: a.Partners, Users: a.API.Users, Banking: a.API.SEPA, Suspense: a.API.SEPA, History: a.API.History,
		Cases: a.Compliance, Proofs: decidedProofs{a.DB, a.Uploads}, Checks: a.API.Identity, Documents: shownFiles{a.Uploads},
		Events: a.API.Events, Catalog: a.Catalog, Clock: a.clock, Cursors: a.API.Cursors, Guesses: ratelimit.NewGuesses(),
		Log: cfg.Log, Metrics: cfg.Metrics, Tracer: cfg.Tracer, Environment: string(cfg.Environment), System: a.facts,
		Treasury: a.treasury,
	}
}

// facts are what the console tells of the deployment. They are cheap to read.
func (a *App) facts(ctx context.Context) ([]console.Fact, error) {
	now, err := a.backlog(ctx)
	if err != nil {
		return nil, err
	}
	version, revision := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	facts := []console.Fact{
		{Name: "Environment", Value: string(a.API.Environment)},
		{Name: "Version", Value: version},
		{Name: "Revision", Value: revision},
		{Name: "Database", Value: string(a.DB.Engine())},
		{Name: "Business time", Value: clock.Format(a.clock.Now())},
		{Name: "Events not delivered yet", Value: strconv.FormatInt(now.Events, 10)},
		{Name: "The oldest of them", Value: waited(now.OldestEvent)},
		{Name: "Partners whose receivers fail", Value: strconv.FormatInt(now.Failing, 10)},
		{Name: "The first job has been due", Value: waited(now.OldestJob)},
		{Name: "Balances that owe the platform", Value: strconv.FormatInt(now.Debts, 10)},
	}
	for _, l := range a.Compliance.Loaded() {
		facts = append(facts, console.Fact{
			Name: "Screened against", Value: fmt.Sprintf("%s, %d persons", l.Version(), l.Entities),
		})
	}
	return facts, nil
}

// treasury are the positions of exchanges with all that they have ever earned, at the market's last prices.
func (a *App) treasury(ctx context.Context) ([]exchange.Valued, error) {
	prices := a.market.Last()
	var all []exchange.Valued
	err := a.DB.Snapshot(ctx, func(r db.Reader) error {
		all = all[:0]
		positions, err := a.API.Exchange.Positions(r, time.Time{})
		if err != nil {
			return err
		}
		for _, p := range positions {
			v, err := p.Value(prices[p.Currency.Code])
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

func waited(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return "for " + d.Round(time.Second).String()
}
