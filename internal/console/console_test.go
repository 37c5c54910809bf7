package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/compliance"
	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/user"
)

// visitor is a browser at the console. It keeps the cookie itself: net/http's jar sends a Secure cookie over TLS only.
type visitor struct {
	*testing.T
	desk    *consoletest.Desk
	session string
	dest    string // what the browser wants to do with the answer
	site    string // what the browser says of where a form was: same-origin unless a test says otherwise
}

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

func (v *visitor) do(method, path string, form url.Values) answer {
	v.Helper()
	request, err := http.NewRequestWithContext(v.Context(), method, v.desk.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	if v.site != "" {
		request.Header.Set("Sec-Fetch-Site", v.site)
	}
	if v.dest != "" {
		request.Header.Set("Sec-Fetch-Dest", v.dest)
	}
	if v.session != "" {
		request.AddCookie(&http.Cookie{Name: "__Host-kontor-console", Value: v.session})
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		v.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.Fatal(err)
	}
	for _, cookie := range response.Cookies() {
		v.session = cookie.Value
		if cookie.MaxAge < 0 {
			v.session = ""
		}
	}
	return answer{response.StatusCode, string(text), response.Header}
}

func (v *visitor) get(path string) answer { v.Helper(); return v.do(http.MethodGet, path, nil) }

func (v *visitor) post(path string, pairs ...string) answer {
	v.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return v.do(http.MethodPost, path, form)
}

// signIn signs an officer in over the page.
func (v *visitor) signIn(o consoletest.Officer) answer {
	v.Helper()
	return v.post("/console/sign-in", "name", o.Name, "password", consoletest.Password, "code", v.desk.Code(o.Secret), "next", "")
}

func (v *visitor) as(o consoletest.Officer) *visitor {
	return &visitor{T: v.T, desk: v.desk, session: o.Session}
}

var (
	person = user.Person{
		FirstName: "Test", LastName: "<b>Person</b>", Email: "one@example.com", Country: "LT", Citizenship: "LT",
		BirthDate: "1990-02-03", City: "Vilnius", DocumentType: "ID_CARD", DocumentNumber: "X-1234567",
	}
	hit = compliance.Finding{
		Kind: compliance.Sanction, Ref: "test:1", Score: 94, Text: "The name and the birth date fit an entry of a list.",
		Match: &compliance.Match{List: "test", Entity: "1", Name: "Invented Entry", Matched: "Invented Entry", Spelling: "Test Person"},
	}
)

func TestEachRouteForEachRole(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	file := d.Papers.AddDocument(u, console.Document{Proves: "KYC", Side: "FRONT", Media: "image/jpeg"})
	proof := d.Papers.AddProof(u)
	review := d.Case(u, person, hit)
	item := "/console/suspense/" + d.Suspended(u, 1_00, "Test", "NAME", 700).String()
	nobody := &visitor{T: t, desk: d}
	roles := map[string]*visitor{
		"admin": nobody.as(d.Officer("ann", console.Admin)), "compliance": nobody.as(d.Officer("cleo", console.Compliance)),
		"support": nobody.as(d.Officer("sue", console.Support)), "nobody": nobody,
	}
	at := fmt.Sprintf("/console/users/%d/%s", u.Partner, u.ID)
	papers := fmt.Sprintf("/console/poa/%d/%s", proof.Partner, proof.ID)
	for _, c := range []struct {
		method, path               string
		admin, compliance, support int // nobody is always led to the sign-in
	}{
		{"GET", "/console", 303, 303, 303},
		{"GET", "/console/cases", 200, 200, 200},
		{"GET", "/console/cases/" + review.String(), 200, 200, 200},
		{"POST", "/console/cases/" + review.String() + "/decision", 400, 400, 403}, // an empty form
		{"GET", "/console/suspense", 200, 200, 200},
		{"GET", item, 200, 200, 200},
		{"POST", item + "/decision", 400, 400, 403},
		{"GET", "/console/poa", 200, 200, 200},
		{"GET", papers, 200, 200, 200},
		{"POST", papers + "/decision", 400, 400, 403},
		{"GET", fmt.Sprintf("/console/documents/%d/%s", file.Partner, file.ID), 200, 200, 403},
		{"GET", "/console/users", 200, 200, 200},
		{"GET", "/console/users?q=user-1", 200, 200, 200},
		{"GET", at, 200, 200, 200},
		{"GET", at + "/history", 200, 200, 200},
		{"GET", at + "/events", 200, 200, 200},
		{"GET", "/console/treasury", 200, 200, 403},
		{"GET", "/console/reconciliation", 200, 200, 403},
		{"GET", "/console/audit", 200, 200, 403},
		{"GET", "/console/system", 200, 200, 403},
		{"GET", "/console/officers", 200, 403, 403},
		{"POST", "/console/officers/ann/disable", 409, 403, 403}, // ann is the admin
		{"POST", at + "/freeze", 400, 400, 403},
		{"POST", at + "/unfreeze", 400, 400, 403},
	} {
		for role, want := range map[string]int{"admin": c.admin, "compliance": c.compliance, "support": c.support, "nobody": 303} {
			got := roles[role].do(c.method, c.path, nil)
			if got.status != want {
				t.Errorf("%s %s as %s answers %d, want %d", c.method, c.path, role, got.status, want)
			}
			if role == "nobody" && !strings.HasPrefix(got.header.Get("Location"), "/console/sign-in") {
				t.Errorf("%s %s leads to %q", c.method, c.path, got.header.Get("Location"))
			}
			if got.status == http.StatusForbidden && !strings.Contains(got.body, "Not for your role") {
				t.Errorf("%s %s as %s has no page: %s", c.method, c.path, role, got.body)
			}
			if strings.Contains(got.body, "<b>Person") {
				t.Errorf("%s as %s has the markup of a name", c.path, role)
			}
			for header, part := range map[string]string{
				"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer",
			} {
				if !strings.Contains(got.header.Get(header), part) {
					t.Errorf("%s: %s is %q", c.path, header, got.header.Get(header))
				}
			}
		}
	}
	for _, path := range []string{
		"/console/cases/" + u.ID.String(), "/console/cases/x", "/console/nothing", "/console/users/1/x", "/console/users/9/" + u.ID.String(),
		"/console/users/x/" + u.ID.String(), "/console/poa/1/" + u.ID.String(), "/console/documents/1/" + u.ID.String(), "/console/users?cursor=x",
		"/console/cases?after=1.x", "/console/setup/x", "/console/assets/x.css",
	} {
		if got := roles["admin"].get(path); got.status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, got.status)
		}
	}
	if page := roles["support"].get("/console/cases/" + review.String()).body; strings.Contains(page, "/documents/") || strings.Contains(page, "/decision") {
		t.Error("support is offered documents or a decision")
	}
	if log := d.Logged(); strings.Contains(log, u.ID.String()) || !strings.Contains(log, "route=/console/users/{partner}/{user}") {
		t.Errorf("the log has not the patterns of routes: %s", log)
	}
}

