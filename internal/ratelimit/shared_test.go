package ratelimit

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// node is one of several on a database, with a connection of its own.
type node struct {
	*Limiter
	db   *db.DB
	stop func() // ends what runs; the node leaves
	kill func() // takes the database away from the node for good, so that it shows no sign of life any more
}

// start opens a node and joins; run tells whether it goes on by itself, or waits for the test to call tick.
func start(t *testing.T, target string, run bool) *node {
	t.Helper()
	d, err := db.Open(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Limiter: New(d, clock.NewID().String(), slog.New(slog.DiscardHandler)), db: d}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	if err := n.Join(ctx); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	if run {
		running.Go(func() { n.Run(ctx) })
	} else {
		running.Go(func() { n.lend(ctx) })
	}
	n.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	n.kill = sync.OnceFunc(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		n.stop()
		n.kill()
	})
	return n
}

// counts waits until a running node counts so many nodes.
func (n *node) counts(t *testing.T, nodes int) {
	t.Helper()
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for began := time.Now(); time.Since(began) < 10*time.Second; <-pause.C {
		n.mu.Lock()
		now := n.nodes
		n.mu.Unlock()
		if now == nodes {
			return
		}
	}
	t.Fatalf("the node does not count %d nodes", nodes)
}

// engines runs a test on a fresh database of each engine.
func engines(t *testing.T, f func(t *testing.T, target string)) {
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, dbtest.Target(t, kind))
		})
	}
}

// load sends as many requests as it can until the context ends, from several clients, and answers when those
// came that passed.
func (n *node) load(ctx context.Context, rate Rate, clients int) []time.Time {
	passed := make([][]time.Time, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { passed[i] = n.client(ctx, rate) })
	}
	all.Wait()
	return slices.Concat(passed...)
}

func (n *node) client(ctx context.Context, rate Rate) (passed []time.Time) {
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		for n.Take(ctx, testKey, rate).Allowed {
			passed = append(passed, time.Now())
		}
		<-pause.C
	}
	return passed
}

// measured is what passed while nodes were under full load.
type measured struct {
	rate   Rate
	began  time.Time
	took   time.Duration
	passed [][]time.Time // by node
}

// loads puts nodes under full load for a time, the first one with the most clients.
func loads(t *testing.T, d time.Duration, rate Rate, nodes ...*node) measured {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	m := measured{rate: rate, began: time.Now(), passed: make([][]time.Time, len(nodes))}
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { m.passed[i] = n.load(ctx, rate, 16/(1+7*i)) })
	}
	all.Wait()
	m.took = time.Since(m.began)
	return m
}

const window = 2 * time.Second

// windows answers the smallest and the largest number of requests that passed in any two seconds after
// a moment.
func (m measured) windows(after time.Duration) (low, high int) {
	all := slices.Concat(m.passed...)
	slices.SortFunc(all, time.Time.Compare)
	index := func(at time.Time) int {
		i, _ := slices.BinarySearchFunc(all, at, time.Time.Compare)
		return i
	}
	low = len(all)
	for at := m.began.Add(after); at.Add(window).Before(m.began.Add(m.took)); at = at.Add(20 * time.Millisecond) {
		count := index(at.Add(window)) - index(at)
		low, high = min(low, count), max(high, count)
	}
	return low, high
}

// lawful checks what holds however slow the machine is: no two seconds have more than a bucket allows, within
// 10 %, and over all the time the rate is used, within 10 %.
func (m measured) lawful(t *testing.T) {
	t.Helper()
	if _, high := m.windows(0); int64(high)*10 > 11*(m.rate.Burst+2*m.rate.PerSecond) {
		t.Errorf("in two seconds %d requests passed, at a rate of %d and a burst of %d", high, m.rate.PerSecond, m.rate.Burst)
	}
	total := int64(len(slices.Concat(m.passed...)))
	rate := m.rate.PerSecond * int64(m.took/time.Millisecond) / 1000
	t.Logf("%d passed in %v", total, m.took)
	if total*10 < rate*9 || total*10 > (rate+m.rate.Burst)*11 {
		t.Errorf("%d requests passed in %v, at a rate of %d and a burst of %d", total, m.took, m.rate.PerSecond, m.rate.Burst)
	}
}

