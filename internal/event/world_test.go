package event_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/pgtest"
	"kontor/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

const patience = 30 * time.Second // of a test with something that must happen

var (
	start  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	secret = []byte("0123456789abcdefghijklmn")
)

// targets are fixed; a partner who is not among them has no URL.
type targets map[int64]event.Target

func (t targets) WebhookTarget(_ db.Reader, partner int64) (event.Target, error) {
	return t[partner], nil
}

// world is a database with an event log.
type world struct {
	t       *testing.T
	db      *db.DB
	vault   *vault.Vault
	clock   *clock.Manual
	log     *event.Log
	targets targets
	config  event.Config

	mu         sync.Mutex
	deliverers []*event.Deliverer
}

func newWorld(t *testing.T, d *db.DB) *world {
	t.Helper()
	v, err := vault.Open(t.Context(), d, make([]byte, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: d, vault: v, clock: clock.NewManual(start), targets: targets{}}
	w.log = event.NewLog(v, w.wake)
	w.config = event.Config{
		DB: d, Vault: v, Clock: w.clock, Targets: w.targets, Node: "test", Log: slog.New(slog.DiscardHandler),
	}
	return w
}

func (w *world) wake(partner int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.deliverers {
		d.Wake(partner)
	}
}

func (w *world) retarget(partner int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.deliverers {
		d.Retarget(partner)
	}
}

// node is a running Deliverer.
type node struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
}

// stop ends it as a signal ends the program.
func (n *node) stop() {
	n.cancel()
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.t.Error("Run did not end")
	}
}

// run starts a Deliverer, which stops at the end of the test. Targets are set before.
func (w *world) run(adjust ...func(*event.Deliverer)) *node {
	d := event.NewDeliverer(w.config)
	for _, a := range adjust {
		a(d)
	}
	w.mu.Lock()
	w.deliverers = append(w.deliverers, d)
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{t: w.t, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(n.ended)
		d.Run(ctx)
	}()
	w.t.Cleanup(n.stop)
	return n
}

// write commits one event of partner 1, whose body names object and version.
func (w *world) write(object clock.ID, version int64) { w.writeFor(1, object, version) }

func (w *world) writeFor(partner int64, object clock.ID, version int64) {
	w.t.Helper()
	w.writeAll(event.Event{Partner: partner, Object: object, Version: version, Type: event.Transfer, At: w.clock.Now()})
}

func (w *world) writeAll(events ...event.Event) {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		for _, e := range events {
			e.Body = map[string]any{"object": e.Object.String(), "version": e.Version}
			if err := w.log.Write(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

// row is what the database says about an event.
type row struct {
	status, outcome    string
	attempts, sequence int64
	due                time.Time
}

var selectEvent = db.NewQuery(`
	SELECT status, outcome, attempts, COALESCE(sequence, 0), due_at FROM event
	WHERE partner_id = $1 AND object_id = $2 AND version = $3`)

func (w *world) row(partner int64, object clock.ID, version int64) row {
	w.t.Helper()
	var got row
	err := w.db.View(w.t.Context(), func(r db.Reader) error {
		return r.Row(selectEvent, partner, object, version).
			Scan(&got.status, &got.outcome, &got.attempts, &got.sequence, &got.due)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// await answers the event's row once it fits.
func (w *world) await(partner int64, object clock.ID, version int64, fits func(row) bool) row {
	w.t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		got := w.row(partner, object, version)
		if fits(got) {
			return got
		}
		select {
		case <-again.C:
		case <-late:
			w.t.Fatalf("the event stays %+v", got)
		}
	}
}

func (w *world) awaitStatus(object clock.ID, version int64, status string) row {
	w.t.Helper()
	return w.await(1, object, version, func(r row) bool { return r.status == status })
}

// intact checks the log as `kontor verify` does.
func (w *world) intact() {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(r db.Reader) error {
		found, err := event.Verify(w.t.Context(), r)
		for _, f := range found {
			w.t.Error(f)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// arrival is a delivery that a receiver got.
type arrival struct {
	method, path string
	header       http.Header
	body         string
	sequence     int64
}

// name is the body that write makes.
func name(object clock.ID, version int64) string {
	return fmt.Sprintf(`{"object":"%s","version":%d}`, object, version)
}

type receiver struct {
	t        *testing.T
	url      string
	arrivals chan arrival
	health   func(http.ResponseWriter) // answers the health path; nil: 200
}

// receive starts a receiver that reports every delivery and answers with the status, or as answer does.
func receive(t *testing.T, answer func(w http.ResponseWriter, a arrival)) *receiver {
	t.Helper()
	r := &receiver{t: t, arrivals: make(chan arrival, 10_000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, "/webhook/health") {
			if r.health != nil {
				r.health(w)
			}
			return
		}
		body, _ := io.ReadAll(request.Body)
		sequence, _ := strconv.ParseInt(request.Header.Get("x-kontor-sequence"), 10, 64)
		a := arrival{request.Method, request.URL.Path, request.Header, string(body), sequence}
		r.arrivals <- a
		if answer != nil {
			answer(w, a)
		}
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func status(code int) func(http.ResponseWriter, arrival) {
	return func(w http.ResponseWriter, _ arrival) { w.WriteHeader(code) }
}

func (r *receiver) next() arrival {
	r.t.Helper()
	select {
	case a := <-r.arrivals:
		return a
	case <-time.After(patience):
		r.t.Fatal("nothing arrived")
		return arrival{}
	}
}

// expect checks that the next deliveries are these, in this order.
func (r *receiver) expect(names ...string) {
	r.t.Helper()
	for _, want := range names {
		if got := r.next(); got.body != want {
			r.t.Fatalf("%s arrived, want %s", got.body, want)
		}
	}
}
