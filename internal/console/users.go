package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/audit"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/iban"
	"kontor/internal/identity"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/user"
)

// pageSize is how many rows a list has.
const pageSize = 50

// Partners are the partners whose users officers look after.
type Partners interface {
	List(ctx context.Context) ([]partner.Partner, error)
	Get(ctx context.Context, id int64) (partner.Partner, error)
}

// Banking finds users by their IBANs.
type Banking interface {
	// IBAN answers the IBAN of an owner; empty when there is none.
	IBAN(r db.Reader, partner int64, owner clock.ID) (iban.IBAN, error)
	// OwnerOf finds whose an IBAN is. ok is false when it is nobody's.
	OwnerOf(r db.Reader, number iban.IBAN) (partner int64, owner clock.ID, ok bool, err error)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// named is a partner in a list.
type named struct {
	ID   int64
	Name string
}

// partners reads all partners but the operator.
func (c *console) partners(ctx context.Context) ([]named, error) {
	all, err := c.Partners.List(ctx)
	if err != nil {
		return nil, err
	}
	var names []named
	for _, p := range all {
		if p.ID != ledger.Operator {
			names = append(names, named{p.ID, p.Settings.Text("legalName")})
		}
	}
	return names, nil
}

func nameOf(partners []named, id int64) string {
	for _, p := range partners {
		if p.ID == id && p.Name != "" {
			return p.Name
		}
	}
	return "Partner " + itoa(id)
}

// userList is what the page of users shows.
type userList struct {
	Query, Status string
	Partner       int64 // 0: all of them; a list without a query is always one partner's
	Partners      []named
	Rows          []userRow
	Next          string // path of the next page
	More          bool   // a search found more than a list has rows
}

type userRow struct {
	user.Summary
	PartnerName string
}

// userStates are the states that the list can be narrowed to.
var userStates = []string{
	user.UnderReview, user.Waiting, user.Activated, user.DocumentOver, user.Suspended, user.Frozen,
}

func (c *console) listUsers(w http.ResponseWriter, r *http.Request) error {
	partners, err := c.partners(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	l := userList{Query: strings.TrimSpace(q.Get("q")), Status: q.Get("status"), Partners: partners}
	l.Partner, _ = strconv.ParseInt(q.Get("partner"), 10, 64)
	if !slices.Contains(userStates, l.Status) {
		l.Status = ""
	}
	var found []user.Summary
	if l.Query != "" {
		found, err = c.search(r.Context(), l)
		if l.More = len(found) > pageSize; l.More {
			found = found[:pageSize]
		}
	} else {
		found, l.Next, err = c.newest(r, &l)
	}
	if err != nil {
		return err
	}
	for _, s := range found {
		l.Rows = append(l.Rows, userRow{s, nameOf(partners, s.Partner)})
	}
	c.render(w, r, http.StatusOK, usersPage(c.frame(r, usersSection, usersSection), l))
	return nil
}

// newest lists the users of one partner, the newest first.
func (c *console) newest(r *http.Request, l *userList) (found []user.Summary, next string, err error) {
	if l.Partner == 0 && len(l.Partners) > 0 {
		l.Partner = l.Partners[0].ID
	}
	list := page.List{Partner: l.Partner, Name: "console users", Filters: []string{l.Status}}
	f := user.Filter{Status: l.Status, Range: page.Range{Limit: pageSize + 1}}
	if err := c.open(r, list, &f.Range); err != nil {
		return nil, "", err
	}
	err = c.DB.View(r.Context(), func(rd db.Reader) (err error) {
		found, err = user.List(rd, l.Partner, f)
		return err
	})
	if err != nil || len(found) <= pageSize {
		return found, "", err
	}
	found = found[:pageSize]
	next, err = c.next(r, list, found[pageSize-1].Position())
	return found, next, err
}

// open reads the cursor of a list, when the address has one.
func (c *console) open(r *http.Request, list page.List, into *page.Range) error {
	cursor := r.URL.Query().Get("cursor")
	if cursor == "" {
		return nil
	}
	after, err := c.Cursors.Open(list, cursor)
	if err != nil {
		return errNotFound
	}
	into.After = &after
	return nil
}

// next is the path of the page behind a position.
func (c *console) next(r *http.Request, list page.List, last page.Position) (string, error) {
	cursor, err := c.Cursors.Seal(list, last)
	q := r.URL.Query()
	q.Set("cursor", cursor)
	q.Del("done")
	return r.URL.Path + "?" + q.Encode(), err
}

// search finds users by external id, our id, email, name or IBAN: one more than a list has rows, when there are so many.
func (c *console) search(ctx context.Context, l userList) (found []user.Summary, err error) {
	var ids []int64
	for _, p := range l.Partners {
		if l.Partner == 0 || l.Partner == p.ID {
			ids = append(ids, p.ID)
		}
	}
	err = c.DB.View(ctx, func(r db.Reader) error {
		if found, err = user.Search(r, ids, l.Query, pageSize+1); err != nil {
			return err
		}
		number, err := iban.Parse(l.Query)
		if err != nil {
			return nil //nolint:nilerr // it is no IBAN, so it is searched for as a name
		}
		partner, owner, ok, err := c.Banking.OwnerOf(r, number)
		if err != nil || !ok || owner == ledger.PartnerItself || !slices.Contains(ids, partner) {
			return err
		}
		one, err := user.Search(r, []int64{partner}, owner.String(), 1)
		found = append(found, one...)
		return err
	})
	return found, err
}

// userOf finds the user whom the path names.
func (c *console) userOf(rd db.Reader, r *http.Request) (user.User, error) {
	return userByID(rd, chi.URLParam(r, "partner"), chi.URLParam(r, "user"))
}

// userByID finds a user, deleted ones too, by the numbers of a path or a query.
func userByID(rd db.Reader, partnerID, userID string) (user.User, error) {
	partner, err := strconv.ParseInt(partnerID, 10, 64)
	if err != nil {
		return user.User{}, errNotFound
	}
	id, err := clock.ParseID(userID)
	if err != nil {
		return user.User{}, errNotFound
	}
	u, err := user.FindByID(rd, partner, id)
	if err != nil && fault.From(err).Code == fault.InvalidUser {
		err = errNotFound
	}
	u.ExternalID = user.KnownID(u)
	return u, err
}

// deleted is the state of a user whom the partner does not have any more.
const deleted = "DELETED"

// stateOf is the state of a user in one word.
func stateOf(u user.User) string {
	if !u.DeletedAt.IsZero() {
		return deleted
	}
	return u.Status()
}

// profile is what the page of a user shows.
type profile struct {
	user.User
	Person      user.Person
	Erased      bool // the personal data are gone
	Established user.Established
	Checked     bool             // an identity check was accepted
	Check       identity.Attempt // the latest identity check, or the one of a case; the zero Attempt before the first one
	Later       time.Time        // when another one was begun after that of a case; zero when none was
	Cases       []compliance.Case
	PartnerName string
	IBAN        string
	Balances    []balance
	History     []historyRow
	Events      []event.Entry
	MayFreeze   bool
	Frozen      string // why the user is frozen
	Typed       string // the reason of a freeze that was refused
	Audit       []audit.Recorded
}

// title is the user's name, or the id by which the partner knows one without.
func (p profile) title() string {
	if name := strings.TrimSpace(p.Person.FirstName + " " + p.Person.LastName); name != "" {
		return name
	}
	return p.ExternalID
}

// later tells whether what is established comes from an identity check after that of the case that is shown.
func (p profile) later() bool { return !p.Later.IsZero() && !p.Established.At.Before(p.Later) }

// address is the user's address in one line.
func (p profile) address() string {
	street := strings.TrimSpace(p.Person.Street + " " + p.Person.StreetNumber)
	town := strings.TrimSpace(p.Person.PostCode + " " + p.Person.City)
	return strings.Trim(street+", "+town, ", ")
}

// userPath is where a user's page is.
func userPath(partner int64, id clock.ID) string {
	return Root + "/users/" + itoa(partner) + "/" + id.String()
}

// balance is a balance with its currency's decimals.
type balance struct{ Currency, Available, Held string }

// few is how many rows of a list the page of a user shows.
const few = 8

func (c *console) showUser(w http.ResponseWriter, r *http.Request) error {
	return c.userAgain(w, r, http.StatusOK, "", "")
}

// userAgain shows a user, with what was wrong with a form, and the reason as it was typed.
func (c *console) userAgain(w http.ResponseWriter, r *http.Request, status int, why, reason string) error {
	p, err := c.profile(r)
	if err != nil {
		return err
	}
	p.Typed = reason
	f := c.frame(r, "User "+p.ExternalID, usersSection)
	if f.problem = why; why != "" {
		f.done = ""
	}
	c.render(w, r, status, userPage(f, p))
	return nil
}

func (c *console) profile(r *http.Request) (p profile, err error) {
	partners, err := c.partners(r.Context())
	if err != nil {
		return p, err
	}
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) error {
		p = profile{}
		if p.User, err = c.userOf(rd, r); err != nil {
			return err
		}
		p.PartnerName, p.MayFreeze = nameOf(partners, p.Partner), officer(r).May(Freeze)
		if err := c.fillPerson(rd, &p); err != nil {
			return err
		}
		if p.Cases, err = compliance.ListOfUser(rd, p.Partner, p.ID); err != nil {
			return err
		}
		if p.Frozen, err = user.FreezeReason(rd, p.User); err != nil {
			return err
		}
		number, err := c.Banking.IBAN(rd, p.Partner, p.ID)
		if err != nil {
			return err
		}
		if number != "" {
			p.IBAN = number.Print()
		}
		if p.Balances, err = c.balances(rd, p.User); err != nil {
			return err
		}
		if p.History, _, err = c.history(rd, p.User, page.Range{Limit: few}); err != nil {
			return err
		}
		if officer(r).May(ReadAudit) {
			if p.Audit, err = c.audited(rd, p.User, few, 0); err != nil {
				return err
			}
		}
		p.Events, err = event.List(rd, p.Partner, event.Filter{Object: p.ID, Range: page.Range{Limit: few}})
		return err
	})
	return p, err
}

