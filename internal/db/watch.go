package db

import (
	"context"
	"errors"
	"time"
)

// The kinds of transactions, as observers and tracers are told them.
const (
	kindUpdate   = "update"
	kindView     = "view"
	kindSnapshot = "snapshot"
)

// Outcomes of transactions, as observers are told them.
const (
	outcomeOK          = "ok"
	outcomeRefused     = "refused"     // by the function, or by a guard of the schema
	outcomeUnavailable = "unavailable" // the database did not answer, or not in time
)

// Observer is told what the runner does: numbers, for statistics. Its methods are called by several goroutines
// on the hot path.
type Observer interface {
	// Transaction tells that an update, a view or a snapshot has ended, after all its attempts: ok, refused or
	// unavailable.
	Transaction(kind, outcome string, took time.Duration)
	// Retried tells that an Update runs again. The cause is the constraint that collided, or "serialization".
	Retried(cause string)
	// Applied tells that a queue was committed or refused, and how long that took with its wait in line.
	Applied(took time.Duration)
	// Grouped tells how many Updates one commit held; on PostgreSQL an Update that goes alone is not told of.
	Grouped(members int)
}

// Tracer follows single transactions.
type Tracer interface {
	// Transaction begins to follow one of a kind. It answers nil, or what is to be called at the end.
	Transaction(ctx context.Context, kind string) (end func(attempts int, err error))
}

// watch tells the observer and the tracer, as far as there are any.
type watch struct {
	observer Observer
	tracer   Tracer
}

// errPanicked is how a transaction ended whose function did not return.
var errPanicked = errors.New("db: the function panicked")

var unwatched = func(int, error) {}

func (w watch) begin(ctx context.Context, kind string) (end func(attempts int, err error)) {
	traced := unwatched
	if w.tracer != nil {
		if followed := w.tracer.Transaction(ctx, kind); followed != nil {
			traced = followed
		}
	}
	if w.observer == nil {
		return traced
	}
	start := time.Now()
	return func(attempts int, err error) {
		traced(attempts, err)
		w.observer.Transaction(kind, outcomeOf(err), time.Since(start))
	}
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return outcomeOK
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return outcomeUnavailable
	}
	return outcomeRefused
}

func (w watch) retry(err error) {
	if w.observer == nil {
		return
	}
	cause := "serialization"
	var c *ConstraintError
	if errors.As(err, &c) {
		if cause = c.Name; cause == "" {
			cause = string(c.Kind)
		}
	}
	w.observer.Retried(cause)
}

// applying runs what commits a queue.
func (w watch) applying(commit func() error) error {
	if w.observer == nil {
		return commit()
	}
	start := time.Now()
	err := commit()
	w.observer.Applied(time.Since(start))
	return err
}

func (w watch) grouped(members int) {
	if w.observer != nil {
		w.observer.Grouped(members)
	}
}
