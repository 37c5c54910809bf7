// Package blob keeps content that is too large for the database, such as pictures of identity documents: encrypted, each
// under a name of its own. Equal contents of two users are two blobs: nothing tells that they are equal.
//
// A blob is written before the transaction that refers to it and removed after the one that forgets it. So there can
// be blobs to which nothing refers, which Sweep removes by their age, but never a reference without its blob.
package blob

import (
	"context"
	"errors"
	"io"
	"time"

	"kontor/internal/clock"
)

// Ref names a blob: whose it is, and its id, which is never used twice.
type Ref struct {
	Partner int64
	ID      clock.ID
}

// ErrTooLarge says that content went on after the limit.
var ErrTooLarge = errors.New("blob: the content is larger than its limit")

// ErrNotFound says that there is no such blob.
var ErrNotFound = errors.New("blob: not found")

// Store keeps blobs. It is safe for concurrent use.
type Store interface {
	// Put stores content and answers its length in bytes. When it returns nil the blob is durable and whole; in all
	// other cases it is not there. ErrTooLarge when the content has more than limit bytes. An error of content is
	// passed on, wrapped.
	Put(ctx context.Context, ref Ref, content io.Reader, limit int64) (size int64, err error)

	// Open reads a blob from its beginning; ErrNotFound. Only io.EOF tells that it was read whole and unchanged.
	Open(ctx context.Context, ref Ref) (io.ReadCloser, error)

	// Delete removes a blob. One that is not there is no error.
	Delete(ctx context.Context, ref Ref) error

	// Sweep removes blobs that were written before a time, by the machine's clock, and to which nothing refers, and
	// what interrupted writes left. unknown answers which of the ids nothing refers to.
	Sweep(ctx context.Context, before time.Time, unknown func(ctx context.Context, partner int64, ids []clock.ID) ([]clock.ID, error)) (removed int, err error)
}
