package event

import (
	"context"

	"kontor/internal/db"
)

// A round tries the failed events of a host that has recovered once more, oldest first, and each only once:
// the mark "again" stays. It goes in portions that are marked in the database and then sent like others, so
// it survives a crash, and a host that fails again costs no more than what is in memory. What carries a round
// on is success: a delivery that arrives has the next portion marked as soon as half of the memory is free.
// The other half is more than can be under way, so at any time of a round some of it is pending in the
// database, and a crash does not end it.

const portion = againSize / 2

var (
	selectFailed = db.NewQuery(`
		SELECT object_id, version FROM event
		WHERE partner_id = $1 AND status = 'FAILED' AND NOT again AND attempts >= 5 AND type IN (` + db.List(3) + `)
		ORDER BY sequence LIMIT $2`)
	sendAgain = db.NewCommand(`
		UPDATE event SET status = 'PENDING', again = TRUE, due_at = $4
		WHERE partner_id = $1 AND object_id = $2 AND version = $3 AND status = 'FAILED' AND NOT again`)
)

// recover begins or carries on the rounds of hosts that took a delivery.
func (l *lane) recover(ctx context.Context) error {
	for host := range l.recovered {
		if l.again.size > againSize-portion {
			return nil
		}
		if err := l.mark(ctx, host); err != nil {
			return err
		}
		delete(l.recovered, host)
	}
	return nil
}

// mark makes the oldest failed events of a host pending again.
func (l *lane) mark(ctx context.Context, host string) error {
	failed, err := l.failedAt(ctx, host, portion)
	if err != nil {
		return err
	}
	if len(failed) < portion {
		l.clean[host] = true
	}
	if len(failed) == 0 {
		return nil
	}
	l.moreOld = true
	now := l.d.cfg.Clock.Now()
	return l.d.limited(func() error {
		return l.d.cfg.DB.Update(ctx, func(tx *db.Tx) error {
			for _, k := range failed {
				tx.Write(sendAgain, l.partner, k.object, k.version, now)
			}
			return nil
		})
	})
}

// failedAt reads the oldest events that failed at a host and that no recovery has taken up.
func (l *lane) failedAt(ctx context.Context, host string, limit int) (found []key, err error) {
	var lists [][]any
	if kinds := l.kindsOf(host); len(kinds) > 0 {
		lists = db.Lists(kinds, any(l.partner), any(limit)) // one, since types are few
	}
	err = l.d.limited(func() error {
		return l.d.cfg.DB.View(ctx, func(r db.Reader) error {
			found = nil
			for _, args := range lists {
				rows := r.Rows(selectFailed, args...)
				for rows.Next() {
					var k key
					if err := rows.Scan(&k.object, &k.version); err != nil {
						return err
					}
					found = append(found, k)
				}
				if err := rows.Err(); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return found, err
}

// kindsOf answers the names of the event types that go to a host.
func (l *lane) kindsOf(host string) []string {
	var kinds []string
	for kind, way := range l.routes {
		if way.refusal == "" && way.host == host {
			kinds = append(kinds, string(kind))
		}
	}
	return kinds
}
