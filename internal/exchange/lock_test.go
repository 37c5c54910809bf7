package exchange_test

import (
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
)

// rows counts the rows of a table.
func (w *world) rows(count *db.Query) (n int) {
	w.Helper()
	if err := w.DB.View(w.Context(), func(r db.Reader) error { return r.Row(count).Scan(&n) }); err != nil {
		w.Fatal(err)
	}
	return n
}

var (
	countOffers = db.NewQuery(`SELECT COUNT(*) FROM exchange_offer WHERE partner_id >= 0`)
	countTaken  = db.NewQuery(`SELECT COUNT(*) FROM exchange_lock_taken WHERE partner_id >= 0`)
)

func TestLockIsNoGoodWhenOneBitIsAnother(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("user", money.New(100_000_000, eth))
		l := w.lock("user")
		if id := l.ID.String(); id[14] != '7' || id[19] < '8' || id[19] > 'b' {
			t.Errorf("%s is no UUID of version 7", id)
		}
		if l.ID.Time() != l.CreatedAt {
			t.Errorf("%s was made at %s, and says %s", l.ID, l.CreatedAt, l.ID.Time())
		}
		for bit := range 128 {
			forged := l.ID
			forged[bit/8] ^= 1 << (bit % 8)
			_, err := w.try("user", money.New(1_000_000, eth), usdc, forged)
			w.want(forged.String(), err, fault.InvalidLock)
		}
		for _, unknown := range []clock.ID{{}, clock.NewID()} {
			_, err := w.try("user", money.New(1_000_000, eth), usdc, unknown)
			w.want(unknown.String(), err, fault.InvalidLock)
		}
		if _, err := w.try("user", money.New(1_000_000, eth), usdc, l.ID); err != nil {
			t.Errorf("the lock itself: %v", err)
		}
	})
}

func TestLockIsItsOwnersOnly(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("", money.New(100_000_000, eth))
		w.fund("user", money.New(100_000_000, eth))
		_, err := w.try("", money.New(1_000_000, eth), usdc, w.lock("user").ID)
		w.want("a user's, by the partner", err, fault.InvalidLock)
		_, err = w.try("user", money.New(1_000_000, eth), usdc, w.lock("").ID)
		w.want("the partner's, by a user", err, fault.InvalidLock)
		other, err := w.Partners.Create(t.Context(), map[string]string{"legalName": "Other Partner", "model": "nokyc"})
		if err != nil {
			t.Fatal(err)
		}
		l := w.lock("")
		err = w.DB.Update(t.Context(), func(tx *db.Tx) error {
			_, err := w.Create(tx, other.ID, exchange.Create{Amount: money.New(1_000_000, eth), To: usdc, Lock: l.ID}, w.terms)
			return err
		})
		w.want("the partner's, by another one", err, fault.InvalidLock)
	})
}

// TestLocksAreGoodOnEveryNode also is what a restart is like: the other node remembers nothing.
func TestLocksAreGoodOnEveryNode(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("user", money.New(100_000_000, eth))
		first, second := w.lock("user"), w.lock("user")
		w.market["eth"] = w.rate("3000")
		here := w.Service
		w.Service = w.node(w.Catalog, money.Percent{})
		x, err := w.try("user", money.New(1_000_000, eth), usdc, first.ID)
		if err != nil || x.RateFrom != first.Rates["eth"] || x.FeePercent != first.Fee {
			t.Errorf("on the other node at %s with %s %%: %v", x.RateFrom, x.FeePercent, err)
		}
		if third := w.lock("user"); third.Rates["eth"] != w.market["eth"] {
			t.Errorf("the other node locks %s", third.Rates["eth"])
		}
		w.Service = here
		_, err = w.try("user", money.New(1_000_000, eth), usdc, first.ID)
		w.want("a second time, on the first node", err, fault.InvalidLock)
		for what, amount := range map[string]int64{"too much": 100_000_000_000, "more than there is": 99_500_000} {
			_, err = w.try("user", money.New(amount, eth), usdc, first.ID)
			w.want("a second time, and "+what, err, fault.InvalidLock)
		}
		if _, err := w.try("user", money.New(1_000_000, eth), usdc, second.ID); err != nil {
			t.Errorf("the other lock: %v", err)
		}
	})
}

func TestLocksOfOneOfferAreDifferentAndAreNotStored(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		seen := map[clock.ID]bool{}
		for range 100 {
			seen[w.lock("user").ID] = true
		}
		if len(seen) != 100 {
			t.Errorf("of 100 locks of one moment %d are different", len(seen))
		}
		if offers, taken := w.rows(countOffers), w.rows(countTaken); offers != 1 || taken != 0 {
			t.Errorf("100 locks left %d offers and %d counts", offers, taken)
		}
		w.lock("")
		w.market["btc"] = w.rate("50001")
		w.lock("user")
		if offers := w.rows(countOffers); offers != 3 {
			t.Errorf("with other prices, and the partner's own, there are %d offers", offers)
		}
	})
}

