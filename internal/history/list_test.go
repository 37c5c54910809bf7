package history_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"kontor/internal/entry"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/page"
	"kontor/internal/sepa"
	"kontor/internal/transfer"
)

// somewhat answers one of the values, and now and then none.
func somewhat[T any](r *rand.Rand, values ...T) T {
	if i := r.IntN(len(values) + 1); i < len(values) {
		return values[i]
	}
	var none T
	return none
}

// TestListsAreWhatHappened compares pages of random lists with a model that filters and sorts everything.
func TestListsAreWhatHappened(t *testing.T) {
	t.Parallel()
	each(t, 3, func(w *world) {
		seed := rand.Uint64()
		w.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		owners := w.owners()
		for range 150 {
			w.clock.Advance(time.Duration(r.IntN(3)) * time.Millisecond) // many things happen at one moment
			owner := owners[r.IntN(len(owners))]
			if r.IntN(4) == 0 {
				w.all = append(w.all, w.deposit(owner, 1+r.Int64N(999), []string{"PENDING", "SUCCESSFUL", "SUSPENDED"}[r.IntN(3)]))
				continue
			}
			other := owners[(slices.Index(owners, owner)+1+r.IntN(len(owners)-1))%len(owners)]
			c := []money.Currency{eur, eur, btc, usdc}[r.IntN(4)]
			w.all = append(w.all, w.transfer(owner, other, money.New(1+r.Int64N(99), c), somewhat(r, "rent", "food"))...)
		}
		slices.SortFunc(w.all, func(a, b entry.Entry) int { return a.Compare(b.Position) })
		for range 120 {
			w.compare(w.question(r))
		}
	})
}

// question makes up a query.
func (w *world) question(r *rand.Rand) entry.Query {
	q := entry.Query{
		Partner: w.partner, Everyone: r.IntN(3) == 0, Owner: w.owners()[r.IntN(len(w.owners()))],
		Range: page.Range{Limit: 1 + r.IntN(40)},
	}
	for _, e := range w.Catalog.Currencies() {
		q.Currencies = append(q.Currencies, e.Currency)
	}
	for range r.IntN(4) {
		moment := w.all[r.IntN(len(w.all))].At
		switch r.IntN(8) {
		case 0:
			q.Type = somewhat(r, "SEPA_DEPOSIT", "INTERNAL_TRANSFER", "FEE")
		case 1:
			q.Status = somewhat(r, "PENDING", "SUCCESSFUL", "FAILED")
		case 2:
			q.Currencies = []money.Currency{[]money.Currency{eur, btc, usdc}[r.IntN(3)]}
		case 3:
			q.Reference = somewhat(r, "rent", "food", "books")
		case 4:
			q.From = moment
		case 5:
			q.To = moment
		case 6:
			q.From, q.To = moment, moment.Add(time.Duration(r.IntN(100))*time.Millisecond)
		case 7:
			q.Operation = w.all[r.IntN(len(w.all))].ID
		}
	}
	return q
}

// compare reads a list and holds it against what happened.
func (w *world) compare(q entry.Query) {
	w.Helper()
	var want []entry.Entry
	for _, e := range w.all {
		t, isTransfer := e.Object.(transfer.Transfer)
		if (q.Everyone || e.Owner == q.Owner) && (q.Type == "" || q.Type == e.Type) && (q.Status == "" || q.Status == e.Status) &&
			(q.Reference == "" || isTransfer && t.Reference == q.Reference) && (q.Operation.IsZero() || q.Operation == e.ID) &&
			slices.Contains(q.Currencies, e.Amount.Currency()) &&
			!e.At.Before(q.From) && (q.To.IsZero() || e.At.Before(q.To)) {
			want = append(want, e)
		}
	}
	got := w.pages(q, func() {})
	same := slices.EqualFunc(got, want, func(a, b entry.Entry) bool {
		return a.Position == b.Position && a.Owner == b.Owner && a.Type == b.Type && a.Status == b.Status &&
			a.Amount == b.Amount && a.Fee == money.New(0, a.Amount.Currency())
	})
	if !same {
		w.Fatalf("%+v\nshows %d entries, want %d:\n%v\nwant\n%v", q, len(got), len(want), got, want)
	}
	for _, e := range got {
		switch object := e.Object.(type) {
		case transfer.Transfer:
			if object.ID != e.ID || object.Amount != e.Amount {
				w.Errorf("the transfer %+v belongs to another entry than %+v", object, e)
			}
		case sepa.Deposit:
			if object.ID != e.ID || object.Told() != e.Status {
				w.Errorf("the deposit %+v belongs to another entry than %+v", object, e)
			}
		default:
			w.Errorf("an entry has a %T", object)
		}
	}
}

