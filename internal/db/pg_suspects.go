package db

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Who fails makes a whole group fail, and costs everybody an attempt. So accounts and idempotency keys that just
// failed are suspects for a moment: whoever touches them is decided alone. Clients who overdraw an account by
// racing, or who repeat old keys, then delay only themselves.
const (
	pgSuspicion   = time.Second
	pgSuspectsMax = 10_000
)

// pgSuspects remembers them by their hashes; that two share one is harmless.
type pgSuspects struct {
	mu    sync.Mutex
	until map[uint64]time.Time
}

var pgSeed = maphash.MakeSeed()

func (m move) suspect() uint64 { return maphash.Comparable(pgSeed, pgAccount{m.partner, m.account}) }

// suspect identifies a row by its first two columns: a partner, and a key within it.
func (o op) suspect() uint64 {
	var h maphash.Hash
	h.SetSeed(pgSeed)
	for _, arg := range o.args[:min(2, len(o.args))] {
		fmt.Fprint(&h, arg, "\x00")
	}
	return h.Sum64()
}

// among tells whether a queue touches a suspect.
func (s *pgSuspects) among(q *queue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.until) == 0 {
		return false
	}
	now := time.Now()
	for _, m := range q.moves {
		if s.suspected(m.suspect(), now) {
			return true
		}
	}
	for _, o := range q.first {
		if s.suspected(o.suspect(), now) {
			return true
		}
	}
	return false
}

func (s *pgSuspects) suspected(key uint64, now time.Time) bool {
	until, ok := s.until[key]
	if ok && now.After(until) {
		delete(s.until, key)
		ok = false
	}
	return ok
}

func (s *pgSuspects) add(key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil || len(s.until) >= pgSuspectsMax {
		s.until = map[uint64]time.Time{}
	}
	s.until[key] = time.Now().Add(pgSuspicion)
}

// accuse finds the queues that caused a violation, and suspects their accounts and idempotency keys. It reads
// PostgreSQL's description of the row, which is a hint only: whoever is accused wrongly, or not at all, is still
// decided rightly, alone.
func (s *pgSuspects) accuse(err error, queues []*queue) (guilty []bool) {
	guilty = make([]bool, len(queues))
	var refused *pgconn.PgError
	var violated *ConstraintError
	if !errors.As(err, &refused) || !errors.As(err, &violated) {
		return guilty
	}
	for i, q := range queues {
		switch violated.Kind {
		case Check:
			for _, m := range q.moves {
				if strings.Contains(refused.Detail, m.account.String()) {
					guilty[i] = true
					s.add(m.suspect())
				}
			}
		case Unique:
			for _, o := range q.first {
				if o.has(refused) {
					guilty[i] = true
					s.add(o.suspect())
				}
			}
			for _, o := range q.ops {
				guilty[i] = guilty[i] || o.has(refused)
			}
		}
	}
	return guilty
}

// has tells whether an INSERT has the values of the key that exists already, "Key (a, b)=(1, x) …".
func (o op) has(refused *pgconn.PgError) bool {
	_, rest, _ := strings.Cut(refused.Detail, "(")
	names, rest, ok := strings.Cut(rest, ")=(")
	if !ok || !strings.HasPrefix(o.cmd.text, "INSERT INTO "+refused.TableName+" (") {
		return false
	}
	for i, name := range strings.Split(names, ", ") {
		value, ok := o.shown(name)
		if i > 0 {
			value = ", " + value
		}
		if !ok || !strings.HasPrefix(rest, value) {
			return false
		}
		rest = rest[len(value):]
	}
	return strings.HasPrefix(rest, ")")
}

// shown is the value of a column as PostgreSQL shows it.
func (o op) shown(name string) (string, bool) {
	for i, c := range o.cmd.columns {
		if c.name != name || i >= len(o.args) {
			continue
		}
		if number, ok := bigint(o.args[i]); ok {
			return fmt.Sprint(number), true
		}
		if b, ok := o.args[i].([]byte); ok {
			return `\x` + hex.EncodeToString(b), true
		}
		return fmt.Sprint(o.args[i]), true
	}
	return "", false
}
