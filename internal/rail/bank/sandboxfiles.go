package bank

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kontor/internal/clock"
	"kontor/internal/file"
	"kontor/internal/rail/bank/iso20022"
)

// The folders of the sandbox's bank that are its own. Both keep the files of Kontor as they came.
const (
	receivedFolder = "received" // messages
	refusedFolder  = "refused"  // what is none
)

// pickedUp ends the name of a file in the outbox that the bank has picked up, and begins with a dot, as files do that
// nobody else may touch.
const pickedUp = ".picked-up"

// SandboxFiles is the bank's side of the folders that Files exchanges messages over, for a Sandbox that runs in a
// process of its own.
type SandboxFiles struct {
	bank   *Sandbox
	shared string
	own    string
	log    *slog.Logger
}

// NewSandboxFiles makes the bank's side of a shared folder, which exists, as far as its parts are missing. own is the
// bank's own folder, which exists too.
func NewSandboxFiles(s *Sandbox, shared, own string, log *slog.Logger) (*SandboxFiles, error) {
	if info, err := os.Stat(shared); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("bank: the folder for files, %s, is not there", shared)
	}
	for _, folder := range []string{
		filepath.Join(shared, outboxFolder), filepath.Join(shared, inboxFolder), filepath.Join(own, receivedFolder), filepath.Join(own, refusedFolder),
	} {
		if err := os.Mkdir(folder, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return &SandboxFiles{bank: s, shared: shared, own: own, log: log}, nil
}

// SendFiles is how the sandbox's bank sends its documents as files into the inbox of a shared folder. What was sent
// before is sent again under the same name, with the same content.
func SendFiles(shared string, log *slog.Logger) Send {
	return func(ctx context.Context, name string, document []byte) error {
		err := file.Replace(filepath.Join(shared, inboxFolder, name+fileSuffix), document, fileMode)
		if err == nil {
			log.InfoContext(ctx, "sent", "file", name+fileSuffix)
		}
		return err
	}
}

// Run takes what is in the outbox until the context ends.
func (f *SandboxFiles) Run(ctx context.Context, poll time.Duration) {
	if err := f.sweep(); err != nil {
		f.log.WarnContext(ctx, "what an earlier run left unfinished cannot be swept", "error", err)
	}
	timer := time.NewTicker(poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		if err := f.TakeAll(ctx); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "the outbox cannot be emptied", "error", err)
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// sweep removes what was being written when an earlier run was stopped. It will be written anew.
func (f *SandboxFiles) sweep() error {
	unfinished := func(name string) bool { return strings.HasSuffix(name, file.TempSuffix) }
	left, err := named(filepath.Join(f.shared, inboxFolder), func(name string) bool {
		return unfinished(name) && strings.Contains(name, "-"+bankPrefix) // others may put files there too
	})
	for _, folder := range []string{receivedFolder, refusedFolder} {
		more, failed := named(filepath.Join(f.own, folder), unfinished)
		left, err = append(left, more...), errors.Join(err, failed)
	}
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// named answers the paths of a folder's files with certain names.
func named(folder string, fits func(name string) bool) (paths []string, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if e.Type().IsRegular() && fits(e.Name()) {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	return paths, err
}

// TakeAll takes what is in the outbox now, in the order in which it was written. A message that cannot be taken keeps
// no other waiting.
//
// A file is first renamed to a name that no other file ever has, so that whatever stops the bank later, the same file is
// not mistaken for one that Kontor has sent twice.
func (f *SandboxFiles) TakeAll(ctx context.Context) error {
	outbox := filepath.Join(f.shared, outboxFolder)
	files, err := list(outbox)
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b found) int { return cmp.Or(a.changed.Compare(b.changed), strings.Compare(a.name, b.name)) })
	for _, n := range files {
		err := file.Move(filepath.Join(outbox, n.name), filepath.Join(outbox, "."+n.name+"."+clock.NewID().String()+pickedUp))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // not there: another process of the bank was faster
			return err
		}
	}
	picked, err := named(outbox, func(name string) bool { return strings.HasSuffix(name, pickedUp) })
	if err != nil {
		return err
	}
	var failed []error
	for _, path := range picked {
		if err := f.take(ctx, path); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", filepath.Base(path), err))
		}
	}
	return errors.Join(failed...)
}

// take takes a file that was picked up: the bank decides, the file is kept in the bank's own folder, and only then
// leaves the outbox. It can be repeated.
func (f *SandboxFiles) take(ctx context.Context, path string) error {
	content, err := readPicked(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil && !errors.Is(err, iso20022.ErrSize) {
		return err
	}
	known, folder := false, receivedFolder
	if err == nil {
		known, err = f.bank.Receive(ctx, content)
	}
	switch {
	case unreadable(err):
		folder = refusedFolder
		f.log.WarnContext(ctx, "a file from the outbox is no message that a bank takes", "file", filepath.Base(path), "error", err)
	case err != nil:
		return err
	case known:
		if err := f.refuseIfTwice(ctx, path, content); err != nil {
			return err
		}
	}
	if err := file.Replace(f.keptAs(folder, path), content, fileMode); err != nil {
		return err
	}
	f.log.InfoContext(ctx, folder, "file", filepath.Base(f.keptAs(folder, path)))
	return os.Remove(path)
}

// readPicked reads a file, unless it is too large.
func readPicked(path string) ([]byte, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	content, err := io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err == nil && len(content) > maxFile {
		return content[:maxFile], iso20022.ErrSize
	}
	return content, err
}

// unreadable tells whether an error is a document's.
func unreadable(err error) bool {
	return slices.ContainsFunc([]error{iso20022.ErrForm, iso20022.ErrSize, iso20022.ErrKind, iso20022.ErrCurrency, iso20022.ErrControlSum}, func(of error) bool {
		return errors.Is(err, of)
	})
}

// keptAs is where a file is kept: under the name that it had, and the id of its being picked up.
func (f *SandboxFiles) keptAs(folder, path string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "."), pickedUp)
	at := strings.LastIndex(name, ".")
	return filepath.Join(f.own, folder, strings.TrimSuffix(name[:at], fileSuffix)+keptMark+name[at+1:]+fileSuffix)
}

// keptMark parts the two in the name.
const keptMark = "_"

// refuseIfTwice answers a message that came a second time. One that is known because an earlier run was stopped after it
// had decided is not meant: that run did not keep it, or kept it under this very name.
func (f *SandboxFiles) refuseIfTwice(ctx context.Context, path string, content []byte) error {
	own := filepath.Base(f.keptAs(receivedFolder, path))
	others, err := named(filepath.Join(f.own, receivedFolder), func(name string) bool {
		return strings.HasPrefix(name, own[:strings.LastIndex(own, keptMark)+1]) && strings.HasSuffix(name, fileSuffix) && name != own
	})
	if err != nil || len(others) == 0 {
		return err
	}
	f.log.WarnContext(ctx, "a message came a second time, and is refused", "file", own)
	return f.bank.refuseDuplicate(ctx, content)
}
