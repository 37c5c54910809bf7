package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"kontor/internal/audit"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

// write records entries with the actions given, one transaction each.
func write(t *testing.T, d *db.DB, actions ...string) {
	t.Helper()
	for i, action := range actions {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			return audit.Write(tx, audit.Entry{
				Actor: audit.Operator("tester"), Action: action, Partner: int64(i % 2), Object: "object",
				Details: map[string]any{"z": "ż <&>\u2028", "a": map[string]any{"old": nil, "new": "1"}},
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, d *db.DB, f audit.Filter, limit int, before int64) []audit.Recorded {
	t.Helper()
	var all []audit.Recorded
	err := d.View(t.Context(), func(r db.Reader) (err error) {
		all, err = audit.List(r, f, limit, before)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func verify(t *testing.T, d *db.DB) []string {
	t.Helper()
	var found []string
	err := d.Snapshot(t.Context(), func(r db.Reader) (err error) {
		found, err = audit.Verify(t.Context(), r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEntriesAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if found := verify(t, d); found != nil {
			t.Errorf("an empty log: %q", found)
		}
		write(t, d, "one", "two", "three", "four")
		numbers := func(f audit.Filter, limit int, before int64) string {
			var got []string
			for _, e := range list(t, d, f, limit, before) {
				got = append(got, fmt.Sprint(e.Number, e.Action))
			}
			return strings.Join(got, " ")
		}
		operator := int64(0)
		for _, c := range []struct{ got, want string }{
			{numbers(audit.Filter{}, 10, 0), "4four 3three 2two 1one"},
			{numbers(audit.Filter{}, 2, 0), "4four 3three"},
			{numbers(audit.Filter{}, 2, 3), "2two 1one"},
			{numbers(audit.Filter{Partner: &operator}, 10, 0), "3three 1one"},
			{numbers(audit.Filter{Partner: &operator}, 10, 3), "1one"},
			{numbers(audit.Filter{Actor: "operator:tester"}, 2, 0), "4four 3three"},
			{numbers(audit.Filter{Actor: "operator:other"}, 2, 0), ""},
			{numbers(audit.Filter{Action: "two"}, 10, 0), "2two"},
			{numbers(audit.Filter{Object: "object", Action: "three"}, 10, 0), "3three"},
			{numbers(audit.Filter{Object: "other"}, 10, 0), ""},
			{numbers(audit.Filter{Partner: &operator, Actor: "operator:tester", Action: "one", Object: "object"}, 10, 0), "1one"},
			{numbers(audit.Filter{Partner: &operator, Action: "two"}, 10, 0), ""},
		} {
			if c.got != c.want {
				t.Errorf("got %q, want %q", c.got, c.want)
			}
		}
		newest := list(t, d, audit.Filter{}, 1, 0)[0]
		if want := `{"a":{"new":"1","old":null},"z":"ż <&>` + "\u2028" + `"}`; newest.Details != want || newest.Actor != "operator:tester" {
			t.Errorf("%s did %s; want %s", newest.Actor, newest.Details, want)
		}
		if found := verify(t, d); found != nil {
			t.Errorf("an untouched log: %q", found)
		}
	})
}

func TestAnEntryStandsOrFallsWithItsChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write(t, d, "first")
		refused := errors.New("refused")
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			return errors.Join(audit.Write(tx, audit.Entry{Action: "second"}), refused)
		})
		if !errors.Is(err, refused) {
			t.Errorf("the change ended with %v", err)
		}
		if all := list(t, d, audit.Filter{}, 10, 0); len(all) != 1 || verify(t, d) != nil {
			t.Errorf("the log has %d entries; %q", len(all), verify(t, d))
		}
	})
}

func TestEntriesOfManyWritersFollowOneAnother(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const writers, each = 8, 5
		var writing sync.WaitGroup
		for range writers {
			writing.Go(func() { write(t, d, make([]string, each)...) })
		}
		writing.Wait()
		all := list(t, d, audit.Filter{}, writers*each+1, 0)
		if len(all) != writers*each || all[0].Number != writers*each {
			t.Fatalf("%d entries, the newest is %v", len(all), all[0])
		}
		for i, e := range all[1:] {
			if e.At.After(all[i].At) {
				t.Errorf("entry %d is of %v, after entry %d", e.Number, e.At, all[i].Number)
			}
		}
		if found := verify(t, d); found != nil {
			t.Errorf("violations: %q", found)
		}
	})
}

// exec changes the database as nobody should.
func exec(t *testing.T, d *db.DB, statements ...string) error {
	t.Helper()
	return d.Update(t.Context(), func(tx *db.Tx) error {
		tx.Locked()
		for _, s := range statements {
			tx.Write(db.NewCommand(s))
		}
		return nil
	})
}

