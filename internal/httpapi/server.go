// Package httpapi is the Partner API over HTTP: one file per noun, over the types generated from the
// contract. It turns the wire's values into the domain's and back, and decides nothing about money.
package httpapi

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"kontor/internal/catalog"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/history"
	"kontor/internal/httpapi/oas"
	"kontor/internal/idempotency"
	"kontor/internal/identity"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/ratelimit"
	"kontor/internal/sepa"
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
	Transfers   *transfer.Service
	SEPA        *sepa.Service
	History     *history.Service
	Cursors     *page.Cursors
	Keys        *idempotency.Keys
	Limits      *ratelimit.Limiter
	Guesses     *ratelimit.Guesses
	Log         *slog.Logger
	// Retarget is told which partner's webhooks go elsewhere from now on.
	Retarget func(partner int64)
	// Ready tells why the node cannot serve, or nil; it answers /readyz.
	Ready func(*http.Request) error
	// ClientAddr tells which address a request comes from; nil means the connection's.
	ClientAddr func(*http.Request) netip.Addr
}

// api implements the generated interface: one method per operation of the contract.
type api struct{ Config }

var _ oas.ServerInterface = (*api)(nil)

// NewServer makes the HTTP server of the API; the caller gives it an address or a listener.
func NewServer(cfg Config) *http.Server {
	return &http.Server{
		Handler:           NewHandler(cfg),
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
	if cfg.ClientAddr == nil {
		cfg.ClientAddr = peerAddress
	}
	a := &api{cfg}
	root := chi.NewRouter()
	root.Use(middleware.GetHead, withRawPath, withRequestID, a.logged, a.recovered, withTimeout)
	root.NotFound(func(w http.ResponseWriter, r *http.Request) { a.fail(w, r, fault.New(fault.NotFound)) })
	root.MethodNotAllowed(a.methodNotAllowed(root))
	root.Get("/healthz", a.healthz)
	root.Get("/readyz", a.readyz)
	root.Group(func(v1 chi.Router) {
		v1.Use(a.stagingOnly, a.authenticated, a.limited)
		oas.HandlerWithOptions(a, oas.ChiServerOptions{
			BaseRouter:       v1,
			ErrorHandlerFunc: a.badParameter,
		})
	})
	return root
}

// healthz says that the process runs.
func (a *api) healthz(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether the node can serve.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	if err := a.Ready(r); err != nil {
		a.Log.WarnContext(r.Context(), "not ready", "error", err)
		a.answer(w, r, http.StatusServiceUnavailable, map[string]string{"status": "unavailable"})
		return
	}
	a.answer(w, r, http.StatusOK, map[string]string{"status": "ready"})
}
