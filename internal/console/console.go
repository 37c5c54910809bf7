// Package console is the operator's back office: pages for those who decide about users. Officers sign in with a
// password and a second factor (account.go, session.go); what each may do follows from the role (right.go).
// Whatever an officer does, and every look at a document, is in the audit log.
//
// The pages are made here, whole, and work without a script. They show users of all partners: officers work for
// the operator.
package console

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/exchange"
	"kontor/internal/history"
	"kontor/internal/metrics"
	"kontor/internal/page"
	"kontor/internal/ratelimit"
	"kontor/internal/trace"
	"kontor/internal/user"
	"kontor/internal/web"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate -log-level error

// Limits of the console's server.
const (
	maxForm        = 64 << 10 // bytes
	maxHeader      = 64 << 10
	readTimeout    = 30 * time.Second
	writeTimeout   = 60 * time.Second // documents are large
	idleTimeout    = 2 * time.Minute
	requestTimeout = 25 * time.Second
)

// Root is the path below which all of the console is.
const Root = "/console"

// Config is what the console works on.
type Config struct {
	DB        *db.DB
	Accounts  *Accounts
	Partners  Partners
	Users     *user.Service
	Banking   Banking
	Suspense  Suspense
	Cases     Cases
	Proofs    Proofs
	Checks    Checks
	Documents Documents
	History   *history.Service
	Events    *event.Log
	Catalog   *catalog.Catalog
	Clock     clock.Clock // business time, by which ages are told
	Cursors   *page.Cursors
	Guesses   *ratelimit.Guesses // failed sign-ins by address
	Log       *slog.Logger
	Metrics   *metrics.Metrics // nil: nothing is counted
	Tracer    *trace.Tracer    // nil: nothing is followed

	System      func(context.Context) ([]Fact, error)            // what there is to know about the deployment
	Treasury    func(context.Context) ([]exchange.Valued, error) // what exchanges have made of the platform's money
	Environment string                                           // staging or production, as the pages tell it
}

//go:embed static
var static embed.FS

// console answers the pages.
type console struct {
	Config
	assets *web.Assets
}

// NewServer makes an HTTP server with the limits of the console; the caller gives it a listener.
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

// NewHandler makes the console's routes.
func NewHandler(cfg Config) http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	c := &console{cfg, web.NewAssets(Root+"/assets/", files)}
	root := chi.NewRouter()
	root.Use(c.followed, c.recovered, withTimeout, c.secured, withLimit, c.withOfficer)
	root.NotFound(func(w http.ResponseWriter, r *http.Request) { c.fail(w, r, errNotFound) })
	root.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { c.fail(w, r, errMethod) })
	root.Get("/", func(w http.ResponseWriter, r *http.Request) { see(w, r, Root) })
	root.Handle(Root+"/assets/*", c.assets)
	root.Get(Root+signInPath, c.showSignIn)
	root.Post(Root+signInPath, c.signIn)
	root.Post(Root+"/sign-out", c.signOut)
	root.Get(Root+"/setup/{token}", c.showSetup)
	root.Post(Root+"/setup/{token}", c.setUp)
	for _, route := range c.routes() {
		root.Method(route.method, Root+route.pattern, c.guarded(route))
	}
	return root
}

// route is a page for officers, or something they do, and the right that it takes.
type route struct {
	method, pattern string
	right           Right
	do              func(w http.ResponseWriter, r *http.Request) error
}

func (c *console) routes() []route {
	return []route{
		{http.MethodGet, "", Read, c.home},
		{http.MethodGet, "/cases", Read, c.listCases},
		{http.MethodGet, "/cases/{case}", Read, c.showCase},
		{http.MethodPost, "/cases/{case}/decision", Decide, c.decideCase},
		{http.MethodGet, "/poa", Read, c.listProofs},
		{http.MethodGet, "/poa/{partner}/{proof}", Read, c.showProof},
		{http.MethodPost, "/poa/{partner}/{proof}/decision", Decide, c.decideProof},
		{http.MethodGet, "/suspense", Read, c.listItems},
		{http.MethodGet, "/suspense/{item}", Read, c.showItem},
		{http.MethodPost, "/suspense/{item}/decision", Decide, c.decideItem},
		{http.MethodGet, "/documents/{partner}/{document}", ReadDocuments, c.showDocument},
		{http.MethodGet, "/users", Read, c.listUsers},
		{http.MethodGet, "/users/{partner}/{user}", Read, c.showUser},
		{http.MethodGet, "/users/{partner}/{user}/history", Read, c.showHistory},
		{http.MethodGet, "/users/{partner}/{user}/events", Read, c.showEvents},
		{http.MethodPost, "/users/{partner}/{user}/freeze", Freeze, c.freeze},
		{http.MethodPost, "/users/{partner}/{user}/unfreeze", Freeze, c.unfreeze},
		{http.MethodGet, "/treasury", ReadTreasury, c.showTreasury},
		{http.MethodGet, "/reconciliation", ReadTreasury, c.showReconciliation},
		{http.MethodGet, "/audit", ReadAudit, c.showAudit},
		{http.MethodGet, "/system", ReadAudit, c.showSystem},
		{http.MethodGet, "/officers", Manage, c.showOfficers},
		{http.MethodPost, "/officers/{name}/disable", Manage, c.disableOfficer},
	}
}

// home leads to where an officer's work begins.
func (c *console) home(w http.ResponseWriter, r *http.Request) error {
	see(w, r, Root+"/cases")
	return nil
}
