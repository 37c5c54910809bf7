package event_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/page"
)

// find reads an event of partner 1 as the API shows it.
func (w *world) find(id clock.ID) event.Detail {
	w.t.Helper()
	var d event.Detail
	err := w.db.Snapshot(w.t.Context(), func(r db.Reader) (err error) {
		d, err = w.log.Find(r, 1, id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// list reads events of partner 1.
func (w *world) list(f event.Filter) []event.Entry {
	w.t.Helper()
	if f.Limit == 0 {
		f.Limit = 200
	}
	var all []event.Entry
	err := w.db.View(w.t.Context(), func(r db.Reader) (err error) {
		all, err = event.List(r, 1, f)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// id finds the id of an object's only event.
func (w *world) id(object clock.ID) clock.ID {
	w.t.Helper()
	all := w.list(event.Filter{Object: object})
	if len(all) != 1 {
		w.t.Fatalf("the object has %d events", len(all))
	}
	return all[0].ID
}

// redeliver has an event of partner 1 sent again.
func (w *world) redeliver(id clock.ID) (count int64, err error) {
	err = w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		count, err = w.log.Redeliver(tx, 1, id)
		return err
	})
	return count, err
}

// redeliverRange has events of partner 1 sent again.
func (w *world) redeliverRange(status string, from, until time.Time) (count int64, err error) {
	err = w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		count, err = w.log.RedeliverRange(tx, 1, status, from, until)
		return err
	})
	return count, err
}

// awaitTries answers the event once it was tried so often.
func (w *world) awaitTries(id clock.ID, count int) event.Detail {
	w.t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		d := w.find(id)
		if len(d.Tries) >= count {
			return d
		}
		select {
		case <-again.C:
		case <-late:
			w.t.Fatalf("the event was tried %d times, not %d", len(d.Tries), count)
		}
	}
}

func TestAnswersAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		answers := []string{"\xff\x00text", strings.Repeat("x", 1021) + "ß€ and more", ""}
		kept := []string{"\uFFFD\uFFFDtext", strings.Repeat("x", 1021) + "ß", ""}
		var count atomic.Int64
		r := receive(t, func(w http.ResponseWriter, _ arrival) {
			n := int(count.Add(1))
			w.WriteHeader(map[bool]int{true: 500, false: 204}[n < len(answers)])
			if n < len(answers) {
				fmt.Fprint(w, answers[n-1])
			}
		})
		var logged bytes.Buffer
		w, object := newWorld(t, d), clock.NewID()
		w.config.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.targets[1] = event.Target{BaseURL: r.url}
		n := w.run()
		w.write(object, 1)
		id := w.id(object)
		for i := range answers {
			w.awaitTries(id, i+1)
			w.clock.Advance(20 * time.Second)
		}
		w.awaitStatus(object, 1, event.Delivered)
		n.stop()
		got := w.find(id)
		if got.Attempts != 3 || string(got.Body) != name(object, 1) {
			t.Errorf("the event is %+v", got)
		}
		for i, try := range got.Tries {
			outcome := map[bool]string{true: "HTTP 500", false: "HTTP 204"}[i < 2]
			if try.Outcome != outcome || try.Answer != kept[i] || try.Took < 0 || try.At.Before(start) || !utf8.ValidString(try.Answer) {
				t.Errorf("attempt %d is %+v", i+1, try)
			}
		}
		if strings.Contains(logged.String(), "xxxx") || !strings.Contains(logged.String(), "HTTP 500") {
			t.Errorf("the log says %s", logged.String())
		}
	})
}

func TestListFindsEventsByEveryFilter(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.targets[1] = event.Target{BaseURL: r.url, Disabled: map[event.Type]bool{event.Wallet: true}}
		kinds := []event.Type{event.Transfer, event.Wallet, event.OrderStatus}
		n := w.run()
		var objects []clock.ID
		for i := range 12 {
			objects = append(objects, clock.NewID())
			w.writeAll(event.Event{Partner: 1, Object: objects[i], Version: 1, Type: kinds[i%3], At: start.Add(time.Duration(i) * time.Minute)})
		}
		for i, o := range objects {
			w.await(1, o, 1, func(r row) bool { return (r.status == event.Failed) == (i%3 == 1) && r.status != event.Pending })
		}
		n.stop()
		for i := 12; i < 15; i++ { // without a number
			objects = append(objects, clock.NewID())
			w.writeAll(event.Event{Partner: 1, Object: objects[i], Version: 1, Type: kinds[i%3], At: start.Add(time.Duration(i) * time.Minute)})
		}
		w.writeFor(2, objects[0], 1)
		statusOf := func(i int) string {
			switch {
			case i >= 12:
				return event.Pending
			case i%3 == 1:
				return event.Failed
			}
			return event.Delivered
		}
		for _, kind := range append(kinds, "") {
			for _, status := range []string{"", event.Pending, event.Delivered, event.Failed} {
				var want []clock.ID
				for i := len(objects) - 1; i >= 0; i-- {
					if (kind == "" || kinds[i%3] == kind) && (status == "" || statusOf(i) == status) {
						want = append(want, objects[i])
					}
				}
				if got := pages(w, event.Filter{Type: kind, Status: status}, 2); !slices.Equal(got, want) {
					t.Errorf("type %q, status %q: got %d events, want %d", kind, status, len(got), len(want))
				}
			}
		}
		from, to := start.Add(2*time.Minute), start.Add(13*time.Minute)
		if got := pages(w, event.Filter{Range: page.Range{From: from, To: to}}, 3); len(got) != 11 || got[0] != objects[12] || got[10] != objects[2] {
			t.Errorf("the range has %d events", len(got))
		}
	})
}

