//go:build linux

package fault

import (
	"context"
	"sync"
	"testing"
	"time"
)

// watch guards what several goroutines change, and wakes those who wait for a change.
type watch struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil while nobody waits
}

// change changes what is guarded.
func (w *watch) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// await waits until the condition holds, and tells whether it did within the limit.
func (w *watch) await(limit time.Duration, condition func() bool) bool {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		w.mu.Lock()
		if condition() {
			w.mu.Unlock()
			return true
		}
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			return false
		}
	}
}

// pause waits before something is tried again, and answers false when the context ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// eventually tries until it succeeds, and answers the last error when it did not within the limit.
func eventually(t *testing.T, limit time.Duration, try func() error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := try()
		if err == nil || !pause(ctx, 10*time.Millisecond) {
			return err
		}
	}
}
