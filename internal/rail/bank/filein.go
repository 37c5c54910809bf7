package bank

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/file"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

// What becomes of a file from the bank.
const (
	fileTaken       = "TAKEN"
	fileDuplicate   = "DUPLICATE"
	fileQuarantined = "QUARANTINED"
)

// reasonSuffix ends the name of the file that tells why the one beside it is in quarantine.
const reasonSuffix = ".reason.txt"

// Limits of what is kept of a file.
const (
	maxFile   = 128 << 20 // bytes; as large as a message can be
	nameLimit = 120       // bytes of a name, which the name in the archive repeats
	idLimit   = 140       // characters of a message id
)

// errMessageTwice says that a message id came again with other content.
var errMessageTwice = errors.New("bank: a message with this id and another content was taken before")

var (
	insertFileIn = db.NewInsert("bank_file_in", `partner_id bigint, id uuid, name text, digest bytes, kind text,
		message_id text, outcome text, reason text, place text, created_at bigint`)
	selectByDigest = db.NewQuery(`SELECT name, place FROM bank_file_in
		WHERE partner_id = $1 AND digest = $2 AND outcome = '` + fileTaken + `'`)
	selectByMessage = db.NewQuery(`SELECT name, place, digest FROM bank_file_in
		WHERE partner_id = $1 AND kind = $2 AND message_id = $3 AND outcome = '` + fileTaken + `'`)
)

// look is what is known of a file in the inbox.
type look struct {
	size     int64
	changed  time.Time
	whole    bool // it did not change from one look to the next
	failures int
	due      time.Time // after a failure; machine's time
}

// Run looks into the inbox until the context ends. What is complete is taken by a job, on one node at a time.
func (f *Files) Run(ctx context.Context) {
	if err := f.sweep(ctx); err != nil && ctx.Err() == nil {
		f.log.Warn("bank: what is left in the staging folder cannot be swept", "error", err)
	}
	timer := time.NewTicker(f.poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		if err := f.lookIn(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn("bank: the inbox cannot be looked at", "error", err)
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// lookIn notes which files are complete, and has them taken.
func (f *Files) lookIn(ctx context.Context) error {
	files, err := list(f.in(inboxFolder))
	if err != nil {
		return err
	}
	if !f.note(files, time.Now()) {
		return nil
	}
	return f.db.Update(ctx, func(tx *db.Tx) error {
		waits, err := job.Exists(tx, ledger.Operator, takeFiles, clock.ID{})
		if err != nil || waits {
			return err
		}
		job.Enqueue(tx, ledger.Operator, takeFiles, clock.ID{}, f.clock.Now())
		tx.AfterCommit(f.jobs.Wake)
		return nil
	})
}

// note compares the inbox with what it was at the last look, and tells whether there is something to take.
func (f *Files) note(files []found, now time.Time) (work bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := make(map[string]look, len(files))
	for _, n := range files {
		l, known := f.inbox[n.name]
		if known && l.size == n.size && l.changed.Equal(n.changed) {
			l.whole = true
		} else {
			l = look{size: n.size, changed: n.changed}
		}
		seen[n.name] = l
		work = work || l.whole && !l.due.After(now)
	}
	f.inbox = seen
	return work
}

// complete answers the files that are to be taken now, in the order in which they were written.
func (f *Files) complete(now time.Time) (all []found) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, l := range f.inbox {
		if l.whole && !l.due.After(now) {
			all = append(all, found{name, l.size, l.changed})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Or(a.changed.Compare(b.changed), strings.Compare(a.name, b.name)) })
	return all
}

// takeAll takes the files that this node has seen complete, one after another. One that fails is tried again later,
// and keeps no other waiting.
func (f *Files) takeAll(ctx context.Context, _ job.Job) error {
	for _, n := range f.complete(time.Now()) {
		err := f.takeFile(ctx, n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.mu.Lock()
		if l, known := f.inbox[n.name]; known && err != nil {
			l.due = time.Now().Add(min(firstRetry<<min(l.failures, 16), longestRetry))
			l.failures++
			f.inbox[n.name] = l
		} else {
			delete(f.inbox, n.name)
		}
		f.mu.Unlock()
		if err != nil {
			f.count("in", "failed")
			f.log.Warn("bank: a file could not be taken and stays in the inbox", "file", n.name, "error", err)
		}
	}
	return nil
}

// incoming is a file while it is taken.
type incoming struct {
	found
	id      clock.ID
	at      time.Time
	digest  []byte
	kind    string
	message string
}

// takeFile passes on what a file says, records that, and moves the file. After a crash in between the file is taken
// again: everything it says can be told again, and a file whose record is there is only moved.
func (f *Files) takeFile(ctx context.Context, n found) error {
	in := incoming{found: n, id: clock.NewID(), at: f.clock.Now(), digest: []byte{}}
	if n.size > maxFile {
		return f.quarantine(ctx, in, iso20022.ErrSize)
	}
	d, fault, err := f.readFile(&in)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another node has taken it
	}
	if err != nil {
		return err
	}
	if known, err := f.known(ctx, in); known || err != nil {
		return err
	}
	if fault != nil {
		return f.quarantine(ctx, in, fault)
	}
	if err := pass(ctx, d, f.receiver); errors.Is(err, sepa.ErrContradiction) {
		return f.quarantine(ctx, in, err)
	} else if err != nil {
		return err
	}
	return f.settle(ctx, in, fileTaken, "", path.Join(archiveFolder, in.day(), in.kept()))
}

func (in incoming) day() string { return in.at.UTC().Format(time.DateOnly) }

// kept is the name that the file has in the archive or in quarantine: names from outside may come again.
func (in incoming) kept() string {
	name := in.name
	if len(name) > nameLimit {
		name = name[len(name)-nameLimit:]
	}
	return in.id.String() + "-" + clean(name)
}

// clean is a name from outside as it can be stored and shown.
func clean(name string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '_'
		}
		return c
	}, strings.ToValidUTF8(name, "_"))
}

