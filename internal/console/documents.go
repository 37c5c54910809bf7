package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/clock"
	"kontor/internal/db"
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
	CreatedAt time.Time
}

// ErrNoDocument says that there is no such document, or that its content is gone.
var ErrNoDocument = errors.New("console: there is no such document")

// ErrUnreadable says that a document cannot be shown.
var ErrUnreadable = errors.New("console: the document cannot be shown")

// Documents shows documents to those who may see them.
type Documents interface {
	// Files lists the documents of a user, the oldest first.
	Files(r db.Reader, partner int64, user clock.ID) ([]Document, error)
	// Show records the look in the audit log and then opens a document: a picture as a JPEG with the actor and the
	// time all over it, a PDF as it is. The caller closes it. ErrNoDocument, ErrUnreadable.
	Show(ctx context.Context, actor string, partner int64, id clock.ID) (mediaType string, content io.ReadCloser, err error)
}

// isPicture tells whether a document can be shown in a page.
func (d Document) isPicture() bool { return strings.HasPrefix(d.Media, "image/") }

func (d Document) path() string {
	return Root + "/documents/" + itoa(d.Partner) + "/" + d.ID.String()
}

// label is what a document shows, as far as it is known.
func (d Document) label() string {
	switch {
	case d.Proves == "POA":
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

// showDocument answers a document's content. Nothing in it runs, wherever the browser shows it.
func (c *console) showDocument(w http.ResponseWriter, r *http.Request) error {
	partner, err := strconv.ParseInt(chi.URLParam(r, "partner"), 10, 64)
	if err != nil {
		return errNotFound
	}
	id, err := clock.ParseID(chi.URLParam(r, "document"))
	if err != nil {
		return errNotFound
	}
	media, content, err := c.Documents.Show(r.Context(), officer(r).Actor(), partner, id)
	switch {
	case errors.Is(err, ErrNoDocument):
		return errNotFound
	case errors.Is(err, ErrUnreadable):
		return problem{http.StatusUnprocessableEntity, "Not readable", "This document cannot be shown: its content is damaged, or too large to be decoded."}
	case err != nil:
		return err
	}
	defer content.Close()
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if !strings.HasPrefix(media, "image/") {
		h.Set("Content-Disposition", `attachment; filename="`+id.String()+`.pdf"`)
	}
	if _, err := io.Copy(w, content); err != nil {
		c.Log.WarnContext(r.Context(), "a document was not sent to its end", "error", err)
	}
	return nil
}
