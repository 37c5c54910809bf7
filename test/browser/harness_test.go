package browser

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/a-h/templ"

	"kontor/internal/web"
)

// The frame that all pages share is shown as it should be, before any page stands on it.
func TestTheFrameOfAllPages(t *testing.T) {
	t.Parallel()
	assets := web.NewAssets("/assets/")
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", assets)
	mux.Handle("GET /", web.Secure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := web.Head{Language: "en", Title: "A page", Icon: assets.URL("kontor.svg"), Styles: []string{assets.URL("kontor.css")}, SkipTo: "Skip to content"}
		body := templ.Raw(`<main id="content"><div class="card"><h1>A page</h1><p class="muted">With muted text.</p>` +
			`<p class="notice warn">A warning</p><a class="button primary" href="/">Go on</a></div></main>`)
		r = r.WithContext(templ.WithChildren(r.Context(), body))
		if err := web.Render(w, r, http.StatusOK, web.Document(head)); err != nil {
			t.Error(err)
		}
	}), nil))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, d := range []device{desk, phone} {
		b := open(t, d)
		if status := b.visit(server.URL); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		b.judge()
	}
}
