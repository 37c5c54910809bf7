package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
)

var (
	insertAccount = db.NewInsert("account", `partner_id bigint, id uuid, owner_id uuid, purpose text, currency text,
		overdraft boolean, closed boolean, posted bigint, held bigint, created_at bigint`)
	insertEntry   = db.NewInsert("directory", "kind text, key text, partner_id bigint, object_id uuid")
	insertPartner = db.NewInsert("partner", "partner_id bigint, settings text, created_at bigint, closed_at bigint")
	selectPosted  = db.NewQuery(`SELECT posted, held FROM account WHERE partner_id = $1 AND id = $2`)
	lockPosted    = db.NewQuery(`SELECT posted FROM account WHERE partner_id = $1 AND id = $2 FOR UPDATE`)
	selectEntry   = db.NewQuery(`SELECT partner_id, object_id FROM directory WHERE kind = $1 AND key = $2`)
	countEntries  = db.NewQuery(`SELECT COUNT(*) FROM directory WHERE kind = $1`)
	selectPartner = db.NewQuery(`SELECT partner_id, created_at, closed_at FROM partner WHERE partner_id = $1`)
	nextPartner   = db.NewQuery(`SELECT COALESCE(MAX(partner_id), 0) + 1 FROM partner`)
)

// account opens an account with an amount on it.
func account(t *testing.T, d *db.DB, posted int64) clock.ID {
	t.Helper()
	id := clock.NewID()
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		tx.Write(insertAccount, 1, id, id, "balance", "eur", false, false, posted, int64(0), time.Now())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func posted(t *testing.T, d *db.DB, id clock.ID) int64 {
	t.Helper()
	var amount, held int64
	err := d.View(t.Context(), func(r db.Reader) error { return r.Row(selectPosted, 1, id).Scan(&amount, &held) })
	if err != nil {
		t.Fatal(err)
	}
	return amount
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		id, at := clock.NewID(), time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
		digits := "00123" // must stay a text
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(insertEntry, "k", digits, 7, id)
			tx.Write(insertPartner, 7, "{}", at, time.Time{})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = d.View(t.Context(), func(r db.Reader) error {
			var partner int
			var got clock.ID
			if err := r.Row(selectEntry, "k", digits).Scan(&partner, &got); err != nil || partner != 7 || got != id {
				t.Errorf("entry = %d %s, %v", partner, got, err)
			}
			var created, closed time.Time
			if err := r.Row(selectPartner, 7).Scan(&partner, &created, &closed); err != nil || !created.Equal(at) || !closed.IsZero() {
				t.Errorf("partner = %v %v, %v", created, closed, err)
			}
			return r.Row(selectEntry, "k", "none").Scan(&partner, &got)
		})
		if !errors.Is(err, db.ErrNoRows) {
			t.Errorf("a missing row answers %v, want ErrNoRows", err)
		}
	})
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, b := account(t, d, 1000), account(t, d, 0)
		move := func(amount int64) error {
			return d.Update(t.Context(), func(tx *db.Tx) error {
				tx.Write(insertEntry, "order", fmt.Sprint(amount), 1, a)
				tx.Move(1, b, amount, 0)
				tx.Move(1, a, -amount, 0)
				return nil
			})
		}
		if err := move(600); err != nil {
			t.Fatal(err)
		}
		err := move(601)
		if fault.From(err).Code != fault.InsufficientFunds {
			t.Errorf("overdraft answers %v, want P433", err)
		}
		if !db.Violates(err, "account_funds") {
			t.Errorf("overdraft does not name its constraint: %v", err)
		}
		if posted(t, d, a) != 400 || posted(t, d, b) != 600 {
			t.Errorf("balances %d, %d after a refused move", posted(t, d, a), posted(t, d, b))
		}
		var n int
		if err := d.View(t.Context(), func(r db.Reader) error { return r.Row(countEntries, "order").Scan(&n) }); err != nil || n != 1 {
			t.Errorf("%d orders, %v; want the first only", n, err)
		}
	})
}

func TestMoveOnAMissingAccountCreatesNoMoney(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := account(t, d, 0)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Move(1, a, 100, 0)
			tx.Move(1, clock.NewID(), -100, 0)
			return nil
		})
		if err == nil || posted(t, d, a) != 0 {
			t.Errorf("err %v, balance %d: the credit went through without its debit", err, posted(t, d, a))
		}
	})
}

func TestReadAfterWriteIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(insertEntry, "k", "1", 1, clock.NewID())
			var n int
			return tx.Row(countEntries, "k").Scan(&n)
		})
		if err == nil {
			t.Error("a read after a write was let through")
		}
	})
}

func TestLockedSeesItsOwnWrites(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := account(t, d, 500)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(insertEntry, "k", "1", 1, a)
			tx.Locked()
			var n, before, after int
			if err := tx.Row(countEntries, "k").Scan(&n); err != nil || n != 1 {
				t.Errorf("%d entries, %v", n, err)
			}
			if err := tx.Row(lockPosted, 1, a).Scan(&before); err != nil {
				return err
			}
			tx.Move(1, a, -200, 0)
			if err := tx.Row(lockPosted, 1, a).Scan(&after); err != nil || after != before-200 {
				t.Errorf("%d after %d, %v", after, before, err)
			}
			return nil
		})
		if err != nil || posted(t, d, a) != 300 {
			t.Errorf("%v, balance %d", err, posted(t, d, a))
		}
		failed := errors.New("no")
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Locked()
			tx.Move(1, a, -100, 0)
			return failed
		})
		if !errors.Is(err, failed) || posted(t, d, a) != 300 {
			t.Errorf("%v, balance %d after a refused locked update", err, posted(t, d, a))
		}
	})
}

