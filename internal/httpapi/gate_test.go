package httpapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kontor/internal/fault"
)

func TestUploadsWaitForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(3, 2, time.Second)
		enter := func(partner int64) func() {
			leave, err := g.enter(t.Context(), partner)
			if err != nil {
				t.Fatal(err)
			}
			return leave
		}
		refused := func(partner int64) {
			t.Helper()
			var known *fault.Error
			if _, err := g.enter(t.Context(), partner); !errors.As(err, &known) || known.Code != fault.ServiceUnavailable {
				t.Errorf("a place too many for partner %d: %v", partner, err)
			}
		}
		first, _ := enter(1), enter(1)
		refused(1) // its share
		third := enter(2)
		refused(2) // all places
		entered := make(chan func())
		go func() { entered <- enter(1) }()
		synctest.Wait()
		first()
		(<-entered)()
		third()
		for range 2 { // who was refused holds no place
			enter(2)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.enter(ctx, 3); err == nil {
			t.Error("a place for who has left")
		}
	})
}
