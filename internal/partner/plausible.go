package partner

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"kontor/internal/db"
)

// Limits of looking at all keys.
const (
	keyringMemory  = time.Second // how long the hashes of all keys are kept before they are read again
	keyringTimeout = time.Second // to wait for a connection
)

// keyring knows the hashes of all valid keys, by their beginnings. It stays empty until somebody guesses.
type keyring struct {
	reading sync.Mutex // guards readAt; one request reads, the others use what is there
	readAt  time.Time
	hashes  atomic.Pointer[map[[8]byte]struct{}]
}

var selectKeyHashes = db.NewQuery(`SELECT hash FROM api_key WHERE partner_id >= 0 AND revoked_at = 0 AND (expires_at = 0 OR expires_at > $1)`)

// Plausible tells whether a text can be a valid API key. It is asked before Authenticate about keys that
// come from where many wrong ones came from: however many are asked about, the database is read once a
// second. A key that was made within that second may not be known yet. When the database does not answer,
// those are plausible that were so before, or all.
func (s *Service) Plausible(ctx context.Context, key string) bool {
	if key == "" || len(key) > maxKeyLength {
		return false
	}
	hash, err := s.vault.Hash("api-key", []byte(key))
	if err != nil {
		return true
	}
	k := &s.plausible
	if k.reading.TryLock() {
		if time.Since(k.readAt) > keyringMemory {
			if hashes, err := s.keyHashes(ctx); err == nil {
				k.hashes.Store(&hashes)
			}
			k.readAt = time.Now()
		}
		k.reading.Unlock()
	}
	hashes := k.hashes.Load()
	if hashes == nil {
		return true
	}
	_, known := (*hashes)[[8]byte(hash)]
	return known
}

func (s *Service) keyHashes(ctx context.Context) (map[[8]byte]struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, keyringTimeout)
	defer cancel()
	hashes := map[[8]byte]struct{}{}
	err := s.db.View(ctx, func(r db.Reader) error {
		rows := r.Rows(selectKeyHashes, time.Now())
		defer rows.Close()
		for rows.Next() {
			var hash []byte
			if err := rows.Scan(&hash); err != nil {
				return err
			}
			hashes[[8]byte(hash)] = struct{}{}
		}
		return rows.Err()
	})
	return hashes, err
}
