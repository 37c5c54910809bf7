package partner

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"time"

	"kontor/internal/db"
	"kontor/internal/fault"
)

// keyMemory is how long a node trusts what it read of a key: a revoked key is dead everywhere within it.
const keyMemory = 500 * time.Millisecond

// maxKnown is how many entries the memory may have before it is cleared of old ones.
const maxKnown = 1000

// known is a key that was found valid, for a moment.
type known struct {
	partner Partner
	until   time.Time
}

var selectAPIKey = db.NewQuery(`
	SELECT k.id, k.hash, k.last_used_at, k.expires_at, k.revoked_at, p.partner_id, p.settings, p.created_at, p.closed_at
	FROM directory d
	JOIN api_key k ON k.partner_id = d.partner_id AND k.id = d.key
	JOIN partner p ON p.partner_id = d.partner_id
	WHERE d.kind = 'api_key' AND d.key = $1`)

// Authenticate answers the partner whose API key this is. P401 with xo1 for a missing key, xo2 for one that is
// wrong, revoked, expired, or of the other environment. P418 when the partner was closed; then the partner is
// answered too.
func (s *Service) Authenticate(ctx context.Context, key string) (Partner, error) {
	if key == "" {
		return Partner{}, fault.Denied(fault.NoKey)
	}
	if len(key) > maxKeyLength || s.rules.Environment.foreign(key) {
		return Partner{}, fault.Denied(fault.WrongKey)
	}
	digest := sha256.Sum256([]byte(key)) // names the entry in memory, so that the key itself is not kept
	name := string(digest[:])
	now := time.Now()
	s.mu.Lock()
	k, ok := s.known[name]
	s.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.partner, k.partner.ended()
	}
	p, found, err := s.lookUp(ctx, key, now)
	if err != nil {
		return Partner{}, err
	}
	// The memory is counted from before the key was read: what happened to the key since is not in it.
	until := now.Add(keyMemory)
	if !found.ExpiresAt.IsZero() && found.ExpiresAt.Before(until) {
		until = found.ExpiresAt
	}
	s.remember(name, known{p, until}, found, now)
	return p, p.ended()
}

// ended is P418 when the partner was closed.
func (p Partner) ended() error {
	if p.ClosedAt.IsZero() {
		return nil
	}
	return fault.New(fault.PartnerNotFound)
}

func (s *Service) lookUp(ctx context.Context, key string, now time.Time) (p Partner, k Key, err error) {
	hash, err := s.vault.Hash("api-key", []byte(key))
	if err != nil {
		return Partner{}, Key{}, err
	}
	var stored []byte
	err = s.db.View(ctx, func(r db.Reader) (err error) {
		p, err = scanPartner(scanFunc(func(dest ...any) error {
			return r.Row(selectAPIKey, keyID(key, hash)).Scan(
				append([]any{&k.ID, &stored, &k.LastUsedAt, &k.ExpiresAt, &k.RevokedAt}, dest...)...)
		}))
		return err
	})
	if errors.Is(err, db.ErrNoRows) {
		return Partner{}, Key{}, fault.Denied(fault.WrongKey)
	}
	if err != nil {
		return Partner{}, Key{}, err
	}
	if !hmac.Equal(stored, hash) || k.Ended(now) {
		return Partner{}, Key{}, fault.Denied(fault.WrongKey)
	}
	p.KeyID = k.ID
	return p, k, nil
}

type scanFunc func(dest ...any) error

func (f scanFunc) Scan(dest ...any) error { return f(dest...) }

// remember keeps a valid key for a moment, and drops what is over when the memory grows. It notes the key's
// use: a key that is in use comes here again each time that the memory of it ends.
func (s *Service) remember(name string, k known, key Key, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) > maxKnown {
		for n, k := range s.known {
			if now.After(k.until) {
				delete(s.known, n)
			}
		}
	}
	s.known[name] = k
	if now.Sub(key.LastUsedAt) >= useEvery {
		s.used[keyRef{k.partner.ID, key.ID}] = now
	}
}

// forget drops a partner's keys from memory, so that a change counts at once on this node.
func (s *Service) forget(partner int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, k := range s.known {
		if k.partner.ID == partner {
			delete(s.known, n)
		}
	}
}
