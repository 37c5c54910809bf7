package partner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
)

// Limits of keys.
const (
	minKeyLength = 8
	maxKeyLength = 256 // bounds what is hashed before a caller is known
	maxLabel     = 100 // characters
)

// ours is the form of the keys that we issue: the environment, the key's id, and 26 characters of secret
// with more than 128 random bits.
var ours = regexp.MustCompile(`^(k[sp])_([a-z2-7]{12})_[A-Z2-7]{26}$`)

// prefix is what the keys of an environment begin with.
func (e Environment) prefix() string {
	if e == Production {
		return "kp"
	}
	return "ks"
}

// foreign tells whether a key says that it belongs to the other environment.
func (e Environment) foreign(key string) bool {
	m := ours.FindStringSubmatch(key)
	return m != nil && m[1] != e.prefix()
}

// KeyTerms are what an API key is issued with.
type KeyTerms struct {
	Label     string    // for people: what the key is for
	ExpiresAt time.Time // real time; zero: never
}

// Key is an API key as it is managed: what is known of it without its secret. Times are zero for never; all but
// CreatedAt are real time.
type Key struct {
	ID         string
	Label      string
	CreatedAt  time.Time
	LastUsedAt time.Time // at most a minute behind
	ExpiresAt  time.Time
	RevokedAt  time.Time
}

// Ended tells whether the key has lost its force at a time: revoked, or expired.
func (k Key) Ended(at time.Time) bool {
	return !k.RevokedAt.IsZero() || (!k.ExpiresAt.IsZero() && !at.Before(k.ExpiresAt))
}

const keyColumns = "id, label, created_at, last_used_at, expires_at, revoked_at"

var (
	insertAPIKey = db.NewInsert("api_key", `partner_id bigint, id text, hash bytes, label text, created_at bigint,
		last_used_at bigint, expires_at bigint, revoked_at bigint`)
	insertDirectory = db.NewInsert("directory", "kind text, key text, partner_id bigint, object_id uuid")
	selectAPIKeys   = db.NewQuery(`SELECT ` + keyColumns + ` FROM api_key WHERE partner_id = $1 ORDER BY created_at, id`)
	lockAPIKey      = db.NewQuery(`SELECT ` + keyColumns + ` FROM api_key WHERE partner_id = $1 AND id = $2 FOR UPDATE`)
	revokeAPIKey    = db.NewCommand(`UPDATE api_key SET revoked_at = $3 WHERE partner_id = $1 AND id = $2`)
	selectOwner     = db.NewQuery(`SELECT partner_id FROM directory WHERE kind = 'api_key' AND key = $1`)
)

// IssueKey makes an API key of a partner, without label and end; see IssueKeyWith.
func (s *Service) IssueKey(ctx context.Context, partner int64) (id, key string, err error) {
	return s.IssueKeyWith(ctx, partner, KeyTerms{})
}

// IssueKeyWith makes an API key of a partner and answers its id and the key, which is shown this once: only a
// keyed hash of it is stored. P403 names what is wrong with the terms.
func (s *Service) IssueKeyWith(ctx context.Context, partner int64, terms KeyTerms) (id, key string, err error) {
	terms.Label = strings.TrimSpace(terms.Label)
	var problems []string
	if !isLine(terms.Label, maxLabel) {
		problems = append(problems, fmt.Sprintf("the label must be one line of at most %d characters", maxLabel))
	}
	if !terms.ExpiresAt.IsZero() && !terms.ExpiresAt.After(time.Now()) {
		problems = append(problems, "the key must expire in the future")
	}
	if len(problems) > 0 {
		return "", "", fault.Invalid(problems...)
	}
	id = strings.ToLower(rand.Text()[:12])
	key = s.rules.Environment.prefix() + "_" + id + "_" + rand.Text()
	return id, key, s.storeKey(ctx, partner, key, terms, "key.issue")
}

