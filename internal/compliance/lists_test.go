package compliance_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/compliance/watchlist"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
)

// targets is a file of OpenSanctions with invented persons.
func targets(date string, names ...string) string {
	var b strings.Builder
	b.WriteString("id,schema,name,aliases,birth_date,countries,sanctions,last_seen\n")
	for i, n := range names {
		fmt.Fprintf(&b, "t-%d,Person,%s,,,,Invented,%s\n", i, n, date)
	}
	return b.String()
}

func (w *world) imports(file string) (compliance.Watchlist, error) {
	return w.Import(w.Context(), watchlist.OpenSanctions, strings.NewReader(file), false)
}

func person(names ...compliance.Name) compliance.Subject {
	return compliance.Subject{Partner: partner, User: clock.NewID(), Names: names}
}

func refs(r compliance.Result) (all []string) {
	for _, f := range r.Findings {
		all = append(all, f.Ref)
	}
	return all
}

func TestTheSandboxKnowsInventedPersons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	r := w.Screen(person(compliance.Name{First: "Test", Last: "User"}, compliance.Name{First: "Sanktius", Last: "Testperson"}))
	if len(r.Findings) != 1 || r.Findings[0].Kind != compliance.Sanction || r.Findings[0].Match.Spelling != "Sanktius Testperson" ||
		r.ListVersion != "sandbox "+watchlist.SandboxDate+" embedded" {
		t.Errorf("found %+v", r)
	}
	if r := w.Screen(person(compliance.Name{First: "Test", Last: "User"})); r.Flagged() {
		t.Errorf("found %+v", r)
	}
}

// Earlier versions took such names.
func TestNamesAreScreenedAsTheyAreDrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	for _, n := range []compliance.Name{
		{First: "San\u2066kti\u2069us", Last: "Test\u200bperson"},
		{First: "\u202esuitknaS", Last: "Testperson"},
		{First: "\u202esuitknaS\u202c", Last: "Test\u202enosrep"},
		{First: "\u202enosreptseT", Last: "suitknaS\u202c"},
	} {
		if r := w.Screen(person(n)); len(r.Findings) != 1 || r.Findings[0].Kind != compliance.Sanction {
			t.Errorf("%q: found %+v", n, r)
		}
	}
	if r := w.Screen(person(compliance.Name{First: "suitknaS", Last: "nosreptseT"})); r.Flagged() {
		t.Errorf("a name without override: found %+v", r)
	}
}

func TestWithoutAListNobodyPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	w.Service = compliance.NewService(compliance.Config{
		DB: w.DB, Vault: w.Vault, Clock: w.clock, Log: slog.New(slog.DiscardHandler), FourEyes: w.FourEyes, HighRisk: w.HighRisk,
	})
	sub := person(compliance.Name{Last: "Somebody"})
	if r := w.Screen(sub); len(r.Findings) != 1 || r.Findings[0].Kind != compliance.NoList {
		t.Errorf("found %+v", r)
	}
	if _, err := w.imports(targets("2026-01-01", "Somebody Else")); err != nil {
		t.Fatal(err)
	}
	if r := w.Screen(sub); r.Flagged() || !strings.HasPrefix(r.ListVersion, "opensanctions 2026-01-01 ") {
		t.Errorf("found %+v", r)
	}
}

func TestCountriesAndAgeAreJudged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	for _, c := range []struct {
		countries compliance.Countries
		born      string
		want      []string
	}{
		{compliance.Countries{Residence: "LT"}, "2008-03-01", nil},
		{compliance.Countries{Residence: "LT"}, "2008-03-02", []string{"age"}},
		{compliance.Countries{Residence: "XH", Citizenship: "XH", Nationality: "LT"}, "", []string{"country:XH"}},
		{compliance.Countries{Nationality: "XH"}, "2008-03-02", []string{"country:XH", "age"}},
		{compliance.Countries{Birth: "XH"}, "", nil},
	} {
		sub := person(compliance.Name{First: "Test", Last: "User"})
		sub.Countries, sub.BirthDate = c.countries, c.born
		if got := refs(w.Screen(sub)); !slices.Equal(got, c.want) {
			t.Errorf("%+v: found %v", c, got)
		}
	}
}

