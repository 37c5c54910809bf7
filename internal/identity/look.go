package identity

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"time"

	"kontor/internal/audit"
	"kontor/internal/blob"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/document"
)

// PageDrawer draws a page of a PDF, counted from 1; a document.Problem when it cannot.
type PageDrawer interface {
	Page(ctx context.Context, content io.Reader, page int) (*image.RGBA, error)
	// Prepare has what the first page needs made ready in the background.
	Prepare()
}

// ErrNoFile says that there is no such file or page, or that its content was removed because it is of no use.
var ErrNoFile = errors.New("identity: there is no such file")

// Show answers a file as a JPEG for a person who may look at it: a picture, or the page of a PDF, counted from 1;
// upright, within 1600 pixels, and with the actor and the time all over it. The look is in the audit log before
// anything is shown. Nobody gets the file itself. ErrNoFile; a document.Problem when it cannot be shown.
func (f *Uploads) Show(ctx context.Context, actor string, partner int64, id clock.ID, page int) ([]byte, error) {
	d, err := f.find(ctx, partner, id)
	if errors.Is(err, db.ErrNoRows) || (err == nil && (d.State == FileError || page < 1 || page > max(1, d.Pages))) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	content, err := f.Blobs.Open(ctx, refOf(partner, id))
	if err != nil {
		return nil, err
	}
	defer content.Close()
	now := f.Clock.Now()
	err = f.DB.Update(ctx, func(tx *db.Tx) error {
		return audit.Write(tx, audit.Entry{
			Actor: actor, Action: "document.view", Partner: partner, Object: id.String(),
			Details: map[string]any{"user": d.User.String(), "proves": d.Proves, "page": page},
		})
	})
	if err != nil {
		return nil, err
	}
	var shown bytes.Buffer
	mark := actor + "  " + now.UTC().Format(time.DateTime) + " UTC"
	if d.Media == document.PDF {
		picture, err := f.Pages.Page(ctx, content, page)
		if err != nil {
			return nil, err
		}
		err = document.Mark(&shown, picture, mark)
		return shown.Bytes(), err
	}
	err = document.Render(&shown, d.Media, content, mark)
	return shown.Bytes(), err
}

func refOf(partner int64, id clock.ID) blob.Ref { return blob.Ref{Partner: partner, ID: id} }
