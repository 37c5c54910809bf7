package httpapi

import (
	"context"
	"sync"
	"time"

	"kontor/internal/fault"
)

// gate bounds how many uploads are read at a time, in all and for each partner. Who waits has sent little: what is not
// read stays with the client.
type gate struct {
	all      chan struct{}
	share    int
	wait     time.Duration
	mu       sync.Mutex
	partners map[int64]chan struct{}
}

func newGate(all, share int, wait time.Duration) *gate {
	return &gate{all: make(chan struct{}, all), share: share, wait: wait, partners: map[int64]chan struct{}{}}
}

// enter waits for a place, and answers the function that leaves it. P501 when there is none in time.
func (g *gate) enter(ctx context.Context, partner int64) (leave func(), err error) {
	g.mu.Lock()
	own := g.partners[partner]
	if own == nil {
		own = make(chan struct{}, g.share)
		g.partners[partner] = own
	}
	g.mu.Unlock()
	late := time.NewTimer(g.wait)
	defer late.Stop()
	for i, places := range []chan struct{}{own, g.all} {
		select {
		case places <- struct{}{}:
		case <-late.C:
			err = fault.New(fault.ServiceUnavailable)
		case <-ctx.Done():
			err = fault.New(fault.ServiceUnavailable).Wrap(ctx.Err())
		}
		if err != nil {
			if i > 0 {
				<-own
			}
			return nil, err
		}
	}
	return func() { <-g.all; <-own }, nil
}
