package partner

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"kontor/internal/db"
)

// Storing the last use of keys, in the machine's time.
const (
	useEvery   = time.Minute      // a key's use is stored at most so often, by all nodes together
	storeEvery = 10 * time.Second // uses are collected for so long
	storeLimit = 5 * time.Second  // when the program ends
)

// keyRef names an API key.
type keyRef struct {
	partner int64
	id      string
}

// The guard keeps several nodes from storing the use of one key more often than useEvery.
var updateLastUse = db.NewCommand(`
	UPDATE api_key SET last_used_at = $3 WHERE partner_id = $1 AND id = $2 AND last_used_at <= $4`)

// Run stores when keys were last used, until the context ends. No request waits for it.
func (s *Service) Run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(storeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tryStore(ctx, log)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
			defer cancel()
			s.tryStore(last, log)
			return nil
		}
	}
}

func (s *Service) tryStore(ctx context.Context, log *slog.Logger) {
	if err := s.StoreUses(ctx); err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "the last use of API keys was not stored; it will be tried again", "error", err)
	}
}

// StoreUses stores what is known of keys' last uses; Run does it every ten seconds. What could not be stored is
// kept for the next time.
func (s *Service) StoreUses(ctx context.Context) error {
	s.mu.Lock()
	uses := s.used
	s.used = map[keyRef]time.Time{}
	s.mu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	// Sorted, so that nodes lock the rows in the same order.
	keys := slices.SortedFunc(maps.Keys(uses), func(a, b keyRef) int {
		return cmp.Or(cmp.Compare(a.partner, b.partner), cmp.Compare(a.id, b.id))
	})
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		for _, k := range keys {
			tx.Write(updateLastUse, k.partner, k.id, uses[k], uses[k].Add(-useEvery))
		}
		return nil
	})
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, at := range uses {
		if s.used[k].Before(at) {
			s.used[k] = at
		}
	}
	return err
}
