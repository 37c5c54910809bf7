package event_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

var (
	insertEvent = db.NewInsert("event", `partner_id bigint, object_id uuid, version bigint, id uuid, type text,
		body bytes, created_at bigint, sequence bigint, status text, attempts bigint, due_at bigint, outcome text`)
	insertLane  = db.NewInsert("event_lane", "partner_id bigint, sequence bigint, node text, leased_until bigint")
	putOff      = db.NewCommand(`UPDATE event SET attempts = 1, due_at = $1 WHERE partner_id = 1`)
	expireLanes = db.NewCommand(`UPDATE event_lane SET leased_until = 1`)
)

func TestTwoNodesShareTheWork(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		const partners, objects, versions = 3, 10, 20
		receivers := map[int64]*receiver{}
		for p := range int64(partners) {
			receivers[p] = receive(t, nil)
			w.targets[p] = event.Target{BaseURL: receivers[p].url}
		}
		first := w.run()
		w.run()
		var writers sync.WaitGroup
		for p := range int64(partners) {
			for range objects {
				writers.Go(func() {
					object := clock.NewID()
					for v := range int64(versions) {
						w.writeFor(p, object, v+1)
						if v == versions/2 && p == 0 {
							first.stop() // the other node takes its lanes over
						}
					}
				})
			}
		}
		writers.Wait()
		for _, r := range receivers {
			inOrder(t, r, objects*versions)
		}
		w.intact()
	})
}

func TestLeaseFromBeforeTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r, object := newWorld(t, d), receive(t, nil), clock.NewID()
		w.targets[1] = event.Target{BaseURL: r.url}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(insertLane, 1, 41, "a node that died", time.Now().Add(2*time.Hour))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.run()
		w.write(object, 1)
		if got := r.next(); got.sequence != 42 {
			t.Errorf("sequence %d, want the lane's next", got.sequence)
		}
	})
}

func TestLaneIsTakenOverWhenItsLeaseExpires(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r, object := newWorld(t, d), receive(t, nil), clock.NewID()
		w.targets[1] = event.Target{BaseURL: r.url}
		until := time.Now().Add(700 * time.Millisecond)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(insertLane, 1, 41, "a node that died", until)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.run()
		w.write(object, 1)
		got := r.next()
		if early := time.Until(until); early > 0 {
			t.Errorf("delivered %s before the lease of another node ended", early)
		}
		if got.sequence != 42 {
			t.Errorf("sequence %d, want the lane's next", got.sequence)
		}
	})
}

// A node whose database is gone in the middle of a delivery can be told from one that crashed by nobody.
func TestCrashBetweenSendingAndStoring(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			target := dbtest.Target(t, kind)
			d, doomed := open(t, target), open(t, target)
			t.Cleanup(func() { d.Close() })
			w, object := newWorld(t, d), clock.NewID()
			crash, crashed := make(chan struct{}), make(chan struct{})
			var once sync.Once
			r := receive(t, func(http.ResponseWriter, arrival) {
				once.Do(func() { close(crash); <-crashed })
			})
			w.targets[1] = event.Target{BaseURL: r.url}
			w.write(object, 1)
			w.write(object, 2)
			w.config.DB = doomed
			n := w.run()
			<-crash
			if err := doomed.Close(); err != nil {
				t.Error(err)
			}
			close(crashed)
			n.stop()
			first := r.next()
			err := d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(expireLanes); return nil })
			if err != nil {
				t.Fatal(err)
			}
			w.config.DB = d
			w.run()
			again := r.next()
			if again.body != name(object, 1) || again.sequence != first.sequence ||
				again.header.Get("webhook-id") != first.header.Get("webhook-id") {
				t.Errorf("after the crash %+v arrived, want %+v again", again, first)
			}
			r.expect(name(object, 2))
			w.awaitStatus(object, 2, event.Delivered)
			w.intact()
		})
	}
}

func open(t *testing.T, target string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStopWaitsForAttemptsUnderWay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		arrived, answer := make(chan struct{}), make(chan struct{})
		r := receive(t, func(http.ResponseWriter, arrival) {
			close(arrived)
			<-answer
		})
		w.targets[1] = event.Target{BaseURL: r.url}
		n := w.run()
		w.write(object, 1)
		w.write(object, 2)
		<-arrived
		n.cancel()
		close(answer)
		n.stop()
		if got := w.row(1, object, 1); got.status != event.Delivered {
			t.Errorf("the attempt under way ended as %+v", got)
		}
		if got := w.row(1, object, 2); got.status != event.Pending || got.attempts != 0 {
			t.Errorf("a new attempt was begun: %+v", got)
		}
	})
}

// The earlier event of an object bears a later time than hundreds of others, the later event an earlier one.
func TestNumbersFollowVersionsOverClocks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, object := newWorld(t, d), clock.NewID()
		at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
		events := []event.Event{
			{Partner: 1, Object: object, Version: 1, Type: event.OrderStatus, At: at(5000)},
			{Partner: 1, Object: object, Version: 2, Type: event.OrderStatus, At: at(6000)},
			{Partner: 1, Object: object, Version: 3, Type: event.OrderStatus, At: at(0)},
		}
		first, last := clock.NewID(), clock.NewID()
		for i := range 600 {
			id := clock.NewID()
			switch i {
			case 0:
				id = first
			case 599:
				id = last
			}
			events = append(events, event.Event{Partner: 1, Object: id, Version: 1, Type: event.OrderStatus, At: at(i + 1)})
		}
		w.writeAll(events...)
		w.run()
		three := w.await(1, object, 3, func(r row) bool { return r.status != event.Pending })
		one, two := w.row(1, object, 1), w.row(1, object, 2)
		if one.sequence != 1 || two.sequence != 2 || three.sequence != 3 {
			t.Errorf("the versions have the sequences %d, %d, %d", one.sequence, two.sequence, three.sequence)
		}
		w.await(1, last, 1, func(r row) bool { return r.sequence == 603 })
		if got := w.row(1, first, 1).sequence; got != 4 {
			t.Errorf("the next in time has sequence %d, want 4", got)
		}
		w.intact()
	})
}

func TestVerifyNamesGaps(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, b := clock.NewID(), clock.NewID()
		insert := func(object clock.ID, version, sequence int64) {
			t.Helper()
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				tx.Write(insertEvent, 7, object, version, clock.NewID(), string(event.Transfer), []byte("-"), start, sequence,
					event.Delivered, 1, start, "")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		insert(a, 3, 11) // older ones have been removed
		insert(a, 4, 12)
		insert(a, 6, 13)
		insert(b, 1, 15)
		var found []string
		err := d.View(t.Context(), func(r db.Reader) (err error) {
			found, err = event.Verify(t.Context(), r)
			return err
		})
		want := []string{
			"Object " + a.String() + " of partner 7 has an event of version 4 and then one of version 6.",
			"Partner 7 has an event of sequence 13 and then one of sequence 15, about object " + b.String() + ".",
		}
		if err != nil || len(found) != 2 || found[0] != want[0] || found[1] != want[1] {
			t.Errorf("found %q, %v; want %q", found, err, want)
		}
	})
}

func TestEventPutOffBeforeTheClockWasSetBackIsDue(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, r, object := newWorld(t, d), receive(t, nil), clock.NewID()
		w.targets[1] = event.Target{BaseURL: r.url}
		w.write(object, 1)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(putOff, w.clock.Now().Add(2*time.Hour))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.run()
		if got := r.next(); got.sequence != 1 {
			t.Errorf("sequence %d", got.sequence)
		}
	})
}