// fillPerson reads the personal data of a profile's user.
func (c *console) fillPerson(r db.Reader, p *profile) (err error) {
	p.Person, err = c.Users.FindPerson(r, p.User)
	if p.Erased = errors.Is(err, db.ErrNoRows); err != nil {
		if p.Erased {
			err = nil
		}
		return err
	}
	if p.Established, p.Checked, err = c.Users.FindEstablished(r, p.User); err != nil {
		return err
	}
	check, err := c.Checks.FindStatus(r, p.User)
	p.Check = check.Attempt
	return err
}

// balances are those that a user has, and the fiat one in any case, in the order of the catalogue.
func (c *console) balances(r db.Reader, u user.User) (all []balance, err error) {
	states, err := ledger.Balances(r, u.Partner, u.ID, c.Catalog.Currency)
	if err != nil {
		return nil, err
	}
	for _, e := range c.Catalog.Currencies() {
		state, ok := states[e.Code]
		if !ok || e.Kind != catalog.Fiat && state.Posted.IsZero() && state.Held.IsZero() {
			continue
		}
		available, err := state.Available()
		if err != nil {
			return nil, err
		}
		all = append(all, balance{strings.ToUpper(e.Code), available.String(), state.Held.String()})
	}
	return all, nil
}

// historyRow is an entry of a user's history.
type historyRow struct {
	At                              stamp
	ID, Type, Direction, Status     string
	Amount, Currency, Fee, Position string
}