// readFile reads the file. fault is what is wrong with its content; err says that it could not be read.
func (f *Files) readFile(in *incoming) (d iso20022.Document, fault, err error) {
	root, err := os.OpenRoot(f.in(inboxFolder)) // so that a link leads nowhere else
	if err != nil {
		return d, nil, err
	}
	defer root.Close()
	opened, err := root.Open(in.name)
	if err != nil {
		return d, nil, err
	}
	defer opened.Close()
	c := &content{from: opened, digest: sha256.New()}
	d, fault = f.account.read(c)
	if fault != nil && c.failed == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c, maxFile)) // what was not read yet counts for the digest
	}
	if c.failed != nil {
		return d, nil, c.failed
	}
	in.digest = c.digest.Sum(nil)
	if fault == nil {
		in.kind, in.message = d.Kind(), cut(d.ID(), idLimit)
	}
	return d, fault, nil
}

// content is what a file holds, with its digest.
type content struct {
	from   io.Reader
	digest hash.Hash
	failed error // why the file could not be read to its end
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.digest.Write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		c.failed = err
	}
	return n, err
}

// known tells whether the file, or its message, was taken before, and then puts it away.
func (f *Files) known(ctx context.Context, in incoming) (bool, error) {
	var name, place string
	digest := in.digest
	err := f.db.View(ctx, func(r db.Reader) error {
		err := r.Row(selectByDigest, ledger.Operator, in.digest).Scan(&name, &place)
		if !errors.Is(err, db.ErrNoRows) || in.message == "" {
			return err
		}
		return r.Row(selectByMessage, ledger.Operator, in.kind, in.message).Scan(&name, &place, &digest)
	})
	switch {
	case errors.Is(err, db.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case !bytes.Equal(digest, in.digest): // equal: another run has taken this file since the first look
		return true, f.quarantine(ctx, in, fmt.Errorf("%w, in %s", errMessageTwice, name))
	}
	_, err = os.Stat(f.in(place))
	if errors.Is(err, fs.ErrNotExist) && name == clean(in.name) {
		return true, f.move(in.name, place) // an earlier run came as far as its record
	}
	return true, f.settle(ctx, in, fileDuplicate, "", path.Join(archiveFolder, in.day(), in.kept()))
}

// settle records what became of a file, and then moves it. The keys of the record let one run take a file, and a
// message: a run that loses leaves the file where it is, to be looked at again.
func (f *Files) settle(ctx context.Context, in incoming, outcome, reason, place string) error {
	err := f.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(insertFileIn, ledger.Operator, in.id, clean(in.name), in.digest, in.kind, in.message, outcome, reason, place, in.at)
		return nil
	})
	if db.Violates(err, "bank_file_in_digest_key") || db.Violates(err, "bank_file_in_message_key") {
		return nil
	}
	if err != nil {
		return err
	}
	f.count("in", strings.ToLower(outcome))
	if outcome != fileTaken {
		f.log.Warn("bank: a file was not taken", "file", in.name, "outcome", outcome, "reason", reason, "place", place)
	}
	return f.move(in.name, place)
}

// quarantine puts a file away that a person must look at, with the reason beside it.
func (f *Files) quarantine(ctx context.Context, in incoming, fault error) error {
	place := path.Join(quarantineFolder, in.kept())
	text := fmt.Sprintf("File:   %s\nTime:   %s\nReason: %s\n\n%s\n", clean(in.name), in.at.UTC().Format(time.RFC3339), fault, advice(fault))
	if err := file.Replace(f.in(place+reasonSuffix), []byte(text), fileMode); err != nil {
		return err
	}
	return f.settle(ctx, in, fileQuarantined, fault.Error(), place)
}

// advice tells a person what to do about a file in quarantine.
func advice(fault error) string {
	for _, a := range []struct {
		fault error
		text  string
	}{
		{ErrAccount, "Nothing of this file was booked. Statements of other accounts must not come into this inbox."},
		{errMessageTwice, "Nothing of this file was booked. Ask the bank why a message id came twice."},
		{sepa.ErrContradiction, "The payments of this file were booked. Ask the bank which of its statements of the day is right."},
		{iso20022.ErrKind, "This is no message that a bank sends here: a status report (pain.002) or a statement (camt.053, camt.054)."},
		{iso20022.ErrSize, "Ask the bank for the same in smaller files."},
	} {
		if errors.Is(fault, a.fault) {
			return a.text
		}
	}
	return "Nothing of this file was booked. Ask the bank for it again. A whole file that came in part may be put into the inbox again."
}

// move moves a file out of the inbox.
func (f *Files) move(name, place string) error {
	if err := os.MkdirAll(f.in(path.Dir(place)), folderMode); err != nil {
		return err
	}
	err := file.Move(f.in(inboxFolder, name), f.in(place))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another node has moved it
	}
	return err
}

// cut shortens a text to a number of characters.
func cut(text string, longest int) string {
	if letters := []rune(text); len(letters) > longest {
		return string(letters[:longest])
	}
	return text
}
