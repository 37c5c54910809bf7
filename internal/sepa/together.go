package sepa

import (
	"context"
	"errors"
	"slices"

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
		err := do(some)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil, errors.Is(err, db.ErrUnavailable):
			return err
		case len(some) == 1:
			failed = append(failed, err)
			continue
		}
		for one := range slices.Chunk(some, 1) {
			if err := do(one); err != nil {
				failed = append(failed, err)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return errors.Join(failed...)
}