func TestSigningInAndOut(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	o := d.Officer("ann", console.Admin)
	v := &visitor{T: t, desk: d}
	asked := v.get("/console/users?status=ACTIVE").header.Get("Location")
	if asked != "/console/sign-in?next=%2Fconsole%2Fusers%3Fstatus%3DACTIVE" {
		t.Errorf("the sign-in does not know where to go on: %s", asked)
	}
	if page := v.get(asked).body; !strings.Contains(page, `name="next" value="/console/users?status=ACTIVE"`) {
		t.Errorf("the form does not know where to go on: %s", page)
	}
	v.session = "planted-by-an-attacker-before-the-sign-in"
	got := v.post("/console/sign-in", "name", "Ann", "password", consoletest.Password, "code", d.Code(o.Secret), "next", "/console/audit")
	cookie := got.header.Get("Set-Cookie")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/console/audit" || strings.Contains(cookie, "planted") {
		t.Errorf("the sign-in answers %d, %s, %s", got.status, got.header.Get("Location"), cookie)
	}
	for _, part := range []string{"__Host-kontor-console=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie has no %s: %s", part, cookie)
		}
	}
	if strings.Contains(cookie, "Domain") || strings.Contains(cookie, "Expires") || strings.Contains(cookie, "Max-Age") {
		t.Errorf("the cookie outlives the browser or leaves the host: %s", cookie)
	}
	first := v.session
	d.Clock.Advance(time.Minute)
	if v.signIn(o); v.session == first || (&visitor{T: t, desk: d, session: first}).get("/console/users").status != http.StatusSeeOther {
		t.Error("signing in anew leaves the session before it open")
	}
	if v.get("/console/sign-in").status != http.StatusSeeOther {
		t.Error("who is signed in is asked to sign in")
	}
	last := v.session
	if got := v.post("/console/sign-out"); got.status != http.StatusSeeOther || v.session != "" {
		t.Errorf("signing out answers %d and leaves %q", got.status, v.session)
	}
	if (&visitor{T: t, desk: d, session: last}).get("/console/users").status != http.StatusSeeOther {
		t.Error("the session goes on after signing out")
	}
	for _, next := range []string{"https://example.com/console/x", "//example.com/console/x", "/console/..//example.com", "/v1/x", "/console/\\x", "javascript:x"} {
		d.Clock.Advance(time.Minute)
		got := v.post("/console/sign-in", "name", "ann", "password", consoletest.Password, "code", d.Code(o.Secret), "next", next)
		if to := got.header.Get("Location"); !strings.HasPrefix(to, "/console") {
			t.Errorf("with next=%s the sign-in leads to %q", next, to)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	review := d.Case(u, person, hit)
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Admin))
	for _, site := range []string{"cross-site", "same-site"} {
		v.site = site
		got := v.post("/console/cases/"+review.String()+"/decision", "seen", "1", "verdict", "OK", "reason", "forged")
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "another site") {
			t.Errorf("a form of a %s page answers %d", site, got.status)
		}
	}
	v.site = ""
	if page := v.get("/console/cases/" + review.String()).body; strings.Contains(page, "forged") {
		t.Error("the forged decision was stored")
	}
	big := strings.Repeat("a", 70<<10)
	if got := v.post("/console/cases/"+review.String()+"/decision", "seen", "1", "verdict", "OK", "reason", big); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 70 KiB answers %d", got.status)
	}
}

