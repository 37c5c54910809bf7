package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// DefaultRetention is how long events are kept unless the operator decides otherwise, in business time.
const DefaultRetention = 90 * 24 * time.Hour

// Limits of a Keeper. Pauses keep to the machine's time.
const (
	keepBatch   = 200              // events of one transaction
	secretEvery = 15 * time.Second // secrets that are too old
	removeEvery = time.Hour        // events that are too old
)

// Keeper removes from the log what is not to be kept: events of a certain age with their attempts, and the secret
// members of bodies that were not delivered soon. Several nodes may run one each.
type Keeper struct {
	db    *db.DB
	vault *vault.Vault
	clock clock.Clock
	keep  time.Duration
	log   *slog.Logger
}

// NewKeeper makes a Keeper that keeps events for a duration of business time; 0 is DefaultRetention.
func NewKeeper(d *db.DB, v *vault.Vault, c clock.Clock, keep time.Duration, log *slog.Logger) *Keeper {
	if keep == 0 {
		keep = DefaultRetention
	}
	return &Keeper{db: d, vault: v, clock: c, keep: keep, log: log}
}

// Run works until the context ends.
func (k *Keeper) Run(ctx context.Context) {
	secrets, events := time.NewTicker(secretEvery), time.NewTicker(removeEvery)
	defer secrets.Stop()
	defer events.Stop()
	k.try(ctx, "remove old events", k.RemoveOld)
	for {
		k.try(ctx, "remove secrets from old events", k.RemoveSecrets)
		select {
		case <-secrets.C:
		case <-events.C:
			k.try(ctx, "remove old events", k.RemoveOld)
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keeper) try(ctx context.Context, what string, work func(context.Context) error) {
	if err := work(ctx); err != nil && ctx.Err() == nil {
		k.log.Warn("webhooks: cannot "+what, "error", err)
	}
}

// Events are removed from the lowest sequence on, up to the first that is PENDING or young: what is kept has no
// gaps, neither in the sequences nor in any object's versions.
var (
	selectLanes = db.NewQuery(`SELECT partner_id FROM event_lane ORDER BY partner_id`)
	lockRemoved = db.NewQuery(`SELECT removed_until FROM event_lane WHERE partner_id = $1 FOR UPDATE`)
	selectFirst = db.NewQuery(`
		SELECT sequence, status, created_at FROM event
		WHERE partner_id = $1 AND sequence IS NOT NULL ORDER BY sequence LIMIT $2`)
	deleteAttempts = db.NewCommand(`
		DELETE FROM event_attempt WHERE partner_id = $1 AND event_id IN (
			SELECT id FROM event WHERE partner_id = $1 AND sequence <= $2)`)
	deleteEvents = db.NewCommand(`DELETE FROM event WHERE partner_id = $1 AND sequence <= $2`)
	setRemoved   = db.NewCommand(`UPDATE event_lane SET removed_until = $2 WHERE partner_id = $1`)
)

// RemoveOld removes the events that have become too old, of all partners.
func (k *Keeper) RemoveOld(ctx context.Context) error {
	var partners []int64
	err := k.db.View(ctx, func(r db.Reader) error {
		rows := r.Rows(selectLanes)
		defer rows.Close()
		for rows.Next() {
			var p int64
			if err := rows.Scan(&p); err != nil {
				return err
			}
			partners = append(partners, p)
		}
		return rows.Err()
	})
	for _, p := range partners {
		for removed := keepBatch; removed == keepBatch && err == nil && ctx.Err() == nil; {
			removed, err = k.removeFirst(ctx, p)
		}
	}
	return errors.Join(err, ctx.Err())
}

// removeFirst removes the first events of a partner that are too old, and answers how many.
func (k *Keeper) removeFirst(ctx context.Context, partner int64) (count int, err error) {
	limit := k.clock.Now().Add(-k.keep)
	err = k.db.View(ctx, func(r db.Reader) error {
		count, _, _, err = tooOld(r, partner, limit)
		return err
	})
	if err != nil || count == 0 {
		return 0, err
	}
	err = k.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		var newest time.Time
		if err := tx.Row(lockRemoved, partner).Scan(&newest); err != nil {
			return err
		}
		var last int64
		var until time.Time
		if count, last, until, err = tooOld(tx, partner, limit); err != nil || count == 0 {
			return err
		}
		if until.After(newest) {
			newest = until
		}
		tx.Write(deleteAttempts, partner, last)
		tx.Write(deleteEvents, partner, last)
		tx.Write(setRemoved, partner, newest)
		return nil
	})
	return count, err
}

// tooOld finds a partner's first events that can go: how many, the last one's sequence, the newest one's creation.
func tooOld(r db.Reader, partner int64, limit time.Time) (count int, last int64, newest time.Time, err error) {
	rows := r.Rows(selectFirst, partner, keepBatch)
	defer rows.Close()
	for rows.Next() {
		var sequence int64
		var status string
		var created time.Time
		if err := rows.Scan(&sequence, &status, &created); err != nil {
			return 0, 0, newest, err
		}
		if status == Pending || !created.Before(limit) {
			break
		}
		count, last = count+1, sequence
		if created.After(newest) {
			newest = created
		}
	}
	return count, last, newest, rows.Err()
}

var selectSecrets = db.NewQuery(`
	SELECT partner_id, object_id, version, id, type, body FROM event
	WHERE secrets AND created_at <= $1 ORDER BY created_at LIMIT $2`)

// RemoveSecrets removes the secret members from the bodies that have had them for too long.
func (k *Keeper) RemoveSecrets(ctx context.Context) error {
	for {
		count := 0
		err := k.db.Update(ctx, func(tx *db.Tx) error {
			old, err := oldSecrets(tx, k.clock.Now().Add(-secretsKept))
			for _, e := range old {
				body, err := k.masked(e)
				if err != nil {
					return err
				}
				tx.Write(storeBody, e.partner, e.object, e.version, body, false)
			}
			count = len(old)
			return err
		})
		if err != nil || count < keepBatch {
			return err
		}
	}
}

func oldSecrets(r db.Reader, until time.Time) (all []*delivery, err error) {
	rows := r.Rows(selectSecrets, until, keepBatch)
	defer rows.Close()
	for rows.Next() {
		var e delivery
		var kind string
		if err := rows.Scan(&e.partner, &e.object, &e.version, &e.id, &kind, &e.sealed); err != nil {
			return nil, err
		}
		e.kind = Type(kind)
		all = append(all, &e)
	}
	return all, rows.Err()
}

func (k *Keeper) masked(e *delivery) ([]byte, error) {
	body, err := k.vault.Open(bodyPlace(e.id), e.sealed)
	if err != nil {
		return nil, err
	}
	if body, err = mask(e.kind, body); err != nil {
		return nil, fmt.Errorf("event %s: %w", e.id, err)
	}
	return k.vault.Seal(bodyPlace(e.id), body)
}
