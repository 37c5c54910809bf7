package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"kontor/internal/contract"
	"kontor/internal/fault"
	"kontor/internal/page"
)

// defaultLimit is how many rows a page has when nothing else is asked for, as the contract says.
const defaultLimit = 50

// listing is a request for a page of a list.
type listing struct {
	list page.List
	page.Range
}

// listing reads what all lists have in common from a query that the contract's validation has let pass.
// filters are the values of the list's own parameters, each in one spelling: a cursor is good for one
// combination of them. P403 for a range that ends before it begins, and for a cursor that is not of this list.
func (a *api) listing(r *http.Request, name string, filters ...string) (l listing, err error) {
	query := r.URL.Query()
	l.Limit = defaultLimit
	if query.Has("limit") {
		if l.Limit, err = strconv.Atoi(query.Get("limit")); err != nil {
			return l, err
		}
	}
	for parameter, moment := range map[string]*time.Time{"from": &l.From, "to": &l.To} {
		if !query.Has(parameter) {
			continue
		}
		if *moment, err = contract.Moment(query.Get(parameter)); err != nil {
			return l, err
		}
	}
	if !l.To.IsZero() && l.To.Before(l.From) {
		return l, fault.Invalid("from must not be later than to")
	}
	l.list = page.List{Partner: caller(r).ID, Name: name, Filters: append(filters, l.From.String(), l.To.String())}
	if !query.Has("cursor") {
		return l, nil
	}
	after, err := a.Cursors.Open(l.list, query.Get("cursor"))
	l.After = &after
	return l, err
}

// next is the cursor behind the last row of a page, or null when no more follow.
func (a *api) next(l listing, last page.Position, more bool) (*string, error) {
	if !more {
		return nil, nil
	}
	cursor, err := a.Cursors.Seal(l.list, last)
	return &cursor, err
}
