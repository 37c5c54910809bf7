package console_test

import (
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
)

func TestReconciliationShowsStatementsBesideTheBooks(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	v := &visitor{T: t, desk: d} // sessions end while the days go by
	v.as(d.Officer("cleo", console.Compliance)).get("/console/reconciliation").has(t, "The bank has given no statement yet", `href="/console/reconciliation" aria-current="page"`)

	a, lost := d.Line("A", 100_00, 2), d.Line("L<i>", 5_00, 2)
	d.Book(2, a, lost)
	d.State(1, 2, 0, a)
	page := v.as(d.Officer("olga", console.Compliance)).get("/console/reconciliation")
	page.has(t, "LT121000011101001000", "2026-001", ">100.00<", ">105.00<", ">−5.00<", "payment L&lt;i&gt; was told to be booked", "differs", "do not agree")
	if strings.Contains(page.body, "reconcile open") {
		t.Error("the page speaks of an opening balance")
	}
	d.State(2, 3, 100_00, lost, d.Line("B", -1_50, 3))
	v.as(d.Officer("petra", console.Compliance)).get("/console/reconciliation").has(t, "The books agree with the newest statement", ">103.50<")

	opening := int64(103_50)
	for day := 4; day <= 24; day++ {
		d.State(int64(day-1), day, opening, d.Line(fmt.Sprint("D", day), 1_00, day))
		opening += 1_00
	}
	cleo := v.as(d.Officer("rosa", console.Admin))
	page = cleo.get("/console/reconciliation")
	page.has(t, "2026-11-24", "2026-11-05", ">124.50<")
	_, next, _ := strings.Cut(page.body, `href="/console/reconciliation?`)
	next, _, ok := strings.Cut(next, `"`)
	if !ok || strings.Contains(page.body, "2026-11-04") {
		t.Fatalf("the first page has no end: %s", page.body)
	}
	older := cleo.get("/console/reconciliation?" + html.UnescapeString(next))
	older.has(t, "2026-11-04", "2026-11-02", ">104.50<", ">100.00<")
	if strings.Contains(older.body, "2026-11-05") || strings.Contains(older.body, "newest") || strings.Contains(older.body, "differs") || strings.Contains(older.body, `rel="next"`) {
		t.Errorf("the second page is %s", older.body)
	}
	for _, before := range []string{"x", "2026-11-02", "2026-11-02.none", "2026-11-02.2026-001%00"} {
		if got := cleo.get("/console/reconciliation?before=" + before); got.status != http.StatusNotFound {
			t.Errorf("before %s answers %d", before, got.status)
		}
	}
}

func TestReconciliationNamesWhatTheBankHadBefore(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	d.State(1, 2, 250_00)
	ann := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Admin))
	ann.get("/console/reconciliation").has(t, "before its first statement the bank had this much more", ">250.00<", "kontor reconcile open")
}
