package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kontor/internal/compliance"
	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/db"
)

func TestAPageFromBeforeAFindingDecidesNothing(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"fourEyes": "on"})
	u := d.User("user-1", person)
	path := "/console/cases/" + d.Case(u, person, hit).String()
	nobody := &visitor{T: t, desk: d}
	ann, cleo := nobody.as(d.Officer("ann", console.Compliance)), nobody.as(d.Officer("cleo", console.Compliance))
	ok := func(v *visitor, seen string) answer {
		return v.post(path+"/decision", "seen", seen, "verdict", "OK", "reason", "Somebody else.")
	}
	ok(ann, "").refuses(t, http.StatusBadRequest)
	ok(ann, "1").leads(t, path+"?done=proposed")
	d.Case(u, person, compliance.Finding{Kind: compliance.Sanction, Ref: "test:2", Score: 96, Text: "The second hit."})
	for _, v := range []*visitor{ann, cleo} {
		got := ok(v, "1")
		got.refuses(t, http.StatusConflict)
		for _, part := range []string{"Something was found since", "The second hit.", "void: something", `name="seen" value="2"`, "Somebody else.</textarea>"} {
			if !strings.Contains(got.body, part) {
				t.Errorf("the page has no %s: %s", part, got.body)
			}
		}
	}
	if page := ann.get("/console/cases").body; strings.Contains(page, "OK proposed") {
		t.Error("the queue still shows the proposal")
	}
	ok(cleo, "2").leads(t, path+"?done=proposed")
	ok(ann, "2").leads(t, path+"?done=decided")
}

func TestAClosedCaseShowsTheCheckItWasAbout(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	check := func(number string) {
		t.Helper()
		err := d.App.DB.Update(t.Context(), func(tx *db.Tx) error {
			_, err := d.App.API.Identity.Activate(tx, u.Partner, u.ExternalID, number)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Papers.AddDocument(u, console.Document{Proves: "KYC", Media: "image/png"})
		d.Clock.Advance(time.Second)
	}
	const first, second = "FIRST-REJECT-SUSPECTED_FRAUD", "SECOND-1"
	check(first)
	path := "/console/cases/" + d.Case(u, person, hit).String()
	ann := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Compliance))
	ann.post(path+"/decision", "seen", "1", "verdict", "REJECTED", "reason", "A forgery.").leads(t, path+"?done=decided")
	d.Clock.Advance(time.Second)
	if page := ann.get(path).body; !strings.Contains(page, first) || strings.Contains(page, "after the decision") {
		t.Errorf("the case is shown with %s", page)
	}
	check(second)
	page := ann.get(path).body
	for _, part := range []string{first, "What a later identity check found", "Another identity check was begun after the decision"} {
		if !strings.Contains(page, part) {
			t.Errorf("after another check the case is shown without %q", part)
		}
	}
	if declared := page[strings.Index(page, "What was declared"):]; strings.Contains(declared, second) {
		t.Error("what was declared later is shown as what the decision rests on")
	}
	if n := strings.Count(page, "came after the decision"); n != 1 {
		t.Errorf("%d of 2 documents came after the decision", n)
	}
	if page := ann.get(fmt.Sprintf("/console/users/%d/%s", u.Partner, u.ID)).body; strings.Contains(page, first) || !strings.Contains(page, second) {
		t.Error("the page of the user does not show the latest check")
	}
}
