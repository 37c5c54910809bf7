package bank

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/file"
	"kontor/internal/ledger"
	"kontor/internal/sepa"
)

// fileSuffix ends the names of files that we write.
const fileSuffix = ".xml"

var (
	insertFileOut = db.NewInsert("bank_file_out", "partner_id bigint, message_id text, staged text, created_at bigint")
	selectStaged  = db.NewQuery(`SELECT staged FROM bank_file_out WHERE partner_id = $1 AND message_id = $2`)
	selectKnown   = db.NewQuery(`SELECT message_id FROM bank_file_out WHERE partner_id = $1 AND staged = $2`)
)

// Submit gives the bank a batch as a file.
func (f *Files) Submit(ctx context.Context, b sepa.Batch) error {
	document, err := f.account.render(b)
	if err != nil {
		return err
	}
	return f.putOut(ctx, messageID(b.ID), document)
}

// Return puts the order to send a payment back into the outbox, as a pacs.004.
func (f *Files) Return(ctx context.Context, r sepa.ReturnOrder) error {
	document, err := f.account.renderReturn(r)
	if err != nil {
		return err
	}
	return f.putOut(ctx, messageID(r.ID), document)
}

// putOut puts a message into the outbox, once, whenever the program is stopped and on however many nodes this runs:
//
//  1. The message is written to a staged file of a new name, which no other run ever writes, and is durable.
//  2. That name is committed. The key lets one run's name stand for the message for ever.
//  3. The staged file of this name is renamed into the outbox.
//
// A rename takes the file away from where it was, and nothing makes a file of this name again, so step 3 happens once.
// A run that finds the name committed goes on with step 3, and when the file is gone, step 3 has been done: whether the
// bank's side has taken the file or not does not matter. Before step 2 nothing has left.
//
// What remains is the loss of power in the moment between the rename and its becoming durable, when the bank's
// side has taken the file already: then the bank gets the same message id again, with the same content, and refuses it.
func (f *Files) putOut(ctx context.Context, id string, document []byte) error {
	staged, err := f.staged(ctx, id)
	if err != nil {
		return err
	}
	if staged == "" {
		if staged, err = f.stage(ctx, id, document); err != nil {
			return err
		}
	}
	err = file.Move(f.in(stagingFolder, staged), f.in(outboxFolder, id+fileSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return f.alreadyOut(staged)
	}
	if err == nil {
		f.count("out", "sent")
	}
	return err
}

// alreadyOut makes sure that a staged file is gone because it was moved, and not because the folders are away.
func (f *Files) alreadyOut(staged string) error {
	for _, folder := range []string{stagingFolder, outboxFolder} {
		if _, err := os.Stat(f.in(folder)); err != nil {
			return err
		}
	}
	if _, err := os.Stat(f.in(stagingFolder, staged)); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errors.New("bank: a file could not be moved to the outbox"), err)
	}
	return nil
}

// staged answers the staged file of a message; empty when there is none yet.
func (f *Files) staged(ctx context.Context, id string) (name string, err error) {
	err = f.db.View(ctx, func(r db.Reader) error { return r.Row(selectStaged, ledger.Operator, id).Scan(&name) })
	if errors.Is(err, db.ErrNoRows) {
		return "", nil
	}
	return name, err
}

// stage does the steps 1 and 2. When another run was faster, the answer is its file.
func (f *Files) stage(ctx context.Context, id string, document []byte) (string, error) {
	name := clock.NewID().String() + fileSuffix
	if err := file.Replace(f.in(stagingFolder, name), document, fileMode); err != nil {
		return "", err
	}
	err := f.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(insertFileOut, ledger.Operator, id, name, f.clock.Now())
		return nil
	})
	if db.Violates(err, "bank_file_out_pkey") {
		if err := os.Remove(f.in(stagingFolder, name)); err != nil {
			return "", err
		}
		return f.staged(ctx, id)
	}
	return name, err // a commit whose outcome is unknown: the next run sees whether the name is there
}

// sweep removes staged files that an earlier run of the program left without committing their names.
func (f *Files) sweep(ctx context.Context) error {
	files, err := list(f.in(stagingFolder))
	if err != nil {
		return err
	}
	for _, left := range files {
		if time.Since(left.changed) < leftover {
			continue
		}
		err := f.db.View(ctx, func(r db.Reader) error {
			var id string
			return r.Row(selectKnown, ledger.Operator, left.name).Scan(&id)
		})
		if errors.Is(err, db.ErrNoRows) {
			err = os.Remove(f.in(stagingFolder, left.name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
