package event

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"kontor/internal/db"
)

// probeEvery is how often a receiver with failing deliveries is asked how it is, in business time: like the
// retries that it stands beside, a sandbox whose clock is moved by an hour asks at once.
const probeEvery = time.Minute

var (
	selectProbe  = db.NewQuery(`SELECT probe_at, probe_down FROM event_lane WHERE partner_id = $1`)
	updateProbe  = db.NewCommand(`UPDATE event_lane SET probe_at = $3, probe_down = $4 WHERE partner_id = $1 AND node = $2`)
	selectProbes = db.NewQuery(`
		SELECT partner_id FROM event_lane
		WHERE probe_at > 0 AND probe_at <= $1 AND (node = '' OR node = $2 OR leased_until <= $3 OR leased_until > $4)`)
	countProbes = db.NewQuery(`SELECT COUNT(*) FROM event_lane WHERE probe_at > 0`)
)

// probe is what a lane knows of the receiver at the partner's base URL.
type probe struct {
	at      time.Time // when it is asked next; zero: it has no failing deliveries
	down    bool      // it did not answer well when it was asked last
	sending bool
	cancel  context.CancelFunc // of the question under way
}

func (p *probe) stop() {
	if p.cancel != nil {
		p.cancel()
	}
}

// answer is what a receiver said to a probe; without ok it counts for nothing.
type answer struct{ well, ok bool }

// readProbe takes over what the lane's last holder knew.
func (l *lane) readProbe(ctx context.Context) error {
	l.probe = probe{}
	return l.d.limited(func() error {
		return l.d.cfg.DB.View(ctx, func(r db.Reader) error {
			return r.Row(selectProbe, l.partner).Scan(&l.probe.at, &l.probe.down)
		})
	})
}

func (l *lane) writeProbe(ctx context.Context) error {
	return l.d.limited(func() error {
		return l.d.cfg.DB.Update(ctx, func(tx *db.Tx) error {
			tx.Write(updateProbe, l.partner, l.d.node, l.probe.at, l.probe.down)
			return nil
		})
	})
}

// tend carries recoveries on and asks the receiver how it is when that is due.
func (l *lane) tend(ctx context.Context, held *lease) error {
	if err := l.recover(ctx); err != nil {
		return err
	}
	now := l.d.cfg.Clock.Now()
	if l.suspect && l.probe.at.IsZero() {
		if err := l.readTarget(ctx); err != nil {
			return err
		}
		l.suspect = false
		if l.hasFailing() {
			l.probe.at, l.probe.down = now.Add(probeEvery), false
			return l.writeProbe(ctx)
		}
	}
	if l.probe.sending || l.probe.at.IsZero() || l.probe.at.After(now) {
		return nil
	}
	if err := l.readTarget(ctx); err != nil {
		return err
	}
	l.probe.at = now.Add(probeEvery)
	if l.target.BaseURL == "" {
		l.probe.at, l.probe.down = time.Time{}, false
		return l.writeProbe(ctx)
	}
	asking, cancel := context.WithCancel(held.ctx)
	l.probe.sending, l.probe.cancel = true, cancel
	target := l.target
	go func() {
		well := l.d.ask(asking, target)
		l.answered <- answer{well, well || asking.Err() == nil}
	}()
	return nil
}

// judge draws the conclusions from an answer. When the receiver turned well, what failed is tried once more;
// this is stored first, so that after a crash in between the next answer does it.
func (l *lane) judge(ctx context.Context, a answer) error {
	l.probe.sending = false
	l.probe.stop()
	if !a.ok {
		return nil
	}
	host := hostOf(l.target.BaseURL)
	if a.well && l.probe.down {
		if err := l.mark(ctx, host); err != nil {
			return err
		}
	}
	failing := l.hasFailing()
	if !failing {
		failed, err := l.failedAt(ctx, host, 1)
		if err != nil {
			return err
		}
		failing = len(failed) > 0
	}
	l.probe.down = !a.well
	if !failing {
		l.probe.at, l.probe.down = time.Time{}, false
	}
	return l.writeProbe(ctx)
}

// hasFailing tells whether an event in memory failed at the receiver at the base URL and is to be tried again.
func (l *lane) hasFailing() bool {
	if l.target.BaseURL == "" {
		return false
	}
	host := hostOf(l.target.BaseURL)
	goesThere := func(kind Type) bool { way := l.routes[kind]; return way.refusal == "" && way.host == host }
	return l.live.hasFailing(goesThere) || l.again.hasFailing(goesThere)
}

// ask calls the receiver's health path. A redirect is no answer.
func (d *Deliverer) ask(ctx context.Context, target Target) (well bool) {
	address, err := url.JoinPath(target.BaseURL, healthPath)
	if err != nil {
		return false
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil || d.cfg.Production && request.URL.Scheme != "https" {
		return false
	}
	request.Header.Set("User-Agent", userAgent)
	if target.Token != "" {
		request.Header.Set("Authorization", target.Token)
	}
	answer, err := d.client.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, drainLimit)
	return answer.StatusCode == http.StatusOK
}
