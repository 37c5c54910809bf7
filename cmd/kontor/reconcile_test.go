package main

import (
	"strings"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

func TestReconcileBank(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, o operator) {
		if out := o.do("reconcile", "bank"); out != "the bank has given no statement yet\n" {
			t.Errorf("without a statement it prints %q", out)
		}
		open := []string{"reconcile", "open", "--reason", "Own funds", "--as", "first", "--amount"}
		o.refused("the bank has given no statement yet", append(open, "10.00")...)
		o.refused("is not an amount in eur", append(open, "-0.00")...)
		o.refused("has given no statement of 2020-01-01", "reconcile", "bank", "--day", "2020-01-01")
		o.refused(`--day "today" is not a day`, "reconcile", "bank", "--day", "today")
		if out := o.do("reconcile", "statement"); out != "statement 1\n" {
			t.Errorf("the statement prints %q", out)
		}
		var days []shownDay
		o.json(&days, "reconcile", "bank")
		if len(days) != 1 || days[0].Sequence != 1 || days[0].Closing != "0.00" || !days[0].Agrees || len(days[0].Differences) != 0 {
			t.Errorf("the days are %+v", days)
		}
		o.refused("the bank had what the books had", append(open, "10.00")...)
		o.do("verify")
		o.postAtBank()
		o.do("reconcile", "statement")
		status, out := o.try("reconcile", "bank", "--day", days[0].Day)
		out = strings.Join(strings.Fields(out), " ")
		if status != 1 || !strings.HasPrefix(out, "DAY STATEMENT LINES OPENING CLOSING BOOKS DIFFERENCE "+days[0].Day) ||
			!strings.Contains(out, "0.00 0.00 12.50 -12.50") || !strings.Contains(out, "-12.50 the posting of operation 09000000-") {
			t.Errorf("a difference ends with %d, %s", status, out)
		}
		o.refused("I11: on "+days[0].Day+" the bank has 0.00", "verify")
	})
}

// postAtBank posts 12.50 at the bank that the bank knows nothing of.
func (o operator) postAtBank() {
	o.t.Helper()
	target := o.store[1] + "/kontor.db"
	if len(o.store) > 2 {
		target = o.store[3]
	}
	d, err := db.Open(o.t.Context(), target)
	if err != nil {
		o.t.Fatal(err)
	}
	defer d.Close()
	euro := money.Currency{Code: "eur", Scale: 2}
	err = d.Update(o.t.Context(), func(tx *db.Tx) error {
		bank, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Bank, euro)
		if err != nil {
			return err
		}
		equity, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Equity, euro)
		ledger.Post(tx, ledger.Operator, ledger.Operation{Type: "TEST", ID: clock.ID{9}}, clock.System().Now(),
			ledger.Leg{Name: "amount", Debit: bank, Credit: equity, Amount: money.New(12_50, euro)})
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
}
