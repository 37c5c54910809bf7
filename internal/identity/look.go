package identity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"kontor/internal/audit"
	"kontor/internal/blob"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/document"
)

// Look is what an officer is shown of a file.
type Look struct {
	Media   document.Media // of what is shown: a picture becomes a JPEG
	Content io.ReadCloser
}

// ErrNoFile says that there is no such file, or that its content was removed because it is of no use.
var ErrNoFile = errors.New("identity: there is no such file")

// Show opens a file for a person who may look at it, and records the look in the audit log before anything is shown:
// a picture upright, within 1600 pixels and with the actor and the time all over it; a PDF as it is. ErrNoFile; a
// document.Problem when a picture cannot be shown.
func (f *Uploads) Show(ctx context.Context, actor string, partner int64, id clock.ID) (Look, error) {
	d, err := f.find(ctx, partner, id)
	if errors.Is(err, db.ErrNoRows) || (err == nil && d.State == FileError) {
		return Look{}, ErrNoFile
	}
	if err != nil {
		return Look{}, err
	}
	content, err := f.Blobs.Open(ctx, refOf(partner, id))
	if err != nil {
		return Look{}, err
	}
	now := f.Clock.Now()
	err = f.DB.Update(ctx, func(tx *db.Tx) error {
		return audit.Write(tx, audit.Entry{
			Actor: actor, Action: "document.view", Partner: partner, Object: id.String(),
			Details: map[string]string{"user": d.User.String(), "proves": d.Proves},
		})
	})
	if err != nil {
		return Look{}, errors.Join(err, content.Close())
	}
	if d.Media == document.PDF {
		return Look{Media: d.Media, Content: content}, nil
	}
	defer content.Close()
	var shown bytes.Buffer
	if err := document.Render(&shown, d.Media, content, actor+"  "+now.UTC().Format(time.DateTime)+" UTC"); err != nil {
		return Look{}, err
	}
	return Look{Media: document.JPEG, Content: io.NopCloser(&shown)}, nil
}

func refOf(partner int64, id clock.ID) blob.Ref { return blob.Ref{Partner: partner, ID: id} }