// steady checks that in any two seconds the rate passes within 10 %, once the burst is over. It measures again
// when other work has held up the nodes: what they miss then they catch up with.
func steady(t *testing.T, rate Rate, nodes ...*node) {
	t.Helper()
	for range 4 {
		m := loads(t, 3*time.Second, rate, nodes...)
		m.lawful(t)
		low, high := m.windows(time.Second / 2)
		t.Logf("in two seconds %d to %d", low, high)
		total, fair := len(slices.Concat(m.passed...)), true
		for i, p := range m.passed {
			t.Logf("node %d: %d %%", i, len(p)*100/total)
			fair = fair && len(p)*100/total >= 70/len(nodes)
		}
		if ideal := int(rate.PerSecond) * 2; low*10 >= ideal*9 && high*10 <= ideal*11 && fair {
			return
		}
	}
	t.Error("in no measurement did every two seconds have the rate within 10 %, and each node its part")
}

func TestNodesNoticeEachOther(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		count := func(n *node) int {
			n.tick(t.Context())
			return n.nodes
		}
		a := start(t, target, false)
		for range 2 * deadAfter {
			if got := count(a); got != 1 {
				t.Fatalf("a node that is alone counts %d", got)
			}
		}
		if a.beats != 1 {
			t.Errorf("a node that is alone wrote %d times, want once", a.beats)
		}
		b := start(t, target, false)
		for range 2 * deadAfter {
			if count(a) != 2 || count(b) != 2 {
				t.Fatal("two nodes do not know of each other")
			}
		}
		for range 1 + deadAfter - 1 { // the first look sees its last beat
			if count(a) != 2 {
				t.Error("a node was given up too early")
			}
		}
		if got := count(a); got != 1 {
			t.Errorf("%d nodes count when one has been silent for long", got)
		}
		if count(b); count(a) != 2 || count(b) != 2 {
			t.Error("a node that was only slow is not counted again")
		}
		b.leave(t.Context())
		if got := count(a); got != 1 {
			t.Errorf("%d nodes count when one has left", got)
		}
	})
}

func TestSeveralNodesTogetherHoldTheRate(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		a, b := start(t, target, true), start(t, target, true)
		a.counts(t, 2)
		steady(t, Rate{500, 500}, a, b)
	})
}

func TestANodeThatIsBusyAloneUsesTheWholeRate(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		a, idle := start(t, target, true), start(t, target, true)
		a.counts(t, 2)
		rate := Rate{500, 50} // and a burst shorter than a lease takes
		idle.pass(t, testKey, rate, 1)
		steady(t, rate, a)
	})
}