func TestListsReachAllNodes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, other := newWorld(t, d), newWorld(t, d)
		sub := person(compliance.Name{First: "Muster", Last: "Entrée"})
		first, err := w.imports(targets("2026-01-01", "Muster Entree", "Second Entry"))
		if err != nil {
			t.Fatal(err)
		}
		if first.Entities != 2 || first.Date != "2026-01-01" || !w.Screen(sub).Flagged() || other.Screen(sub).Flagged() {
			t.Errorf("imported %+v", first)
		}
		if err := other.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := refs(other.Screen(sub)); !slices.Equal(got, []string{"opensanctions:t-0"}) {
			t.Errorf("the other node found %v", got)
		}
		// The next one takes its place, and its content is all that is kept.
		if _, err := w.imports(targets("2026-01-02", "Third Entry", "Second Entry")); err != nil {
			t.Fatal(err)
		}
		if w.Screen(sub).Flagged() {
			t.Error("the old list is in use")
		}
		if n := count(w, countParts); n != 1 {
			t.Errorf("%d parts are kept", n)
		}
		w.logged("screening.import system, screening.import system")
	})
}

var (
	countParts = db.NewQuery(`SELECT COUNT(*) FROM screening_part`)
	countLists = db.NewQuery(`SELECT COUNT(*) FROM screening_list`)
	countKeys  = db.NewQuery(`SELECT COUNT(*) FROM screening_key`)
	countJobs  = db.NewQuery(`SELECT COUNT(*) FROM job WHERE kind = 'compliance-rescreen'`)
)

func count(w *world, q *db.Query) (n int) {
	w.Helper()
	err := w.DB.View(w.Context(), func(r db.Reader) error { return r.Row(q).Scan(&n) })
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func TestDoubtfulListsAreRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		good := targets("2026-01-05", "First Entry", "Second Entry", "Third Entry")
		if _, err := w.imports(good); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			file string
			want error
		}{
			{good, compliance.ErrSameList},
			{targets("2026-01-04", "First Entry", "Second Entry", "Third Entry"), compliance.ErrOlderList},
			{targets("2026-01-06", "First Entry", "Second Entry"), compliance.ErrFewer},
		} {
			if _, err := w.imports(c.file); !errors.Is(err, c.want) {
				t.Errorf("%v: %v", c.want, err)
			}
		}
		if _, err := w.imports(good[:len(good)-20]); err == nil || !strings.Contains(err.Error(), "wrong number of fields") {
			t.Errorf("a file that is cut off: %v", err)
		}
		if lists, jobs := count(w, countLists), count(w, countJobs); lists != 1 || jobs != 1 {
			t.Errorf("%d lists, %d jobs", lists, jobs)
		}
		_, err := w.Import(t.Context(), watchlist.OpenSanctions, strings.NewReader(targets("2026-01-06", "First Entry")), true)
		if err != nil {
			t.Error(err)
		}
	})
}

// TestALargeListIsStoredInParts is larger than what one transaction stores.
func TestALargeListIsStoredInParts(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	w := newWorld(t, d)
	names := make([]string, 20_000)
	for i := range names {
		names[i] = fmt.Sprintf("Entry %x %[1]x", clock.NewID())
	}
	l, err := w.imports(targets("2026-01-05", names...))
	if err != nil || l.Entities != 20_000 {
		t.Fatalf("%+v, %v", l, err)
	}
	if n := count(w, countParts); n < 2 {
		t.Errorf("%d parts", n)
	}
	other := newWorld(t, d)
	if err := other.Load(t.Context()); err != nil {
		t.Error(err)
	}
	if loaded := other.Loaded(); len(loaded) != 2 || loaded[0].Entities != 20_000 {
		t.Errorf("loaded %+v", loaded)
	}
}

