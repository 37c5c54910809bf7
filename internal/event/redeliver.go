package event

import (
	"context"
	"errors"
	"sync"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
)

// Limits of redelivery.
const (
	maxSingles      = 1000 // of one partner that wait, each for one event
	maxRanges       = 10   // of one partner that wait, each for all events of a range
	countLimit      = 10_000
	resendBatch     = 8
	resendLook      = time.Second // a lane looks again for what it was not told of
	redeliveryRetry = 10 * time.Second
)

// A redelivery is a row until its last event was tried: it survives whatever happens to the node. The lane works
// through them beside its live events, single events first, then ranges from the oldest event on, a small batch
// at a time, whose results and whose end commit together. After a crash or a stop at most that batch is sent once
// more.
var (
	insertRedelivery = db.NewInsert("event_redelivery", `partner_id bigint, id uuid, event_id uuid, status text,
		until bigint, position_at bigint, position_id uuid`)
	countRedeliveries = db.NewQuery(`
		SELECT COALESCE(SUM(CASE WHEN event_id = $2 THEN 0 ELSE 1 END), 0),
			COALESCE(SUM(CASE WHEN event_id = $2 THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN event_id = $3 THEN 1 ELSE 0 END), 0)
		FROM event_redelivery WHERE partner_id = $1`)
	countRange    = map[string]*db.Query{Failed: rangeCount("'FAILED'"), Delivered: rangeCount("'DELIVERED'")}
	selectSingles = db.NewQuery(`
		SELECT id, event_id FROM event_redelivery WHERE partner_id = $1 AND event_id <> $2 ORDER BY id LIMIT $3`)
	selectRange = db.NewQuery(`
		SELECT id, status, until, position_at, position_id FROM event_redelivery
		WHERE partner_id = $1 AND event_id = $2 ORDER BY id LIMIT 1`)
	selectRangeEvents = map[string]*db.Query{Failed: rangeEvents("'FAILED'"), Delivered: rangeEvents("'DELIVERED'")}
	selectResent      = db.NewQuery(`
		SELECT ` + resendColumns + ` FROM event
		WHERE partner_id = $1 AND id = $2 AND sequence IS NOT NULL AND status <> 'PENDING'`)
	storeResent = db.NewCommand(`
		UPDATE event SET status = CASE WHEN $4 = 'DELIVERED' THEN $4 ELSE status END, attempts = $5, outcome = $6
		WHERE partner_id = $1 AND object_id = $2 AND version = $3 AND status <> 'PENDING'`)
	moveRedelivery = db.NewCommand(`
		UPDATE event_redelivery SET position_at = $3, position_id = $4 WHERE partner_id = $1 AND id = $2`)
	deleteRedelivery = db.NewCommand(`DELETE FROM event_redelivery WHERE partner_id = $1 AND id = $2`)
	selectAsking     = db.NewQuery(`
		SELECT DISTINCT a.partner_id FROM event_redelivery a LEFT JOIN event_lane l ON l.partner_id = a.partner_id
		WHERE l.partner_id IS NULL OR l.node = '' OR l.node = $1 OR l.leased_until <= $2 OR l.leased_until > $3`)
)

// The status is written out, so that what failed is found by its own index.
func rangeCount(status string) *db.Query {
	return db.NewQuery(`
		SELECT COUNT(*) FROM (
			SELECT 1 FROM event WHERE partner_id = $1 AND status = ` + status + ` AND sequence IS NOT NULL
			AND created_at >= $2 AND created_at < $3 LIMIT $4) e`)
}

func rangeEvents(status string) *db.Query {
	return db.NewQuery(`
		SELECT ` + resendColumns + `, created_at FROM event
		WHERE partner_id = $1 AND status = ` + status + ` AND sequence IS NOT NULL
		AND created_at >= $2 AND created_at < $3 AND (created_at > $2 OR id > $4)
		ORDER BY created_at, id LIMIT $5`)
}

const resendColumns = "object_id, version, id, type, body, sequence, attempts"

