package compliance_test

import (
	"testing"
	"time"

	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
)

// A country comes to be of high risk. Who lives there is rated again, once, and may go on.
func TestChangedCountriesOfHighRiskFindThoseWhoLiveThere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		all := crowd{{Subject: subject(), At: start}, {Subject: subject(), At: start.Add(-time.Second)}}
		all[1].Countries.Citizenship = "XH"
		risk := func(date, hash string) (jobs int) {
			w.Risk = compliance.RiskVersion{Date: date, Hash: hash, Countries: 1}
			if err := w.UseRisk(t.Context()); err != nil {
				t.Fatal(err)
			}
			return count(w, countJobs)
		}
		rerate := func() (p compliance.Progress) {
			var l compliance.Watchlist
			view := func(fn func(r db.Reader) error) {
				if err := d.View(t.Context(), fn); err != nil {
					t.Fatal(err)
				}
			}
			view(func(r db.Reader) (err error) { l, _, err = compliance.FindRisk(r); return err })
			if err := w.Rescreen(t.Context(), job.Job{Object: l.ID}); err != nil {
				t.Fatal(err)
			}
			view(func(r db.Reader) (err error) { p, _, err = compliance.FindProgress(r, l.ID); return err })
			return p
		}
		if jobs := risk("2026-02-13", "first"); jobs != 0 {
			t.Errorf("there is nobody, and %d jobs", jobs)
		}
		w.Join(w, w, all)
		if jobs := risk("2026-02-13", "first"); jobs != 0 {
			t.Errorf("nothing has changed, and there are %d jobs", jobs)
		}
		if jobs := risk("2026-06-19", "second"); jobs != 1 {
			t.Fatalf("%d jobs", jobs)
		}
		if jobs := risk("2026-02-13", "first"); jobs != 1 {
			t.Errorf("an old node had all users rated again: %d jobs", jobs)
		}
		if p := rerate(); p.Screened != 2 || p.Cases != 1 || len(w.frozen) != 0 {
			t.Errorf("%+v, frozen %v", p, w.frozen)
		}
		var waiting []compliance.Case
		err := d.View(t.Context(), func(r db.Reader) (err error) {
			waiting, err = compliance.List(r, compliance.Filter{Partner: partner, Open: true, Limit: 10})
			return err
		})
		if err != nil || len(waiting) != 1 || waiting[0].User != all[1].User || waiting[0].Froze {
			t.Fatalf("waiting %+v, %v", waiting, err)
		}
		found := w.find(waiting[0].ID).Findings[0]
		if found.Cause != compliance.Rescreening || found.ListVersion != "risk 2026-02-13 first" || found.Findings[0].Ref != "country:XH" {
			t.Errorf("found %+v", found)
		}
		// What an officer has accepted is not asked again.
		if err := w.decide(waiting[0].ID, "first", compliance.OK); err != nil {
			t.Fatal(err)
		}
		if jobs := risk("2026-10-23", "third"); jobs != 2 {
			t.Errorf("%d jobs", jobs)
		}
		if p := rerate(); p.Screened != 2 || p.Cases != 0 {
			t.Errorf("%+v", p)
		}
		if err := w.Load(t.Context()); err != nil || len(w.Loaded()) != 1 {
			t.Errorf("the countries are taken for a list of persons: %+v, %v", w.Loaded(), err)
		}
		w.logged("screening.risk system, screening.risk system, case.open system, case.decide officer:first, screening.risk system")
	})
}
