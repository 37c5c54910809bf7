package partner

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
)

// keyMemory is how long a node trusts what it read of a key: a revoked key is dead everywhere within it.
const keyMemory = 500 * time.Millisecond

// maxKeyLength bounds what is hashed before a caller is known.
const maxKeyLength = 256

// ours is the form of the keys that we issue: the environment, the key's id, and 26 characters of secret
// with more than 128 random bits.
var ours = regexp.MustCompile(`^k[sp]_([a-z2-7]{12})_[A-Z2-7]{26}$`)

// known is a key that was found valid, for a moment.
type known struct {
	partner Partner
	until   time.Time
}

var (
	insertAPIKey    = db.NewInsert("api_key", "partner_id bigint, id text, hash bytes, created_at bigint, revoked_at bigint")
	insertDirectory = db.NewInsert("directory", "kind text, key text, partner_id bigint, object_id uuid")
	selectAPIKey    = db.NewQuery(`
		SELECT k.hash, k.revoked_at, p.partner_id, p.settings, p.created_at, p.closed_at
		FROM directory d
		JOIN api_key k ON k.partner_id = d.partner_id AND k.id = d.key
		JOIN partner p ON p.partner_id = d.partner_id
		WHERE d.kind = 'api_key' AND d.key = $1`)
)

// IssueKey makes an API key of a partner and answers its id and the key, which is shown this once: only a
// keyed hash of it is stored.
func (s *Service) IssueKey(ctx context.Context, partner int64) (id, key string, err error) {
	prefix := "ks_"
	if s.environment == Production {
		prefix = "kp_"
	}
	id = strings.ToLower(rand.Text()[:12])
	key = prefix + id + "_" + rand.Text()
	return id, key, s.AddKey(ctx, partner, key)
}

// AddKey makes a given text an API key of a partner: a key that its programs have already.
func (s *Service) AddKey(ctx context.Context, partner int64, key string) error {
	if len(key) < 8 || len(key) > maxKeyLength {
		return fault.Invalid("an API key must be between 8 and 256 characters")
	}
	hash, err := s.vault.Hash("api-key", []byte(key))
	if err != nil {
		return err
	}
	id := keyID(key, hash)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if _, err := s.Find(tx, partner); err != nil {
			return err
		}
		at := s.clock.Now()
		tx.Write(insertAPIKey, partner, id, hash, at, time.Time{})
		tx.Write(insertDirectory, "api_key", id, partner, clock.ID{})
		return nil
	})
}

// keyID is what a key is found by: the id inside a key of ours, part of the keyed hash of a foreign one.
func keyID(key string, hash []byte) string {
	if m := ours.FindStringSubmatch(key); m != nil {
		return m[1]
	}
	return "foreign-" + hex.EncodeToString(hash[:8])
}

// Authenticate answers the partner whose API key this is. P401 with xo1 for a missing key, xo2 for a wrong
// one; P418 when the partner was closed.
func (s *Service) Authenticate(ctx context.Context, key string) (Partner, error) {
	if key == "" {
		return Partner{}, fault.Denied(fault.NoKey)
	}
	if len(key) > maxKeyLength {
		return Partner{}, fault.Denied(fault.WrongKey)
	}
	digest := sha256.Sum256([]byte(key)) // names the entry in memory, so that the key itself is not kept
	name := string(digest[:])
	s.mu.Lock()
	k, ok := s.known[name]
	s.mu.Unlock()
	if ok && time.Now().Before(k.until) {
		return k.partner, nil
	}
	p, err := s.lookUp(ctx, key)
	if err != nil {
		return Partner{}, err
	}
	if !p.ClosedAt.IsZero() {
		return Partner{}, fault.New(fault.PartnerNotFound)
	}
	s.remember(name, p)
	return p, nil
}

func (s *Service) lookUp(ctx context.Context, key string) (Partner, error) {
	hash, err := s.vault.Hash("api-key", []byte(key))
	if err != nil {
		return Partner{}, err
	}
	var stored []byte
	var revoked time.Time
	var p Partner
	err = s.db.View(ctx, func(r db.Reader) (err error) {
		p, err = scanPartner(scanFunc(func(dest ...any) error {
			return r.Row(selectAPIKey, keyID(key, hash)).Scan(append([]any{&stored, &revoked}, dest...)...)
		}))
		return err
	})
	if errors.Is(err, db.ErrNoRows) {
		return Partner{}, fault.Denied(fault.WrongKey)
	}
	if err != nil {
		return Partner{}, err
	}
	if !hmac.Equal(stored, hash) || !revoked.IsZero() {
		return Partner{}, fault.Denied(fault.WrongKey)
	}
	return p, nil
}

type scanFunc func(dest ...any) error

func (f scanFunc) Scan(dest ...any) error { return f(dest...) }

// remember keeps a valid key for keyMemory, and drops what is over when the memory grows.
func (s *Service) remember(name string, p Partner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if len(s.known) > 1000 {
		for n, k := range s.known {
			if now.After(k.until) {
				delete(s.known, n)
			}
		}
	}
	s.known[name] = known{p, now.Add(keyMemory)}
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
