// Package httpapi is the Partner API over HTTP: one file per noun, over the types generated from the
// contract. It turns the wire's values into the domain's and back, and decides nothing about money.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/history"
	"kontor/internal/httpapi/oas"
	"kontor/internal/idempotency"
	"kontor/internal/identity"
	"kontor/internal/metrics"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/ratelimit"
	"kontor/internal/sepa"
	"kontor/internal/trace"
	"kontor/internal/transfer"
	"kontor/internal/user"
)

// Limits of the API server.
const (
	maxBody        = 1 << 20 // bytes of a JSON body
	maxHeader      = 64 << 10
	readTimeout    = 30 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	requestTimeout = 25 * time.Second
)

// Config is what the API works on.
type Config struct {
	DB          *db.DB
	Catalog     *catalog.Catalog
	Contract    *contract.Contract
	Environment partner.Environment
	Partners    *partner.Service
	Users       *user.Service
	Identity    *identity.Service
	Uploads     *identity.Uploads
	Compliance  *compliance.Service
	Transfers   *transfer.Service
	Exchange    *exchange.Service
	SEPA        *sepa.Service
	History     *history.Service
	Events      *event.Log
	Clock       clock.Clock
	Cursors     *page.Cursors
	Keys        *idempotency.Keys
	Limits      *ratelimit.Limiter
	Guesses     *ratelimit.Guesses
	Log         *slog.Logger
	Metrics     *metrics.Metrics // nil: nothing is counted
	Tracer      *trace.Tracer    // nil: nothing is followed
	// Retarget is told which partner's webhooks go elsewhere from now on.
	Retarget func(partner int64)
	// Pages are shown to people in their browsers, who have no key; nil: there are none.
	Pages Pages
	// ProviderCallback takes what an identity provider says, who is no partner and signs instead; nil: there is none.
	ProviderCallback http.Handler
	// Ready tells what of the node is not ready; it answers /readyz.
	Ready func(context.Context) []NotReady
}

// Pages are routes for people. What a program asks of them and cannot get is answered by refuse, like an error of the
// API.
type Pages interface {
	Routes(router chi.Router, refuse func(w http.ResponseWriter, r *http.Request, err error))
}

// NotReady is a part of the node that does not work.
type NotReady struct {
	Part  string // "database", say, as /readyz names it
	Cause error  // for the log
}

// api implements the generated interface: one method per operation of the contract.
type api struct {
	Config
	uploads  *gate
	networks map[string]oas.NetworkConfigs // by currency
}

var _ oas.ServerInterface = (*api)(nil)

// NewServer makes an HTTP server with the limits of the API; the caller gives it an address or a listener.
func NewServer(cfg Config, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
}

// NewHandler makes the API's routes.
func NewHandler(cfg Config) http.Handler {
	a := &api{
		Config: cfg, uploads: newGate(uploadsAtOnce, partnersShare, waitForUploads),
		networks: showNetworks(cfg.Catalog, cfg.Environment == partner.Production),
	}
	root := chi.NewRouter()
	root.Use(middleware.GetHead, withRawPath, withRequestID, a.logged, a.recovered, withTimeout)
	root.NotFound(func(w http.ResponseWriter, r *http.Request) { a.fail(w, r, fault.New(fault.NotFound)) })
	root.MethodNotAllowed(a.methodNotAllowed(root))
	a.health(root)
	a.strangers(root)
	root.Group(func(v1 chi.Router) {
		v1.Use(a.stagingOnly, a.authenticated, a.limited)
		oas.HandlerWithOptions(a, oas.ChiServerOptions{
			BaseRouter:       v1,
			ErrorHandlerFunc: a.badParameter,
		})
	})
	return root
}

// NewPages makes the routes of a listener that only has the pages for people, and health.
func NewPages(cfg Config) http.Handler {
	a := &api{Config: cfg}
	root := chi.NewRouter()
	root.Use(middleware.GetHead, withRawPath, withRequestID, a.logged, a.recovered, withTimeout)
	root.NotFound(func(w http.ResponseWriter, r *http.Request) { a.fail(w, r, fault.New(fault.NotFound)) })
	root.MethodNotAllowed(a.methodNotAllowed(root))
	a.health(root)
	a.strangers(root)
	return root
}

// providerCallback is where an identity provider tells how checks ended.
const providerCallback = "/v1/identity-provider/callback"

// strangers makes the routes for those who have no key: people in their browsers, and an identity provider.
func (a *api) strangers(root chi.Router) {
	if a.Pages != nil {
		a.Pages.Routes(root, a.fail)
	}
	if a.ProviderCallback != nil {
		root.Method(http.MethodPost, providerCallback, a.ProviderCallback)
	}
}

// NewOperations makes the routes of the operator's own listener: metrics, and health, which a node without the
// API shows nowhere else.
func NewOperations(cfg Config) http.Handler {
	a := &api{Config: cfg}
	root := chi.NewRouter()
	root.Use(withRequestID, a.recovered, withTimeout)
	root.NotFound(func(w http.ResponseWriter, r *http.Request) { a.fail(w, r, fault.New(fault.NotFound)) })
	root.MethodNotAllowed(a.methodNotAllowed(root))
	a.health(root)
	root.Method(http.MethodGet, "/metrics", cfg.Metrics.Handler())
	return root
}

func (a *api) health(root chi.Router) {
	root.Get("/healthz", a.healthz)
	root.Get("/readyz", a.readyz)
}

// healthz says that the process runs.
func (a *api) healthz(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is the body of /readyz.
type readiness struct {
	Status   string   `json:"status"`
	NotReady []string `json:"notReady,omitempty"`
}

// readyz says whether the node can serve, and which parts of it cannot.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	parts := a.Ready(r.Context())
	if len(parts) == 0 {
		a.answer(w, r, http.StatusOK, readiness{Status: "ready"})
		return
	}
	body := readiness{Status: "unavailable"}
	for _, p := range parts {
		a.Log.WarnContext(r.Context(), "not ready", "part", p.Part, "error", p.Cause)
		body.NotReady = append(body.NotReady, p.Part)
	}
	a.answer(w, r, http.StatusServiceUnavailable, body)
}
