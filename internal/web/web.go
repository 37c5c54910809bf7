// Package web is what all pages for people share, those of users and those of the operator's staff: design tokens
// and components (static/kontor.css), the frame of a document, embedded files with names that may be cached for
// ever, and the headers that keep a page safe.
//
// Pages work without JavaScript. A script is a file of its own that adds comfort; nothing inline runs.
package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"github.com/a-h/templ"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate -log-level error

// Head is what a document says of itself.
type Head struct {
	Language string // BCP 47: "en"
	Title    string // of the window
	Icon     string
	Styles   []string
	Scripts  []string // loaded when the document is there; modules
	SkipTo   string   // the words of the link that leads to the content, for those who use a keyboard
	Class    string   // of the body
}

// Render writes a component as an HTML page. It is made whole first, so that an error cannot leave half a page
// behind a status that promised one.
func Render(w http.ResponseWriter, r *http.Request, status int, page templ.Component) error {
	var b bytes.Buffer
	if err := page.Render(r.Context(), &b); err != nil {
		return fmt.Errorf("web: render a page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // whoever asked is gone
	}
	return nil
}
