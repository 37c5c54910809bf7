package user_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/user"
	"kontor/internal/vault"
)

func TestUsersAreSearchedForAcrossPartners(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{7}, vault.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		cat, err := catalog.Load("")
		if err != nil {
			t.Fatal(err)
		}
		now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		users := user.NewService(v, now, cat, event.NewLog(v, func(int64) {}))
		ids := map[string]clock.ID{}
		for _, u := range []struct {
			partner                int64
			id, email, first, last string
		}{
			{1, "one", "one@example.com", "Test", "Person"},
			{1, "two", "two@example.com", "Person", "Test Case"},
			{2, "one", "ONE@example.com", "Other", "PERSON"},
			{60, "far", "far@example.com", "Far", "Żółć"},
		} {
			now.Advance(time.Second)
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				made, _, err := users.Create(tx, u.partner, user.New{ExternalID: u.id, Model: user.KYC, Person: user.Person{
					Email: u.email, FirstName: u.first, LastName: u.last, Country: "LT",
				}})
				ids[u.id+u.email[:3]] = made.ID
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var all []int64
		for id := range int64(70) {
			all = append(all, id+1)
		}
		for _, c := range []struct {
			partners []int64
			text     string
			want     []string
		}{
			{all, "one", []string{"one", "one"}},
			{[]int64{2}, "one", []string{"one"}},
			{nil, "one", nil},
			{all, "ONE@EXAMPLE.COM", []string{"one", "one"}},
			{all, "person", []string{"one", "one", "two"}}, // last names first, the newest first
			{all, "test person", []string{"one"}},
			{all, "person test", []string{"one"}},
			{all, "test case person", []string{"two"}},
			{all, "Żółć", []string{"far"}},
			{all, ids["oneone"].String(), []string{"one"}},
			{[]int64{2}, ids["oneone"].String(), nil},
			{all, "per%", nil},
			{all, "", nil},
		} {
			var got []string
			err := d.View(t.Context(), func(r db.Reader) error {
				found, err := user.Search(r, c.partners, c.text, 10)
				got = nil
				for _, s := range found {
					got = append(got, s.ExternalID)
				}
				return err
			})
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q among %d partners finds %v, want %v; %v", c.text, len(c.partners), got, c.want, err)
			}
		}
	})
}
