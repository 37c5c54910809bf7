package event

import (
	"encoding/json"
	"net/url"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// Why a URL gets events no more.
const (
	URLReplaced   = "URL_CHANGED"
	URLRemoved    = "URL_REMOVED"
	PartnerClosed = "PARTNER_CLOSED"
)

// Notice is the body of a URLChanged event. It goes to the URL that the events went to until now, and nowhere
// else: whoever moves a partner's webhooks with stolen access cannot keep the receiver from being told. So no
// setting leads it elsewhere or switches it off, and it does not say where the events go now.
type Notice struct {
	Setting   string `json:"setting"`   // such as webhook.baseUrl
	OldURL    string `json:"oldUrl"`    // complete; see NoticeURL
	Reason    string `json:"reason"`    // URLReplaced, URLRemoved or PartnerClosed
	ChangedAt string `json:"changedAt"` // set by WriteNotice
}

// NoticeURL is where notices about a base URL go.
func NoticeURL(base string) (string, error) { return url.JoinPath(base, paths[URLChanged]) }

// WriteNotice queues a notice on the transaction that changes the setting, dated by it. Each is an object of its
// own: an old receiver that is dead holds up no other.
func (l *Log) WriteNotice(tx *db.Tx, partner int64, n Notice, at time.Time) error {
	n.ChangedAt = clock.Format(at)
	return l.Write(tx, Event{Partner: partner, Object: clock.NewID(), Version: 1, Type: URLChanged, Body: n, At: at})
}

// find gives a notice its way, which its body holds.
func (d *Deliverer) find(e *delivery) {
	if e.kind.HasRoute() {
		return
	}
	var n Notice
	body, err := d.cfg.Vault.Open(bodyPlace(e.id), e.sealed)
	if err == nil {
		err = json.Unmarshal(body, &n)
	}
	if err != nil {
		d.cfg.Log.Error("webhooks: cannot read where an event goes", "event", e.id.String(), "error", err)
		e.own = &route{refusal: unreadable}
		return
	}
	e.own = &route{address: n.OldURL, host: hostOf(n.OldURL)}
}
