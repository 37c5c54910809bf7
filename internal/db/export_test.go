package db

import (
	"context"
	"errors"
	"io/fs"

	"zombiezen.com/go/sqlite"
)

// Rendered are the migrations as one engine runs them.
var Rendered = rendered

// MigrateFiles runs other migrations than the program's own.
func MigrateFiles(ctx context.Context, target string, files fs.FS) error {
	handle, kind, err := migrationHandle(target)
	if err != nil {
		return err
	}
	m, err := newMigrator(handle, kind, files)
	if err == nil {
		err = m.up(ctx)
	}
	return errors.Join(err, handle.Close())
}

// WithConnected prepares each connection to SQLite further.
func WithConnected(f func(*sqlite.Conn) error) Option { return func(o *options) { o.connected = f } }
