package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/document"
)

// Document is a file that a user's identity or address was proven with.
type Document struct {
	Partner   int64
	ID        clock.ID
	Proves    string // KYC or POA
	Check     clock.ID
	Side      string // FRONT, BACK, SELFIE; empty: told by the order
	Gone      bool   // its content was of no use and removed
	Media     string // media type, as it is kept
	Size      int64  // bytes
	Pages     int    // of a PDF; 0 for a picture, and before it was judged
	CreatedAt time.Time
	Later     bool // it came after the decision of the case that is shown
}

// provesAddress is what the files of proofs of address are for.
const provesAddress = "POA"

// ErrNoDocument says that there is no such document, or that its content is gone.
var ErrNoDocument = errors.New("console: there is no such document")

// ErrUnreadable says that a document cannot be shown.
var ErrUnreadable = errors.New("console: the document cannot be shown")

// ErrNotReady says that what draws PDFs is still being made ready, which happens once after an installation.
var ErrNotReady = errors.New("console: PDFs cannot be shown yet")

// Documents shows documents to those who may see them.
type Documents interface {
	// Files lists the documents of a user, the oldest first.
	Files(r db.Reader, partner int64, user clock.ID) ([]Document, error)
	// Show records the look in the audit log and then answers a picture, or a page of a PDF, counted from 1, as a JPEG
	// with the actor and the time all over it. ErrNoDocument, ErrUnreadable, ErrNotReady.
	Show(ctx context.Context, actor string, partner int64, id clock.ID, page int) (jpeg []byte, err error)
	// Prepare makes ready, in the background, what the first of them would wait for.
	Prepare()
}

func (d Document) path() string {
	return Root + "/documents/" + itoa(d.Partner) + "/" + d.ID.String()
}

// page is where a page of the document is, as a picture. Pictures have one.
func (d Document) page(n int) string {
	if n == 1 {
		return d.path()
	}
	return d.path() + "?page=" + strconv.Itoa(n)
}

func (d Document) isPDF() bool { return d.Media == string(document.PDF) }

// pages are the numbers of a document's pages.
func (d Document) pages() (all []int) {
	for n := range max(1, d.Pages) {
		all = append(all, n+1)
	}
	return all
}

// alt says what a page is to who does not see it.
func (d Document) alt(n int) string {
	if d.Pages > 1 {
		return d.label() + ", page " + strconv.Itoa(n)
	}
	return d.label()
}

// extent tells how many pages a PDF has, when they are more than one.
func (d Document) extent() string {
	if d.Pages > 1 {
		return ", " + strconv.Itoa(d.Pages) + " pages"
	}
	return ""
}

// label is what a document shows, as far as it is known.
func (d Document) label() string {
	switch {
	case d.Proves == provesAddress:
		return "Proof of address"
	case d.Side == "":
		return "Identity document"
	}
	return d.Side[:1] + strings.ToLower(d.Side[1:])
}

// kind is the media type as people say it.
func (d Document) kind() string {
	_, kind, _ := strings.Cut(d.Media, "/")
	return strings.ToUpper(kind)
}

// size tells a number of bytes to people.
func size(n int64) string {
	const kib = 1 << 10
	if n < kib*kib {
		return itoa((n+kib-1)/kib) + " KiB"
	}
	tenths := n * 10 / (kib * kib)
	return itoa(tenths/10) + "." + itoa(tenths%10) + " MiB"
}

// showDocument answers a page of a document, as a picture: nothing that a stranger made reaches the browser.
func (c *console) showDocument(w http.ResponseWriter, r *http.Request) error {
	partner, err := strconv.ParseInt(chi.URLParam(r, "partner"), 10, 64)
	if err != nil {
		return errNotFound
	}
	id, err := clock.ParseID(chi.URLParam(r, "document"))
	if err != nil {
		return errNotFound
	}
	page := 1
	if text := r.URL.Query().Get("page"); text != "" {
		if page, err = strconv.Atoi(text); err != nil {
			return errNotFound
		}
	}
	shown, err := c.Documents.Show(r.Context(), officer(r).Actor(), partner, id, page)
	switch {
	case errors.Is(err, ErrNoDocument):
		return errNotFound
	case errors.Is(err, ErrUnreadable):
		return c.notShown(w, r, problem{http.StatusUnprocessableEntity, "Not readable", "Its content is damaged, or too large to be drawn."})
	case errors.Is(err, ErrNotReady), errors.Is(err, context.DeadlineExceeded):
		return c.notShown(w, r, problem{http.StatusServiceUnavailable, "Not ready yet", "Please load the page again in half a minute."})
	case err != nil:
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if _, err := w.Write(shown); err != nil {
		c.Log.WarnContext(r.Context(), "a document was not sent to its end", "error", err)
	}
	return nil
}

// notShown says why there is no picture: as a picture where the browser wants one for a page, which otherwise would
// leave the place empty.
func (c *console) notShown(w http.ResponseWriter, r *http.Request, p problem) error {
	if r.Header.Get("Sec-Fetch-Dest") != "image" {
		return p
	}
	h := w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.WriteHeader(p.status)
	return notice(p.title, p.text).Render(r.Context(), w)
}
