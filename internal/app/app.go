// Package app joins the parts into a running program. It is the only package that knows them all.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"kontor/internal/audit"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/history"
	"kontor/internal/httpapi"
	"kontor/internal/idempotency"
	"kontor/internal/identity"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/ratelimit"
	"kontor/internal/sepa"
	"kontor/internal/transfer"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// shutdownTimeout is how long running requests may take when the program stops.
const shutdownTimeout = 20 * time.Second

// Config says what to run and on what.
type Config struct {
	Database     string // a postgres:// URL or the path of an SQLite file
	MasterKey    []byte
	Environment  partner.Environment
	CatalogDir   string // the operator's own data files; empty: the built-in ones
	Bank         sepa.Bank
	SandboxDelay time.Duration // before a simulated rail answers
	Clock        clock.Clock
	Log          *slog.Logger
}

// App is the program, opened but not serving yet.
type App struct {
	DB       *db.DB
	Catalog  *catalog.Catalog
	Partners *partner.Service
	API      httpapi.Config

	log       *slog.Logger
	deliverer *event.Deliverer
	jobs      *job.Runner
	keys      *idempotency.Keys
	limits    *ratelimit.Limiter
}

// Open opens the database and builds the services. The caller closes the App.
func Open(ctx context.Context, cfg Config) (*App, error) {
	cat, err := catalog.Load(cfg.CatalogDir)
	if err != nil {
		return nil, err
	}
	contracts, err := contract.Load(cat.Currency)
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	a, err := build(ctx, cfg, d, cat, contracts)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return a, nil
}

func build(ctx context.Context, cfg Config, d *db.DB, cat *catalog.Catalog, contracts *contract.Contract) (*App, error) {
	v, err := vault.Open(ctx, d, cfg.MasterKey)
	if err != nil {
		return nil, err
	}
	a := &App{DB: d, Catalog: cat, log: cfg.Log}
	node := fmt.Sprintf("%s-%d-%s", hostname(), os.Getpid(), clock.NewID())
	events := event.NewLog(v, func(p int64) { a.deliverer.Wake(p) })
	a.jobs = job.NewRunner(job.Config{DB: d, Clock: cfg.Clock, Node: node, Log: cfg.Log})
	payments, err := sepa.NewService(d, cfg.Clock, cat, cfg.Bank, cfg.SandboxDelay, events, a.jobs)
	if err != nil {
		return nil, err
	}
	a.Partners = partner.NewService(d, v, cfg.Clock, cfg.Environment, cat, payments)
	if err := a.Partners.EnsureOperator(ctx); err != nil {
		return nil, err
	}
	a.deliverer = event.NewDeliverer(event.Config{
		DB: d, Vault: v, Clock: cfg.Clock, Targets: a.Partners, Node: node,
		Production: cfg.Environment == partner.Production, Log: cfg.Log,
	})
	users := user.NewService(v, cfg.Clock, cat, events)
	a.keys = idempotency.New(v)
	a.limits = ratelimit.New(d, node, cfg.Log)
	transfers := transfer.NewService(cfg.Clock, events)
	a.API = httpapi.Config{
		DB: d, Catalog: cat, Contract: contracts, Environment: cfg.Environment, Partners: a.Partners, Users: users,
		Identity:  identity.NewService(v, cfg.Clock, users, payments),
		Transfers: transfers,
		History:   history.NewService(cfg.Clock, payments, transfers), // those that search the ledger come last
		Cursors:   page.NewCursors(v),
		SEPA:      payments, Keys: a.keys, Limits: a.limits, Guesses: ratelimit.NewGuesses(), Log: cfg.Log, Ready: a.ready,
		Retarget: a.deliverer.Retarget,
	}
	return a, nil
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return name
}

// ready tells whether this node can serve: the database answers.
func (a *App) ready(r *http.Request) error { return a.DB.Ping(r.Context()) }

// Roles are the parts of the program that a node runs.
type Roles struct{ API, Worker bool }

// Serve runs the chosen parts until the context ends, then finishes what runs and returns. The listener
// belongs to the API role; without it, it may be nil.
func (a *App) Serve(ctx context.Context, listener net.Listener, roles Roles) error {
	group, ctx := errgroup.WithContext(ctx)
	if roles.API {
		// Before the first request, so that it is counted with those of other nodes.
		if err := a.limits.Join(ctx); err != nil && ctx.Err() == nil {
			return errors.Join(err, listener.Close())
		}
		group.Go(func() error { a.limits.Run(ctx); return nil })
		group.Go(func() error { return a.Partners.Run(ctx, a.log) })
		server := httpapi.NewServer(a.API)
		group.Go(func() error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
			defer cancel()
			return server.Shutdown(stopping)
		})
	}
	if roles.Worker {
		group.Go(func() error { a.deliverer.Run(ctx); return nil })
		group.Go(func() error { a.jobs.Run(ctx); return nil })
		group.Go(func() error { return a.keys.Run(ctx, a.DB, a.log) })
	}
	return group.Wait()
}

// Verify checks the invariants I1 to I4 and I8, and the audit log, on a database and names every violation.
func Verify(ctx context.Context, d *db.DB) ([]string, error) {
	violations, err := d.VerifyGuards(ctx)
	if err != nil {
		return nil, err
	}
	err = d.Snapshot(ctx, func(r db.Reader) error {
		for _, verify := range []func(context.Context, db.Reader) ([]string, error){
			ledger.Verify, event.Verify, transfer.Verify, sepa.Verify, audit.Verify,
		} {
			found, err := verify(ctx, r)
			if err != nil {
				return err
			}
			violations = append(violations, found...)
		}
		return nil
	})
	return violations, err
}

// Close closes the database.
func (a *App) Close() error { return a.DB.Close() }