// TestPagesAreStableWhileOthersInsert pages through a list while it grows: nothing comes twice, and nothing
// that was there at the beginning is left out.
func TestPagesAreStableWhileOthersInsert(t *testing.T) {
	t.Parallel()
	each(t, 2, func(w *world) {
		owners := w.owners()
		insert := func() []entry.Entry {
			w.clock.Advance(time.Microsecond)
			return w.transfer(owners[1], owners[2], money.New(1, eur), "")
		}
		for range 40 {
			w.all = append(w.all, insert()...)
		}
		orders := make(chan struct{}, 100)
		var inserting sync.WaitGroup
		for range 4 {
			inserting.Go(func() {
				for range orders {
					insert()
				}
			})
		}
		for _, limit := range []int{1, 3, 8} {
			for _, everyone := range []bool{true, false} {
				got := w.pages(entry.Query{
					Partner: w.partner, Owner: owners[1], Everyone: everyone, Currencies: []money.Currency{eur},
					Range: page.Range{Limit: limit},
				}, func() { orders <- struct{}{} })
				w.checkPages(got, func(e entry.Entry) bool { return everyone || e.Owner == owners[1] })
			}
		}
		close(orders)
		inserting.Wait()
	})
}

// checkPages finds what came twice or out of order, and what is missing of what must be there.
func (w *world) checkPages(got []entry.Entry, expected func(entry.Entry) bool) {
	w.Helper()
	seen := map[page.Position]bool{}
	for i, e := range got {
		if seen[e.Position] {
			w.Fatalf("%v came twice", e.Position)
		}
		seen[e.Position] = true
		if i > 0 && got[i-1].Compare(e.Position) >= 0 {
			w.Fatalf("%v comes behind %v", e.Position, got[i-1].Position)
		}
	}
	for _, e := range w.all {
		if expected(e) && !seen[e.Position] {
			w.Fatalf("%v was left out", e.Position)
		}
	}
}

// TestOtherPostingsDoNotHideEntries has a transfer below many postings of operations without entries.
func TestOtherPostingsDoNotHideEntries(t *testing.T) {
	t.Parallel()
	each(t, 1, func(w *world) {
		owner := w.owners()[1]
		want := w.transfer(owner, ledger.PartnerItself, money.New(5, btc), "")
		for range 60 {
			w.clock.Advance(time.Second)
			w.fund(owner, money.New(1, btc))
		}
		got, more := w.list(entry.Query{Partner: w.partner, Owner: owner, Currencies: []money.Currency{eur, btc}, Range: page.Range{Limit: 1}})
		if len(got) != 1 || more || got[0].Position != want[0].Position {
			t.Errorf("got %v, more %v; want %v alone", got, more, want[0])
		}
	})
}

// TestAnotherPartnersEntriesStayHidden asks for a partner's entries under another partner's id.
func TestAnotherPartnersEntriesStayHidden(t *testing.T) {
	t.Parallel()
	each(t, 1, func(w *world) {
		e := w.transfer(w.owners()[1], ledger.PartnerItself, money.New(5, eur), "mine")[0]
		w.deposit(w.owners()[1], 5, "PENDING")
		for name, q := range map[string]entry.Query{
			"everyone": {Everyone: true}, "owner": {Owner: w.owners()[1]}, "operation": {Everyone: true, Operation: e.ID},
			"reference": {Everyone: true, Reference: "mine"},
		} {
			q.Partner, q.Currencies, q.Limit = w.partner+1, []money.Currency{eur}, 10
			if got, _ := w.list(q); len(got) > 0 {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}
