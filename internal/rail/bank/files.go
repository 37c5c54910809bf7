package bank

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
)

// The folders below the one that is shared with the bank's side. Staging is ours alone.
const (
	outboxFolder     = "outbox"     // we put files here, and the bank's side takes them away
	inboxFolder      = "inbox"      // the bank's side puts files here, and we take them away
	archiveFolder    = "archive"    // what was taken from the inbox, by day
	quarantineFolder = "quarantine" // what could not be, each with the reason beside it
	stagingFolder    = "staging"    // what will be in the outbox
)

// Limits of the exchange of files.
const (
	folderLimit  = 10_000          // names that are looked at in a folder
	firstRetry   = time.Second     // of a file whose content the program could not take; doubled with each failure
	longestRetry = 5 * time.Minute //
	leftover     = 24 * time.Hour  // a staged file that no batch knows was left by a program that was stopped
	fileMode     = fs.FileMode(0o640)
	folderMode   = fs.FileMode(0o770)
)

// takeFiles is the job that takes what is in the inbox. There is one, so that one node does it at a time.
const takeFiles = "bank-files-take"

// Files is the way to a real bank: messages as files in folders that the bank's side shares, such as those of an
// EBICS or SFTP client.
type Files struct {
	account  Account
	folder   string
	db       *db.DB
	clock    clock.Clock
	jobs     *job.Runner
	log      *slog.Logger
	receiver Receiver
	poll     time.Duration
	observer FilesObserver

	mu    sync.Mutex
	inbox map[string]look
}

// FilesConfig is what Files needs.
type FilesConfig struct {
	Account  Account
	Folder   string // exists
	Poll     time.Duration
	DB       *db.DB
	Clock    clock.Clock
	Jobs     *job.Runner
	Log      *slog.Logger
	Receiver Receiver
	Observer FilesObserver // nil: nobody
}

// FilesObserver counts files by direction, in or out, and what became of them.
type FilesObserver interface {
	BankFile(direction, outcome string)
}

// NewFiles makes the connector and registers its job. Folders that are missing are made, unless files were exchanged
// before: then the folder is not the one that it was, or is not mounted, and this is an error.
func NewFiles(ctx context.Context, c FilesConfig) (*Files, error) {
	f := &Files{
		account: c.Account, folder: c.Folder, db: c.DB, clock: c.Clock, jobs: c.Jobs, log: c.Log, receiver: c.Receiver,
		poll: c.Poll, observer: c.Observer, inbox: map[string]look{},
	}
	if err := f.prepare(ctx); err != nil {
		return nil, err
	}
	c.Jobs.Register(takeFiles, f.takeAll)
	return f, nil
}

var (
	selectAnyOut = db.NewQuery(`SELECT COUNT(*) FROM (SELECT 1 FROM bank_file_out WHERE partner_id = $1 LIMIT 1) AS any_out`)
	selectAnyIn  = db.NewQuery(`SELECT COUNT(*) FROM (SELECT 1 FROM bank_file_in WHERE partner_id = $1 LIMIT 1) AS any_in`)
)

// Exchanged tells whether files were ever exchanged with a bank.
func Exchanged(r db.Reader) (bool, error) {
	var out, in int64
	err := r.Row(selectAnyOut, ledger.Operator).Scan(&out)
	if err == nil {
		err = r.Row(selectAnyIn, ledger.Operator).Scan(&in)
	}
	return out+in > 0, err
}

func (f *Files) prepare(ctx context.Context) error {
	if info, err := os.Stat(f.folder); err != nil || !info.IsDir() {
		return fmt.Errorf("bank: the folder for files, %s, is not there", f.folder)
	}
	var missing []string
	for _, name := range []string{outboxFolder, inboxFolder, archiveFolder, quarantineFolder, stagingFolder} {
		if _, err := os.Stat(f.in(name)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var before bool
	err := f.db.View(ctx, func(r db.Reader) (err error) {
		before, err = Exchanged(r)
		return err
	})
	if err != nil {
		return err
	}
	if before {
		return fmt.Errorf("bank: %s has no %s although files were exchanged over it before: is it mounted? If it is lost, make these folders", f.folder, strings.Join(missing, ", "))
	}
	for _, name := range missing {
		if err := os.Mkdir(f.in(name), folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func (f *Files) in(names ...string) string {
	return filepath.Join(append([]string{f.folder}, names...)...)
}

func (f *Files) count(direction, outcome string) {
	if f.observer != nil {
		f.observer.BankFile(direction, outcome)
	}
}

// FolderState is what waits in a folder.
type FolderState struct {
	Files  int
	Oldest time.Duration // age of the oldest; 0: there is none
}

// FilesState is what waits in the folders, for the operator.
type FilesState struct{ Inbox, Outbox, Quarantine FolderState }

// State looks into the folders.
func (f *Files) State() (s FilesState, err error) {
	for name, into := range map[string]*FolderState{inboxFolder: &s.Inbox, outboxFolder: &s.Outbox, quarantineFolder: &s.Quarantine} {
		files, err := list(f.in(name))
		if err != nil {
			return s, err
		}
		for _, file := range files {
			if name == quarantineFolder && strings.HasSuffix(file.name, reasonSuffix) {
				continue
			}
			into.Files++
			into.Oldest = max(into.Oldest, time.Since(file.changed))
		}
	}
	return s, nil
}

// found is a file in a folder.
type found struct {
	name    string
	size    int64
	changed time.Time
}

// list answers the files of a folder that are not being written: by their names. Whatever is no plain file is passed
// over, so that nothing outside of the folder is read.
func list(folder string) ([]found, error) {
	d, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(folderLimit)
	if err != nil && len(entries) == 0 && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var all []found
	for _, e := range entries {
		if !e.Type().IsRegular() || unfinished(e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken away meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found{e.Name(), info.Size(), info.ModTime()})
	}
	return all, nil
}

// unfinished tells by a name that its file is being written.
func unfinished(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
		return true
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".tmp", ".part", ".filepart", ".partial", ".writing":
		return true
	}
	return false
}
