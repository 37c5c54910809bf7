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
	"kontor/internal/ledger"
	"kontor/internal/sepa"
	"kontor/internal/user"
)

// Suspense is incoming money that waits for a person.
type Suspense interface {
	// ListItems reads items of all partners.
	ListItems(r db.Reader, f sepa.ItemFilter) ([]sepa.Item, error)
	// FindItem reads one with its decisions; the error wraps sepa.ErrNoItem.
	FindItem(r db.Reader, id clock.ID) (sepa.Item, error)
	// Decide records what an officer says, and when that is final, does it.
	Decide(ctx context.Context, d sepa.Decision) (sepa.Item, error)
}

// itemList is what the queue of incoming money shows.
type itemList struct {
	Decided bool // the newest decision first
	Rows    []itemRow
	Next    string
	Now     time.Time
}

type itemRow struct {
	sepa.Item
	Whose       string // the owner, as the partner knows it; empty: the partner itself, or nobody
	PartnerName string
}

func itemPath(id clock.ID) string { return Root + "/suspense/" + id.String() }

func (c *console) listItems(w http.ResponseWriter, r *http.Request) error {
	partners, err := c.partners(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	l := itemList{Decided: q.Get("show") == "decided", Now: c.Clock.Now()}
	f := sepa.ItemFilter{Decided: l.Decided, Limit: pageSize + 1}
	if f.After, err = afterItem(q.Get("after")); err != nil {
		return err
	}
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) error {
		l.Rows, l.Next = nil, ""
		found, err := c.Suspense.ListItems(rd, f)
		if err != nil {
			return err
		}
		if len(found) > pageSize {
			found = found[:pageSize]
			q.Set("after", itoa(clock.Micros(place(found[pageSize-1])))+"."+found[pageSize-1].ID.String())
			l.Next = r.URL.Path + "?" + q.Encode()
		}
		for _, it := range found {
			row := itemRow{Item: it, PartnerName: "Nobody’s"}
			if it.Partner != ledger.Operator {
				row.PartnerName = nameOf(partners, it.Partner)
			}
			if it.Owner != ledger.PartnerItself {
				u, err := user.FindByID(rd, it.Partner, it.Owner)
				if err != nil {
					return err
				}
				row.Whose = u.ExternalID
			}
			l.Rows = append(l.Rows, row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, suspensePage(c.frame(r, suspenseSection, suspenseSection), l))
	return nil
}

// place is by which time an item stands in its list.
func place(it sepa.Item) time.Time {
	if n := len(it.Decisions); it.State != sepa.ItemWaiting && n > 0 {
		return it.Decisions[n-1].At
	}
	return it.Since
}

// afterItem reads the place in a list behind which it goes on.
func afterItem(text string) (*sepa.Item, error) {
	last, err := afterCase(text)
	if last == nil || err != nil {
		return nil, err
	}
	return &sepa.Item{Since: last.OpenedAt, ID: last.ID}, nil
}

// whyWords tell why a deposit waits, and what is in the way of its credit.
var whyWords = map[string]string{
	sepa.WaitsName:     "The sender’s name is not surely the owner’s",
	sepa.WaitsFrozen:   "The operator froze the user",
	sepa.WaitsReview:   "The user is under review",
	sepa.WaitsExpired:  "The user’s document expired",
	sepa.WaitsDeleted:  "The user was deleted",
	sepa.WaitsInactive: "The user is not active",
	sepa.WaitsRefused:  "The bank refused to send it back",
}

func whyWord(why string) string {
	if word, ok := whyWords[why]; ok {
		return word
	}
	return why
}

// reason tells why an item waits.
func (r itemRow) reason() string {
	switch r.Kind {
	case sepa.ItemCredit:
		return "No owner is known"
	case sepa.ItemReturn:
		return "It came back, and no payment of ours did"
	case sepa.ItemDebit:
		return "A debit that fits no payment of ours"
	case sepa.ItemDeposit:
	}
	return whyWord(r.Why)
}

var kindTitles = map[sepa.ItemKind]string{
	sepa.ItemDeposit: "Deposit", sepa.ItemCredit: "Credit that is nobody’s", sepa.ItemDebit: "Debit that fits nothing",
	sepa.ItemReturn: "Return that fits nothing",
}

// sender is who paid, as a link says it.
func sender(it sepa.Item) string {
	if it.Name == "" {
		return "(no name)"
	}
	return it.Name
}

// signedAmount is an amount with a minus when it left the account.
func signedAmount(it sepa.Item) string {
	if it.Kind == sepa.ItemDebit {
		return "−" + it.Amount.String()
	}
	return it.Amount.String()
}

func dayOf(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.DateOnly)
}

// ofThousand writes a score in thousandths as one of a hundred.
func ofThousand(score int64) string { return itoa(score/10) + "." + itoa(score%10) + " of 100" }

// itemView is what the page of an item shows.
type itemView struct {
	itemRow
	profile                     // of the user whose deposit it is
	Names     []named           // of partners, for assigning
	Others    map[string]string // externalUserIds of owners to whom it was to be assigned
	MayDecide bool
	FourEyes  bool // of the partner whose deposit it is
	Typed     typedDecision
}

// typedDecision is a decision as it was typed, when it was refused.
type typedDecision struct {
	reason, user string
	partner      int64
}

// alike is how much the names are; empty when they were not compared, or there is no verified name any more.
func (v itemView) alike() string {
	unknown := v.ofUser() && v.Established.FirstName+v.Established.LastName == ""
	if v.Item.Score == 0 && (unknown || v.Item.Why != sepa.WaitsName) {
		return ""
	}
	return ofThousand(v.Item.Score)
}

func (v itemView) ofUser() bool { return v.Item.Owner != ledger.PartnerItself }

// can tells whether something can be decided now.
func (v itemView) can(verdict compliance.Verdict) bool {
	for _, possible := range v.Item.Verdicts() {
		if possible == verdict {
			return true
		}
	}
	return false
}

// proposal is what waits for another officer.
func (v itemView) proposal() (d sepa.Said, ok bool) {
	if !v.Item.Proposed {
		return d, false
	}
	return v.Item.Decisions[len(v.Item.Decisions)-1], true
}

// chosenPartner is the partner whom the form shows: as typed, or as proposed, so that confirming takes no typing.
func (v itemView) chosenPartner() int64 {
	if p, ok := v.proposal(); ok && v.Typed.partner == 0 {
		return p.ToPartner
	}
	return v.Typed.partner
}

// chosenUser is the user whom the form shows.
func (v itemView) chosenUser() string {
	if p, ok := v.proposal(); ok && v.Typed.partner == 0 {
		return v.Others[p.ToOwner.String()]
	}
	return v.Typed.user
}

// to tells whom an officer meant.
func (v itemView) to(d sepa.Said) string {
	if d.ToPartner == ledger.Operator {
		return ""
	}
	whom := nameOf(v.Names, d.ToPartner)
	if other := v.Others[d.ToOwner.String()]; other != "" {
		return "to " + other + " at " + whom
	}
	return "to " + whom + " itself"
}

func (c *console) showItem(w http.ResponseWriter, r *http.Request) error {
	return c.itemAgain(w, r, http.StatusOK, "", typedDecision{})
}

// itemAgain shows an item, with what was wrong with a decision, and that decision as it was typed.
func (c *console) itemAgain(w http.ResponseWriter, r *http.Request, status int, why string, typed typedDecision) error {
	id, err := clock.ParseID(chi.URLParam(r, "item"))
	if err != nil {
		return errNotFound
	}
	v := itemView{Typed: typed, MayDecide: officer(r).May(Decide)}
	if v.Names, err = c.partners(r.Context()); err != nil {
		return err
	}
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) error { return c.fillItem(rd, &v, id) })
	if errors.Is(err, sepa.ErrNoItem) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	if v.Item.Partner != ledger.Operator {
		p, err := c.Partners.Get(r.Context(), v.Item.Partner)
		if err != nil {
			return err
		}
		v.FourEyes = p.Settings.Text("fourEyes") == "on"
	}
	f := c.frame(r, kindTitles[v.Item.Kind]+" of "+v.Item.Amount.String()+" EUR", suspenseSection)
	if f.problem = why; why != "" {
		f.done = ""
	}
	c.render(w, r, status, itemPage(f, v))
	return nil
}

