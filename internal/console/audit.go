package console

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/user"
)

// auditList is what the page of the audit log shows.
type auditList struct {
	Filter   audit.Filter
	Partner  string // as it was chosen; 0 is the operator
	Partners []named
	Rows     []audit.Recorded
	Next     string
	About    user.User // only what concerns this user and what belongs to it; zero: everybody
}

func (c *console) showAudit(w http.ResponseWriter, r *http.Request) error {
	partners, err := c.partners(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	l := auditList{Partners: partners, Partner: q.Get("partner"), Filter: audit.Filter{
		Actor: strings.TrimSpace(q.Get("actor")), Action: strings.TrimSpace(q.Get("action")), Object: strings.TrimSpace(q.Get("object")),
	}}
	if id, err := strconv.ParseInt(l.Partner, 10, 64); err == nil {
		l.Filter.Partner = &id
	}
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64)
	err = c.DB.View(r.Context(), func(rd db.Reader) (err error) {
		if q.Get("user") == "" {
			l.Rows, err = audit.List(rd, l.Filter, pageSize+1, max(before, 0))
			return err
		}
		if l.About, err = userByID(rd, l.Partner, q.Get("user")); err != nil {
			return err
		}
		l.Rows, err = c.audited(rd, l.About, pageSize+1, max(before, 0))
		return err
	})
	if err != nil {
		return err
	}
	if len(l.Rows) > pageSize {
		l.Rows = l.Rows[:pageSize]
		q.Set("before", itoa(l.Rows[pageSize-1].Number))
		l.Next = r.URL.Path + "?" + q.Encode()
	}
	c.render(w, r, http.StatusOK, auditPage(c.frame(r, auditSection, auditSection), l))
	return nil
}

// audited reads what the audit log has about a user: the account, its cases, documents and proofs of address.
func (c *console) audited(r db.Reader, u user.User, limit int, before int64) ([]audit.Recorded, error) {
	objects := []string{u.ID.String()}
	cases, err := compliance.ListOfUser(r, u.Partner, u.ID)
	if err != nil {
		return nil, err
	}
	for _, one := range cases {
		objects = append(objects, one.ID.String())
	}
	files, err := c.Documents.Files(r, u.Partner, u.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range files {
		objects = append(objects, d.ID.String())
		if d.Proves == provesAddress && !slices.Contains(objects, d.Check.String()) {
			objects = append(objects, d.Check.String())
		}
	}
	return audit.About(r, u.Partner, objects, limit, before)
}

// details are an entry's details as people read them: names and values, those of objects in JSON.
func details(text string) string {
	var members map[string]jsontext.Value
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return text
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := string(members[name])
		var plain string
		if json.Unmarshal(members[name], &plain) == nil {
			value = plain
		}
		if value != "" {
			all = append(all, name+": "+value)
		}
	}
	return strings.Join(all, ", ")
}

// objectPath is the page of what an entry is about; empty when there is none.
func objectPath(e audit.Recorded) string {
	noun, _, _ := strings.Cut(e.Action, ".")
	id, err := clock.ParseID(e.Object)
	switch {
	case err != nil:
	case noun == "user":
		return userPath(e.Partner, id)
	case noun == "case":
		return casePath(id)
	case noun == "poa":
		return Proof{Partner: e.Partner, ID: id}.path()
	}
	return ""
}
