package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/sepa"
)

// leads makes sure that an answer leads to a page.
func (a answer) leads(t *testing.T, to string) {
	t.Helper()
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != to {
		t.Errorf("the answer is %d and leads to %q, not to %q: %s", a.status, got, to, a.body)
	}
}

func (a answer) refuses(t *testing.T, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("the answer is %d, not %d: %s", a.status, status, a.body)
	}
}

func TestADecisionThatIsSentTwiceIsStored(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	nobody := &visitor{T: t, desk: d}
	ann, cleo := nobody.as(d.Officer("ann", console.Compliance)), nobody.as(d.Officer("cleo", console.Compliance))
	u := d.User("user-1", person)
	d.Activate(u, person)
	proof := d.Papers.AddProof(u)
	for path, verdicts := range map[string][2]string{
		"/console/cases/" + d.Case(u, person, hit).String():                                         {"OK", "REJECTED"},
		"/console/suspense/" + d.Suspended(u, 12_50, "Teste Persons", sepa.WaitsName, 712).String(): {"RELEASE", "RETURN"},
		fmt.Sprintf("/console/poa/%d/%s", proof.Partner, proof.ID):                                  {"APPROVED", "REJECTED"},
	} {
		for range 2 {
			ann.post(path+"/decision", "seen", "1", "verdict", verdicts[0], "reason", "The first line,\r\nand more. ").leads(t, path+"?done=decided")
		}
		ann.post(path+"/decision", "seen", "1", "verdict", verdicts[0], "reason", "Something else.").refuses(t, http.StatusConflict)
		ann.post(path+"/decision", "seen", "1", "verdict", verdicts[1], "reason", "The first line,\r\nand more. ").refuses(t, http.StatusConflict)
		cleo.post(path+"/decision", "seen", "1", "verdict", verdicts[0], "reason", "The first line,\r\nand more. ").refuses(t, http.StatusConflict)
	}
}

func TestAProposalThatIsSentTwiceIsStored(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"fourEyes": "on"})
	nobody := &visitor{T: t, desk: d}
	ann, cleo := nobody.as(d.Officer("ann", console.Compliance)), nobody.as(d.Officer("cleo", console.Compliance))
	u := d.User("user-1", person)
	path := "/console/cases/" + d.Case(u, person, hit).String()
	for range 2 {
		ann.post(path+"/decision", "seen", "1", "verdict", "OK", "reason", "Another person.").leads(t, path+"?done=proposed")
	}
	for range 2 {
		cleo.post(path+"/decision", "seen", "1", "verdict", "OK", "reason", "So it is.").leads(t, path+"?done=decided")
	}
	ann.post(path+"/decision", "seen", "1", "verdict", "OK", "reason", "Another person.").refuses(t, http.StatusConflict)
	if n := strings.Count(ann.get(path).body, `class="decision`); n != 2 {
		t.Errorf("the case has %d decisions", n)
	}

	d.Unknown(99_00, "Test Sender")
	path = ann.item()
	said := []string{"verdict", "ASSIGN", "reason", "The title names the company.", "partner", "1"}
	for range 2 {
		ann.post(path+"/decision", said...).leads(t, path+"?done=proposed")
	}
	u = d.User("user-2", person)
	d.Activate(u, person)
	ann.post(path+"/decision", append(said, "user", "user-2")...).refuses(t, http.StatusConflict)
}

func TestASetUpThatIsSentTwiceLeadsToTheSignIn(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	token, err := d.Accounts.Add(t.Context(), "new", console.Support)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := d.Accounts.FindSetup(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	link := "/console/setup/" + token
	said := []string{"password", consoletest.Password, "again", consoletest.Password, "code", d.Code(secret)}
	first, second := &visitor{T: t, desk: d}, &visitor{T: t, desk: d} // the second press knows nothing of the first one's answer
	first.post(link, said...).leads(t, "/console")
	second.post(link, said...).leads(t, "/console/sign-in?told=setup")
	if second.session != "" {
		t.Error("the used link makes a session")
	}
	second.get("/console/sign-in?told=setup").has(t, "Your account is set up")
	if page := second.get("/console/sign-in?told=<b>").body; strings.Contains(page, "<b>") || strings.Contains(page, "notice") {
		t.Errorf("the page says what the address says: %s", page)
	}
	second.get(link).refuses(t, http.StatusNotFound)
	second.post("/console/setup/other", said...).refuses(t, http.StatusNotFound)
	again, err := d.Accounts.Reset(t.Context(), "new", "")
	if err != nil {
		t.Fatal(err)
	}
	second.post(link, said...).refuses(t, http.StatusNotFound)
	if again == token {
		t.Error("the new link is the old one")
	}
}

func TestASignInThatIsSentTwiceFromTheSameBrowser(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	cleo, o := d.Officer("cleo", console.Compliance), d.Officer("ann", console.Admin)
	v := &visitor{T: t, desk: d}
	v.signIn(o).leads(t, "/console")
	session := v.session
	v.signIn(o).leads(t, "/console") // the code was used, but the browser is signed in
	if v.session != session {
		t.Error("a used code makes a session")
	}
	(&visitor{T: t, desk: d}).signIn(o).refuses(t, http.StatusForbidden)
	v.as(cleo).signIn(o).refuses(t, http.StatusForbidden)
}

func TestAFormThatOutlivesItsSession(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	v := &visitor{T: t, desk: d}
	u := d.User("user-1", person)
	review := "/console/cases/" + d.Case(u, person, hit).String()
	for path, back := range map[string]string{
		review + "/decision":            review,
		"/console/users/1/x/freeze":     "/console/users/1/x",
		"/console/officers/ann/disable": "/console/officers",
	} {
		got := v.post(path, "verdict", "OK", "reason", "Nobody reads this.")
		got.leads(t, "/console/sign-in?told=ended&next="+url.QueryEscape(back))
		v.get(got.header.Get("Location")).has(t, "nothing of what you sent was stored", `name="next" value="`+back+`"`)
	}
	if log := d.Logged(); strings.Contains(log, "Nobody reads this") {
		t.Errorf("the log has the reason: %s", log)
	}
}

func TestAReasonMayHaveItsWholeLengthWithLineBreaks(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Compliance))
	u := d.User("user-1", person)
	d.Activate(u, person)
	proof := d.Papers.AddProof(u)
	long := strings.Repeat("ü\r\n", 999) + "end" // 2,001 characters as a browser counts them
	for path, verdict := range map[string]string{
		"/console/cases/" + d.Case(u, person, hit).String():                                         "OK",
		"/console/suspense/" + d.Suspended(u, 12_50, "Teste Persons", sepa.WaitsName, 712).String(): "RELEASE",
		fmt.Sprintf("/console/poa/%d/%s", proof.Partner, proof.ID):                                  "APPROVED",
	} {
		v.post(path+"/decision", "seen", "1", "verdict", verdict, "reason", long).refuses(t, http.StatusBadRequest)
		v.post(path+"/decision", "seen", "1", "verdict", verdict, "reason", long[:len(long)-1]).leads(t, path+"?done=decided")
		if page := v.get(path).body; strings.Contains(page, "\r") || !strings.Contains(page, "ü\nü") {
			t.Errorf("%s has the line breaks of the browser", path)
		}
	}
}

func TestABrowserThatGoesAwayIsNoError(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	gone, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(gone, http.MethodGet, "/console/sign-in", http.NoBody)
	d.Handler.ServeHTTP(httptest.NewRecorder(), r)
	if log := d.Logged(); !strings.Contains(log, "console page failed") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log says %s", log)
	}
}
