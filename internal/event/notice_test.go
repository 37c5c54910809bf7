package event_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

// notify commits a notice to an old URL of partner 1 and answers its entry in the log.
func (w *world) notify(old string) event.Entry {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		return w.log.WriteNotice(tx, 1, event.Notice{Setting: "webhook.baseUrl", OldURL: old, Reason: event.URLReplaced}, w.clock.Now())
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.list(event.Filter{Type: event.URLChanged})[0]
}

// A notice goes where its body says, like any other event, whatever the partner's settings are: it is signed, tried
// five times, and sent again there. Other events are not held up by an old receiver that is down.
func TestNoticeGoesToTheOldURL(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var down atomic.Bool
		down.Store(true)
		before := receive(t, func(w http.ResponseWriter, _ arrival) {
			if down.Load() {
				w.WriteHeader(500)
			}
		})
		after := receive(t, nil)
		w.targets[1] = event.Target{
			BaseURL: after.url, URLs: map[event.Type]string{event.URLChanged: after.url + "/own"},
			Disabled: map[event.Type]bool{event.URLChanged: true}, Token: "token", Secrets: [][]byte{secret},
		}
		w.run()
		notice := w.notify(before.url + "/old?key=1")
		want := `{"setting":"webhook.baseUrl","oldUrl":"` + before.url + `/old?key=1","reason":"URL_CHANGED","changedAt":"2026-03-01T12:00:00.000Z"}`
		for attempt := range 5 {
			got := before.next()
			if got.path != "/old" || got.body != want || got.header.Get("Authorization") != "token" ||
				got.header.Get("x-kontor-event") != "webhook-url-changed" || got.sequence != 1 || got.header.Get("webhook-id") != notice.ID.String() {
				t.Errorf("the old receiver got %+v", got)
			}
			verifier, err := standardwebhooks.NewWebhookRaw(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.Verify([]byte(got.body), got.header); err != nil {
				t.Error(err)
			}
			w.await(1, notice.Object, 1, func(r row) bool { return r.attempts == int64(attempt+1) })
			w.clock.Advance(2 * time.Minute)
		}
		w.awaitStatus(notice.Object, 1, event.Failed)
		object := clock.NewID()
		w.write(object, 1)
		after.expect(name(object, 1))

		down.Store(false)
		if n, err := w.redeliver(notice.ID); n != 1 || err != nil {
			t.Errorf("redeliver answers %d, %v", n, err)
		}
		if got := before.next(); got.body != want {
			t.Errorf("again the old receiver got %+v", got)
		}
		if got := w.awaitTries(notice.ID, 6); got.Status != event.Delivered || string(got.Body) != want {
			t.Errorf("in the log it is %+v", got)
		}
		if n := len(after.arrivals); n > 0 {
			t.Errorf("the new receiver got %d events too many", n)
		}
		w.intact()
	})
}

// An old URL is guarded as any other: the network may have changed since it was set.
func TestNoticesAreGuarded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.config.Production = true
		w.run()
		for url, outcome := range map[string]string{
			r.url: "https", strings.Replace(r.url, "http:", "https:", 1): "not allowed",
		} {
			n := w.notify(url)
			got := w.awaitTries(n.ID, 1)
			if !strings.Contains(got.Tries[0].Outcome, outcome) || got.Status != event.Pending {
				t.Errorf("%s: %+v", url, got)
			}
			w.clock.Advance(time.Hour)
		}
		if len(r.arrivals) > 0 {
			t.Error("the receiver was reached")
		}
	})
}

// A notice that was committed by a node which then died is sent by the next one.
func TestNoticeSurvivesACrash(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		n := w.notify(r.url)
		w.run()
		if got := r.next(); got.header.Get("webhook-id") != n.ID.String() {
			t.Errorf("arrived: %+v", got)
		}
		w.awaitStatus(n.Object, 1, event.Delivered)
	})
}
