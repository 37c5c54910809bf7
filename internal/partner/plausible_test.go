package partner_test

import (
	"strings"
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/partner"
)

func TestOnlyKeysThatCanBeValidArePlausible(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d, partner.Staging)
		p := create(t, s)
		_, issued, err := s.IssueKey(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddKey(t.Context(), p.ID, "a-key-of-their-own"); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]bool{
			issued: true, "a-key-of-their-own": true,
			"": false, "wrong": false, issued + "x": false, issued[:len(issued)-1] + flip(issued[len(issued)-1]): false,
			strings.Repeat("k", 10_000): false,
		} {
			if got := s.Plausible(t.Context(), key); got != want {
				t.Errorf("%.40q is plausible: %v, want %v", key, got, want)
			}
		}
		_, later, err := s.IssueKey(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		for asked := time.Now(); !s.Plausible(t.Context(), later); {
			if time.Since(asked) > 2*time.Second {
				t.Fatal("a new key is not plausible after two seconds")
			}
		}
	})
}

func TestWithoutTheDatabaseKeysStayAsPlausibleAsTheyWere(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{true, false} {
		d, err := db.Open(t.Context(), dbtest.Target(t, db.SQLite))
		if err != nil {
			t.Fatal(err)
		}
		s := service(t, d, partner.Staging)
		_, key, err := s.IssueKey(t.Context(), create(t, s).ID)
		if err != nil {
			t.Fatal(err)
		}
		if asked {
			s.Plausible(t.Context(), key)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if !s.Plausible(t.Context(), key) {
			t.Error("a valid key is not plausible")
		}
		if got := s.Plausible(t.Context(), "wrong"); got == asked {
			t.Errorf("a wrong key is plausible: %v; the keys were known: %v", got, asked)
		}
	}
}