// history reads a stretch of a user's history, and where the next one begins.
func (c *console) history(r db.Reader, u user.User, stretch page.Range) (rows []historyRow, next *page.Position, err error) {
	entries, more, err := c.History.List(r, entry.Query{Partner: u.Partner, Owner: u.ID, Currencies: c.currencies(), Range: stretch})
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		row := historyRow{
			At: stamp{e.At}, ID: e.ID.String(), Type: e.Type, Direction: e.Part, Status: e.Status,
			Amount: e.Amount.String(), Currency: strings.ToUpper(e.Amount.Currency().Code),
		}
		if !e.Fee.IsZero() {
			row.Fee = e.Fee.String()
		}
		rows = append(rows, row)
	}
	if more {
		next = &entries[len(entries)-1].Position
	}
	return rows, next, nil
}

func (c *console) currencies() (all []money.Currency) {
	for _, e := range c.Catalog.Currencies() {
		all = append(all, e.Currency)
	}
	return all
}

// Checks tells what was declared and decided in identity checks.
type Checks interface {
	// FindStatus answers the latest check of a user.
	FindStatus(r db.Reader, u user.User) (identity.Status, error)
	// FindAt answers the check of a user that counted at a time, and when the next one was begun.
	FindAt(r db.Reader, u user.User, at time.Time) (identity.Attempt, time.Time, error)
}

// methods are the ways of an identity check, in words.
var methods = map[string]string{
	identity.Files: "The partner sends files", identity.Hosted: "The user fills in the hosted page", identity.Staged: "The sandbox decides",
}

// userTable is a list that belongs to a user.
type userTable struct {
	user.User
	History []historyRow
	Events  []event.Entry
	Next    string
}

func (c *console) showHistory(w http.ResponseWriter, r *http.Request) error {
	var t userTable
	err := c.DB.Snapshot(r.Context(), func(rd db.Reader) (err error) {
		if t.User, err = c.userOf(rd, r); err != nil {
			return err
		}
		list := page.List{Partner: t.Partner, Name: "console history", Filters: []string{t.ID.String()}}
		stretch := page.Range{Limit: pageSize}
		if err := c.open(r, list, &stretch); err != nil {
			return err
		}
		var last *page.Position
		if t.History, last, err = c.history(rd, t.User, stretch); err != nil || last == nil {
			return err
		}
		t.Next, err = c.next(r, list, *last)
		return err
	})
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, historyPage(c.frame(r, "History of "+t.ExternalID, usersSection), t))
	return nil
}

func (c *console) showEvents(w http.ResponseWriter, r *http.Request) error {
	var t userTable
	err := c.DB.Snapshot(r.Context(), func(rd db.Reader) (err error) {
		if t.User, err = c.userOf(rd, r); err != nil {
			return err
		}
		list := page.List{Partner: t.Partner, Name: "console events", Filters: []string{t.ID.String()}}
		f := event.Filter{Object: t.ID, Range: page.Range{Limit: pageSize + 1}}
		if err := c.open(r, list, &f.Range); err != nil {
			return err
		}
		if t.Events, err = event.List(rd, t.Partner, f); err != nil || len(t.Events) <= pageSize {
			return err
		}
		t.Events = t.Events[:pageSize]
		t.Next, err = c.next(r, list, t.Events[pageSize-1].Position())
		return err
	})
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, eventsPage(c.frame(r, "Events of "+t.ExternalID, usersSection), t))
	return nil
}

// auditPath is all about a user in the audit log.
func auditPath(u user.User) string {
	return Root + "/audit?partner=" + itoa(u.Partner) + "&user=" + u.ID.String()
}