// fillItem reads an item with the people whom it concerns.
func (c *console) fillItem(r db.Reader, v *itemView, id clock.ID) (err error) {
	if v.Item, err = c.Suspense.FindItem(r, id); err != nil {
		return err
	}
	v.itemRow = itemRow{Item: v.Item, PartnerName: nameOf(v.Names, v.Item.Partner)}
	v.Others = map[string]string{}
	for _, d := range v.Item.Decisions {
		if d.ToOwner == ledger.PartnerItself {
			continue
		}
		u, err := user.FindByID(r, d.ToPartner, d.ToOwner)
		if err != nil {
			return err
		}
		v.Others[d.ToOwner.String()] = u.ExternalID
	}
	if !v.ofUser() {
		return nil
	}
	u, err := user.FindByID(r, v.Item.Partner, v.Item.Owner)
	if err != nil {
		return err
	}
	v.profile = profile{User: u, PartnerName: v.itemRow.PartnerName}
	return c.fillPerson(r, &v.profile)
}

// decideItem records what an officer says about money on suspense.
func (c *console) decideItem(w http.ResponseWriter, r *http.Request) error {
	if err := form(r); err != nil {
		return err
	}
	id, err := clock.ParseID(chi.URLParam(r, "item"))
	if err != nil {
		return errNotFound
	}
	typed := typedDecision{reason: reasonOf(r), user: strings.TrimSpace(r.PostForm.Get("user"))}
	verdict := compliance.Verdict(r.PostForm.Get("verdict"))
	if text := r.PostForm.Get("partner"); verdict == sepa.Assign && text != "" {
		if typed.partner, err = strconv.ParseInt(text, 10, 64); err != nil {
			return c.itemAgain(w, r, http.StatusBadRequest, "Choose the partner who gets the payment.", typed)
		}
	}
	d := sepa.Decision{
		Item: id, Officer: officer(r).Name, Verdict: verdict, Reason: typed.reason, To: sepa.Target{Partner: typed.partner, User: typed.user},
	}
	it, err := c.Suspense.Decide(r.Context(), d)
	if decidedBefore(err) {
		if word, err := c.itemSaid(r, d); err != nil || word != "" {
			return led(w, r, itemPath(id), word, err)
		}
	}
	switch {
	case errors.Is(err, sepa.ErrNoItem):
		return errNotFound
	case errors.Is(err, sepa.ErrItemDecided):
		return c.itemAgain(w, r, http.StatusConflict, "This was decided already. What you wrote was not stored; the decision that counts is below.", typed)
	case errors.Is(err, compliance.ErrSameOfficer):
		return c.itemAgain(w, r, http.StatusConflict, "You proposed this decision yourself. Another officer must confirm it.", typed)
	case errors.Is(err, sepa.ErrNotPossible):
		return c.itemAgain(w, r, http.StatusConflict, "This cannot be done: "+strings.TrimPrefix(err.Error(), sepa.ErrNotPossible.Error()+": ")+".", typed)
	case errors.Is(err, compliance.ErrBadDecision):
		return c.itemAgain(w, r, http.StatusBadRequest, "Choose what can be decided about this, and give a reason of at most 2,000 characters; to assign it, also the partner who gets it.", typed)
	case err != nil:
		return err
	}
	return led(w, r, itemPath(id), stored(it.State != sepa.ItemWaiting), nil)
}