// Redeliver queues one more attempt of an event, and answers how many events will be sent again: none when the
// event is still PENDING, because it will be sent anyway. P465 for an event that the partner does not have; P429
// when too many wait.
func (l *Log) Redeliver(tx *db.Tx, partner int64, id clock.ID) (int64, error) {
	e, err := find(tx, partner, id)
	if err != nil || e.Status == Pending {
		return 0, err
	}
	singles, _, same, err := redeliveries(tx, partner, id)
	switch {
	case err != nil:
		return 0, err
	case same > 0:
		return 1, nil // it waits already
	case singles >= maxSingles:
		return 0, tooMany("Too many events wait to be sent again.")
	}
	tx.Write(insertRedelivery, partner, clock.NewID(), id, e.Status, time.Time{}, time.Time{}, clock.ID{})
	tx.AfterCommit(func() { l.wake(partner) })
	return 1, nil
}

// RedeliverRange queues one more attempt of each event with a status, Failed or Delivered, that was created from a
// time on and before another. It answers how many there are, but at most 10,000. P429 when too many ranges wait.
func (l *Log) RedeliverRange(tx *db.Tx, partner int64, status string, from, until time.Time) (count int64, err error) {
	if err := tx.Row(countRange[status], partner, from, until, countLimit).Scan(&count); err != nil || count == 0 {
		return 0, err
	}
	_, ranges, _, err := redeliveries(tx, partner, clock.ID{})
	switch {
	case err != nil:
		return 0, err
	case ranges >= maxRanges:
		return 0, tooMany("Too many ranges of events wait to be sent again.")
	}
	tx.Write(insertRedelivery, partner, clock.NewID(), clock.ID{}, status, until, from, clock.ID{})
	tx.AfterCommit(func() { l.wake(partner) })
	return count, nil
}

// redeliveries counts what waits: single events, ranges, and the ones of one event.
func redeliveries(r db.Reader, partner int64, id clock.ID) (singles, ranges, same int64, err error) {
	err = r.Row(countRedeliveries, partner, clock.ID{}, id).Scan(&singles, &ranges, &same)
	return singles, ranges, same, err
}

func tooMany(message string) error {
	f := fault.Newf(fault.TooManyRequests, "%s", message)
	f.RetryAfter = redeliveryRetry
	return f
}

// findRedeliveries adds the partners with redeliveries that no other node serves.
func (d *Deliverer) findRedeliveries(r db.Reader, found map[int64]bool) error {
	now := time.Now()
	rows := r.Rows(selectAsking, d.node, now, now.Add(longestLease))
	defer rows.Close()
	for rows.Next() {
		var partner int64
		if err := rows.Scan(&partner); err != nil {
			return err
		}
		if _, known := found[partner]; !known {
			found[partner] = false // no news about events
		}
	}
	return rows.Err()
}

// resend works through the partner's redeliveries while the lane is held. The function that it answers ends that.
func (l *lane) resend(held context.Context) (end func()) {
	ctx, cancel := context.WithCancel(held)
	l.resending.Store(true)
	var done sync.WaitGroup
	done.Go(func() {
		look := time.NewTicker(resendLook)
		defer look.Stop()
		for ctx.Err() == nil {
			more, err := l.resendBatch(ctx)
			if err != nil && ctx.Err() == nil {
				l.d.cfg.Log.Warn("webhooks: cannot send events again", "partner", l.partner, "error", err)
			}
			if more && err == nil {
				continue
			}
			l.resending.Store(false)
			select {
			case <-l.asked:
				l.resending.Store(true)
			case <-look.C:
			case <-ctx.Done():
			}
		}
	})
	return func() { cancel(); done.Wait(); l.resending.Store(false) }
}

// batch is a part of what is to be sent again, and what is to be written when it was tried.
type batch struct {
	events []*delivery
	ended  []clock.ID // redeliveries that are done then
	moved  clock.ID   // the range that goes on, behind a position; zero: none
	at     time.Time
	last   clock.ID
}

// resendBatch has the next few events sent again and stores what came of it. It answers whether there were any.
func (l *lane) resendBatch(ctx context.Context) (more bool, err error) {
	var b batch
	err = l.d.limited(func() error {
		return l.d.cfg.DB.View(ctx, func(r db.Reader) (err error) {
			b, err = loadBatch(r, l.partner)
			return err
		})
	})
	if err != nil || len(b.events)+len(b.ended) == 0 {
		return false, err
	}
	l.resending.Store(true)
	tried, err := l.tryAll(ctx, b.events)
	if err != nil {
		return false, err // the next holder of the lane begins the batch again
	}
	return true, l.d.limited(func() error {
		return l.d.cfg.DB.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error {
			b.write(tx, l.partner, tried)
			return nil
		})
	})
}

