package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/httpapi"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/metrics"
	"kontor/internal/sepa"
)

// Limits of readiness, in the machine's time.
const (
	pingTimeout = 2 * time.Second
	pollLimit   = 10 * time.Second // since a worker's last successful poll, of which there are several a second
)

// database are the options that a database is opened with. An observer that counts nothing is left out: it
// would cost time.
func (cfg Config) database() []db.Option {
	options := []db.Option{db.WithSchema(cfg.Schema)}
	if cfg.Metrics != nil {
		options = append(options, db.WithObserver(cfg.Metrics.Database))
	}
	if cfg.Injector != nil {
		options = append(options, db.WithInjector(cfg.Injector))
	}
	if cfg.Tracer != nil {
		options = append(options, db.WithTracer(cfg.Tracer))
	}
	return options
}

// ready tells which parts of this node do not work: the database must answer, and the workers, when they run
// here, must have found it answering a moment ago.
func (a *App) ready(ctx context.Context) []httpapi.NotReady {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var parts []httpapi.NotReady
	if err := a.DB.Ping(ctx); err != nil {
		parts = append(parts, httpapi.NotReady{Part: "database", Cause: err})
	}
	if !a.worker.Load() {
		return parts
	}
	for _, w := range []struct {
		part   string
		polled time.Time
	}{{"webhooks", a.deliverer.Polled()}, {"jobs", a.jobs.Polled()}} {
		if age := time.Since(w.polled); age > pollLimit {
			cause := fmt.Errorf("the last successful poll was %s ago", age.Round(time.Second))
			if w.polled.IsZero() {
				cause = errors.New("no poll has succeeded yet")
			}
			parts = append(parts, httpapi.NotReady{Part: w.part, Cause: cause})
		}
	}
	return parts
}

// backlog reads what waits in the whole deployment, with ages in business time.
func (a *App) backlog(ctx context.Context) (now metrics.Backlog, err error) {
	err = a.DB.View(ctx, func(r db.Reader) error {
		events, err := event.ReadBacklog(r)
		if err != nil {
			return err
		}
		due, err := job.FirstDue(r)
		if err != nil {
			return err
		}
		debts, err := ledger.Debts(r, -1, a.Catalog.Currency)
		if err != nil {
			return err
		}
		cases, oldest, err := compliance.Waiting(r)
		if err != nil {
			return err
		}
		items, oldestItem, err := sepa.ItemsWaiting(r)
		if err != nil {
			return err
		}
		unanswered, _, err := sepa.ReturnsUnanswered(r, a.clock.Now())
		if err != nil {
			return err
		}
		now = metrics.Backlog{
			Suspense: items, OldestItem: a.age(oldestItem), Unanswered: unanswered,
			Cases: cases, OldestCase: a.age(oldest),
			Events: events.Pending, Unnumbered: events.Unnumbered,
			OldestEvent: a.age(events.Oldest), Failing: events.Failing, OldestJob: a.age(due), Debts: int64(len(debts)),
		}
		for _, d := range debts {
			now.OldestDebt = max(now.OldestDebt, a.age(d.Since))
		}
		return nil
	})
	if err == nil {
		now.Bank, err = a.bankAccounts(ctx)
	}
	return now, err
}

// compareEvery is how often scrapes let the bank be compared with the books, in the machine's time.
const compareEvery = time.Minute

// compared remembers the newest statement beside the books: scrapes come more often than it changes.
type compared struct {
	mu   sync.Mutex
	at   time.Time
	days []sepa.Day
}

// bankAccounts are the newest statements of the bank beside the books, as they were at most a minute ago.
func (a *App) bankAccounts(ctx context.Context) ([]metrics.BankAccount, error) {
	c := &a.compared
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) > compareEvery {
		err := a.DB.Snapshot(ctx, func(r db.Reader) (err error) {
			c.days, err = sepa.Days(r, sepa.Span{Limit: 1})
			return err
		})
		if err != nil {
			return nil, err
		}
		c.at = time.Now()
	}
	var all []metrics.BankAccount
	for _, d := range c.days {
		all = append(all, metrics.BankAccount{IBAN: string(d.Account), Difference: d.Difference.Units(), Age: a.age(d.MadeAt)})
	}
	return all, nil
}

// age is how long ago a moment was; 0 for none, and for one to come.
func (a *App) age(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(a.clock.Now().Sub(at), 0)
}

// watchlists are the lists that this node screens against.
func (a *App) watchlists() []metrics.Watchlist {
	var all []metrics.Watchlist
	for _, l := range a.Compliance.Loaded() {
		made, err := time.Parse(time.DateOnly, l.Date)
		if err != nil {
			continue
		}
		all = append(all, metrics.Watchlist{Source: l.Source, Date: l.Date, Age: a.age(made), Persons: l.Entities})
	}
	return all
}