// AddKey makes a given text an API key of a partner: a key that its programs have already. P403 when it is too
// short or too long, belongs to the other environment, or is or was a key already.
func (s *Service) AddKey(ctx context.Context, partner int64, key string) error {
	if len(key) < minKeyLength || len(key) > maxKeyLength {
		return fault.Invalid(fmt.Sprintf("an API key must be between %d and %d characters", minKeyLength, maxKeyLength))
	}
	if s.rules.Environment.foreign(key) {
		return fault.Invalid("the API key belongs to another environment: this one is " + string(s.rules.Environment))
	}
	return s.storeKey(ctx, partner, key, KeyTerms{}, "key.add")
}

func (s *Service) storeKey(ctx context.Context, partner int64, key string, terms KeyTerms, action string) error {
	if partner == ledger.Operator {
		return fault.Invalid("partner 0 is the operator, who has no balances and no API keys")
	}
	hash, err := s.vault.Hash("api-key", []byte(key))
	if err != nil {
		return err
	}
	id := keyID(key, hash)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		p, err := scanPartner(tx.Row(lockPartner, partner))
		if err != nil {
			return err
		}
		if !p.ClosedAt.IsZero() {
			return fault.Invalid(fmt.Sprintf("partner %d was closed and gets no more keys", partner))
		}
		var owner int64
		if err := tx.Row(selectOwner, id).Scan(&owner); err == nil {
			return fault.Invalid("this text is or was an API key already: choose another one")
		} else if !errors.Is(err, db.ErrNoRows) {
			return err
		}
		tx.Write(insertAPIKey, partner, id, hash, terms.Label, s.clock.Now(), time.Time{}, terms.ExpiresAt, time.Time{})
		tx.Write(insertDirectory, "api_key", id, partner, clock.ID{})
		details := map[string]string{"label": terms.Label}
		if !terms.ExpiresAt.IsZero() {
			details["expiresAt"] = clock.Format(terms.ExpiresAt)
		}
		return audit.Write(tx, audit.Entry{Actor: audit.Actor(ctx), Action: action, Partner: partner, Object: id, Details: details})
	})
	return named(err, partner)
}

// keyID is what a key is found by: the id inside a key of ours, part of the keyed hash of a foreign one.
func keyID(key string, hash []byte) string {
	if m := ours.FindStringSubmatch(key); m != nil {
		return m[2]
	}
	return "foreign-" + hex.EncodeToString(hash[:8])
}

// Keys reads a partner's API keys, the oldest first.
func (s *Service) Keys(ctx context.Context, partner int64) ([]Key, error) {
	var all []Key
	err := s.db.View(ctx, func(r db.Reader) error {
		if _, err := s.Find(r, partner); err != nil {
			return err
		}
		rows := r.Rows(selectAPIKeys, partner)
		defer rows.Close()
		for rows.Next() {
			k, err := scanKey(rows)
			if err != nil {
				return err
			}
			all = append(all, k)
		}
		return rows.Err()
	})
	return all, named(err, partner)
}

// RevokeKey ends an API key: within a second no node takes it any more. Revoking it again changes nothing.
func (s *Service) RevokeKey(ctx context.Context, partner int64, id string) (Key, error) {
	var k Key
	err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
		tx.Locked()
		if k, err = scanKey(tx.Row(lockAPIKey, partner, id)); err != nil || !k.RevokedAt.IsZero() {
			return err
		}
		k.RevokedAt = clock.FromMicros(clock.Micros(time.Now()))
		tx.Write(revokeAPIKey, partner, id, k.RevokedAt)
		return audit.Write(tx, audit.Entry{Actor: audit.Actor(ctx), Action: "key.revoke", Partner: partner, Object: id})
	})
	if errors.Is(err, db.ErrNoRows) {
		return k, fmt.Errorf("partner %d has no API key %q (kontor key list %d shows its keys)", partner, id, partner)
	}
	if err == nil {
		s.forget(partner)
	}
	return k, err
}

func scanKey(row interface{ Scan(dest ...any) error }) (k Key, err error) {
	err = row.Scan(&k.ID, &k.Label, &k.CreatedAt, &k.LastUsedAt, &k.ExpiresAt, &k.RevokedAt)
	return k, err
}
