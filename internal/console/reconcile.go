package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"kontor/internal/db"
	"kontor/internal/money"
	"kontor/internal/sepa"
)

// statementPage is how many statements a page compares with the books.
const statementPage = 20

// shownCauses is how many differences of a statement are shown; kontor reconcile bank names more.
const shownCauses = 8

// dayList is what the page of the reconciliation shows.
type dayList struct {
	Rows   []dayRow
	Newest bool // the newest statement is among them
	Next   string
}

type dayRow struct{ sepa.Day }

func (c *console) showReconciliation(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	l := dayList{Newest: q.Get("before") == ""}
	err := c.DB.Snapshot(r.Context(), func(rd db.Reader) error {
		span := sepa.Span{Limit: statementPage + 1}
		if !l.Newest {
			before, err := statementAt(rd, q.Get("before"))
			if err != nil {
				return err
			}
			span.Before = &before
		}
		days, err := sepa.Days(rd, span)
		l.Rows, l.Next = nil, ""
		for _, d := range days {
			if len(l.Rows) == statementPage {
				last := l.Rows[statementPage-1]
				q.Set("before", last.Day.Day.Format(time.DateOnly)+"."+last.ID)
				l.Next = r.URL.Path + "?" + q.Encode()
				break
			}
			l.Rows = append(l.Rows, dayRow{d})
		}
		return err
	})
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, reconciliationPage(c.frame(r, reconcileSection, reconcileSection), l))
	return nil
}

// statementAt finds the statement behind which a list goes on: its day, a point, and the bank's id.
func statementAt(r db.Reader, text string) (sepa.Place, error) {
	day, id, _ := strings.Cut(text, ".")
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return sepa.Place{}, errNotFound
	}
	place, err := sepa.FindPlace(r, at, id)
	if errors.Is(err, db.ErrNoRows) {
		err = errNotFound
	}
	return place, err
}

// state tells in a word how the bank and the books stand to each other.
func (d dayRow) state() string {
	if d.Agrees() {
		return "agrees"
	}
	return "differs"
}

// shown are the differences that the page has room for, and how many it does not have.
func (d dayRow) shown() (some []sepa.Difference, more int64) {
	some = d.Differences[:min(len(d.Differences), shownCauses)]
	return some, d.Unnamed + int64(len(d.Differences)-len(some))
}

// begins tells whether the bank had something before its first statement that nobody has booked.
func (l dayList) begins() bool {
	for _, d := range l.Rows {
		for _, n := range d.Differences {
			if n.Cause == sepa.Beginning {
				return true
			}
		}
	}
	return false
}

// signs is an amount with a true minus.
func signs(a money.Amount) string {
	if a.Sign() < 0 {
		return "−" + a.Neg().String()
	}
	return a.String()
}
