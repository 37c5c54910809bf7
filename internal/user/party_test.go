package user_test

import (
	"sync"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

// TestWhatAnotherProcessTookAwayIsGone pays with parties that are remembered, after another process took the right to.
func TestWhatAnotherProcessTookAwayIsGone(t *testing.T) {
	each(t, func(o *office) {
		for _, c := range []struct {
			name    string
			take    func(tx *db.Tx, u user.User) error
			out, in fault.Code
		}{
			{"suspended", func(tx *db.Tx, u user.User) error {
				_, err := o.beside.Suspend(tx, 1, u.ExternalID)
				return err
			}, fault.UserSuspended, ""},
			{"frozen", func(tx *db.Tx, u user.User) error {
				_, err := o.beside.Freeze(tx, 1, u.ID, "test", "a reason")
				return err
			}, fault.UserSuspended, fault.UserSuspended},
			{"expired", func(tx *db.Tx, u user.User) error {
				u, err := user.LockByID(tx, 1, u.ID)
				u.Verification = user.Expired
				user.SaveState(tx, u)
				return err
			}, fault.UserNotVerified, fault.UserNotVerified},
			{"indebted", func(tx *db.Tx, u user.User) error {
				equity, err := ledger.FindAccount(tx, 1, ledger.PartnerItself, ledger.Equity, o.euro)
				if err != nil {
					return err
				}
				return ledger.Collect(tx, 1, ledger.Operation{Type: "TEST", ID: clock.NewID()}, o.now.Now(), u.ID, "fee", equity, o.eur(7))
			}, "", ""},
		} {
			u := o.open(c.name, true)
			for _, side := range [][2]string{{"", c.name}, {"", c.name}, {"", c.name}, {c.name, ""}, {c.name, ""}} {
				if err := o.pay(side[0], side[1]); err != nil {
					o.Fatalf("%s: before: %v", c.name, err)
				}
			}
			o.must(func(tx *db.Tx) error { return c.take(tx, u) })
			before := o.posted(u)
			for i, side := range [][2]string{{c.name, ""}, {"", c.name}} {
				want := []fault.Code{c.out, c.in}[i]
				if c.name == "indebted" && i == 0 {
					continue // has nothing left
				}
				if err := o.pay(side[0], side[1]); (err != nil) != (want != "") || err != nil && fault.From(err).Code != want {
					o.Errorf("%s, %q: %v, want %q", c.name, side, err, want)
				}
			}
			switch after := o.posted(u); {
			case c.name == "suspended" && after != before+1:
				o.Errorf("%s: %d cents, %d before", c.name, after, before)
			case c.name != "suspended" && after != before: // the debt took the cent
				o.Errorf("%s: %d cents, %d before", c.name, after, before)
			}
		}
		o.sound()
	})
}

// TestNobodyPaysAfterBeingSuspended suspends a user while payments are under way: none is committed after that.
func TestNobodyPaysAfterBeingSuspended(t *testing.T) {
	each(t, func(o *office) {
		const payers = 4
		u := o.open("payer", true)
		for range 3 * payers {
			if err := o.pay("", "payer"); err != nil {
				o.Fatal(err)
			}
		}
		var running sync.WaitGroup
		first := make(chan struct{}, payers)
		for range payers {
			running.Go(func() {
				for range 3 {
					err := o.pay("payer", "")
					select {
					case first <- struct{}{}:
					default:
					}
					if err != nil {
						if fault.From(err).Code != fault.UserSuspended {
							o.Error(err)
						}
						return
					}
				}
			})
		}
		<-first
		o.must(func(tx *db.Tx) error {
			_, err := o.beside.Suspend(tx, 1, "payer")
			return err
		})
		at := o.posted(u)
		running.Wait()
		if after := o.posted(u); after != at {
			o.Errorf("%d cents when the suspension was committed, %d later", at, after)
		}
		o.sound()
	})
}