func TestTheSamePersonIsRecognisedAcrossPartners(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Service = compliance.NewService(compliance.Config{
			DB: d, Vault: w.Vault, Clock: w.clock, Log: slog.New(slog.DiscardHandler), FourEyes: w.FourEyes, HighRisk: w.HighRisk,
		})
		hash := func(number string) []byte {
			h, err := w.DocumentHash("PASSPORT", "LT", number)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		judge := func(p int64, name compliance.Name, born, document string) (under bool, user clock.ID) {
			sub := compliance.Subject{Partner: p, User: clock.NewID(), Names: []compliance.Name{name}, BirthDate: born}
			if document != "" {
				sub.Documents = [][]byte{hash(document)}
			}
			w.update(func(tx *db.Tx) (err error) {
				under, err = w.accept(tx, sub, compliance.Result{})
				return err
			})
			return under, sub.User
		}
		_, first := judge(1, compliance.Name{First: "Zoë", Last: "Test-Person"}, "1980-01-01", "AB 12-34")
		for _, c := range []struct {
			name     compliance.Name
			born     string
			document string
			under    bool
		}{
			{compliance.Name{First: "Other", Last: "Person"}, "1980-01-01", "CD 1234", false},
			{compliance.Name{First: "Zoe", Last: "Test-Person"}, "1981-01-01", "", false},
			{compliance.Name{First: "Zoe", Last: "Test-Person"}, "", "", false},
			{compliance.Name{First: "PERSON", Last: "Zoe Test"}, "1980-01-01", "", true},
			{compliance.Name{First: "Another", Last: "Name"}, "1970-01-01", "ab1234", true},
		} {
			under, user := judge(2, c.name, c.born, c.document)
			if under != c.under {
				t.Errorf("%+v: under review %v", c, under)
			}
			if !under {
				continue
			}
			var cases []compliance.Case
			err := d.View(t.Context(), func(r db.Reader) (err error) {
				cases, err = compliance.ListOfUser(r, 2, user)
				return err
			})
			if err != nil || len(cases) != 1 || !strings.Contains(w.find(cases[0].ID).Findings[0].Findings[0].Text, first.String()) {
				t.Errorf("%+v: %+v, %v", c, cases, err)
			}
		}
		before := count(w, countKeys)
		w.update(func(tx *db.Tx) error { compliance.Forget(tx, 1, first); return nil })
		if after := count(w, countKeys); after != before-2 {
			t.Errorf("of %d keys %d are left", before, after)
		}
	})
}

// Two users who are one person come at the same moment, and both are checked before either is kept.
func TestOfTwoWithOneDocumentTheLaterOneIsFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Service = compliance.NewService(compliance.Config{
			DB: d, Vault: w.Vault, Clock: w.clock, Log: slog.New(slog.DiscardHandler), FourEyes: w.FourEyes, HighRisk: w.HighRisk,
		})
		hash, err := w.DocumentHash("PASSPORT", "LT", "AB1234")
		if err != nil {
			t.Fatal(err)
		}
		one, two := subject(), subject()
		one.Documents, two.Documents = [][]byte{hash}, [][]byte{hash}
		two.Names = []compliance.Name{{First: "Another", Last: "Name"}}
		runs := 0
		var last compliance.Result
		w.update(func(tx *db.Tx) (err error) {
			if last, err = w.Check(tx, one, compliance.Result{}); err != nil {
				return err
			}
			if runs++; runs == 1 {
				w.update(func(tx *db.Tx) error {
					_, err := w.accept(tx, two, compliance.Result{})
					return err
				})
			}
			return w.Remember(tx, one, last)
		})
		if runs != 2 || len(last.Findings) != 1 || last.Findings[0].Kind != compliance.DuplicateDocument {
			t.Errorf("%d runs, found %+v", runs, last.Findings)
		}
	})
}

// crowd is a population of users.
type crowd []compliance.Candidate

