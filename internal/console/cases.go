package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/user"
)

// Cases are the users whom an officer must look at.
type Cases interface {
	// Find reads a case with all that an officer needs; the error wraps compliance.ErrNoCase.
	Find(r db.Reader, id clock.ID) (compliance.Case, error)
	// Decide records what an officer says, and when that is final, what follows.
	Decide(ctx context.Context, d compliance.Decision) (compliance.Case, error)
}

// caseList is what the review queue shows.
type caseList struct {
	All     bool // closed ones too, the newest first
	Partner int64
	Names   []named
	Rows    []caseRow
	Next    string
	Now     time.Time
}

type caseRow struct {
	compliance.Case
	Contact     user.Contact
	PartnerName string
	Reasons     []string
}

func casePath(id clock.ID) string { return Root + "/cases/" + id.String() }

func (c *console) listCases(w http.ResponseWriter, r *http.Request) error {
	partners, err := c.partners(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	l := caseList{All: q.Get("show") == "all", Names: partners, Now: c.Clock.Now()}
	f := compliance.Filter{Partner: -1, Open: !l.All, Limit: pageSize + 1}
	if id, err := strconv.ParseInt(q.Get("partner"), 10, 64); err == nil {
		l.Partner, f.Partner = id, id
	}
	if f.After, err = afterCase(q.Get("after")); err != nil {
		return err
	}
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) error {
		l.Rows, l.Next = nil, ""
		found, err := compliance.List(rd, f)
		if err != nil {
			return err
		}
		if len(found) > pageSize {
			found = found[:pageSize]
			last := found[pageSize-1]
			q.Set("after", itoa(clock.Micros(last.OpenedAt))+"."+last.ID.String())
			l.Next = r.URL.Path + "?" + q.Encode()
		}
		l.Rows, err = c.caseRows(rd, found, partners)
		return err
	})
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, casesPage(c.frame(r, casesSection, casesSection), l))
	return nil
}

// afterCase reads the place in a list behind which it goes on.
func afterCase(text string) (*compliance.Case, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // it begins with the first
	}
	at, id, _ := strings.Cut(text, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return nil, errNotFound
	}
	last, err := clock.ParseID(id)
	if err != nil {
		return nil, errNotFound
	}
	return &compliance.Case{OpenedAt: clock.FromMicros(micros), ID: last}, nil
}

// caseRows adds to cases whom they are about, and why they were opened.
func (c *console) caseRows(r db.Reader, cases []compliance.Case, partners []named) (rows []caseRow, err error) {
	contacts := map[int64]map[clock.ID]user.Contact{}
	users := map[int64][]clock.ID{}
	for _, one := range cases {
		users[one.Partner] = append(users[one.Partner], one.User)
	}
	for partner, ids := range users {
		if contacts[partner], err = user.Contacts(r, partner, ids...); err != nil {
			return nil, err
		}
	}
	for _, one := range cases {
		full, err := c.Cases.Find(r, one.ID)
		if err != nil {
			return nil, err
		}
		rows = append(rows, caseRow{full, contacts[one.Partner][one.User], nameOf(partners, one.Partner), reasons(full)})
	}
	return rows, nil
}

// reasons are the kinds of findings of a case, each once, with the words of kindWords.
func reasons(c compliance.Case) (all []string) {
	seen := map[compliance.Kind]bool{}
	for _, s := range c.Findings {
		for _, f := range s.Findings {
			if !seen[f.Kind] {
				seen[f.Kind] = true
				all = append(all, kindWord(f.Kind))
			}
		}
	}
	return all
}

var kindWords = map[compliance.Kind]string{
	compliance.Sanction:          "Sanctions list",
	compliance.Political:         "Politically exposed",
	compliance.Listed:            "Other list",
	compliance.CountryRisk:       "Country of high risk",
	compliance.DuplicateDocument: "Document of another user",
	compliance.DuplicatePerson:   "Same person as another user",
	compliance.Underage:          "Under 18",
	compliance.NoList:            "Not screened: no list",
	compliance.ProfileChanged:    "Name or birth date changed",
	compliance.Requested:         "Review was asked for",
}

func kindWord(k compliance.Kind) string {
	if word, ok := kindWords[k]; ok {
		return word
	}
	return string(k)
}

var causeWords = map[compliance.Cause]string{
	compliance.Onboarding:    "Onboarding",
	compliance.Rescreening:   "Screening after a list changed",
	compliance.ProfileChange: "Change of the profile",
}

func causeWord(cause compliance.Cause) string {
	if word, ok := causeWords[cause]; ok {
		return word
	}
	return string(cause)
}

// caseView is what the page of a case shows.
type caseView struct {
	Case compliance.Case
	profile
	Documents []Document
	MayDecide bool
	FourEyes  bool
	Reason    string // as it was typed, when the decision was refused
}

// frozen tells whether the user is frozen now, and until when; empty when not.
func (v caseView) frozen() string {
	switch {
	case v.FrozenAt.IsZero():
		return ""
	case v.Frozen != user.ForReview:
		return "frozen by a person, whatever the decision"
	case v.Case.Froze && v.Case.State == compliance.Open:
		return "frozen until the decision"
	}
	return "frozen"
}

