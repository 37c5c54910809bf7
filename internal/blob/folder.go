package blob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"kontor/internal/clock"
	"kontor/internal/file"
	"kontor/internal/vault"
)

// bufferSize is how much of a blob is in memory while it is written or read.
const bufferSize = 32 << 10

// sweepBatch is how many blobs are asked about at a time.
const sweepBatch = 500

// Folder keeps blobs in a folder of the file system, which several nodes may share. A blob is the file
// <partner>/<last two digits of the id>/<id>.
type Folder struct {
	root          string
	vault         *vault.Vault
	table, column string
}

// NewFolder keeps blobs in a folder, which is made when the first one is stored. table and column say of what the blobs
// are the content: they are bound to the ciphertext, with the blob's partner and id.
func NewFolder(root string, v *vault.Vault, table, column string) *Folder {
	return &Folder{root: root, vault: v, table: table, column: column}
}

var errNoFolder = errors.New("blob: no folder is set")

func (f *Folder) place(ref Ref) vault.Place {
	return vault.Place{Table: f.table, Column: f.column, Row: strconv.FormatInt(ref.Partner, 10) + "/" + ref.ID.String()}
}

func names(ref Ref) (partner, shard, name string) {
	name = ref.ID.String()
	return strconv.FormatInt(ref.Partner, 10), name[len(name)-2:], name
}

func (f *Folder) path(ref Ref) string {
	partner, shard, name := names(ref)
	return filepath.Join(f.root, partner, shard, name)
}

// Put implements Store.
func (f *Folder) Put(ctx context.Context, ref Ref, content io.Reader, limit int64) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if f.root == "" {
		return 0, errNoFolder
	}
	if err := os.MkdirAll(f.root, 0o700); err != nil {
		return 0, err
	}
	partner, shard, name := names(ref)
	folder, err := file.MakeFolder(f.root, partner, shard)
	if err != nil {
		return 0, err
	}
	var size int64
	err = file.Write(filepath.Join(folder, name), 0o600, func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, bufferSize)
		sealing, err := f.vault.SealStream(f.place(ref), buffered)
		if err != nil {
			return err
		}
		if size, err = io.Copy(sealing, io.LimitReader(content, limit+1)); err != nil {
			return err
		}
		if size > limit {
			return ErrTooLarge
		}
		if err := sealing.Close(); err != nil {
			return err
		}
		return buffered.Flush()
	})
	if err != nil {
		return 0, fmt.Errorf("blob: put: %w", err)
	}
	return size, nil
}

// Open implements Store.
func (f *Folder) Open(ctx context.Context, ref Ref) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opened, err := os.Open(f.path(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	plain, err := f.vault.OpenStream(f.place(ref), bufio.NewReaderSize(opened, bufferSize))
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{plain, opened}, nil
}

// Delete implements Store.
func (f *Folder) Delete(_ context.Context, ref Ref) error {
	if err := os.Remove(f.path(ref)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sweep implements Store.
func (f *Folder) Sweep(ctx context.Context, before time.Time, unknown func(context.Context, int64, []clock.ID) ([]clock.ID, error)) (removed int, err error) {
	partners, err := os.ReadDir(f.root)
	err = ignoreMissing(err) // nothing was stored yet
	for _, entry := range partners {
		partner, notANumber := strconv.ParseInt(entry.Name(), 10, 64)
		if notANumber != nil {
			continue
		}
		old, leftovers, err := f.older(filepath.Join(f.root, entry.Name()), before)
		if err != nil {
			return removed, err
		}
		for _, path := range leftovers {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return removed, err
			}
			removed++
		}
		for ids := range slices.Chunk(old, sweepBatch) {
			orphans, err := unknown(ctx, partner, ids)
			if err != nil {
				return removed, err
			}
			for _, id := range orphans {
				if err := f.Delete(ctx, Ref{partner, id}); err != nil {
					return removed, err
				}
				removed++
			}
		}
	}
	return removed, err
}

// older finds the blobs of a partner, and the files of interrupted writes, that are older than a time.
func (f *Folder) older(partner string, before time.Time) (ids []clock.ID, leftovers []string, err error) {
	err = filepath.WalkDir(partner, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreMissing(err)
		}
		info, err := entry.Info()
		if err != nil || !info.ModTime().Before(before) {
			return ignoreMissing(err)
		}
		if id, err := clock.ParseID(entry.Name()); err == nil {
			ids = append(ids, id)
		} else if strings.HasSuffix(entry.Name(), file.TempSuffix) {
			leftovers = append(leftovers, path)
		}
		return nil
	})
	return ids, leftovers, err
}

// ignoreMissing passes over what another node removed in the meantime.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
