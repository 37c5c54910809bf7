package user_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"kontor/internal/audit"
	"kontor/internal/db"
	"kontor/internal/user"
)

func TestAPersonsFreezeTakesOverFromAScreenings(t *testing.T) {
	each(t, func(o *office) {
		u := o.open("user", true)
		stop := func() (changed bool) {
			o.must(func(tx *db.Tx) (err error) {
				changed, err = o.users.FreezeForReview(tx, 1, u.ID)
				return err
			})
			return changed
		}
		freeze := func(reason string) error {
			return o.db.Update(o.Context(), func(tx *db.Tx) error {
				_, err := o.users.Freeze(tx, 1, u.ID, audit.Operator("test"), reason)
				return err
			})
		}
		accept := func() { o.must(func(tx *db.Tx) error { return o.users.UnfreezeReviewed(tx, 1, u.ID) }) }
		is := func(want, why string) {
			o.Helper()
			o.must(func(tx *db.Tx) error {
				now, err := user.Find(tx, 1, "user")
				reason, reasonErr := user.FreezeReason(tx, now)
				if now.Status() != want || reason != why {
					o.Errorf("the user is %s for %q, want %s for %q", now.Status(), reason, want, why)
				}
				return errors.Join(err, reasonErr)
			})
		}
		if !stop() || stop() {
			o.Error("a second screening's freeze was new as well, or the first was not")
		}
		is(user.Frozen, user.ForReview)
		accept()
		is(user.Activated, "")
		stop()
		var reason user.ReasonError
		if err := freeze(user.ForReview); !errors.As(err, &reason) {
			o.Errorf("a person's freeze passes for a screening's: %v", err)
		}
		for range 2 { // the repetition changes nothing
			if err := freeze("Court order"); err != nil {
				o.Fatal(err)
			}
		}
		if stop() {
			o.Error("a screening took over from a person")
		}
		accept()
		is(user.Frozen, "Court order")
		if err := freeze("Second order"); err != nil {
			o.Fatal(err)
		}
		is(user.Frozen, "Second order")
		o.must(func(tx *db.Tx) error {
			_, err := o.users.Unfreeze(tx, 1, u.ID, audit.Operator("test"), "Lifted")
			return err
		})
		is(user.Activated, "")
		o.must(func(tx *db.Tx) error {
			all, err := audit.List(tx, audit.Filter{Object: u.ID.String()}, 10, 0)
			var told []string
			for _, e := range slices.Backward(all) {
				told = append(told, e.Action+" "+e.Actor)
			}
			const want = "user.freeze system, user.unfreeze system, user.freeze system, user.freeze operator:test, " +
				"user.freeze operator:test, user.unfreeze operator:test"
			if got := strings.Join(told, ", "); got != want {
				o.Errorf("logged: %s\nwant:   %s", got, want)
			}
			return err
		})
	})
}
