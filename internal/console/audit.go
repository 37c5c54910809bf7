package console

import (
	"net/http"
	"strconv"
	"strings"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
)

// auditList is what the page of the audit log shows.
type auditList struct {
	Filter   audit.Filter
	Partner  string // as it was chosen; 0 is the operator
	Partners []named
	Rows     []audit.Recorded
	Next     string
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
		l.Rows, err = audit.List(rd, l.Filter, pageSize+1, max(before, 0))
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

// details are an entry's details without the braces around nothing.
func details(text string) string {
	if text == "{}" {
		return ""
	}
	return text
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