// pages reads a list to its end and answers the objects of its events.
func pages(w *world, f event.Filter, size int) (objects []clock.ID) {
	w.t.Helper()
	for f.Limit = size; ; {
		found := w.list(f)
		for _, e := range found {
			objects = append(objects, e.Object)
		}
		if len(found) < size {
			return objects
		}
		position := found[len(found)-1].Position()
		f.After = &position
	}
}

func TestSecretsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Load(cat.Currency)
	if err != nil {
		t.Fatal(err)
	}
	var names []event.Type
	for _, webhook := range c.Webhooks() {
		kind := event.Type(webhook.Event)
		names = append(names, kind)
		if got := event.SecretMembers[kind]; !slices.Equal(got, webhook.Secrets) {
			t.Errorf("%s: the secret members are %v, the contract says %v", kind, got, webhook.Secrets)
		}
		if got := event.Paths[kind]; got != webhook.Path {
			t.Errorf("%s: the path is %q, the contract says %q", kind, got, webhook.Path)
		}
	}
	if slices.Sort(names); !slices.Equal(names, event.Types()) {
		t.Errorf("the contract has the events %v, the program %v", names, event.Types())
	}
}

// writeCode commits an event with a secret member.
func (w *world) writeCode(object clock.ID) clock.ID {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		return w.log.Write(tx, event.Event{
			Partner: 1, Object: object, Version: 1, Type: event.Card3DS, At: w.clock.Now(),
			Body: struct {
				ID     string `json:"externalUserId"`
				Code   string `json:"code"`
				Amount string `json:"amount"`
			}{"user <1>", "314159", "1.50"},
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.id(object)
}

const (
	withCode    = `{"externalUserId":"user \u003c1\u003e","code":"314159","amount":"1.50"}`
	withMask    = `{"externalUserId":"user \u003c1\u003e","code":"***","amount":"1.50"}`
	withoutCode = `{"externalUserId":"user \u003c1\u003e","amount":"1.50"}`
)

func TestSecretsAreDeliveredOnceAndShownNever(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r := newWorld(t, d), receive(t, nil)
		w.targets[1] = event.Target{BaseURL: r.url}
		object := clock.NewID()
		id := w.writeCode(object)
		if got := string(w.find(id).Body); got != withMask {
			t.Errorf("before its delivery the event shows %s", got)
		}
		w.run()
		if got := r.next().body; got != withCode {
			t.Errorf("the receiver got %s", got)
		}
		w.awaitStatus(object, 1, event.Delivered)
		if _, err := w.redeliver(id); err != nil {
			t.Fatal(err)
		}
		if got := r.next(); got.body != withoutCode || got.header.Get("webhook-id") != id.String() {
			t.Errorf("again the receiver got %s", got.body)
		}
		if got := string(w.awaitTries(id, 2).Body); got != withMask {
			t.Errorf("after its deliveries the event shows %s", got)
		}
	})
}

func TestSecretsAreRemovedWhenTheyAreOld(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		var once sync.Once
		r := receive(t, func(w http.ResponseWriter, _ arrival) { once.Do(func() { w.WriteHeader(503) }) })
		w.targets[1] = event.Target{BaseURL: r.url}
		w.run()
		id := w.writeCode(object)
		if got := r.next().body; got != withCode {
			t.Errorf("the receiver got %s", got)
		}
		w.awaitTries(id, 1)
		keeper := event.NewKeeper(d, w.vault, w.clock, 0, w.config.Log)
		forget := func(want string) {
			t.Helper()
			if err := keeper.RemoveSecrets(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := string(w.plain(object)); got != want {
				t.Errorf("the database holds %s, want %s", got, want)
			}
		}
		forget(withCode)
		w.clock.Advance(10 * time.Minute) // the retry is due as well: it may come before the code is removed
		forget(withMask)
		w.awaitStatus(object, 1, event.Delivered)
		if got := r.next().body; got != withCode && got != withoutCode {
			t.Errorf("then the receiver got %s", got)
		}
		forget(withMask)
	})
}

var selectSealed = db.NewQuery(`SELECT id, body FROM event WHERE partner_id = 1 AND object_id = $1`)

// plain is an event's body as the database holds it, opened.
func (w *world) plain(object clock.ID) []byte {
	w.t.Helper()
	var id clock.ID
	var sealed []byte
	err := w.db.View(w.t.Context(), func(r db.Reader) error { return r.Row(selectSealed, object).Scan(&id, &sealed) })
	if err != nil {
		w.t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("314159")) {
		w.t.Error("the code is readable in the database")
	}
	body, err := w.vault.Open(event.BodyPlace(id), sealed)
	if err != nil {
		w.t.Fatal(err)
	}
	return body
}

func TestBodiesAreJudgedBeforeTheyAreWritten(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		refusal := errors.New("not as the contract says")
		w.log.Check(func(kind event.Type, body []byte) error {
			if kind != event.Transfer || string(body) != name(object, 1) {
				t.Errorf("judged %s %s", kind, body)
			}
			return refusal
		})
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			return w.log.Write(tx, event.Event{
				Partner: 1, Object: object, Version: 1, Type: event.Transfer, At: start,
				Body: map[string]any{"object": object.String(), "version": 1},
			})
		})
		if !errors.Is(err, refusal) || len(w.list(event.Filter{})) > 0 {
			t.Errorf("the event was written; %v", err)
		}
	})
}

func TestFindOfAnotherPartner(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		w.write(object, 1)
		id := w.id(object)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := w.log.Find(tx, 2, id)
			_, again := w.log.Redeliver(tx, 2, id)
			if fault.From(again).Code != fault.EventNotFound {
				t.Errorf("sending it again: %v", again)
			}
			return err
		})
		if fault.From(err).Code != fault.EventNotFound {
			t.Errorf("reading it: %v", err)
		}
	})
}
