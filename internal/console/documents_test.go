package console_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/db"
	"kontor/internal/identity"
)

func TestDocumentsAreShownAndEachLookIsLogged(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	picture := d.Papers.AddDocument(u, console.Document{Proves: "KYC", Side: "FRONT", Media: "image/jpeg"})
	paper := d.Papers.AddDocument(u, console.Document{Proves: "KYC", Media: "application/pdf", Pages: 2})
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Admin))
	review := d.Case(u, person, hit)
	at := func(d console.Document) string { return fmt.Sprintf("/console/documents/%d/%s", d.Partner, d.ID) }
	for _, path := range []string{at(picture), at(paper) + "?page=2"} {
		got := v.get(path)
		if h := got.header; h.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(got.body, "\xff\xd8") ||
			!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s comes with %v", path, h)
		}
	}
	for _, path := range []string{at(picture) + "?page=2", at(paper) + "?page=3", at(paper) + "?page=0", at(paper) + "?page=x"} {
		if got := v.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, got.status)
		}
	}
	if page := v.get("/console/cases/" + review.String()).body; strings.Count(page, `src="`+at(paper)) != 2 || !strings.Contains(page, "2 pages") {
		t.Error("the case does not show both pages")
	}
	want := "console:ann document.view " + paper.ID.String() + "\nconsole:ann document.view " + picture.ID.String()
	if log := strings.Join(d.Audited(2), "\n"); log != want {
		t.Errorf("the audit log has\n%s", log)
	}
}

// Where a document cannot be shown, the officer reads why: on a page of its own, and in its place on the page of a case.
func TestDocumentsThatCannotBeShown(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Admin))
	for _, c := range []struct {
		why    error
		status int
		says   string
	}{
		{console.ErrUnreadable, http.StatusUnprocessableEntity, "content is damaged"},
		{console.ErrNotReady, http.StatusServiceUnavailable, "load the page again"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "load the page again"},
	} {
		paper := d.Papers.AddDocument(u, console.Document{Proves: "KYC", Media: "application/pdf", Pages: 1})
		d.Papers.Break(paper.ID, c.why)
		for dest, kind := range map[string]string{"document": "text/html; charset=utf-8", "image": "image/svg+xml"} {
			v.dest = dest
			got := v.get(fmt.Sprintf("/console/documents/%d/%s", paper.Partner, paper.ID))
			if got.status != c.status || got.header.Get("Content-Type") != kind || !strings.Contains(got.body, c.says) {
				t.Errorf("%v, as %s: %d %s %s", c.why, dest, got.status, got.header.Get("Content-Type"), got.body)
			}
		}
	}
}

// What the user declared stands beside the documents, and the log about a user has what belongs to the user.
func TestWhatWasDeclaredAndDoneStandsWithTheUser(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	err := d.App.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := d.App.API.Identity.Host(tx, u.Partner, u.ExternalID, identity.Claims{
			DocumentType: identity.Passport, DocumentNumber: "<i>P-77", IssueCountry: "LV", Income: identity.Income{Source: "SALARY", Occupation: "EDUCATION_AND_TEACHING"},
		}, identity.Terms{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	picture := d.Papers.AddDocument(u, console.Document{Proves: "KYC", Side: "FRONT", Media: "image/jpeg"})
	other := d.Papers.AddDocument(d.User("user-2", person), console.Document{Proves: "KYC", Side: "FRONT", Media: "image/jpeg"})
	review := d.Case(u, person, hit)
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Admin))
	for _, one := range []console.Document{picture, other} {
		v.get(fmt.Sprintf("/console/documents/%d/%s", one.Partner, one.ID))
	}
	at := fmt.Sprintf("/console/users/%d/%s", u.Partner, u.ID)
	for _, path := range []string{at, "/console/cases/" + review.String()} {
		page := v.get(path).body
		for _, words := range []string{"PASSPORT", "&lt;i&gt;P-77", "LV", "SALARY", "EDUCATION_AND_TEACHING", "hosted page"} {
			if !strings.Contains(page, words) {
				t.Errorf("%s does not tell %s", path, words)
			}
		}
	}
	log := v.get(fmt.Sprintf("/console/audit?partner=%d&user=%s", u.Partner, u.ID)).body
	if !strings.Contains(log, picture.ID.String()) || !strings.Contains(log, review.String()) || strings.Contains(log, other.ID.String()) {
		t.Errorf("the log about the user is not that: %s", log)
	}
	if got := v.get("/console/audit?partner=1&user=" + picture.ID.String()); got.status != http.StatusNotFound {
		t.Errorf("the log about nobody answers %d", got.status)
	}
}
