package app_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/compliance/watchlist"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// TestAChangedListFreezesWhomItNames walks through the whole program: users are accepted, a list names one of
// them, an officer decides.
func TestAChangedListFreezesWhomItNames(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			a, err := app.Open(t.Context(), app.Config{
				Database: dbtest.Target(t, kind), MasterKey: make([]byte, vault.KeySize), Environment: partner.Staging,
				Bank: sepa.SandboxBank, Clock: clock.NewManual(afterFixture), Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			}()
			p, err := a.Partners.Create(t.Context(), map[string]string{"legalName": "Test Partner"})
			if err != nil {
				t.Fatal(err)
			}
			update := func(fn func(tx *db.Tx) error) {
				t.Helper()
				if err := a.DB.Update(t.Context(), fn); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []string{"named", "ordered", "plain", "waiting"} {
				update(func(tx *db.Tx) error {
					last := "Nichtgelistet"
					if id != "plain" {
						last = "Neugelistet"
					}
					_, _, err := a.API.Users.Create(tx, p.ID, user.New{
						ExternalID: id, Model: user.KYC,
						Person: user.Person{FirstName: "Muster", LastName: last, Country: "LT", BirthDate: "1980-01-01"},
					})
					return err
				})
				if id == "waiting" { // nobody has accepted this one, so it is not screened again
					continue
				}
				update(func(tx *db.Tx) error {
					_, err := a.API.Identity.Activate(tx, p.ID, id, "TEST1")
					return err
				})
			}
			find := func(id string) (u user.User) {
				t.Helper()
				err := a.DB.View(t.Context(), func(r db.Reader) (err error) {
					u, err = user.Find(r, p.ID, id)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return u
			}
			const list = "id,schema,name,aliases,birth_date,countries,sanctions\nt-1,Person,Neugelistet Muster,,1980,,Invented\n"
			l, err := a.Compliance.Import(t.Context(), watchlist.OpenSanctions, strings.NewReader(list), false)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Compliance.Rescreen(t.Context(), job.Job{Kind: compliance.RescreenJob, Object: l.ID}); err != nil {
				t.Fatal(err)
			}
			if got := states(find("named"), find("ordered"), find("plain"), find("waiting")); got != "NOT_VERIFIED frozen review, NOT_VERIFIED frozen review, VERIFIED, NOT_VERIFIED" {
				t.Fatalf("after the change: %s", got)
			}
			update(func(tx *db.Tx) error { // a court wants what the screening has done already
				_, err := a.API.Users.Freeze(tx, p.ID, find("ordered").ID, audit.Operator("test"), "Court order")
				return err
			})
			// decide decides the case of one of so many users whose cases wait.
			decide := func(of int, id string, v compliance.Verdict) {
				t.Helper()
				var waiting []compliance.Case
				err := a.DB.View(t.Context(), func(r db.Reader) (err error) {
					waiting, err = compliance.List(r, compliance.Filter{Partner: -1, Open: true, Limit: 10})
					return err
				})
				at := slices.IndexFunc(waiting, func(c compliance.Case) bool { return c.User == find(id).ID })
				if err != nil || len(waiting) != of || at < 0 {
					t.Fatalf("waiting: %+v, %v", waiting, err)
				}
				_, err = a.Compliance.Decide(t.Context(), compliance.Decision{Case: waiting[at].ID, Seen: 1, Officer: "first", Verdict: v, Reason: "A test."})
				if err != nil {
					t.Fatal(err)
				}
			}
			decide(2, "named", compliance.OK)
			if got := states(find("named")); got != "VERIFIED" {
				t.Errorf("after the decision: %s", got)
			}
			decide(1, "ordered", compliance.OK)
			if got := states(find("ordered")); got != "VERIFIED frozen" {
				t.Errorf("a decision lifted a person's freeze: %s", got)
			}
			// A country comes to be of high risk: who belongs to it gets a case, and may go on until an officer has rejected it.
			update(func(tx *db.Tx) error { tx.Write(naturalise, p.ID, find("plain").ID, "KP"); return nil })
			if err := a.Compliance.UseRisk(t.Context()); err != nil {
				t.Fatal(err)
			}
			var risk compliance.Watchlist
			err = a.DB.View(t.Context(), func(r db.Reader) (err error) {
				risk, _, err = compliance.FindRisk(r)
				return err
			})
			if err != nil || risk.Date != a.Catalog.Risk().Date {
				t.Fatalf("%+v, %v", risk, err)
			}
			if err := a.Compliance.Rescreen(t.Context(), job.Job{Kind: compliance.RescreenJob, Object: risk.ID}); err != nil {
				t.Fatal(err)
			}
			if got := states(find("named"), find("plain"), find("waiting")); got != "VERIFIED, VERIFIED, NOT_VERIFIED" {
				t.Fatalf("after the country was listed: %s", got)
			}
			decide(1, "plain", compliance.Rejected)
			if got := states(find("plain")); got != "NOT_VERIFIED" {
				t.Errorf("after the rejection: %s", got)
			}
			violations, err := app.Verify(t.Context(), a.DB)
			if err != nil || len(violations) > 0 {
				t.Errorf("%v, %v", violations, err)
			}
		})
	}
}

var naturalise = db.NewCommand(`UPDATE person SET citizenship = $3 WHERE partner_id = $1 AND user_id = $2`)

// states tells users' states in words.
func states(users ...user.User) string {
	var all []string
	for _, u := range users {
		state := u.Verification
		if !u.FrozenAt.IsZero() {
			state += " frozen"
		}
		if u.UnderReview {
			state += " review"
		}
		all = append(all, fmt.Sprint(state))
	}
	return strings.Join(all, ", ")
}
