package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/user"
)

func TestUsersAreFound(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	one := person
	one.LastName = "Testperson"
	u := d.User("user-1", one)
	d.User("user-2", user.Person{FirstName: "Second", LastName: "Case Person", Email: "two@example.com", Country: "LT"})
	for i := range 51 {
		d.User(fmt.Sprint("bulk-", i), user.Person{FirstName: "Bulk", LastName: "User", Email: "bulk@example.com", Country: "LT"})
	}
	v := (&visitor{T: t, desk: d}).as(d.Officer("sue", console.Support))
	rows := regexp.MustCompile(`<th scope="row"[^>]*><a href="[^"]*">([^<]*)</a>`)
	found := func(path string) string {
		t.Helper()
		var ids []string
		for _, m := range rows.FindAllStringSubmatch(v.get(path).body, -1) {
			ids = append(ids, m[1])
		}
		return strings.Join(ids, " ")
	}
	for query, want := range map[string]string{
		"user-1": "user-1", "ONE@example.com": "user-1", "testperson": "user-1", "Test Testperson": "user-1", "case person second": "user-2",
		u.ID.String(): "user-1", "user": "bulk-50", "%": "", "": "bulk-50", "nobody": "",
	} {
		got := found("/console/users?q=" + url.QueryEscape(query))
		if first, _, _ := strings.Cut(got, " "); first != want || want != "bulk-50" && got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	const more = "More users are found"
	v.get("/console/users?q=user").has(t, more, "the 50 that are shown")
	for _, query := range []string{"user-1", "nobody", ""} {
		if page := v.get("/console/users?q=" + query).body; strings.Contains(page, more) {
			t.Errorf("a search for %q says that there are more", query)
		}
	}
	page := v.get("/console/users").body
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(page)
	if next == nil {
		t.Fatal("there is no second page")
	}
	if got := found(strings.ReplaceAll(next[1], "&amp;", "&")); got != "bulk-0 user-2 user-1" {
		t.Errorf("the second page has %q", got)
	}
	page = v.get(fmt.Sprintf("/console/users/%d/%s", u.Partner, u.ID)).body
	for _, part := range []string{"<h1><bdi>Test Testperson</bdi></h1>", "<dd><bdi>Testperson</bdi></dd>", "X-1234567", "1990-02-03", "0.00", "NOT_VERIFIED"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page of the user has no %s", part)
		}
	}
}

func TestUsersAreFrozen(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	v := (&visitor{T: t, desk: d}).as(d.Officer("cleo", console.Compliance))
	path := fmt.Sprintf("/console/users/%d/%s", u.Partner, u.ID)
	if got := v.post(path+"/freeze", "reason", "two\nlines"); got.status != http.StatusBadRequest || !strings.Contains(got.body, "one line") {
		t.Errorf("a reason of two lines answers %d", got.status)
	}
	if got := v.post(path+"/freeze", "reason", "Asked for by a <court>."); got.header.Get("Location") != path+"?done=frozen" {
		t.Errorf("freezing answers %d", got.status)
	}
	page := v.get(path + "?done=frozen").body
	for _, part := range []string{"The user is frozen", "Asked for by a &lt;court&gt;.", `>FROZEN<`, path + "/unfreeze"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page of a frozen user has no %s", part)
		}
	}
	if log := d.Audited(1)[0]; log != "console:cleo user.freeze "+u.ID.String() {
		t.Errorf("the audit log has %s", log)
	}
	if got := v.post(path+"/unfreeze", "reason", "The court is content."); got.header.Get("Location") != path+"?done=unfrozen" {
		t.Errorf("lifting the freeze answers %d", got.status)
	}
	if page := v.get(path).body; strings.Contains(page, ">FROZEN<") || !strings.Contains(page, "user.unfreeze") {
		t.Error("the user is still frozen, or the audit log does not tell")
	}
}