// Next answers those behind a position.
func (c crowd) Next(_ context.Context, after compliance.Position, limit int) ([]compliance.Candidate, error) {
	i := 0
	if !after.User.IsZero() {
		i = slices.IndexFunc(c, func(x compliance.Candidate) bool { return x.User == after.User }) + 1
	}
	return c[i:min(i+limit, len(c))], nil
}

// stopping ends the walk behind its first batch.
type stopping struct {
	crowd
	calls int
}

var errStopped = errors.New("the node was stopped")

// Next fails at its second call.
func (s *stopping) Next(ctx context.Context, after compliance.Position, limit int) ([]compliance.Candidate, error) {
	if s.calls++; s.calls == 2 {
		return nil, errStopped
	}
	return s.crowd.Next(ctx, after, limit)
}

func TestAChangedListFindsThoseWhoWereAccepted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var all crowd
		for i := range 150 {
			all = append(all, compliance.Candidate{Subject: person(compliance.Name{First: "Test", Last: fmt.Sprint("User ", i)}), At: start.Add(-time.Duration(i) * time.Second)})
		}
		hit, accepted := all[20].User, all[120].User
		all[20].Names = []compliance.Name{{First: "Newly", Last: "Sanctioned"}}
		all[120].Names = []compliance.Name{{First: "Known", Last: "Namesake"}}
		rescreen := func(l compliance.Watchlist, p compliance.Population) (compliance.Progress, error) {
			w.Join(w, w, p)
			err := w.Rescreen(t.Context(), job.Job{Object: l.ID})
			var now compliance.Progress
			if viewErr := d.View(t.Context(), func(r db.Reader) (err error) {
				now, _, err = compliance.FindProgress(r, l.ID)
				return err
			}); viewErr != nil {
				t.Fatal(viewErr)
			}
			return now, err
		}
		// An officer accepts a namesake.
		first, err := w.imports(targets("2026-01-01", "Known Namesake"))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := rescreen(first, all); err != nil || p.Cases != 1 || p.Screened != 150 || p.FinishedAt.IsZero() || !w.frozen[accepted] {
			t.Fatalf("%+v, %v, frozen %v", p, err, w.frozen)
		}
		var waiting []compliance.Case
		err = d.View(t.Context(), func(r db.Reader) (err error) {
			waiting, err = compliance.List(r, compliance.Filter{Partner: partner, Open: true, Limit: 10})
			return err
		})
		if err != nil || len(waiting) != 1 || !waiting[0].Froze {
			t.Fatalf("waiting %+v, %v", waiting, err)
		}
		if err := w.decide(waiting[0].ID, "first", compliance.OK); err != nil || w.frozen[accepted] {
			t.Fatalf("%v, frozen %v", err, w.frozen)
		}
		// The next list has another one. The node stops on the way; the next run goes on, and finds nobody twice.
		second, err := w.imports(targets("2026-01-02", "Known Namesake", "Newly Sanctioned"))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := rescreen(second, &stopping{crowd: all}); !errors.Is(err, errStopped) || p.Screened != 100 || p.Cases != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		if p, err := rescreen(second, all); err != nil || p.Screened != 150 || p.Cases != 1 || p.FinishedAt.IsZero() {
			t.Fatalf("%+v, %v", p, err)
		}
		if !w.frozen[hit] || w.frozen[accepted] || len(w.frozen) != 1 {
			t.Errorf("frozen %v", w.frozen)
		}
		// Once for each list.
		if p, err := rescreen(second, all); err != nil || p.Screened != 150 {
			t.Errorf("%+v, %v", p, err)
		}
		open, oldest := waitingNow(w)
		if open != 1 || !oldest.Equal(start) {
			t.Errorf("%d cases wait since %v", open, oldest)
		}
	})
}

func waitingNow(w *world) (open int64, oldest time.Time) {
	w.Helper()
	err := w.DB.View(w.Context(), func(r db.Reader) (err error) {
		open, oldest, err = compliance.Waiting(r)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return open, oldest
}
