package main

import (
	"strings"
	"testing"

	"kontor/internal/clock"
)

func TestTreasury(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, o operator) {
		var made struct{ ID string }
		o.json(&made, "treasury", "hedge", "BTC", "--bought", "0.25", "--price", "50100.5", "--reason", "Test order", "--as", "First")
		if _, err := clock.ParseID(made.ID); err != nil {
			t.Errorf("the hedge has the id %q", made.ID)
		}
		o.do("treasury", "hedge", "btc", "--sold", "0.1", "--price", "50200", "--reason", "Test order", "--as", "first")
		for says, args := range map[string][]string{
			`"xxx" is not a currency`:      {"xxx", "--bought", "1", "--price", "1"},
			`"-1" is not an amount in btc`: {"btc", "--sold=-1", "--price", "1"},
			"must not be zero":             {"btc", "--bought", "0", "--price", "1"},
			`--price "0"`:                  {"btc", "--bought", "1", "--price", "0"},
			"it is not hedged":             {"eur", "--bought", "1", "--price", "1"},
		} {
			o.refused(says, append([]string{"treasury", "hedge", "--reason", "Test order"}, args...)...)
		}
		var shown []shownPosition
		o.json(&shown, "treasury", "show")
		if len(shown) != 8 {
			t.Fatalf("%d currencies are shown", len(shown))
		}
		e, b := shown[0], shown[1]
		if b.Currency != "btc" || b.Open != "0.00000000" || b.Hedged != "0.15000000" || b.Exposure != "0.15000000" || b.HedgedAt == nil ||
			b.LimitEUR != nil || b.GainEUR != "0.00000000" {
			t.Errorf("btc: %+v", b)
		}
		if e.Currency != "eur" || e.Hedged != "0.00" || e.HedgedAt != nil || e.Exposure != "0.00" || e.Exchanges != 0 {
			t.Errorf("eur: %+v", e)
		}
		out := strings.Join(strings.Fields(o.do("treasury", "show")), " ")
		if !strings.HasPrefix(out, "CURRENCY OWED OPEN HEDGED EXPOSURE ") || !strings.Contains(out, "btc 0.00000000 0.00000000 0.15000000 0.15000000") {
			t.Errorf("show prints %s", out)
		}
		var log []struct{ Action, Object string }
		if o.json(&log, "audit", "list"); log[0].Action != "treasury.hedge" || log[1].Object != made.ID {
			t.Errorf("the audit log has %+v", log[:2])
		}
		o.do("verify")
	})
}