func unprotect(d *db.DB) []string {
	if d.Engine() == db.Postgres {
		return []string{`DROP TRIGGER audit_entry_immutable ON audit_entry`}
	}
	return []string{`DROP TRIGGER audit_entry_immutable_UPDATE`, `DROP TRIGGER audit_entry_immutable_DELETE`}
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tamper []string
		want   []string
	}{
		"changed actor":  {[]string{`UPDATE audit_entry SET actor = 'operator:other' WHERE number = 2`}, []string{"entry 2 has not the content"}},
		"changed time":   {[]string{`UPDATE audit_entry SET at = at + 1 WHERE number = 2`}, []string{"entry 2 has not the content"}},
		"other partner":  {[]string{`UPDATE audit_entry SET partner_id = 7 WHERE number = 2`}, []string{"entry 2 has not the content"}},
		"changed action": {[]string{`UPDATE audit_entry SET action = 'none' WHERE number = 3`}, []string{"entry 3 has not the content"}},
		"other object":   {[]string{`UPDATE audit_entry SET object = '' WHERE number = 3`}, []string{"entry 3 has not the content"}},
		"details that mean the same": {
			[]string{`UPDATE audit_entry SET details = details || ' ' WHERE number = 1`},
			[]string{"entry 1 has not the content"},
		},
		"changed hash":   {[]string{`UPDATE audit_entry SET hash = previous WHERE number = 2`}, []string{"entry 2 has not the content", "entry 3 does not follow"}},
		"the first gone": {[]string{`DELETE FROM audit_entry WHERE number = 1`}, []string{"entry 1 is missing"}},
		"one gone":       {[]string{`DELETE FROM audit_entry WHERE number = 2`}, []string{"entry 2 is missing"}},
		"two gone":       {[]string{`DELETE FROM audit_entry WHERE number IN (2, 3)`}, []string{"entries 2 to 3 are missing"}},
		"the last gone":  {[]string{`DELETE FROM audit_entry WHERE number = 4`}, []string{"entry 4 is missing"}},
		"all gone":       {[]string{`DELETE FROM audit_entry`}, []string{"entries 1 to 4 are missing"}},
		"the head put back": {
			[]string{`DELETE FROM audit_entry WHERE number = 4`, `UPDATE audit_head SET number = 3`},
			[]string{"entry 3 is not the one that the log ends with"},
		},
		"the head gone": {[]string{`DELETE FROM audit_head`}, []string{"has lost its head"}},
		"numbers closed up": {
			[]string{`DELETE FROM audit_entry WHERE number = 2`, `UPDATE audit_entry SET number = number - 1 WHERE number > 2`},
			[]string{"entry 2 does not follow", "entry 2 has not the content", "entry 3 has not the content", "entry 4 is missing"},
		},
		"reordered": {
			[]string{
				`UPDATE audit_entry SET number = 9 WHERE number = 2`, `UPDATE audit_entry SET number = 2 WHERE number = 3`,
				`UPDATE audit_entry SET number = 3 WHERE number = 9`,
			},
			[]string{"entry 2 does not follow", "entry 2 has not the content", "entry 3 does not follow", "entry 3 has not the content", "entry 4 does not follow"},
		},
		"added past the program": {
			[]string{`INSERT INTO audit_entry SELECT 5, at, actor, action, partner_id, object, details, hash, 'x' FROM audit_entry WHERE number = 4`},
			[]string{"entry 5 has not the content", "entry 5 stands behind the log's end, which is 4"},
		},
		"number zero": {
			[]string{`INSERT INTO audit_entry SELECT 0, at, actor, action, partner_id, object, details, '', hash FROM audit_entry WHERE number = 1`},
			[]string{"entry 0 cannot be", "entry 0 has not the content", "entry 1 does not follow"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				write(t, d, "one", "two", "three", "four")
				if err := exec(t, d, append(unprotect(d), c.tamper...)...); err != nil {
					t.Fatal(err)
				}
				found := verify(t, d)
				if len(found) != len(c.want) {
					t.Fatalf("found %q, want %q", found, c.want)
				}
				for i, sentence := range found {
					if !strings.HasPrefix(sentence, "I3: ") || !strings.Contains(sentence, "audit log") || !strings.Contains(sentence, c.want[i]) {
						t.Errorf("found %q, want %q", sentence, c.want[i])
					}
				}
			})
		})
	}
}

func TestTheTableRefusesChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write(t, d, "one")
		for _, s := range []string{`UPDATE audit_entry SET actor = ''`, `DELETE FROM audit_entry`} {
			if err := exec(t, d, s); !db.Violates(err, "audit_entry_immutable") {
				t.Errorf("%s: %v", s, err)
			}
		}
		if violations, err := d.VerifyGuards(t.Context()); err != nil || violations != nil {
			t.Errorf("guards: %q, %v", violations, err)
		}
		if err := exec(t, d, unprotect(d)...); err != nil {
			t.Fatal(err)
		}
		violations, err := d.VerifyGuards(t.Context())
		if err != nil || len(violations) != 1 || !strings.Contains(violations[0], "audit_entry") {
			t.Errorf("without the guard: %q, %v", violations, err)
		}
	})
}

func TestActors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for got, want := range map[string]string{
		audit.Actor(ctx): "system",
		audit.Actor(audit.As(ctx, audit.Partner(12))):      "partner:12",
		audit.Actor(audit.As(ctx, audit.Operator("test"))): "operator:test",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