func TestLockedGivesTheConnectionBackWhenTheFunctionPanics(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := account(t, d, 500)
		func() {
			defer func() { _ = recover() }()
			_ = d.Update(t.Context(), func(tx *db.Tx) error {
				tx.Locked()
				tx.Move(1, a, -100, 0)
				panic("broken")
			})
		}()
		if posted(t, d, a) != 500 {
			t.Errorf("balance %d", posted(t, d, a))
		}
		account(t, d, 1) // the writer works on
	})
}

func TestCollisionRunsAgainOnFreshReads(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const n = 30
		var group sync.WaitGroup
		for range n {
			group.Go(func() {
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					var id int64
					if err := tx.Row(nextPartner).Scan(&id); err != nil {
						return err
					}
					tx.Write(insertPartner, id, "{}", time.Now(), time.Time{})
					return nil
				})
				if err != nil && fault.From(err).Code != fault.ServiceUnavailable {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
}

func TestNeighboursOfAGroupAreUntouched(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rich, poor, sink := account(t, d, 1_000_000), account(t, d, 0), account(t, d, 0)
		const n = 200
		var group sync.WaitGroup
		for i := range n {
			from := rich
			if i%4 == 0 {
				from = poor
			}
			group.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				if i%5 == 0 {
					go cancel() // hangs up in the middle
				}
				defer cancel()
				err := d.Update(ctx, func(tx *db.Tx) error {
					tx.Write(insertEntry, "order", fmt.Sprint(i), 1, from)
					tx.Move(1, from, -10, 0)
					tx.Move(1, sink, 10, 0)
					return nil
				})
				if from == rich && err != nil && i%5 != 0 {
					t.Errorf("a neighbour failed: %v", err)
				}
				if from == poor && err == nil {
					t.Error("an overdraft went through")
				}
			})
		}
		group.Wait()
		var orders int64
		if err := d.View(t.Context(), func(r db.Reader) error { return r.Row(countEntries, "order").Scan(&orders) }); err != nil {
			t.Fatal(err)
		}
		if got := posted(t, d, sink); got != 10*orders || posted(t, d, rich) != 1_000_000-got || posted(t, d, poor) != 0 {
			t.Errorf("%d orders, but sink has %d, rich %d, poor %d", orders, got, posted(t, d, rich), posted(t, d, poor))
		}
	})
}

func TestImmutableTablesRefuseChanges(t *testing.T) {
	t.Parallel()
	insert := db.NewInsert("ledger_transfer", `partner_id bigint, operation_id uuid, leg text, operation_type text,
		debit_id uuid, credit_id uuid, currency text, amount bigint, created_at bigint`)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		id := clock.NewID()
		run := func(c *db.Command, args ...any) error {
			return d.Update(t.Context(), func(tx *db.Tx) error { tx.Write(c, args...); return nil })
		}
		if err := run(insert, 1, id, "amount", "TEST", id, clock.NewID(), "eur", 5, time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			`UPDATE ledger_transfer SET amount = 6 WHERE partner_id = $1`,
			`DELETE FROM ledger_transfer WHERE partner_id = $1`,
		} {
			if err := run(db.NewCommand(text), 1); !db.Violates(err, "ledger_transfer_immutable") {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}

var (
	enterOnce = db.NewInsertOnce("directory", "kind text, key text, partner_id bigint, object_id uuid", "kind, key")
	reassign  = db.NewUpdate("directory", "kind text, key text", "partner_id bigint, object_id uuid",
		"directory.partner_id < new.partner_id")
	rename = db.NewUpsert("directory", "kind text, key text, partner_id bigint, object_id uuid", "kind, key", "object_id")
)

// TestOneCommandForManyRows writes several rows by one command in a row, which PostgreSQL gets as one statement.
func TestOneCommandForManyRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		first, second := clock.NewID(), clock.NewID()
		for _, write := range []func(*db.Tx){
			func(tx *db.Tx) {
				tx.Write(enterOnce, "run", "a", 1, first)
				tx.Write(enterOnce, "run", "b", 5, first)
				tx.Write(enterOnce, "run", "c", 1, first)
			},
			func(tx *db.Tx) { // a and b are there already
				tx.Write(enterOnce, "run", "a", 9, second)
				tx.Write(enterOnce, "run", "b", 9, second)
				tx.Write(enterOnce, "run", "d", 1, second)
			},
			func(tx *db.Tx) { // the guard keeps b
				tx.Write(reassign, "run", "a", 2, second)
				tx.Write(reassign, "run", "b", 3, second)
				tx.Write(reassign, "run", "d", 4, first)
				tx.Write(reassign, "run", "none", 4, first)
			},
			func(tx *db.Tx) { tx.Write(reassign, "run", "c", 7, second) },
			func(tx *db.Tx) { // b is there, and keeps its partner
				tx.Write(rename, "run", "b", 9, second)
				tx.Write(rename, "run", "e", 9, first)
			},
		} {
			if err := d.Update(t.Context(), func(tx *db.Tx) error { write(tx); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		type entry struct {
			partner int
			object  clock.ID
		}
		err := d.View(t.Context(), func(r db.Reader) error {
			for key, want := range map[string]entry{"a": {2, second}, "b": {5, second}, "c": {7, second}, "d": {4, first}, "e": {9, first}} {
				var got entry
				if err := r.Row(selectEntry, "run", key).Scan(&got.partner, &got.object); err != nil || got != want {
					t.Errorf("%s is %v, want %v: %v", key, got, want, err)
				}
			}
			var n int
			err := r.Row(countEntries, "run").Scan(&n)
			if n != 5 {
				t.Errorf("there are %d entries", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
