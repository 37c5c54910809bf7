//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/transfer"
	"kontor/internal/vault"
)

const eventsPerCommit = 1000

// target directs each partner's webhooks: those of the first ones to receivers that are dead, half of which refuse
// connections while the others take them and never answer; all others to the live one.
func (w *world) target(ctx context.Context, live string, dead graves, count int) error {
	return w.with(ctx, func(a *app.App) error {
		for i, p := range w.partners {
			base := live
			if i < count {
				base = dead.url(i)
			}
			if _, err := a.Partners.Set(ctx, p.id, map[string]string{"webhook.baseUrl": fmt.Sprintf("%s/%d", base, i)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// fill writes events of transfers that wait to be delivered, in turn for each partner.
func (w *world) fill(ctx context.Context, p place, events int) error {
	key, err := p.masterKey()
	if err != nil {
		return err
	}
	return p.with(ctx, func(a *app.App) error {
		v, err := vault.Open(ctx, a.DB, key)
		if err != nil {
			return err
		}
		log := event.NewLog(v, func(int64) {}) // nobody is awake
		for first := 0; first < events; first += eventsPerCommit {
			err := a.DB.Update(ctx, func(tx *db.Tx) error {
				for i := first; i < min(first+eventsPerCommit, events); i++ {
					if err := log.Write(tx, invent(w.partners[i%len(w.partners)])); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// invent makes the event of a transfer between a partner's users.
func invent(p partnerAccess) event.Event {
	id, now := clock.NewID(), clock.System().Now()
	return event.Event{Partner: p.id, Object: id, Version: 1, Type: event.Transfer, At: now, Body: transfer.Notice{
		ID: id.String(), SourceExternalUserID: &p.users[0], DestinationExternalUserID: &p.users[1],
		Amount: json.Number("0.01"), Currency: "eur", Status: transfer.Successful, CreatedAt: clock.Format(now),
	}}
}

// graves are receivers that are dead.
type graves struct {
	silent  net.Listener
	refused string
}

func dig() (graves, error) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return graves{}, err
	}
	g := graves{refused: "http://" + closed.Addr().String()}
	if err := closed.Close(); err != nil {
		return g, err
	}
	if g.silent, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return g, err
	}
	go g.hold()
	return g, nil
}

// hold takes connections and leaves them without an answer, until the listener is closed.
func (g graves) hold() {
	var held []net.Conn
	for {
		c, err := g.silent.Accept()
		if err != nil {
			break
		}
		held = append(held, c)
	}
	for _, c := range held {
		c.Close()
	}
}

func (g graves) url(i int) string {
	if i%2 == 0 {
		return g.refused
	}
	return "http://" + g.silent.Addr().String()
}

func (g graves) close() { g.silent.Close() }

// since reads the time that a transfer's reference carries; ok is false if it has none.
func since(body []byte, at time.Time) (took time.Duration, ok bool) {
	var notice struct{ Reference string }
	if json.Unmarshal(body, &notice) != nil {
		return 0, false
	}
	var sent int64
	if _, err := fmt.Sscanf(notice.Reference, "sent at %d", &sent); err != nil {
		return 0, false
	}
	return at.Sub(time.Unix(0, sent)), true
}

// stamp is the reference of a transfer that is sent now.
func stamp() string { return fmt.Sprintf("sent at %d", time.Now().UnixNano()) }
