// Package idempotency makes a repeated request safe. The first successful answer to a request with an
// Idempotency-Key is stored by the transaction that made its effect; the same request gets it again, another
// request under the same key is refused, and a key that moved money is never free again.
package idempotency

import (
	"context"
	"crypto/hmac"
	"errors"
	"log/slog"
	"sync"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/vault"
)

// Limits.
const (
	MaxKey   = 255              // characters of a key
	Keep     = 24 * time.Hour   // how long an answer can be had again, in real time
	waitFor  = 10 * time.Second // how long a racer waits for the first request
	sweepMax = 1000             // rows of one cleaning step

	sweepEvery = time.Hour
)

// Request is a request that carries a key.
type Request struct {
	Partner int64
	Key     string
	hash    []byte
}

// Answer is what a request was answered with.
type Answer struct {
	Status  int
	Body    []byte
	Object  clock.ID // what the request made, if it made something
	Lasting bool     // the object moved money: its key is kept for ever
	Secret  bool     // Body must not be stored; it is made again from the object
}

// Keys remembers keys. It is safe for concurrent use.
type Keys struct {
	vault   *vault.Vault
	now     func() time.Time
	mu      sync.Mutex
	running map[scope]chan struct{}
}

type scope struct {
	partner int64
	key     string
}

// New makes the memory of keys on a vault, whose keyed hash recognises a repeated request.
func New(v *vault.Vault) *Keys {
	return &Keys{vault: v, now: time.Now, running: map[scope]chan struct{}{}}
}

// NewRequest describes a request by what must be equal when it is repeated.
func (k *Keys) NewRequest(partner int64, key, method, path string, body []byte) (Request, error) {
	hash, err := k.vault.Hash("idempotency", []byte(method), []byte(path), body)
	return Request{partner, key, hash}, err
}

var (
	insertKey = db.NewInsert("idempotency", `partner_id bigint, key text, request bytes, status bigint, answer bytes,
		object_id uuid, lasting boolean, created_at bigint`)
	deleteOld = db.NewCommand(`
		DELETE FROM idempotency WHERE partner_id = $1 AND key = $2 AND NOT lasting AND created_at < $3`)
	selectKey = db.NewQuery(`
		SELECT request, status, answer, object_id, lasting, created_at FROM idempotency WHERE partner_id = $1 AND key = $2`)
	selectOld = db.NewQuery(`
		SELECT partner_id, key, lasting FROM idempotency
		WHERE status <> 0 AND created_at < $1 ORDER BY created_at LIMIT $2`)
	selectObject = db.NewQuery(`SELECT object_id FROM idempotency WHERE partner_id = $1 AND key = $2`)
	forgetAnswer = db.NewCommand(`UPDATE idempotency SET answer = $3, status = 0 WHERE partner_id = $1 AND key = $2`)
)

// Enter waits until no other request of this node runs under the same key, at most 10 s (P501), and answers
// the function that ends this one. Racers on other nodes wait at the key's row.
func (k *Keys) Enter(ctx context.Context, r Request) (leave func(), err error) {
	s := scope{r.Partner, r.Key}
	timeout := time.NewTimer(waitFor)
	defer timeout.Stop()
	for {
		k.mu.Lock()
		other, busy := k.running[s]
		if !busy {
			mine := make(chan struct{})
			k.running[s] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.running, s)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fault.New(fault.ServiceUnavailable).Wrap(ctx.Err())
		case <-timeout.C:
			return nil, fault.New(fault.ServiceUnavailable)
		}
	}
}

// Store queues the answer ahead of everything else that the transaction does. When the key is taken the
// commit fails with a violation of idempotency_pkey and nothing has happened; Replay then tells what to
// answer.
func (k *Keys) Store(tx *db.Tx, r Request, a Answer) {
	body := a.Body
	if a.Secret || body == nil {
		body = []byte{}
	}
	tx.WriteFirst(insertKey, r.Partner, r.Key, r.hash, a.Status, body, a.Object, a.Lasting, k.now())
}

// Replay looks up what the key was used for before. It answers nil when it was not used, or so long ago
// that it is free again; the stored answer, with Secret set when the body must be made again from the
// object; or P409 when the key belongs to another request, or moved money too long ago to be answered again. What it tells
// is as durable as if the first request had been answered.
func (k *Keys) Replay(ctx context.Context, d *db.DB, r Request) (*Answer, error) {
	var a Answer
	var hash []byte
	var created time.Time
	err := d.View(ctx, func(rd db.Reader) error {
		return rd.Row(selectKey, r.Partner, r.Key).Scan(&hash, &a.Status, &a.Body, &a.Object, &a.Lasting, &created)
	})
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = d.Settle(ctx)
	}
	if err != nil {
		return nil, err
	}
	old := k.now().Sub(created) > Keep
	if old && !a.Lasting {
		return nil, d.Update(ctx, func(tx *db.Tx) error {
			tx.Write(deleteOld, r.Partner, r.Key, k.now().Add(-Keep))
			return nil
		})
	}
	if old || !hmac.Equal(hash, r.hash) {
		conflict := fault.New(fault.IdempotencyConflict)
		if !a.Object.IsZero() {
			conflict.ObjectID = a.Object.String()
		}
		return nil, conflict
	}
	a.Secret = len(a.Body) == 0
	return &a, nil
}

// Object finds what the request under a key made; none when the key is not known, or nothing was made.
func Object(r db.Reader, partner int64, key string) (clock.ID, error) {
	var id clock.ID
	err := r.Row(selectObject, partner, key).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		err = nil
	}
	return id, err
}

// Used tells whether an error of Update says that the key was taken by another request.
func Used(err error) bool { return db.Violates(err, "idempotency_pkey") }

// Run sweeps every hour, of real time, until the context ends.
func (k *Keys) Run(ctx context.Context, d *db.DB, log *slog.Logger) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if _, err := k.Sweep(ctx, d); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "old idempotency keys were not swept", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Sweep forgets answers that are too old, and whole keys unless they moved money. It works in steps of
// bounded size and answers how many rows it changed.
func (k *Keys) Sweep(ctx context.Context, d *db.DB) (int, error) {
	total := 0
	limit := k.now().Add(-Keep)
	for {
		n := 0
		err := d.Update(ctx, func(tx *db.Tx) error {
			n = 0
			rows := tx.Rows(selectOld, limit, sweepMax)
			defer rows.Close()
			type found struct {
				scope
				lasting bool
			}
			var all []found
			for rows.Next() {
				var f found
				if err := rows.Scan(&f.partner, &f.key, &f.lasting); err != nil {
					return err
				}
				all = append(all, f)
			}
			if err := rows.Err(); err != nil {
				return err
			}
			for _, f := range all {
				if f.lasting {
					tx.Write(forgetAnswer, f.partner, f.key, []byte{})
				} else {
					tx.Write(deleteOld, f.partner, f.key, limit)
				}
			}
			n = len(all)
			return nil
		})
		total += n
		if err != nil || n < sweepMax {
			return total, err
		}
	}
}
