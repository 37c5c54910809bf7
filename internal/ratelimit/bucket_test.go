package ratelimit

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// alone makes a limiter that counts in memory. It needs no database.
func alone() *Limiter { return New(nil, "test", slog.New(slog.DiscardHandler)) }

var testKey = Key{Partner: 1, ID: "test"}

// elapse lets time go by, in the time of a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }

// pass counts how many of a number of requests pass at once.
func (l *Limiter) pass(t *testing.T, key Key, rate Rate, requests int) (passed int) {
	t.Helper()
	for range requests {
		if l.Take(t.Context(), key, rate).Allowed {
			passed++
		}
	}
	return passed
}

func TestABurstPassesAndThenTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, rate := alone(), Rate{50, 100}
		if got := l.pass(t, testKey, rate, 150); got != 100 {
			t.Errorf("%d of 150 at once passed, want the burst of 100", got)
		}
		elapse(20*time.Millisecond - 1)
		if got := l.pass(t, testKey, rate, 1); got != 0 {
			t.Error("a request passed a nanosecond too early")
		}
		elapse(1)
		if got := l.pass(t, testKey, rate, 2); got != 1 {
			t.Errorf("after a fiftieth of a second %d passed, want 1", got)
		}
		elapse(time.Second)
		if got := l.pass(t, testKey, rate, 200); got != 50 {
			t.Errorf("after a second %d passed, want 50", got)
		}
		elapse(time.Hour)
		if got := l.pass(t, testKey, rate, 200); got != 100 {
			t.Errorf("after an hour %d passed, want the burst of 100", got)
		}
	})
}

func TestTheCallerIsToldWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, rate := alone(), Rate{2, 3}
		want := func(name string, want Decision) {
			t.Helper()
			if got := l.Take(t.Context(), testKey, rate); got != want {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
		}
		ms := time.Millisecond
		want("first", Decision{Allowed: true, Limit: 3, Remaining: 2, Reset: 500 * ms})
		want("second", Decision{Allowed: true, Limit: 3, Remaining: 1, Reset: 1000 * ms})
		want("third", Decision{Allowed: true, Limit: 3, Remaining: 0, Reset: 1500 * ms})
		want("fourth", Decision{Limit: 3, Reset: 1500 * ms, RetryAfter: 500 * ms})
		elapse(200 * ms)
		want("fifth", Decision{Limit: 3, Reset: 1300 * ms, RetryAfter: 300 * ms})
		elapse(300 * ms)
		want("after the wait", Decision{Allowed: true, Limit: 3, Remaining: 0, Reset: 1500 * ms})
	})
}

// TestMemoryCountsAsGCRA holds the buckets to the algorithm as it is usually written down: a theoretical
// arrival time that each request moves on by one interval.
func TestMemoryCountsAsGCRA(t *testing.T) {
	t.Parallel()
	for _, rate := range []Rate{{1, 0}, {1, 1}, {1, 7}, {2, 3}, {50, 100}, {1000, 10}, {1_000_000, 1_000_000}} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				seed := rand.Uint64()
				random := rand.New(rand.NewPCG(seed, 0))
				l := alone()
				interval := time.Second / time.Duration(rate.PerSecond)
				tolerance := time.Duration(max(rate.Burst, 1)-1) * interval
				arrival := time.Now()
				for i := range 20_000 {
					elapse(time.Duration(random.ExpFloat64() * float64(interval) * 0.9))
					if arrival.Before(time.Now()) {
						arrival = time.Now()
					}
					want := time.Until(arrival) <= tolerance
					if want {
						arrival = arrival.Add(interval)
					}
					if got := l.Take(t.Context(), testKey, rate).Allowed; got != want {
						t.Fatalf("seed %d, request %d: allowed %v, GCRA says %v", seed, i, got, want)
					}
				}
			})
		})
	}
}

func TestAChangedRateCountsFromTheNextRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := alone()
		if got := l.pass(t, testKey, Rate{0, 0}, 1000); got != 1000 {
			t.Errorf("without a limit %d of 1000 passed", got)
		}
		if got := l.pass(t, testKey, Rate{10, 20}, 15); got != 15 {
			t.Errorf("%d of 15 passed within a burst of 20", got)
		}
		if got := l.pass(t, testKey, Rate{1, 3}, 10); got != 3 {
			t.Errorf("%d passed, want the smaller burst of 3", got)
		}
		elapse(time.Second)
		if got := l.pass(t, testKey, Rate{100, 100}, 200); got != 1 {
			t.Errorf("%d passed, want the one that the slower rate has earned until the change", got)
		}
		elapse(time.Second / 2)
		if got := l.pass(t, testKey, Rate{100, 100}, 200); got != 50 {
			t.Errorf("%d passed after half a second of the faster rate, want 50", got)
		}
	})
}

func TestABucketKeepsItsLevelWhenTheWayOfCountingChanges(t *testing.T) {
	t.Parallel()
	now, rate := time.Now(), Rate{1, 100}
	level := func(name string, b *bucket, held, elsewhere int64) {
		t.Helper()
		if left := b.left(now); b.level != held*token || left != (held+elsewhere)*token {
			t.Errorf("%s: %d here, %d in all; want %d and %d more", name, b.level/token, left/token, held, elsewhere)
		}
	}
	b := newBucket(testKey, rate, 1, now)
	b.level = 40 * token
	b.settle(now, rate, 0)
	level("another node joins", b, 0, 40)
	if b.debt != 60*token {
		t.Errorf("%d are to be brought in, want the 60 that were spent", b.debt/token)
	}
	b.level, b.row, b.debt = 10*token, 30*token, 0
	b.settle(now, rate, 2)
	level("the database is away", b, 25, 0)
	b.settle(now, rate, 1)
	level("the other node is dead when it comes back", b, 50, 0)
	b.settle(now, rate, 0)
	level("the other node lives again", b, 0, 50)
	b.level, b.row = 5*token, 20*token
	b.settle(now, rate, 1)
	level("it leaves", b, 25, 0)
}

func TestKeysHaveBucketsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, rate := alone(), Rate{1, 5}
		for _, key := range []Key{{1, "a"}, {1, "b"}, {2, "a"}} {
			if got := l.pass(t, key, rate, 10); got != 5 {
				t.Errorf("%v: %d passed, want 5", key, got)
			}
		}
	})
}

func TestOnlyBucketsThatAreFullAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := alone()
		quick, slow := Key{1, "quick"}, Key{1, "slow"}
		l.pass(t, quick, Rate{50, 100}, 100)
		l.pass(t, slow, Rate{1, 1000}, 1000)
		elapse(2 * sweepEvery)
		l.sweep(time.Now())
		if _, ok := l.buckets[quick]; ok || len(l.buckets) != 1 {
			t.Errorf("%d buckets are kept, want the slow one only", len(l.buckets))
		}
		if got := l.pass(t, slow, Rate{1, 1000}, 1000); got != 120 {
			t.Errorf("%d passed after two minutes at one a second", got)
		}
	})
}

func TestDecisionsInParallelAreExact(t *testing.T) {
	t.Parallel()
	l, rate := alone(), Rate{1, 10_000}
	results := make(chan int)
	for range 8 {
		go func() { results <- l.pass(t, testKey, rate, 5000) }()
	}
	total := 0
	for range 8 {
		total += <-results
	}
	if total < 10_000 || total > 10_060 { // as many more as seconds the test ran
		t.Errorf("%d passed, want the burst of 10000", total)
	}
}

func BenchmarkTake(b *testing.B) {
	l, rate := alone(), Rate{1000, 2000}
	keys := make([]Key, 1000)
	for i := range keys {
		keys[i] = Key{int64(i), fmt.Sprintf("abcdefghi%03d", i)}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			l.Take(b.Context(), keys[i%len(keys)], rate)
		}
	})
}