func (b batch) write(tx *db.Tx, partner int64, tried []exchange) {
	results := make([]result, len(b.events))
	for i, e := range b.events {
		results[i] = result{delivery: e, exchange: tried[i]}
		status := Failed
		if tried[i].delivered {
			status = Delivered
		}
		tx.Write(storeResent, e.partner, e.object, e.version, status, e.attempts+1, tried[i].outcome)
	}
	writeAttempts(tx, results)
	for _, id := range b.ended {
		tx.Write(deleteRedelivery, partner, id)
	}
	if !b.moved.IsZero() {
		tx.Write(moveRedelivery, partner, b.moved, b.at, b.last)
	}
}

// tryAll has the lane make one attempt of each event, and waits for them. The lane makes them when its rate, its
// breakers and its share of the node's attempts allow, as it does with all others outside the order.
func (l *lane) tryAll(ctx context.Context, events []*delivery) ([]exchange, error) {
	tried := make([]exchange, len(events))
	ended := make([]chan exchange, len(events))
	for i, e := range events {
		ended[i] = make(chan exchange, 1)
		e.tried = ended[i]
		select {
		case l.tries <- e:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for i := range events {
		select {
		case tried[i] = <-ended[i]:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return tried, nil
}

// try takes up an event of a redelivery. It leaves alone how far the window was loaded.
func (l *lane) try(e *delivery) {
	e.again, e.due = true, l.d.cfg.Clock.Now()
	l.d.find(e)
	last := l.again.last
	l.again.add(e)
	l.again.last = last
	l.byHand++
}

// answer tells what came of the attempt that a redelivery asked for.
func (l *lane) answer(r result) {
	l.d.observe(r)
	l.again.remove(r.delivery)
	l.byHand--
	r.tried <- r.exchange
}

// settleRefused ends an event that cannot be sent anywhere.
func (l *lane) settleRefused(e *delivery, why string) {
	if e.tried != nil {
		l.answer(result{delivery: e, status: Failed, exchange: l.d.refusal(why)})
		return
	}
	l.store(l.d.refused(e, why))
}

func statusOf(x exchange) string {
	if x.delivered {
		return Delivered
	}
	return Failed
}

// loadBatch reads the next events that are to be sent again: of several redeliveries of one event each, or of one
// range. An event that was removed meanwhile, or is PENDING anew, is left out.
func loadBatch(r db.Reader, partner int64) (batch, error) {
	b, err := loadSingles(r, partner)
	if err != nil || len(b.ended) > 0 {
		return b, err
	}
	var id, last clock.ID
	var status string
	var until, at time.Time
	err = r.Row(selectRange, partner, clock.ID{}).Scan(&id, &status, &until, &at, &last)
	if errors.Is(err, db.ErrNoRows) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	rows := r.Rows(selectRangeEvents[status], partner, at, until, last, resendBatch)
	defer rows.Close()
	for rows.Next() {
		e, err := scanResent(rows, partner, &b.at)
		if err != nil {
			return b, err
		}
		b.events = append(b.events, e)
		b.moved, b.last = id, e.id
	}
	if len(b.events) < resendBatch {
		b.moved, b.ended = clock.ID{}, []clock.ID{id}
	}
	return b, rows.Err()
}

func loadSingles(r db.Reader, partner int64) (b batch, err error) {
	var wanted []clock.ID
	rows := r.Rows(selectSingles, partner, clock.ID{}, resendBatch)
	defer rows.Close()
	for rows.Next() {
		var id, event clock.ID
		if err := rows.Scan(&id, &event); err != nil {
			return b, err
		}
		b.ended, wanted = append(b.ended, id), append(wanted, event)
	}
	if err := rows.Err(); err != nil {
		return b, err
	}
	for _, id := range wanted {
		e, err := scanResent(r.Row(selectResent, partner, id), partner)
		if errors.Is(err, db.ErrNoRows) {
			continue
		}
		if err != nil {
			return b, err
		}
		b.events = append(b.events, e)
	}
	return b, nil
}

func scanResent(row db.Scanner, partner int64, more ...any) (*delivery, error) {
	e := &delivery{partner: partner}
	var kind string
	err := row.Scan(append([]any{&e.object, &e.version, &e.id, &kind, &e.sealed, &e.sequence, &e.attempts}, more...)...)
	e.kind = Type(kind)
	return e, err
}
