//go:build linux

package bench

import (
	"context"
	"errors"
	"slices"
	"time"
)

const starts = 5 // of a sandbox on an empty folder; the median is told

// Idle measures how long a sandbox takes to start on an empty folder, and what it uses while nobody asks it
// anything.
func Idle(ctx context.Context, c Config) error {
	return run(ctx, c, subject{
		title: "a sandbox that starts on an empty database, and idles", server: "sandbox", load: "none",
	}, func(s *session, e *engine) error {
		cell := Cell{Bench: "idle", Engine: string(e.kind), Scenario: "sandbox"}
		var took []time.Duration
		for i := range starts {
			ready, err := s.idle(ctx, e, &cell, i == starts-1)
			if err != nil {
				return err
			}
			took = append(took, ready)
		}
		slices.Sort(took)
		start := ms(quantile(took, 0.5))
		cell.StartMs = &start
		return s.print(cell)
	})
}

// idle starts a sandbox, and watches it if it is told to.
func (s *session) idle(ctx context.Context, e *engine, cell *Cell, watch bool) (ready time.Duration, err error) {
	p, err := e.newPlace(ctx, "")
	if err != nil {
		return 0, err
	}
	srv, err := p.launch(ctx, "sandbox")
	if err != nil {
		return 0, err
	}
	defer func() {
		srv.stop()
		err = errors.Join(err, p.remove(ctx))
	}()
	if !watch {
		return srv.ready, nil
	}
	got, err := load{warmUp: s.warmUp(), measured: s.Measured, server: srv.pid()}.run(ctx)
	if err != nil {
		return 0, err
	}
	cell.use(got.from, got.to)
	return srv.ready, cell.peak(srv)
}
