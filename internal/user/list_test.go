package user_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/page"
	"kontor/internal/user"
	"kontor/internal/vault"
)

var setMarks = db.NewCommand(`
	UPDATE users SET activated_at = $3, suspended_at = $4, frozen_at = $5, model = $6 WHERE partner_id = $1 AND external_id = $2`)

func TestUsersAreListedByStateAndEmail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		master := make([]byte, vault.KeySize)
		if _, err := rand.Read(master); err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open(t.Context(), d, master)
		if err != nil {
			t.Fatal(err)
		}
		cat, err := catalog.Load("")
		if err != nil {
			t.Fatal(err)
		}
		now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		users := user.NewService(v, now, cat, event.NewLog(v, func(int64) {}))
		for i, u := range []struct {
			partner                     int64
			id, email, model            string
			activated, suspended, froze bool
		}{
			{1, "waiting", "Test@Example.com", user.KYC, false, false, false},
			{1, "active", "test@example.com", user.KYC, true, false, false},
			{1, "suspended", "test+1@example.com", user.KYC, true, true, false},
			{1, "frozen", "TEST@EXAMPLE.COM", user.KYC, true, false, true},
			{1, "both", "اختبار@example.com", user.KYC, false, true, true},
			{1, "older", "older@example.com", user.NoKYC, false, false, false},
			{2, "active", "test@example.com", user.KYC, true, false, false},
		} {
			now.Advance(time.Duration(i/3) * time.Second) // some at one moment
			mark := func(set bool) time.Time {
				if set {
					return now.Now()
				}
				return time.Time{}
			}
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				_, _, err := users.Create(tx, u.partner, user.New{ExternalID: u.id, Model: u.model, Person: user.Person{Email: u.email, FirstName: "Test", Country: "LT"}})
				tx.Write(setMarks, u.partner, u.id, mark(u.activated), mark(u.suspended), mark(u.froze), u.model)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		list := func(partner int64, f user.Filter) (ids []string) {
			t.Helper()
			for f.Limit = 2; ; {
				var found []user.Summary
				err := d.View(t.Context(), func(r db.Reader) (err error) {
					found, err = user.List(r, partner, f)
					return err
				})
				if err != nil || len(found) > f.Limit {
					t.Fatalf("%d users, %v", len(found), err)
				}
				for _, s := range found {
					ids = append(ids, s.ExternalID)
					if f.Status != "" && s.Status() != f.Status {
						t.Errorf("%s is %s and listed as %s", s.ExternalID, s.Status(), f.Status)
					}
				}
				if len(found) == 0 {
					return ids
				}
				last := found[len(found)-1].Position()
				f.After = &last
			}
		}
		from := now.Now().Add(-time.Second)
		for _, c := range []struct {
			partner int64
			filter  user.Filter
			want    []string
		}{
			{1, user.Filter{}, []string{"older", "both", "frozen", "suspended", "active", "waiting"}},
			{2, user.Filter{}, []string{"active"}},
			{3, user.Filter{}, nil},
			{1, user.Filter{Status: user.Waiting}, []string{"waiting"}},
			{1, user.Filter{Status: user.Activated}, []string{"older", "active"}},
			{1, user.Filter{Status: user.Suspended}, []string{"suspended"}},
			{1, user.Filter{Status: user.Frozen}, []string{"both", "frozen"}},
			{1, user.Filter{Email: "test@EXAMPLE.com"}, []string{"frozen", "active", "waiting"}},
			{1, user.Filter{Email: "test@example.com", Status: user.Frozen}, []string{"frozen"}},
			{1, user.Filter{Email: "اختبار@example.com"}, []string{"both"}},
			{1, user.Filter{Email: "test_1@example.com"}, nil},
			{1, user.Filter{Email: "%"}, nil},
			{1, user.Filter{Range: page.Range{From: from, To: from}}, nil},
			{1, user.Filter{Range: page.Range{To: time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC)}}, []string{"suspended", "active", "waiting"}},
		} {
			if got := list(c.partner, c.filter); !slices.Equal(got, c.want) {
				t.Errorf("partner %d, %+v: got %v, want %v", c.partner, c.filter, got, c.want)
			}
		}
	})
}