func TestGuessingOverThePages(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	o := d.Officer("ann", console.Admin)
	v := &visitor{T: t, desk: d}
	counts := map[int]int{}
	for i := range 70 { // each under another name: only the address is the same
		counts[v.post("/console/sign-in", "name", fmt.Sprint("name-", i), "password", "wrong", "code", "123456").status]++
	}
	if counts[http.StatusForbidden] < 55 || counts[http.StatusTooManyRequests] < 1 {
		t.Errorf("70 guesses from one address were answered %v", counts)
	}
	got := v.post("/console/sign-in", "name", "<i>ann", "password", consoletest.Password, "code", d.Code(o.Secret))
	if strings.Contains(got.body, "<i>") || strings.Contains(got.body, consoletest.Password) {
		t.Errorf("the page repeats what was typed: %s", got.body)
	}
	if strings.Contains(d.Logged(), "wrong") || strings.Contains(d.Logged(), consoletest.Password) {
		t.Error("the log holds a password")
	}
}

func TestSetUpOverThePages(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	token, err := d.Accounts.Add(t.Context(), "new", console.Support)
	if err != nil {
		t.Fatal(err)
	}
	v, link := &visitor{T: t, desk: d}, "/console/setup/"+token
	page := v.get(link)
	key := regexp.MustCompile(`<code class="key">([A-Z2-7 ]+)</code>`).FindStringSubmatch(page.body)
	if page.status != http.StatusOK || key == nil || !strings.Contains(page.body, "<svg") {
		t.Fatalf("the page of the link: %d %s", page.status, page.body)
	}
	secret := strings.ReplaceAll(key[1], " ", "")
	for _, c := range []struct{ password, again, code, want string }{
		{"a long enough one", "a different one", d.Code(secret), "differ"},
		{"tiny one", "tiny one", d.Code(secret), "12 to 256"},
		{"a long enough one", "a long enough one", "000000", "not right"},
	} {
		got := v.post(link, "password", c.password, "again", c.again, "code", c.code)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, c.want) || strings.Contains(got.body, c.password) {
			t.Errorf("with %+v: %d %s", c, got.status, got.body)
		}
	}
	code := d.Code(secret)
	got := v.post(link, "password", "a long enough one", "again", "a long enough one", "code", code[:3]+" "+code[3:])
	if got.status != http.StatusSeeOther || v.get("/console/users").status != http.StatusOK {
		t.Errorf("the set-up answers %d, and the officer is not signed in", got.status)
	}
	if got := v.get(link); got.status != http.StatusNotFound || !strings.Contains(got.body, "does not work") {
		t.Errorf("the used link answers %d", got.status)
	}
	if strings.Contains(d.Logged(), token) {
		t.Error("the log holds the token of a link")
	}
}

func TestOfTwoOfficersWhoDecideAtOnceOneWins(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	review := d.Case(u, person, hit)
	nobody := &visitor{T: t, desk: d}
	officers := []*visitor{nobody.as(d.Officer("ann", console.Admin)), nobody.as(d.Officer("cleo", console.Compliance))}
	path := "/console/cases/" + review.String()
	var deciding sync.WaitGroup
	answers := make([]answer, len(officers))
	for i, v := range officers {
		deciding.Go(func() {
			answers[i] = v.post(path+"/decision", "seen", "1", "verdict", []string{"OK", "REJECTED"}[i], "reason", fmt.Sprint("reason of officer ", i))
		})
	}
	deciding.Wait()
	loser := 0
	if answers[0].status == http.StatusSeeOther {
		loser = 1
	}
	if answers[1-loser].status != http.StatusSeeOther || answers[loser].status != http.StatusConflict {
		t.Fatalf("answered %d and %d", answers[0].status, answers[1].status)
	}
	if page := answers[loser].body; !strings.Contains(page, "decided already") || !strings.Contains(page, fmt.Sprint("reason of officer ", 1-loser)) {
		t.Errorf("the other officer is not told: %s", page)
	}
	if page := officers[0].get(path).body; strings.Contains(page, "/decision") {
		t.Error("a decided case offers a decision")
	}
}

