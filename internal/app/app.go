// Package app joins the parts into a running program. It is the only package that knows them all.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kontor/internal/adjustment"
	"kontor/internal/audit"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/console"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/history"
	"kontor/internal/httpapi"
	"kontor/internal/idempotency"
	"kontor/internal/identity"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/metrics"
	"kontor/internal/money"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/rail/bank"
	"kontor/internal/rail/idcheck/provider"
	"kontor/internal/ratelimit"
	"kontor/internal/sepa"
	"kontor/internal/trace"
	"kontor/internal/transfer"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// shutdownTimeout is how long running requests may take when the program stops.
const shutdownTimeout = 20 * time.Second

// listsRetry is how long a node waits before it reads the lists of compliance again.
const listsRetry = time.Second

// flushTimeout is how long a collector of spans may take then.
const flushTimeout = 3 * time.Second

// Config says what to run and on what.
type Config struct {
	Database     string // a postgres:// URL or the path of an SQLite file
	MasterKey    []byte
	Documents    string // folder of users' documents; empty: beside the SQLite file
	Environment  partner.Environment
	CatalogDir   string // the operator's own data files; empty: the built-in ones
	Bank         sepa.Bank
	BankFiles    *BankFiles    // the exchange of files with a real bank; nil: in staging the sandbox's bank, otherwise none
	PDFProgram   []string      // draws a page of a PDF, as pdfpage.Drawer says; empty: this process does, for tests
	PagesURL     string        // where users' browsers reach the hosted pages; empty: on this machine
	SandboxDelay time.Duration // before a simulated rail answers
	Clock        clock.Clock
	Log          *slog.Logger
	Schema       db.Schema        // what may be done with the database's schema; zero: it is upgraded
	Metrics      *metrics.Metrics // nil: nothing is counted
	Tracer       *trace.Tracer    // nil: nothing is followed

	ExchangeGuard  money.Percent // by how much the market may move against a rate lock; 0: by anything
	EventRetention time.Duration // how long events are kept; 0: event.DefaultRetention
	CheckEvents    bool          // hold each event against the contract before it is written, for tests

	// A simulation puts itself in the place of what is around the program; both are nil otherwise.
	Injector db.Injector       // makes calls of the database fail
	Webhooks http.RoundTripper // takes webhooks instead of the network

	WebhookAllow []netip.Prefix // networks that webhooks may go to although they are not public

	IdentityProvider *provider.Provider // judges who the built-in check accepts; nil: nobody does
}

