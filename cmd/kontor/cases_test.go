package main

import (
	"log/slog"
	"strings"
	"testing"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/user"
)

// TestOfficersDecideOnWhatTheCommandShowed decides as the shown line says, before and after a finding.
func TestOfficersDecideOnWhatTheCommandShowed(t *testing.T) {
	t.Parallel()
	o := newOperator(t, db.SQLite)
	o.do("partner", "set", "1", "fourEyes=on")
	var review clock.ID
	var u user.User
	update := func(fn func(a *app.App, tx *db.Tx) error) {
		t.Helper()
		where := store{place: place{Data: o.store[1]}, Environment: "staging"}
		err := where.with(t.Context(), slog.New(slog.DiscardHandler), func(a *app.App) error {
			return a.DB.Update(t.Context(), func(tx *db.Tx) error { return fn(a, tx) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	update(func(a *app.App, tx *db.Tx) (err error) {
		u, _, err = a.API.Users.Create(tx, 1, user.New{ExternalID: "user_1", Model: user.KYC, Person: user.Person{Country: "LT"}})
		return err
	})
	find := func(ref string) {
		t.Helper()
		update(func(a *app.App, tx *db.Tx) (err error) {
			review, err = a.Compliance.OpenCase(tx, compliance.Subject{Partner: 1, User: u.ID}, compliance.Onboarding, compliance.Result{
				Findings: []compliance.Finding{{Kind: compliance.Sanction, Ref: ref, Score: 96, Text: "The hit " + ref + "."}},
			})
			return err
		})
	}
	decide := func(officer, seen string) []string {
		return []string{"cases", "decide", review.String(), "OK", "--seen", seen, "--reason", "Why", "--as", officer}
	}
	find("test:1")
	if out := o.do("cases", "show", review.String()); !strings.Contains(out, "OK|REJECTED --seen 1 --reason") {
		t.Errorf("the case is shown without how to decide it: %s", out)
	}
	if out := o.do(decide("ann", "1")...); !strings.Contains(out, review.String()+" OK --seen 1 ") {
		t.Errorf("proposed: %s", out)
	}
	find("test:2")
	o.refused("kontor cases show", decide("cleo", "1")...)
	if out := o.do("cases", "show", review.String()); !strings.Contains(out, "in vain") || !strings.Contains(out, "--seen 2 ") {
		t.Errorf("after the second hit: %s", out)
	}
	var shown shownCase
	if o.json(&shown, "cases", "show", review.String()); len(shown.Decisions) != 1 || !shown.Decisions[0].Void {
		t.Errorf("decisions: %+v", shown.Decisions)
	}
	o.do(decide("cleo", "2")...)
	if out := o.do(decide("ann", "2")...); !strings.Contains(out, "OK") || strings.Contains(out, "proposed") {
		t.Errorf("decided: %s", out)
	}
	if out := o.do("cases", "show", review.String()); strings.Contains(out, "--seen") {
		t.Errorf("a decided case is offered: %s", out)
	}
}
