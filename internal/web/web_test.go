package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/a-h/templ"

	"kontor/internal/web"
)

func get(h http.Handler, path string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Result()
}

func TestAssetsAreFoundByNamesThatCarryTheirContent(t *testing.T) {
	t.Parallel()
	older := web.NewAssets("/assets/", fstest.MapFS{"static/own.js": {Data: []byte("1")}})
	newer := web.NewAssets("/assets/", fstest.MapFS{"static/own.js": {Data: []byte("2")}})
	if older.URL("own.js") == newer.URL("own.js") {
		t.Error("another content has the same name")
	}
	answer := get(newer, newer.URL("own.js"))
	if body, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || string(body) != "2" {
		t.Errorf("got %d %q", answer.StatusCode, body)
	}
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/javascript") {
		t.Errorf("a module of type %q is refused by browsers", kind)
	}
	if cache := answer.Header.Get("Cache-Control"); !strings.Contains(cache, "immutable") {
		t.Errorf("Cache-Control is %q", cache)
	}
	if answer := get(newer, newer.URL("kontor.css")); !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/css") {
		t.Error("the shared style is missing")
	}
	for _, path := range []string{older.URL("own.js"), "/assets/own.js", "/assets/", "/assets/../web.go"} {
		if answer := get(newer, path); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s is answered with %d", path, answer.StatusCode)
		}
	}
}

func TestWritesFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	h := web.Secure(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }), nil)
	for site, want := range map[string]int{"same-origin": http.StatusOK, "cross-site": http.StatusForbidden, "same-site": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("a write from %s: %d", site, w.Code)
		}
		for header, part := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(header); !strings.Contains(got, part) {
				t.Errorf("%s is %q", header, got)
			}
		}
	}
}

func TestAPageIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	fails := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return errors.New("no more")
	})
	w := httptest.NewRecorder()
	if err := web.Render(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, fails); err == nil || w.Body.Len() > 0 {
		t.Errorf("err %v, body %q", err, w.Body)
	}
	page := web.Document(web.Head{Language: "en", Title: "<script>", SkipTo: "Skip"})
	w = httptest.NewRecorder()
	if err := web.Render(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusCreated, page); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("err %v, status %d", err, w.Code)
	}
	if body := w.Body.String(); !strings.HasPrefix(body, "<!doctype html><html lang=\"en\">") || strings.Contains(body, "<script>") {
		t.Errorf("got %s", body)
	}
}