// TestTimeIsCountedOnceForNodesThatWaitForOneAnother has one node wait for the row of a key while another one
// brings the row up to a later moment. Were it brought back, all would earn the time in between again.
func TestTimeIsCountedOnceForNodesThatWaitForOneAnother(t *testing.T) {
	t.Parallel()
	target := dbtest.Target(t, db.Postgres) // on SQLite there is one writer
	first, second := start(t, target, false), start(t, target, false)
	first.tick(t.Context())
	rate := Rate{1, 1}
	if got := first.pass(t, testKey, rate, 1); got != 1 {
		t.Fatal("the first request does not pass")
	}
	var moment, after int64
	leased := make(chan bool, 1)
	err := first.db.Update(t.Context(), func(tx *db.Tx) error {
		tx.Locked()
		var level, at, now int64
		if err := tx.Row(lockBucket, testKey.Partner, testKey.ID).Scan(&level, &at, &now); err != nil {
			return err
		}
		second.mu.Lock()
		b := second.bucket(testKey, rate, time.Now())
		b.waiting = 1
		second.wanted[testKey] = b
		second.mu.Unlock()
		go func() { leased <- second.lease(t.Context()) }()
		awaitWaiting(t, second.db)
		if err := tx.Row(readClock).Scan(&moment); err != nil {
			return err
		}
		tx.Write(updateBucket, testKey.Partner, testKey.ID, 0, moment)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !<-leased {
		t.Fatal("nothing was leased")
	}
	err = first.db.View(t.Context(), func(r db.Reader) error {
		return r.Row(db.NewQuery(`SELECT refilled_at FROM rate_bucket WHERE partner_id = $1 AND key_id = $2`),
			testKey.Partner, testKey.ID).Scan(&after)
	})
	if err != nil || after < moment {
		t.Errorf("the row was brought back by %d µs, %v", moment-after, err)
	}
}

// awaitWaiting waits until somebody waits for a lock in the database.
func awaitWaiting(t *testing.T, d *db.DB) {
	t.Helper()
	waiting := db.NewQuery(`SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE NOT l.granted AND a.datname = current_database()`)
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for began := time.Now(); time.Since(began) < 10*time.Second; <-pause.C {
		var found int64
		err := d.View(t.Context(), func(r db.Reader) error { return r.Row(waiting).Scan(&found) })
		if err != nil {
			t.Fatal(err)
		}
		if found > 0 {
			return
		}
	}
	t.Fatal("nobody waits")
}

func TestABurstPassesOnSeveralNodes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		a, b := start(t, target, false), start(t, target, false)
		a.tick(t.Context())
		rate := Rate{1, 1000}
		if got := a.pass(t, testKey, rate, 600); got != 600 {
			t.Errorf("%d of 600 passed within a burst of 1000", got)
		}
		if got := b.pass(t, testKey, rate, 600); got < 385 || got > 400+3 {
			t.Errorf("%d passed on the other node, want what was left of 1000", got)
		}
	})
}

func TestASmallLimitIsExactOnSeveralNodes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		a, b := start(t, target, false), start(t, target, false)
		a.tick(t.Context())
		rate, passed := Rate{1, 5}, 0
		began := time.Now()
		for range 10 {
			passed += a.pass(t, testKey, rate, 1) + b.pass(t, testKey, rate, 1)
		}
		if most := 5 + int(time.Since(began)/time.Second); passed < 5 || passed > most {
			t.Errorf("%d passed, want 5 to %d", passed, most)
		}
		d := a.Take(t.Context(), testKey, rate)
		if d.Allowed || d.Remaining != 0 || d.RetryAfter <= 0 || d.RetryAfter > time.Second {
			t.Errorf("past the limit: %+v", d)
		}
	})
}

func TestWhatWasSpentAloneCountsWhenAnotherNodeJoins(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		a := start(t, target, false)
		rate := Rate{1, 100}
		if got := a.pass(t, testKey, rate, 90); got != 90 {
			t.Fatalf("%d of 90 passed", got)
		}
		b := start(t, target, false)
		a.tick(t.Context())
		if got := a.pass(t, testKey, rate, 5); got != 5 {
			t.Errorf("%d of 5 passed, want what was left", got)
		}
		if got := b.pass(t, testKey, rate, 50); got > 7 {
			t.Errorf("%d passed on the node that joined, want what was left", got)
		}
		b.stop()
		b.leave(t.Context())
		a.tick(t.Context())
		if got := a.pass(t, testKey, rate, 50); a.nodes != 1 || got > 10 {
			t.Errorf("%d passed on the node that stayed, want what it knew to be left", got)
		}
	})
}

func TestADeadNodeIsNoticedAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		a, b := start(t, target, true), start(t, target, true)
		a.counts(t, 2)
		rate := Rate{500, 500}
		loads(t, time.Second/2, rate, a, b)
		b.kill()
		loads(t, 3*time.Second, rate, a).lawful(t)
		a.counts(t, 1)
	})
}

func TestWithoutTheDatabaseEachNodeUsesItsShare(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, target string) {
		a, b := start(t, target, true), start(t, target, true)
		a.counts(t, 2)
		rate := Rate{500, 500}
		loads(t, time.Second/2, rate, a, b)
		a.kill()
		b.kill()
		m := loads(t, 3*time.Second, rate, a, b)
		m.lawful(t)
		for i, p := range m.passed {
			if share := len(p) * 100 / len(slices.Concat(m.passed...)); share < 40 {
				t.Errorf("node %d let %d %% of the requests pass, want half", i, share)
			}
		}
	})
}
