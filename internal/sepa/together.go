package sepa

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"kontor/internal/db"
)

// atOnce is how much of what the bank tells one transaction takes at most. More would hold SQLite's one writer for
// longer than those who pay should wait.
const atOnce = 250

// together does something with all, many at a time. If that fails, each of them is done alone, so that one which
// cannot be done stands in nobody's way; the errors of those are answered. A database that is away ends it at once.
func together[T any](ctx context.Context, all []T, do func(some []T) error) error {
	var failed []error
	for some := range slices.Chunk(all, atOnce) {
		alone, err := apart(ctx, some, do)
		if err != nil {
			return err
		}
		failed = append(failed, alone...)
	}
	return errors.Join(failed...)
}

// side is how many transactions are on their way side by side: while one is committed, the next is prepared.
const side = 2

// sideBySide is together where no order has to be kept.
func sideBySide[T any](ctx context.Context, all []T, do func(some []T) error) error {
	var mu sync.Mutex
	var failed []error
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(side)
	for some := range slices.Chunk(all, atOnce) {
		group.Go(func() error {
			alone, err := apart(ctx, some, do)
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, alone...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// apart does something with some, or with each of them alone. failed are the errors of those that failed alone; err
// is why the rest was not tried.
func apart[T any](ctx context.Context, some []T, do func(some []T) error) (failed []error, err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	switch err := do(some); {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil, errors.Is(err, db.ErrUnavailable):
		return nil, err
	case len(some) == 1:
		return []error{err}, nil
	}
	for one := range slices.Chunk(some, 1) {
		alone, err := apart(ctx, one, do)
		if err != nil {
			return nil, err
		}
		failed = append(failed, alone...)
	}
	return failed, nil
}
