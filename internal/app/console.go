package app

import (
	"kontor/internal/console"
	"kontor/internal/ratelimit"
)

// consoleConfig joins the back office to the parts that its pages show. Its sign-ins have a table of guesses of
// their own: partners' programs and officers do not lock each other out.
func (a *App) consoleConfig(cfg Config) console.Config {
	return console.Config{
		DB: a.DB, Accounts: a.Officers, Partners: a.Partners, Users: a.API.Users, Banking: a.API.SEPA, History: a.API.History,
		Events: a.API.Events, Catalog: a.Catalog, Clock: a.clock, Cursors: a.API.Cursors, Guesses: ratelimit.NewGuesses(),
		Log: cfg.Log, Metrics: cfg.Metrics, Tracer: cfg.Tracer, Environment: string(cfg.Environment),
	}
}
