//go:build linux

package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

// operation does one thing and waits until it is done. A problem is what was wrong with it, in a word or two
// that are the same for all of its kind; it is counted.
type operation func(ctx context.Context) (problem string)

// load is a closed loop: each client begins its next operation when the last one is done.
type load struct {
	clients          int
	warmUp, measured time.Duration
	server           int                   // process id; 0: there is none
	client           func(n int) operation // makes a client; it is used by one goroutine
	begun            func()                // is called at the end of the warm-up; may be nil
	disturbers       []operation           // each by a client of its own; their successes are not counted
}

// sample is what was measured. An operation belongs to it if it ended after the warm-up; each client finishes
// what it began before the end.
type sample struct {
	took     []time.Duration // of the successful operations, in order
	problems map[string]int64
	last     time.Time     // when the last operation ended
	during   time.Duration // from the end of the warm-up until then
	from, to usage
}

// run runs the load.
func (l load) run(ctx context.Context) (sample, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	begin := time.Now().Add(l.warmUp)
	end := begin.Add(l.measured)
	parts := make([]sample, l.clients+len(l.disturbers))
	var clients sync.WaitGroup
	for i, do := range l.disturbers {
		clients.Go(func() { parts[l.clients+i] = sample{problems: repeat(ctx, do, begin, end).problems} })
	}
	for i := range l.clients {
		do := l.client(i)
		clients.Go(func() { parts[i] = repeat(ctx, do, begin, end) })
	}
	s := sample{problems: map[string]int64{}}
	err := l.watch(ctx, &s, begin, end)
	if err != nil {
		stop()
	}
	clients.Wait()
	for _, p := range parts {
		s.took = append(s.took, p.took...)
		s.during = max(s.during, p.last.Sub(begin))
		for problem, n := range p.problems {
			s.problems[problem] += n
		}
	}
	slices.Sort(s.took)
	return s, err
}

// repeat is one client.
func repeat(ctx context.Context, do operation, begin, end time.Time) sample {
	s := sample{problems: map[string]int64{}}
	for s.last.Before(end) {
		start := time.Now()
		problem := do(ctx)
		s.last = time.Now()
		switch {
		case ctx.Err() != nil:
			return s
		case problem != "":
			s.problems[problem]++ // those of the warm-up too: a failure is never hidden
		case s.last.After(begin):
			s.took = append(s.took, s.last.Sub(start))
		}
	}
	return s
}

// watch reads the processors' time at the beginning and at the end of the measured time.
func (l load) watch(ctx context.Context, s *sample, begin, end time.Time) (err error) {
	for _, point := range []struct {
		at   time.Time
		into *usage
	}{{begin, &s.from}, {end, &s.to}} {
		select {
		case <-time.After(time.Until(point.at)):
		case <-ctx.Done():
			return ctx.Err()
		}
		if l.begun != nil && point.into == &s.from {
			l.begun()
		}
		if l.server == 0 {
			continue
		}
		if *point.into, err = measure(l.server); err != nil {
			return err
		}
	}
	return nil
}

func (s sample) perSecond() float64 { return float64(len(s.took)) / s.during.Seconds() }

// quantile is the time in which a share of the operations was done, exactly; 0 if there were none.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
