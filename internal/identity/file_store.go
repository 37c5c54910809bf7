package identity

import (
	"context"
	"io"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/document"
	"kontor/internal/job"
	"kontor/internal/user"
	"kontor/internal/vault"
)

const fileColumns = `partner_id, id, user_id, check_id, purpose, side, state, media, size, width, height, pages, label, created_at`

var (
	insertFile = db.NewInsert("document", `partner_id bigint, id uuid, user_id uuid, check_id uuid, purpose text, side text,
		state text, media text, size bigint, width bigint, height bigint, pages bigint, label bytes, created_at bigint`)
	selectFile  = db.NewQuery(`SELECT ` + fileColumns + ` FROM document WHERE partner_id = $1 AND id = $2`)
	selectFiles = db.NewQuery(`
		SELECT ` + fileColumns + ` FROM document WHERE partner_id = $1 AND user_id = $2 ORDER BY created_at, id`)
	selectKnown = db.NewQuery(`
		SELECT id FROM document WHERE partner_id = $1 AND state <> 'ERROR' AND id IN (` + db.List(2) + `)`)
	updateFile = db.NewCommand(`UPDATE document SET state = $3, pages = $4 WHERE partner_id = $1 AND id = $2`)
	deleteFile = db.NewCommand(`DELETE FROM document WHERE partner_id = $1 AND id = $2`)
)

func filePlace(id clock.ID) vault.Place {
	return vault.Place{Table: "document", Column: "label", Row: id.String()}
}

// insert gives an upload to a locked user.
func (f *Uploads) insert(tx *db.Tx, u user.User, check clock.ID, proves, side, state string, up Upload) error {
	name, err := f.Vault.Seal(filePlace(up.ID), []byte(up.Name))
	if err != nil {
		return err
	}
	tx.Write(insertFile, u.Partner, up.ID, u.ID, check, proves, side, state, string(up.Facts.Media), up.Size,
		up.Facts.Width, up.Facts.Height, up.Pages, name, f.Clock.Now())
	return nil
}

func (f *Uploads) scan(row db.Scanner) (File, error) {
	var d File
	var media string
	var name []byte
	err := row.Scan(&d.Partner, &d.ID, &d.User, &d.Check, &d.Proves, &d.Side, &d.State, &media, &d.Size, &d.Width, &d.Height,
		&d.Pages, &name, &d.CreatedAt)
	if err != nil {
		return File{}, err
	}
	plain, err := f.Vault.Open(filePlace(d.ID), name)
	d.Media, d.Name = document.Media(media), string(plain)
	return d, err
}

// find reads one file; db.ErrNoRows.
func (f *Uploads) find(ctx context.Context, partner int64, id clock.ID) (d File, err error) {
	err = f.DB.View(ctx, func(r db.Reader) error {
		d, err = f.scan(r.Row(selectFile, partner, id))
		return err
	})
	return d, err
}

// Files answers all files of a user in the order in which they came, also those of no use.
func (f *Uploads) Files(r db.Reader, partner int64, u clock.ID) ([]File, error) {
	rows := r.Rows(selectFiles, partner, u)
	defer rows.Close()
	var all []File
	for rows.Next() {
		d, err := f.scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// List implements Documents: what was stored for an attempt and is of use, as far as it was judged.
func (f *Uploads) List(r db.Reader, partner int64, u, attempt clock.ID) ([]Document, error) {
	files, err := f.Files(r, partner, u)
	if err != nil {
		return nil, err
	}
	var all []Document
	for _, d := range files {
		if d.Check == attempt && d.Proves == ProvesIdentity && d.State != FileError {
			all = append(all, Document{ID: d.ID, Side: d.Side, MediaType: string(d.Media), Name: d.Name})
		}
	}
	return all, nil
}

// Open implements Documents. It is for the program's own checks; people look by Show.
func (f *Uploads) Open(ctx context.Context, partner int64, _ clock.ID, d Document) (io.ReadCloser, error) {
	return f.Blobs.Open(ctx, refOf(partner, d.ID))
}

// deleteFileJob is the job that removes the content of a file whose row is gone. Its object is the file.
const deleteFileJob = "document-delete"

// remove forgets a file. Its content follows when that is committed.
func (f *Uploads) remove(tx *db.Tx, d File) {
	tx.Write(deleteFile, d.Partner, d.ID)
	job.Enqueue(tx, d.Partner, deleteFileJob, d.ID, f.Clock.Now())
	tx.AfterCommit(f.Jobs.Wake)
}

func (f *Uploads) deleteContent(ctx context.Context, j job.Job) error {
	return f.Blobs.Delete(ctx, refOf(j.Partner, j.Object))
}

// ErasePerson removes the files of a user who was deleted, and what officers wrote about them. It may be called again.
func (f *Uploads) ErasePerson(tx *db.Tx, partner int64, u clock.ID) error {
	files, err := f.Files(tx, partner, u)
	if err != nil {
		return err
	}
	for _, d := range files {
		f.remove(tx, d)
	}
	tx.Write(eraseReasons, partner, u, []byte{})
	return nil
}

// Run removes, every hour of real time, contents that no row refers to: of requests that ended before their
// transaction. It ends with the context.
func (f *Uploads) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepUploads)
	defer tick.Stop()
	for {
		n, err := f.Sweep(ctx, time.Now().Add(-orphanAge))
		if err != nil && ctx.Err() == nil {
			f.Log.WarnContext(ctx, "unused uploads were not swept", "error", err)
		}
		if n > 0 {
			f.Log.InfoContext(ctx, "unused uploads were removed", "files", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Sweep removes contents written before a time that no row refers to, and answers how many.
func (f *Uploads) Sweep(ctx context.Context, before time.Time) (int, error) {
	return f.Blobs.Sweep(ctx, before, func(ctx context.Context, partner int64, ids []clock.ID) ([]clock.ID, error) {
		known := map[clock.ID]bool{}
		err := f.DB.View(ctx, func(r db.Reader) error {
			for _, args := range db.Lists(ids, partner) {
				if err := collectIDs(r.Rows(selectKnown, args...), known); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		var unknown []clock.ID
		for _, id := range ids {
			if !known[id] {
				unknown = append(unknown, id)
			}
		}
		return unknown, nil
	})
}

func collectIDs(rows *db.Rows, into map[clock.ID]bool) error {
	defer rows.Close()
	for rows.Next() {
		var id clock.ID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		into[id] = true
	}
	return rows.Err()
}