// TestOfferStaysAsLongAsItsLocks takes a lock at the last moment of an offer, and uses it at the lock's.
func TestOfferStaysAsLongAsItsLocks(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("user", money.New(100_000_000, eth))
		w.lock("user")
		w.clock.Advance(time.Minute)
		last := w.lock("user")
		w.clock.Advance(time.Microsecond)
		w.lock("user")
		if offers := w.rows(countOffers); offers != 2 {
			t.Errorf("there are %d offers, want one of a minute and a new one", offers)
		}
		w.clock.Set(last.ValidUntil)
		if n, err := w.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("a sweep removed %d: %v", n, err)
		}
		w.Service = w.node(w.Catalog, money.Percent{})
		if _, err := w.try("user", money.New(1_000_000, eth), usdc, last.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestNodesCountLocksTogether(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.terms.LocksPerMinute = 3
		w.others.Store(true)
		here, there := w.Service, w.node(w.Catalog, money.Percent{})
		for _, node := range []*exchange.Service{here, there, here} {
			w.Service = node
			w.lock("user")
		}
		for _, node := range []*exchange.Service{here, there} {
			_, err := node.Lock(t.Context(), w.partner, "user", w.terms)
			w.want("the fourth", err, fault.TooManyRequests)
			w.Service = node
			w.lock("")
		}
		later := func() time.Time { return time.Now().Add(61 * time.Second) }
		here.SetNow(later)
		there.SetNow(later)
		w.others.Store(false) // and what was refused does not count
		w.Service = there
		for range 3 {
			w.lock("user")
		}
		there.SetNow(func() time.Time { return later().Add(time.Hour) })
		if _, err := there.Sweep(t.Context()); err != nil || w.rows(countTaken) != 0 {
			t.Errorf("after a sweep %d counts are left: %v", w.rows(countTaken), err)
		}
	})
}

func TestRefusedLocksAreNotCounted(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.terms.LocksPerMinute = 1
		delete(w.market, "btc")
		for range 3 {
			_, err := w.Lock(t.Context(), w.partner, "user", w.terms)
			w.want("without a price", err, fault.ServiceUnavailable)
		}
		w.market["btc"] = w.rate("50000")
		w.lock("user")
	})
}

// TestWhatWasTakenFromTheOwnerComesFirst refuses by what another process did since this one has read the owner.
func TestWhatWasTakenFromTheOwnerComesFirst(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.broken = true     // verify misses the identity check
		w.verified("known") // only who may use every currency is remembered
		w.fund("known", money.New(100_000_000, eth))
		good, nodes := w.lock("known"), []*exchange.Service{}
		var l exchange.Lock
		for range 5 { // each of them remembers the user as one who may pay
			w.Service = w.node(w.Catalog, money.Percent{})
			l = w.lock("known")
			if _, err := w.try("known", money.New(200_000, eth), usdc, l.ID); err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, w.Service)
		}
		w.update(func(tx *db.Tx) error {
			_, err := w.API.Users.Suspend(tx, w.partner, "known")
			return err
		})
		for i, c := range []struct {
			what   string
			amount int64
			to     money.Currency
			lock   clock.ID
		}{
			{"the lock is used", 1_000_000, usdc, l.ID},
			{"one currency", 1_000_000, eth, good.ID},
			{"too much", 100_000_000_000, usdc, good.ID},
			{"without funds", 99_500_000, usdc, good.ID},
			{"all is well", 1_000_000, usdc, good.ID},
		} {
			w.Service = nodes[i]
			_, err := w.try("known", money.New(c.amount, eth), c.to, c.lock)
			w.want(c.what, err, fault.UserSuspended)
		}
		if left := w.on("known", ledger.Balance, eth); left.Units() != 99_000_000 {
			t.Errorf("%s are left", left)
		}
	})
}

// verified opens a user who may use every currency.
func (w *world) verified(name string) {
	w.Helper()
	var u user.User
	w.update(func(tx *db.Tx) (err error) {
		u, _, err = w.API.Users.Create(tx, w.partner, user.New{ExternalID: name, Model: user.KYC, Person: user.Person{
			Email: name + "@example.com", FirstName: "Test", LastName: "User", Country: "LT", BirthDate: "1990-01-31", DocumentNumber: "TEST1",
		}})
		return err
	})
	w.update(func(tx *db.Tx) (err error) {
		if u, err = user.LockByID(tx, w.partner, u.ID); err == nil {
			u.Verification, u.ActivatedAt = user.Verified, w.clock.Now()
			user.SaveState(tx, u)
		}
		return err
	})
}