// App is the program, opened but not serving yet.
type App struct {
	DB       *db.DB
	Catalog  *catalog.Catalog
	Partners *partner.Service
	API      httpapi.Config

	Adjustments *adjustment.Service
	Compliance  *compliance.Service
	Officers    *console.Accounts
	Console     console.Config
	Uploads     *identity.Uploads
	SandboxBank *bank.Sandbox // nil where a real bank is

	log       *slog.Logger
	market    marketSide
	files     *bank.Files // nil: no bank is connected by files
	deliverer *event.Deliverer
	keeper    *event.Keeper
	jobs      *job.Runner
	keys      *idempotency.Keys
	limits    *ratelimit.Limiter
	clock     clock.Clock
	worker    atomic.Bool // Serve runs the workers
	compared  compared
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
	d, err := db.Open(ctx, cfg.Database, cfg.database()...)
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
	a := &App{DB: d, Catalog: cat, log: cfg.Log, clock: cfg.Clock}
	node := fmt.Sprintf("%s-%d-%s", hostname(), os.Getpid(), clock.NewID())
	events := event.NewLog(v, func(p int64) { a.deliverer.Wake(p) })
	if cfg.CheckEvents {
		events.Check(func(kind event.Type, body []byte) error { return contracts.Webhook(string(kind)).Check(body) })
	}
	a.keeper = event.NewKeeper(d, v, cfg.Clock, cfg.EventRetention, cfg.Log)
	a.jobs = job.NewRunner(job.Config{DB: d, Clock: cfg.Clock, Node: node, Log: cfg.Log, Observer: cfg.Metrics})
	users := user.NewService(v, cfg.Clock, cat, events)
	payments, err := openSEPA(ctx, cfg, a, v, events, users)
	if err != nil {
		return nil, err
	}
	a.Partners = partner.NewService(d, v, cfg.Clock, cfg.Environment, cat, events, payments)
	if err := a.Partners.EnsureOperator(ctx); err != nil {
		return nil, err
	}
	a.deliverer = event.NewDeliverer(event.Config{
		DB: d, Vault: v, Clock: cfg.Clock, Targets: a.Partners, Node: node,
		Production: cfg.Environment == partner.Production, Allowed: cfg.WebhookAllow, Log: cfg.Log, Observer: cfg.Metrics,
		Transport: cfg.Webhooks,
	})
	a.Adjustments = adjustment.NewService(d, cfg.Clock, cat.Currency)
	a.Compliance = newCompliance(cfg, a, v)
	a.keys = idempotency.New(v)
	a.limits = ratelimit.New(d, node, cfg.Log)
	transfers := transfer.NewService(cfg.Clock, events, users)
	a.Uploads = newUploads(cfg, d, v, users, a.jobs, a.Partners)
	identities, err := newIdentity(cfg, a, v, users, payments)
	if err != nil {
		return nil, err
	}
	if err := a.openMarket(ctx, cfg); err != nil {
		return nil, err
	}
	exchanges := exchange.NewService(exchange.Config{
		DB: d, Clock: cfg.Clock, Catalog: cat, Events: events, Market: a.market, Users: users, Vault: v,
		Guard: cfg.ExchangeGuard, Alone: a.limits.Alone,
	})
	a.Uploads.Join(identities)
	reviewed := joinReviews(a, users, identities)
	users.Attach(d, a.jobs, user.Others{
		Operations: []user.OpenOperations{payments}, Erasers: []user.Eraser{a.Uploads, identities, reviewed, payments}, Reviewer: reviewed,
	})
	a.API = httpapi.Config{
		DB: d, Catalog: cat, Contract: contracts, Environment: cfg.Environment, Partners: a.Partners, Users: users,
		Identity:  identities,
		Uploads:   a.Uploads,
		Transfers: transfers,
		Exchange:  exchanges,
		History:   history.NewService(cfg.Clock, payments, a.Adjustments, exchanges, identities, transfers), // those that search the ledger come last
		Events:    events, Clock: cfg.Clock,
		Cursors:    page.NewCursors(v),
		Compliance: a.Compliance,
		SEPA:       payments, Keys: a.keys, Limits: a.limits, Guesses: ratelimit.NewGuesses(), Log: cfg.Log, Ready: a.ready,
		Metrics: cfg.Metrics, Tracer: cfg.Tracer,
		Retarget: a.deliverer.Retarget,
	}
	if cfg.IdentityProvider != nil {
		a.API.ProviderCallback = cfg.IdentityProvider.Callback(identities.Conclude)
	}
	a.Officers = console.NewAccounts(d, v, clock.System(), console.DefaultCost)
	a.Console = a.consoleConfig(cfg)
	if a.API.Pages, err = newPages(cfg, a, identities); err != nil {
		return nil, err
	}
	if cfg.Metrics != nil {
		cfg.Metrics.Watch(a.backlog)
		cfg.Metrics.WatchTargets(a.deliverer.Breakers)
		cfg.Metrics.WatchLists(a.watchlists)
		if a.files != nil {
			cfg.Metrics.WatchBank(a.bankFolders)
		}
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

// Roles are the parts of the program that a node runs.
type Roles struct {
	API, Worker bool
	Operations  net.Listener // shows metrics and health to the operator; nil: nobody listens
	Console     net.Listener // shows the operator's back office; nil: nobody listens
	Pages       net.Listener // shows users their pages, which the API's listener does too; nil: nobody listens
}

// Serve runs the chosen parts until the context ends, then finishes what runs and returns. The listener
// belongs to the API role; without it, it may be nil.
func (a *App) Serve(ctx context.Context, listener net.Listener, roles Roles) error {
	group, ctx := errgroup.WithContext(ctx)
	a.worker.Store(roles.Worker)
	if roles.Operations != nil { // first, because it tells what the others wait for
		serve(ctx, group, httpapi.NewServer(a.API, httpapi.NewOperations(a.API)), roles.Operations)
	}
	group.Go(func() error {
		if err := a.prepare(ctx, roles); err != nil && ctx.Err() == nil {
			return errors.Join(err, closeAll(listener, roles.Console, roles.Pages))
		}
		a.start(ctx, group, listener, roles)
		return nil
	})
	return group.Wait()
}

// prepare does what must be done before the first request and the first job.
func (a *App) prepare(ctx context.Context, roles Roles) error {
	if roles.API || roles.Worker {
		// Without its lists a node would send everybody to an officer.
		if err := a.loadLists(ctx); err != nil {
			return err
		}
	}
	if roles.API {
		return a.limits.Join(ctx) // so that its requests are counted with those of other nodes
	}
	return nil
}

func (a *App) start(ctx context.Context, group *errgroup.Group, listener net.Listener, roles Roles) {
	a.market.run(ctx, group, roles)
	if roles.Worker {
		group.Go(func() error { a.sealEarlier(ctx); return nil })
	}
	if roles.API || roles.Worker {
		group.Go(func() error { a.Compliance.Run(ctx); return nil })
	}
	if roles.API {
		group.Go(func() error { a.limits.Run(ctx); return nil })
		group.Go(func() error { return a.Partners.Run(ctx, a.log) })
		group.Go(func() error { a.API.Exchange.WatchExposure(ctx, a.log); return nil })
		serve(ctx, group, httpapi.NewServer(a.API, httpapi.NewHandler(a.API)), listener)
	}
	if roles.Console != nil {
		serve(ctx, group, console.NewServer(a.Console, console.NewHandler(a.Console)), roles.Console)
	}
	if roles.Pages != nil {
		serve(ctx, group, httpapi.NewServer(a.API, httpapi.NewPages(a.API)), roles.Pages)
	}
	if roles.Worker {
		group.Go(func() error { a.deliverer.Run(ctx); return nil })
		group.Go(func() error { a.keeper.Run(ctx); return nil })
		group.Go(func() error { return a.Uploads.Run(ctx) })
		group.Go(func() error { a.jobs.Run(ctx); return nil })
		if a.files != nil {
			group.Go(func() error { a.files.Run(ctx); return nil })
		}
		group.Go(func() error { a.API.Exchange.Run(ctx, a.log); return nil })
		group.Go(func() error { return a.keys.Run(ctx, a.DB, a.log) })
	}
}

// closeAll closes the listeners that there are.
func closeAll(listeners ...net.Listener) (err error) {
	for _, l := range listeners {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

// loadLists reads the lists of compliance, notes the countries of high risk, and waits for a database that is away.
func (a *App) loadLists(ctx context.Context) error {
	for {
		err := a.Compliance.Load(ctx)
		if err == nil {
			err = a.Compliance.UseRisk(ctx)
		}
		if err == nil || fault.From(err).Code != fault.ServiceUnavailable {
			return err
		}
		a.log.WarnContext(ctx, "the lists of compliance cannot be read yet", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(listsRetry):
		}
	}
}

// serve serves until the context ends, and then finishes what runs.
func serve(ctx context.Context, group *errgroup.Group, server *http.Server, listener net.Listener) {
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

// Verify checks the invariants I1 to I4, I8 and I12, and the audit log, on a database and names every violation.
func Verify(ctx context.Context, d *db.DB) ([]string, error) {
	violations, err := d.VerifyGuards(ctx)
	if err != nil {
		return nil, err
	}
	err = d.Snapshot(ctx, func(r db.Reader) error {
		for _, verify := range []func(context.Context, db.Reader) ([]string, error){
			ledger.Verify, event.Verify, user.Verify, transfer.Verify, exchange.Verify, sepa.Verify, sepa.VerifyBank, identity.Verify,
			adjustment.Verify, audit.Verify,
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

// Close closes the database, and sends the spans that wait to be sent.
func (a *App) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := a.API.Tracer.Close(ctx); err != nil {
		a.log.Warn("some spans were not sent", "error", err)
	}
	return a.DB.Close()
}
