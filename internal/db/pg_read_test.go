package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

var (
	selectMany = db.NewQuery(`
		SELECT n.n, CAST($1 AS TEXT), CAST($2 AS UUID), CAST($3 AS BYTEA), n.n > 1, CASE WHEN n.n = 2 THEN NULL ELSE $4 END
		FROM generate_series(CAST(1 AS BIGINT), CAST($4 AS BIGINT)) AS n(n) ORDER BY n.n`)
	selectEmpty     = db.NewQuery(`SELECT CAST('' AS TEXT), CAST('' AS BYTEA), CAST(NULL AS BYTEA), CAST('' AS TEXT), CAST($1 AS BIGINT)`)
	selectQuotient  = db.NewQuery(`SELECT 100 / CAST($1 AS BIGINT), CAST(now() AS TEXT)`)
	selectWaiting   = db.NewQuery(`SELECT CAST(pg_advisory_xact_lock_shared(CAST($1 AS BIGINT)) AS TEXT)`)
	lockExclusively = db.NewQuery(`SELECT CAST(pg_advisory_xact_lock(CAST($1 AS BIGINT)) AS TEXT)`)
	countWaiting    = db.NewQuery(`
		SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
		WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()`)
)

func openPostgres(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.Target(t, db.Postgres))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// waitFor lets others run until so many reads stand in line.
func waitFor(d *db.DB, reads int) {
	for db.ReadsInLine(d) < reads {
		runtime.Gosched()
	}
}

// Readers who ask for different things at the same time get what they asked for: empty answers, long ones, and NULL.
func TestReadersGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	d := openPostgres(t)
	var readers sync.WaitGroup
	for reader := range 40 {
		readers.Go(func() {
			for round := range 10 {
				if err := readMany(t.Context(), d, fmt.Sprint(reader, "/", round), int64((reader+round)%7)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	readers.Wait()
}

func readMany(ctx context.Context, d *db.DB, name string, count int64) error {
	id, data := clock.NewID(), []byte(strings.Repeat(name, 50))
	return d.View(ctx, func(r db.Reader) error {
		rows := r.Rows(selectMany, name, id, data, count)
		defer rows.Close()
		found := int64(0)
		for rows.Next() {
			found++
			var n int64
			var gotName string
			var gotID clock.ID
			var gotData []byte
			var more bool
			var number *int64
			if err := rows.Scan(&n, &gotName, &gotID, &gotData, &more, &number); err != nil {
				return err
			}
			if n != found || gotName != name || gotID != id || string(gotData) != string(data) || more != (n > 1) ||
				(number == nil) != (n == 2) || number != nil && *number != count {
				return fmt.Errorf("%s: row %d is %d, %q, %s, %t", name, found, n, gotName, gotID, more)
			}
		}
		if rows.Err() == nil && found != count {
			return fmt.Errorf("%s: %d rows, want %d", name, found, count)
		}
		return rows.Err()
	})
}

// What is empty is empty, and not NULL or the value before it.
func TestReadsOfEmptyValues(t *testing.T) {
	t.Parallel()
	d := openPostgres(t)
	err := d.View(t.Context(), func(r db.Reader) error {
		one, two := "one", "two"
		bytes, none := []byte{1}, []byte{2}
		at := time.Now()
		if err := r.Row(selectEmpty, 1).Scan(&one, &bytes, &none, &two, &at); err != nil {
			return err
		}
		if one != "" || bytes == nil || len(bytes) != 0 || none != nil || two != "" || at.UnixMicro() != 1 {
			t.Errorf("got %q, %v, %v, %q, %s", one, bytes, none, two, at)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Those who wait share a transaction, and so its time. The one that PostgreSQL refuses fails alone.
func TestWaitingReadsShareARoundTrip(t *testing.T) {
	t.Parallel()
	d := openPostgres(t)
	release := db.HoldReads(d)
	const refused = 3
	quotients, times, errs := make([]int64, 8), make([]string, 8), make([]error, 8)
	var readers sync.WaitGroup
	for i := range quotients {
		readers.Go(func() {
			errs[i] = d.View(t.Context(), func(r db.Reader) error {
				return r.Row(selectQuotient, (i-refused)*(i+1)).Scan(&quotients[i], &times[i])
			})
		})
		waitFor(d, i+1)
	}
	release()
	readers.Wait()
	for i, got := range quotients {
		if i == refused {
			if errs[i] == nil || !strings.Contains(errs[i].Error(), "division by zero") {
				t.Errorf("a division by zero answered %v", errs[i])
			}
			continue
		}
		if want := int64(100 / ((i - refused) * (i + 1))); errs[i] != nil || got != want {
			t.Errorf("reader %d: %d, %v, want %d", i, got, errs[i], want)
		}
	}
	if times[0] != times[2] || times[4] != times[7] {
		t.Errorf("who waited together read in transactions of their own: %v", times)
	}
}

// Somebody whose statement takes long keeps none from reading who comes later.
func TestSlowReadsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	d := openPostgres(t)
	locked, blocked, unlock := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var slow sync.WaitGroup
	slow.Go(func() {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Locked()
			var none string
			err := tx.Row(lockExclusively, 1).Scan(&none)
			close(locked)
			for waiting := 0; waiting < db.Readers && err == nil; {
				err = tx.Row(countWaiting).Scan(&waiting)
			}
			close(blocked)
			<-unlock
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-locked
	for range db.Readers {
		slow.Go(func() {
			err := d.View(t.Context(), func(r db.Reader) error {
				var none string
				return r.Row(selectWaiting, 1).Scan(&none)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-blocked
	if err := readMany(t.Context(), d, "quick", 3); err != nil {
		t.Errorf("beside slow readers: %v", err)
	}
	close(unlock)
	slow.Wait()
}

// Who stops waiting is told so, and is not read for.
func TestReaderLeavesTheLine(t *testing.T) {
	t.Parallel()
	d := openPostgres(t)
	release := db.HoldReads(d)
	ctx, cancel := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		if err := readMany(ctx, d, "nobody", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("who was cancelled in line got %v", err)
		}
	})
	waitFor(d, 1)
	cancel()
	reader.Wait()
	release()
	if err := readMany(t.Context(), d, "next", 1); err != nil {
		t.Error(err)
	}
}
