package console_test

import (
	"net/http"
	"strings"
	"testing"

	"kontor/internal/compliance"
	"kontor/internal/console"
	"kontor/internal/console/consoletest"
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