func (c *console) showCase(w http.ResponseWriter, r *http.Request) error {
	return c.caseAgain(w, r, http.StatusOK, "", "")
}

// caseAgain shows a case, with what was wrong with a decision, and its reason as it was typed.
func (c *console) caseAgain(w http.ResponseWriter, r *http.Request, status int, why, reason string) error {
	id, err := clock.ParseID(chi.URLParam(r, "case"))
	if err != nil {
		return errNotFound
	}
	partners, err := c.partners(r.Context())
	if err != nil {
		return err
	}
	v := caseView{Reason: reason}
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) (err error) {
		if v.Case, err = c.Cases.Find(rd, id); err != nil {
			return err
		}
		u, err := user.FindByID(rd, v.Case.Partner, v.Case.User)
		if err != nil {
			return err
		}
		v.profile = profile{User: u, PartnerName: nameOf(partners, u.Partner)}
		if err := c.fillPerson(rd, &v.profile); err != nil {
			return err
		}
		if v.Frozen, err = user.FreezeReason(rd, u); err != nil {
			return err
		}
		if officer(r).May(ReadDocuments) {
			if v.Documents, err = c.Documents.Files(rd, u.Partner, u.ID); err != nil {
				return err
			}
		}
		return c.backdate(rd, &v)
	})
	if errors.Is(err, compliance.ErrNoCase) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	p, err := c.Partners.Get(r.Context(), v.Case.Partner)
	if err != nil {
		return err
	}
	v.FourEyes, v.MayDecide = p.Settings.Text("fourEyes") == "on", officer(r).May(Decide)
	f := c.frame(r, "Case of "+v.title(), casesSection)
	if f.problem = why; why != "" {
		f.done = ""
	}
	c.render(w, r, status, casePage(f, v))
	return nil
}

// backdate shows of a closed case the identity check that its officers decided on, and marks what came later.
func (c *console) backdate(r db.Reader, v *caseView) (err error) {
	closed := v.Case.ClosedAt
	if closed.IsZero() {
		return nil
	}
	for i, d := range v.Documents {
		v.Documents[i].Later = d.CreatedAt.After(closed)
	}
	if v.Erased {
		return nil
	}
	v.Check, v.Later, err = c.Checks.FindAt(r, v.User, closed)
	return err
}

// decideCase records what an officer says about a case.
func (c *console) decideCase(w http.ResponseWriter, r *http.Request) error {
	if err := form(r); err != nil {
		return err
	}
	id, err := clock.ParseID(chi.URLParam(r, "case"))
	if err != nil {
		return errNotFound
	}
	reason := reasonOf(r)
	seen, err := strconv.ParseInt(r.PostForm.Get("seen"), 10, 64)
	if err != nil {
		return c.caseAgain(w, r, http.StatusBadRequest, "The form does not say what you saw. Nothing was stored; send it again.", reason)
	}
	d := compliance.Decision{
		Case: id, Seen: seen, Officer: officer(r).Name, Verdict: compliance.Verdict(r.PostForm.Get("verdict")), Reason: reason,
	}
	decided, err := c.Cases.Decide(r.Context(), d)
	if decidedBefore(err) {
		if word, err := c.caseSaid(r, d); err != nil || word != "" {
			return led(w, r, casePath(id), word, err)
		}
	}
	switch {
	case errors.Is(err, compliance.ErrNoCase):
		return errNotFound
	case errors.Is(err, compliance.ErrDecided):
		return c.caseAgain(w, r, http.StatusConflict, "This case was decided already. What you wrote was not stored; the decision that counts is below.", reason)
	case errors.Is(err, compliance.ErrFoundSince):
		return c.caseAgain(w, r, http.StatusConflict, "Something was found since you opened this case. Nothing was stored: judge all that is below, and decide again.", reason)
	case errors.Is(err, compliance.ErrSameOfficer):
		return c.caseAgain(w, r, http.StatusConflict, "You proposed this decision yourself. Another officer must confirm it.", reason)
	case errors.Is(err, compliance.ErrBadDecision):
		return c.caseAgain(w, r, http.StatusBadRequest, "Choose OK or REJECTED, and give a reason of at most 2,000 characters.", reason)
	case err != nil:
		return err
	}
	return led(w, r, casePath(id), stored(decided.State != compliance.Open), nil)
}

// surely is the score from which a finding is shown as sure.
const surely = 90

// screenedAs are the spellings of the name that were screened.
func screenedAs(s compliance.Screening) string {
	var all []string
	for _, n := range s.Names {
		all = append(all, strings.TrimSpace(n.First+" "+n.Last))
	}
	return strings.Join(all, "; ")
}

// countries are the countries that a person has to do with.
func countries(c compliance.Countries) string {
	var all []string
	for _, one := range []struct{ name, code string }{
		{"residence", c.Residence}, {"citizenship", c.Citizenship}, {"nationality", c.Nationality}, {"birth", c.Birth},
	} {
		if one.code != "" {
			all = append(all, one.code+" ("+one.name+")")
		}
	}
	return strings.Join(all, ", ")
}

// how tells what an officer's word was.
func how(d compliance.Decided) string {
	switch {
	case d.Final && d.ProposedBy != "":
		return "confirmed by"
	case d.Final:
		return "decided by"
	}
	return "proposed by"
}
