package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
)

// group is a test's Updates that stand in line on PostgreSQL, and will be committed together.
type group struct {
	*db.DB
	t       *testing.T
	seen    *witness
	release func()
	running sync.WaitGroup
	errs    []*error
}

func openGroup(t *testing.T) *group {
	t.Helper()
	g := &group{t: t, seen: &witness{}}
	var err error
	if g.DB, err = db.Open(t.Context(), dbtest.Target(t, db.Postgres), db.WithObserver(g.seen)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// hold keeps the members that are added from now on in line.
func (g *group) hold() *group {
	g.release, g.errs = db.HoldLine(g.DB), nil
	g.seen.take()
	return g
}

// add begins an Update and returns when it stands in line.
func (g *group) add(ctx context.Context, fn func(tx *db.Tx)) {
	err := new(error)
	g.errs = append(g.errs, err)
	before := db.InLine(g.DB)
	g.running.Go(func() {
		*err = g.Update(ctx, func(tx *db.Tx) error { fn(tx); return nil })
	})
	for db.InLine(g.DB) == before {
		runtime.Gosched()
	}
}

// commit lets the members go, and answers what became of each.
func (g *group) commit() []error {
	g.release()
	g.running.Wait()
	var all []error
	for _, err := range g.errs {
		all = append(all, *err)
	}
	return all
}

// codes are what partners would be told.
func codes(errs []error) string {
	var all []string
	for _, err := range errs {
		all = append(all, string(code(err)))
	}
	return strings.Join(all, " ")
}

// groups are the sizes of the groups that were tried since the line was held.
func (g *group) groups() []string {
	return slices.DeleteFunc(g.seen.take(), func(note string) bool { return !strings.HasPrefix(note, "grouped") })
}

func (g *group) has(account clock.ID, want int64) {
	g.t.Helper()
	if got := posted(g.t, g.DB, account); got != want {
		g.t.Errorf("a balance of %d, want %d", got, want)
	}
}

func pay(key string, from, to clock.ID, amount int64) func(*db.Tx) {
	return func(tx *db.Tx) {
		tx.WriteFirst(insertEntry, "group", key, 1, clock.NewID())
		tx.Move(1, from, -amount, 0)
		tx.Move(1, to, amount, 0)
	}
}

func TestWaitingUpdatesAreOneTransaction(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, sink := account(t, g.DB, 1000), account(t, g.DB, 0)
	g.hold()
	var hooks sync.Map
	for i := range 5 {
		g.add(t.Context(), func(tx *db.Tx) {
			pay(fmt.Sprint(i), rich, sink, 10)(tx)
			tx.Write(insertEntry, "other", fmt.Sprint(i), 1, clock.NewID())
			tx.AfterCommit(func() { hooks.Store(i, entries(t, g.DB)) })
		})
	}
	if got := codes(g.commit()); got != "    " {
		t.Errorf("answers %q", got)
	}
	if got := g.groups(); !slices.Contains(got, "grouped 5") {
		t.Errorf("%q, want all 5 together", got)
	}
	g.has(rich, 950)
	g.has(sink, 50)
	for i := range 5 {
		if n, ok := hooks.Load(i); !ok || n != 5 {
			t.Errorf("the hook of %d saw %v entries", i, n)
		}
	}
}

func TestMemberWithoutFundsHarmsNoNeighbour(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, poor, sink := account(t, g.DB, 1000), account(t, g.DB, 15), account(t, g.DB, 0)
	g.hold()
	for i, from := range []clock.ID{rich, poor, rich, poor, rich} {
		g.add(t.Context(), pay(fmt.Sprint(i), from, sink, 10))
	}
	errs := g.commit()
	refused := 0
	for i, err := range errs {
		switch {
		case code(err) == fault.InsufficientFunds && i%2 == 1 && db.Violates(err, "account_funds"):
			refused++
		case err != nil:
			t.Errorf("member %d answers %v", i, err)
		}
	}
	if refused != 1 {
		t.Errorf("%d members were refused, want one of the two who share an account", refused)
	}
	g.has(rich, 970)
	g.has(poor, 5)
	g.has(sink, 40)
	if n := entries(t, g.DB); n != 4 {
		t.Errorf("%d entries, want 4", n)
	}
}

func TestAccountThatWasOverdrawnStaysOutOfGroups(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, poor, sink := account(t, g.DB, 1000), account(t, g.DB, 0), account(t, g.DB, 0)
	overdraw := func() error {
		return g.Update(t.Context(), func(tx *db.Tx) error { pay("x", poor, sink, 1)(tx); return nil })
	}
	if err := overdraw(); code(err) != fault.InsufficientFunds {
		t.Fatal(err)
	}
	g.hold()
	g.add(t.Context(), pay("1", rich, sink, 10))
	if err := overdraw(); code(err) != fault.InsufficientFunds { // does not stand in line
		t.Error(err)
	}
	if got := codes(g.commit()); got != "" {
		t.Errorf("answers %q", got)
	}
	g.has(sink, 10)
}

func TestSameKeyTwiceInAGroup(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, sink := account(t, g.DB, 1000), account(t, g.DB, 0)
	key := func(key string) func(*db.Tx) {
		return func(tx *db.Tx) {
			tx.WriteFirst(insertKey, 1, key, []byte{}, 200, []byte{}, clock.NewID(), true, time.Now())
			tx.Move(1, rich, -10, 0)
			tx.Move(1, sink, 10, 0)
		}
	}
	g.hold()
	for _, k := range []string{"a", "b", "a", "c"} {
		g.add(t.Context(), key(k))
	}
	errs := g.commit()
	if (errs[0] == nil) == (errs[2] == nil) || errs[1] != nil || errs[3] != nil {
		t.Fatalf("answers %v, want one of the first and the third to fail", errs)
	}
	if err := errors.Join(errs[0], errs[2]); !db.Violates(err, "idempotency_pkey") {
		t.Errorf("the second use of the key answers %v", err)
	}
	g.has(rich, 970)
	g.has(sink, 30)
}

func TestMissingAccountInAGroupCreatesNoMoney(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, sink := account(t, g.DB, 1000), account(t, g.DB, 0)
	g.hold()
	g.add(t.Context(), pay("1", rich, sink, 10))
	g.add(t.Context(), pay("2", clock.NewID(), sink, 10))
	if errs := g.commit(); errs[0] != nil || errs[1] == nil {
		t.Errorf("answers %v, want that the second fails", errs)
	}
	g.has(rich, 990)
	g.has(sink, 10)
}

// Merged, the debit and the credit of each account would cancel out, and no check would see them.
func TestMembersWithoutFundsCannotPayEachOther(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	a, b := account(t, g.DB, 0), account(t, g.DB, 0)
	g.hold()
	g.add(t.Context(), pay("1", a, b, 10))
	g.add(t.Context(), pay("2", b, a, 10))
	if got := codes(g.commit()); got != "P433 P433" {
		t.Errorf("answers %q, want P433 for both", got)
	}
	if n := entries(t, g.DB); n != 0 {
		t.Errorf("%d entries", n)
	}
}

func TestMemberThatLeavesTheLine(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, sink := account(t, g.DB, 1000), account(t, g.DB, 0)
	ctx, cancel := context.WithCancel(t.Context())
	g.hold()
	g.add(t.Context(), pay("1", rich, sink, 10))
	g.add(ctx, pay("2", rich, sink, 10))
	g.add(t.Context(), pay("3", rich, sink, 10))
	cancel()
	for db.InLine(g.DB) == 3 {
		runtime.Gosched()
	}
	errs := g.commit()
	if errs[0] != nil || !errors.Is(errs[1], context.Canceled) || errs[2] != nil {
		t.Errorf("answers %v, want that only the second is canceled", errs)
	}
	g.has(sink, 20)
}

func TestBackendThatDiesUnderAGroup(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	rich, sink := account(t, g.DB, 1000), account(t, g.DB, 0)
	blocked := make(chan struct{})
	kill := db.NewQuery(`SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`)
	lock := db.NewQuery(`SELECT posted FROM account WHERE partner_id = $1 AND id = $2 FOR UPDATE`)
	g.hold()
	for i := range 3 {
		g.add(t.Context(), pay(fmt.Sprint(i), rich, sink, 10))
	}
	var holder sync.WaitGroup
	holder.Go(func() { // the group has written everything else when it waits for the account
		err := g.Update(t.Context(), func(tx *db.Tx) error {
			tx.Locked()
			var n int64
			if err := tx.Row(lock, 1, sink).Scan(&n); err != nil {
				return err
			}
			close(blocked)
			for n = 0; n == 0; {
				if err := tx.Row(kill).Scan(&n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-blocked
	errs := g.commit()
	holder.Wait()
	for i, err := range errs {
		if code(err) != fault.ServiceUnavailable || !errors.Is(err, db.ErrUnavailable) {
			t.Errorf("member %d answers %v, want P501", i, err)
		}
	}
	g.has(rich, 1000)
	g.has(sink, 0)
	if n := entries(t, g.DB); n != 0 {
		t.Errorf("%d entries of a group whose backend died", n)
	}
	g.hold()
	g.add(t.Context(), pay("later", rich, sink, 10))
	if got := codes(g.commit()); got != "" {
		t.Errorf("afterwards an Update answers %q", got)
	}
}

func TestGroupsNeverLockEachOtherOut(t *testing.T) {
	t.Parallel()
	g := openGroup(t)
	var accounts []clock.ID
	for range 6 {
		accounts = append(accounts, account(t, g.DB, 1000))
	}
	g.seen.take()
	var clients sync.WaitGroup
	for c := range 32 {
		clients.Go(func() {
			for i := range 30 {
				n := c*31 + i
				err := g.Update(t.Context(), func(tx *db.Tx) error {
					pay(fmt.Sprintf("%d-%d", c, i), accounts[n%6], accounts[(n+1+n%5)%6], 1)(tx)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	for _, note := range g.seen.take() {
		if strings.HasPrefix(note, "retried") {
			t.Errorf("%s: locks are not taken in order", note)
		}
	}
	var total int64
	for _, a := range accounts {
		total += posted(t, g.DB, a)
	}
	if total != 6000 || entries(t, g.DB) != 32*30 {
		t.Errorf("%d on the accounts, %d entries", total, entries(t, g.DB))
	}
}

var insertKey = db.NewInsert("idempotency", `partner_id bigint, key text, request bytes, status bigint, answer bytes,
	object_id uuid, lasting boolean, created_at bigint`)
