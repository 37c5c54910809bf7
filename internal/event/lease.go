package event

import (
	"context"
	"time"

	"kontor/internal/db"
)

// longestLease is more than a lease can have left. One that seems to have more was given before the machine's
// clock was set back; its holder, if it lives, would have renewed it by the new time.
const longestLease = 2 * leaseTime

// runs tells whether a lease that is stored until then still holds.
func runs(until time.Time) bool {
	left := time.Until(until)
	return left > 0 && left <= longestLease
}

// lease is this node's hold on a lane. Its context ends when the lease may have run out, so that nothing is
// sent while another node may be sending already.
type lease struct {
	ctx    context.Context
	cancel context.CancelFunc
	timer  *time.Timer
}

func newLease(parent context.Context, until time.Time) *lease {
	ctx, cancel := context.WithCancel(parent)
	return &lease{ctx: ctx, cancel: cancel, timer: time.AfterFunc(time.Until(until), cancel)}
}

func (l *lease) extend(until time.Time) { l.timer.Reset(time.Until(until)) }

func (l *lease) end() {
	l.timer.Stop()
	l.cancel()
}

var (
	lockHeld = db.NewQuery(`
		SELECT partner_id FROM event_lane WHERE node = $1 ORDER BY partner_id FOR UPDATE`)
	renewHeld = db.NewCommand(`UPDATE event_lane SET leased_until = $2 WHERE node = $1`)
)

// renewAll keeps the leases of all lanes until stopped is closed.
func (d *Deliverer) renewAll(ctx context.Context, stopped <-chan struct{}) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stopped:
			return
		case <-ticker.C:
		}
		if leases := d.leases(); len(leases) > 0 {
			d.renew(ctx, leases)
		}
	}
}

// leases answers the leases that this node holds now, by partner.
func (d *Deliverer) leases() map[int64]*lease {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := map[int64]*lease{}
	for partner, l := range d.lanes {
		if l.lease != nil {
			held[partner] = l.lease
		}
	}
	return held
}

// renew extends the leases in one transaction and ends those that another node has taken over. When the
// database does not answer, the leases run out by themselves.
func (d *Deliverer) renew(ctx context.Context, leases map[int64]*lease) {
	until := time.Now().Add(leaseTime)
	mine := map[int64]bool{}
	err := d.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		clear(mine)
		tx.Locked()
		rows := tx.Rows(lockHeld, d.node)
		defer rows.Close()
		for rows.Next() {
			var partner int64
			if err := rows.Scan(&partner); err != nil {
				return err
			}
			mine[partner] = true
		}
		tx.Write(renewHeld, d.node, until)
		return rows.Err()
	})
	if err != nil {
		d.cfg.Log.Warn("webhooks: cannot renew leases", "error", err)
		return
	}
	for partner, held := range leases {
		if mine[partner] {
			held.extend(until)
		} else {
			held.cancel()
		}
	}
}