func TestFourEyes(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"fourEyes": "on"})
	u := d.User("user-1", person)
	path := "/console/cases/" + d.Case(u, person, hit).String()
	nobody := &visitor{T: t, desk: d}
	ann, cleo := nobody.as(d.Officer("ann", console.Admin)), nobody.as(d.Officer("cleo", console.Compliance))
	if page := ann.get(path).body; !strings.Contains(page, "four eyes") {
		t.Error("the first officer is not told of four eyes")
	}
	if got := ann.post(path+"/decision", "seen", "1", "verdict", "OK", "reason", "first reason"); got.header.Get("Location") != path+"?done=proposed" {
		t.Fatalf("the proposal answers %d, %s", got.status, got.header.Get("Location"))
	}
	if page := ann.get(path + "?done=proposed").body; !strings.Contains(page, "Another officer must confirm") || strings.Contains(page, "/decision\"") {
		t.Error("the officer who proposed is offered the confirmation")
	}
	if got := ann.post(path+"/decision", "seen", "1", "verdict", "OK", "reason", "again"); got.status != http.StatusConflict || !strings.Contains(got.body, "You proposed") {
		t.Errorf("the same officer's confirmation answers %d", got.status)
	}
	if got := cleo.post(path+"/decision", "seen", "1", "verdict", "OK", "reason", ""); got.status != http.StatusBadRequest {
		t.Errorf("a decision without a reason answers %d", got.status)
	}
	if got := cleo.post(path+"/decision", "seen", "1", "verdict", "OK", "reason", "second\nreason"); got.header.Get("Location") != path+"?done=decided" {
		t.Errorf("the confirmation answers %d, %s", got.status, got.header.Get("Location"))
	}
	if page := cleo.get(path).body; !strings.Contains(page, "first reason") || !strings.Contains(page, "confirmed by") {
		t.Errorf("the page does not tell who decided: %s", page)
	}
	if page := cleo.get("/console/cases").body; !strings.Contains(page, "No case waits") {
		t.Error("the decided case still waits")
	}
}

func TestProofsOfAddressAreDecidedOnce(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	proof := d.Papers.AddProof(u)
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Compliance))
	path := fmt.Sprintf("/console/poa/%d/%s", proof.Partner, proof.ID)
	if page := v.get("/console/poa").body; !strings.Contains(page, path) {
		t.Error("the proof is not in the queue")
	}
	if got := v.post(path+"/decision", "seen", "1", "verdict", "MAYBE", "reason", "x"); got.status != http.StatusBadRequest {
		t.Errorf("an unknown verdict answers %d", got.status)
	}
	if got := v.post(path+"/decision", "seen", "1", "verdict", "APPROVED", "reason", "The address fits."); got.status != http.StatusSeeOther {
		t.Errorf("the decision answers %d", got.status)
	}
	if got := v.post(path+"/decision", "seen", "1", "verdict", "REJECTED", "reason", "Too late."); got.status != http.StatusConflict || !strings.Contains(got.body, "decided already") {
		t.Errorf("a second decision answers %d", got.status)
	}
	if page := v.get(path).body; !strings.Contains(page, "The address fits.") || strings.Contains(page, "/decision") {
		t.Error("the page does not tell the decision, or offers another")
	}
}

func TestAnAdminDisablesAnOfficer(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	nobody := &visitor{T: t, desk: d}
	ann, sue := nobody.as(d.Officer("ann", console.Admin)), nobody.as(d.Officer("sue", console.Support))
	if got := ann.post("/console/officers/sue/disable"); got.header.Get("Location") != "/console/officers?done=disabled" {
		t.Errorf("disabling answers %d", got.status)
	}
	if got := sue.get("/console/users"); got.status != http.StatusSeeOther {
		t.Errorf("the disabled officer is answered %d", got.status)
	}
	for _, name := range []string{"sue", "ann", "nobody"} {
		if got := ann.post("/console/officers/" + name + "/disable"); got.status != http.StatusConflict {
			t.Errorf("disabling %s answers %d", name, got.status)
		}
	}
	if log := d.Audited(1)[0]; log != "console:ann console.user.disable sue" {
		t.Errorf("the audit log has %s", log)
	}
}
