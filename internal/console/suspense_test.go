package console_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/sepa"
)

// item is the path of the first item that waits.
func (v *visitor) item() string {
	v.Helper()
	page := v.get("/console/suspense").body
	_, after, ok := strings.Cut(page, `href="/console/suspense/`)
	if !ok {
		v.Fatalf("the queue is empty: %s", page)
	}
	id, _, _ := strings.Cut(after, `"`)
	return "/console/suspense/" + id
}

func (a answer) has(t *testing.T, words ...string) {
	t.Helper()
	for _, want := range words {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page (%d) has no %q: %s", a.status, want, a.body)
		}
	}
}

func TestIncomingMoneyIsDecidedOverThePages(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	d.Activate(u, person)
	v := &visitor{T: t, desk: d}
	cleo, sue := v.as(d.Officer("cleo", console.Compliance)), v.as(d.Officer("sue", console.Support))
	id := d.Suspended(u, 12_50, "<i>Teste</i> Persons", sepa.WaitsName, 712)
	path := "/console/suspense/" + id.String()
	cleo.get("/console/suspense").has(t, "12.50", "user-1", "not surely the owner", "&lt;i&gt;Teste")
	cleo.get(path).has(t, "71.2 of 100", "Nothing keeps the owner", `value="RELEASE"`, `value="RETURN"`, "DE89370400440532013000")
	if page := sue.get(path); page.status != http.StatusOK || strings.Contains(page.body, "<form class=\"stack\"") {
		t.Errorf("support sees %d, with a form: %s", page.status, page.body)
	}
	if got := sue.post(path+"/decision", "verdict", "RELEASE", "reason", "Why"); got.status != http.StatusForbidden {
		t.Errorf("support decides: %d", got.status)
	}
	other := cleo.as(consoletest.Officer{Session: cleo.session})
	other.site = "cross-site"
	if got := other.post(path+"/decision", "verdict", "RELEASE", "reason", "Why"); got.status != http.StatusForbidden {
		t.Errorf("another site's form answers %d", got.status)
	}
	for name, c := range map[string]struct {
		want int
		form []string
	}{
		"no reason":    {400, []string{"verdict", "RELEASE"}},
		"no verdict":   {400, []string{"reason", "Why"}},
		"an odd one":   {400, []string{"verdict", "CLOSE", "reason", "Why"}},
		"not a bank's": {409, []string{"verdict", "RETURN", "reason", "Kept <words>"}}, // the desk made it without the bank
	} {
		got := cleo.post(path+"/decision", c.form...)
		if got.status != c.want {
			t.Errorf("%s answers %d: %s", name, got.status, got.body)
		}
		if name == "not a bank's" {
			got.has(t, "This cannot be done", "Kept &lt;words&gt;</textarea>")
		}
	}
	got := cleo.post(path+"/decision", "verdict", "RELEASE", "reason", "The name is a nickname.")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != path+"?done=decided" {
		t.Errorf("the decision answers %d, %s", got.status, got.header.Get("Location"))
	}
	cleo.get(path).has(t, "RELEASE", "decided by", "The name is a nickname.")
	if got := cleo.post(path+"/decision", "verdict", "RELEASE", "reason", "Again"); got.status != http.StatusConflict {
		t.Errorf("a second decision answers %d", got.status)
	}
	cleo.get("/console/suspense").has(t, "No money waits")
	cleo.get("/console/suspense?show=decided").has(t, "12.50", "RELEASE")
	if log := d.Audited(1); log[0] != "console:cleo suspense.decide "+id.String() {
		t.Errorf("the audit log says %q", log)
	}
	for _, path := range []string{"/console/suspense/x", "/console/suspense/" + u.ID.String(), "/console/suspense?after=x"} {
		if got := cleo.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, got.status)
		}
	}
}

func TestNamesThatWereNotComparedHaveNoScore(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	v := (&visitor{T: t, desk: d}).as(d.Officer("cleo", console.Compliance))
	const none = `<dt>Names alike</dt><dd><span class="muted">–</span></dd>`
	for id, want := range map[string]string{
		d.Suspended(u, 1_00, "Test Sender", sepa.WaitsDeleted, 0).String(): none,
		d.Suspended(u, 2_00, "Test Sender", sepa.WaitsName, 0).String():    none, // nobody has verified the owner's
		d.Suspended(u, 3_00, "Test Sender", sepa.WaitsDeleted, 5).String(): "0.5 of 100",
	} {
		v.get("/console/suspense/"+id).has(t, want)
	}
}

func TestNobodysMoneyIsAssignedAndDebitsAreClosedOverThePages(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"fourEyes": "on", "legalName": "Demo Partner"})
	v := &visitor{T: t, desk: d}
	cleo, olga := v.as(d.Officer("cleo", console.Compliance)), v.as(d.Officer("olga", console.Admin))
	d.Unknown(99_00, "Test Sender")
	path := cleo.item()
	cleo.get(path).has(t, "99.00 EUR", "Test Sender", "Demo Partner", `value="ASSIGN"`)
	if got := cleo.post(path+"/decision", "verdict", "ASSIGN", "reason", "Why"); got.status != http.StatusBadRequest {
		t.Errorf("no partner answers %d", got.status)
	}
	got := cleo.post(path+"/decision", "verdict", "ASSIGN", "reason", "Why", "partner", "1", "user", "nobody")
	if got.status != http.StatusConflict {
		t.Errorf("an unknown user answers %d", got.status)
	}
	got.has(t, "no user", `value="nobody"`)
	cleo.post(path+"/decision", "verdict", "ASSIGN", "reason", "The title names the company.", "partner", "1")
	cleo.get(path).has(t, "proposed", "Another officer must confirm it", "to Demo Partner itself")
	olga.get(path).has(t, `<option value="1" selected`)
	if got := olga.post(path+"/decision", "verdict", "ASSIGN", "reason", "So it is.", "partner", "1"); got.header.Get("Location") != path+"?done=decided" {
		t.Errorf("the confirmation answers %d, %s", got.status, got.body)
	}

	d.Unknown(-7_00, "Test Bank")
	path = cleo.item()
	cleo.get(path).has(t, "−7.00 EUR", "always takes two officers", `value="CLOSE"`)
	cleo.post(path+"/decision", "verdict", "CLOSE", "reason", "A fee of the bank.")
	if got := cleo.post(path+"/decision", "verdict", "CLOSE", "reason", "Again"); got.status != http.StatusConflict {
		t.Errorf("one officer closes a debit: %d", got.status)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for _, who := range []*visitor{olga, v.as(d.Officer("petra", console.Compliance))} {
		wg.Go(func() {
			got := who.post(path+"/decision", "verdict", "CLOSE", "reason", "Confirmed.")
			mu.Lock()
			defer mu.Unlock()
			answers[got.status]++
		})
	}
	wg.Wait()
	if answers[http.StatusSeeOther] != 1 || answers[http.StatusConflict] != 1 {
		t.Errorf("two officers at once are told %v", answers)
	}
}
