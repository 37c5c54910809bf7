package page_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
	"kontor/internal/page"
	"kontor/internal/vault"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)

func TestNewestComesFirst(t *testing.T) {
	t.Parallel()
	low, high := clock.ID{1}, clock.ID{2}
	ordered := []page.Position{
		{at.Add(time.Microsecond), low, "IN"},
		{at, high, "OUT"},
		{at, high, "IN"},
		{at, high, ""},
		{at, low, "OUT"},
		{at.Add(-time.Microsecond), high, "OUT"},
	}
	shuffled := slices.Clone(ordered)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortFunc(shuffled, page.Position.Compare)
	if !slices.Equal(shuffled, ordered) {
		t.Errorf("got %v, want %v", shuffled, ordered)
	}
	for i, p := range ordered {
		for j, other := range ordered {
			if (page.Range{After: &p}).Contains(other) != (j > i) {
				t.Errorf("is %v behind %v?", other, p)
			}
		}
	}
}

func TestARangeHasItsBeginningAndNotItsEnd(t *testing.T) {
	t.Parallel()
	r := page.Range{From: at, To: at.Add(2 * time.Microsecond)}
	for offset, want := range []bool{false, true, true, false} {
		if p := (page.Position{At: at.Add(time.Duration(offset-1) * time.Microsecond)}); r.Contains(p) != want {
			t.Errorf("%v: got %v", p.At, !want)
		}
	}
	if !(page.Range{}).Contains(page.Position{At: at}) {
		t.Error("an open range contains everything")
	}
}

func newCursors(t *testing.T, d *db.DB) *page.Cursors {
	t.Helper()
	v, err := vault.Open(t.Context(), d, make([]byte, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return page.NewCursors(v)
}

func TestACursorIsGoodForItsListOnly(t *testing.T) {
	t.Parallel()
	c := newCursors(t, dbtest.Open(t, db.SQLite))
	list := page.List{Partner: 1, Name: "users", Filters: []string{"ACTIVE", "", "x"}}
	position := page.Position{At: at, ID: clock.NewID(), Part: "OUT"}
	cursor, err := c.Seal(list, position)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Open(list, cursor); err != nil || got != position {
		t.Errorf("got %v, %v; want %v", got, err, position)
	}
	refused := func(what string, err error) {
		t.Helper()
		if f := fault.From(err); err == nil || f.Code != fault.Validation || !strings.Contains(f.Message, "leave it out to begin again") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, other := range map[string]page.List{
		"other partner":      {Partner: 2, Name: list.Name, Filters: list.Filters},
		"other list":         {Partner: 1, Name: "user", Filters: list.Filters},
		"other filter":       {Partner: 1, Name: list.Name, Filters: []string{"ACTIVE", "", "y"}},
		"moved filter":       {Partner: 1, Name: list.Name, Filters: []string{"ACTIVE", "x", ""}},
		"joined filters":     {Partner: 1, Name: list.Name, Filters: []string{"ACTIVE", "x"}},
		"filter in the name": {Partner: 1, Name: "users\x00ACTIVE", Filters: list.Filters[1:]},
	} {
		_, err := c.Open(other, cursor)
		refused(what, err)
	}
	for i := range cursor {
		for _, b := range []string{"A", "_", "=", "\n", ""} {
			if altered := cursor[:i] + b + cursor[i+1:]; altered != cursor {
				_, err := c.Open(list, altered)
				refused(altered, err)
			}
		}
	}
	_, err = newCursors(t, dbtest.Open(t, db.SQLite)).Open(list, cursor)
	refused("other deployment", err)
}

func FuzzCursor(f *testing.F) {
	d, err := db.Open(f.Context(), f.TempDir()+"/kontor.db")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	v, err := vault.Open(f.Context(), d, make([]byte, vault.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	c := page.NewCursors(v)
	f.Add("")
	f.Add("AAYzoy7hVkABmPDCbwp8wZ1-Ck87LB0ESU4Wg2c")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := c.Open(page.List{}, text); fault.From(err).Code != fault.Validation {
			t.Errorf("%q is taken for a cursor: %v", text, err)
		}
	})
}
