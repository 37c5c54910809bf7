// Package pages is what users see in their browsers: the hosted identity verification at
// GET /v1/kyc/verification/{externalUserId}/{verificationId}.
//
// The link is the capability. There is no session and no cookie: whoever has the link may go on where the user left
// off, and so it is never logged, never sent on (no referrer), and ends with the submission. Pictures that were sent
// are not shown again.
//
// One screen asks for one thing (flow.go). Each is a plain form that works without JavaScript, posts to a path below
// the link and leads back to it; what was wrong stands beside its field, with what the user typed. static/pages.js
// adds previews, progress and smaller pictures. All texts are in texts, one file per language.
//
// What identity checks can do is declared in verification.go; internal/app joins the two.
package pages

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/web"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate -log-level error

//go:embed static
var static embed.FS

const (
	prefix    = "/v1/kyc/verification/"
	linkRoute = prefix + "{externalUserId}/{verificationId}"
	assets    = "/v1/assets/"
)

// Limits of what a page takes.
const (
	maxForm       = 64 << 10        // bytes of a form without a picture
	maxUpload     = 20 << 20        // bytes of a form with a picture, as for the upload of the API
	uploadTimeout = 3 * time.Minute // for a picture over a slow mobile network
	answerWithin  = 30 * time.Second
)

// Config is what the pages work on.
type Config struct {
	Verifications Verifications
	Catalog       *catalog.Catalog
	Clock         clock.Clock
	Staging       bool // testers choose outcomes, and may use sample pictures
	Log           *slog.Logger
}

// Pages are the pages for users.
type Pages struct {
	Config
	texts     *catalogues
	assets    *web.Assets
	countries []string
}

// New makes the pages. It fails when the texts of two languages differ in their keys.
func New(cfg Config) (*Pages, error) {
	texts, err := readTexts()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, err
	}
	p := &Pages{Config: cfg, texts: texts, assets: web.NewAssets(assets, files)}
	for _, c := range cfg.Catalog.Countries() {
		p.countries = append(p.countries, c.Code)
	}
	return p, nil
}

// Routes adds the pages to a router. Browsers get pages; programs that ask for one, such as a partner's own tests,
// are answered errors by refuse, in JSON.
func (p *Pages) Routes(router chi.Router, refuse func(w http.ResponseWriter, r *http.Request, err error)) {
	h := &handler{Pages: p, refuse: refuse}
	router.Method(http.MethodGet, assets+"{file}", p.assets)
	router.Group(func(r chi.Router) {
		r.Use(func(next http.Handler) http.Handler { return web.Secure(next, http.HandlerFunc(h.elsewhere)) })
		r.Get(linkRoute, h.show)
		r.Post(linkRoute+"/consent", h.consent)
		r.Post(linkRoute+"/document", h.describe)
		r.Post(linkRoute+"/photo/{side}", h.store)
		r.Post(linkRoute+"/submit", h.submit)
	})
}
