package browser

import (
	"fmt"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/sepa"
)

// banked lets the bank give statements of some days, of which one lacks a payment and one begins with too much.
func banked(d *consoletest.Desk) {
	opening := int64(0)
	for day := 2; day <= 6; day++ {
		cents := int64(day)
		lines := []sepa.Entry{
			d.Line(fmt.Sprint("T26110", day, "-0001"), 1_250_00*cents, day), d.Line(fmt.Sprint("T26110", day, "-0002"), -312_50*cents, day),
			d.Line(fmt.Sprint("T26110", day, "-0003"), 89_95*cents, day),
		}
		d.Book(day, lines...)
		if day == 5 {
			lines = lines[:2]
		}
		d.State(cents+200, day, opening, lines...)
		for _, l := range lines {
			opening += l.Amount.Units()
		}
	}
	d.State(208, 9, opening+40_00, d.Line("T261109-0001", 75_00, 9))
}

func TestReconciliationInTheBrowser(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	dark := phone
	dark.dark = true
	first, second := open(t, desk), open(t, dark)
	enter(first, d, d.Officer("ann", console.Admin))
	first.submit(`nav a[href="/console/reconciliation"]`)
	first.shows(".notice", "no statement yet")
	first.judge()
	banked(d)
	enter(first, d, d.Officer("cleo", console.Compliance))
	first.visit(d.URL + "/console/reconciliation")
	first.shows(".notice.bad", "do not agree")
	first.shows("tbody tr:first-child .details", "the opening balance is not the closing balance")
	first.judge()
	first.look("console-reconciliation")
	enter(second, d, d.Officer("olga", console.Compliance))
	second.visit(d.URL + "/console/reconciliation")
	second.judge()
	second.look("console-dark-reconciliation")
}
