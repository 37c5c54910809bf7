package contract

import (
	"encoding/json"
	"testing"

	"kontor/internal/money"
)

func TestDecimalKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	btc := money.Currency{Code: "btc", Scale: 8}
	for wire, units := range map[string]int64{
		`"10.50"`:               1_050_000_000,
		`10.50`:                 1_050_000_000,
		`5e-7`:                  50,
		`"0.00000001"`:          1,
		`"0.\u00301"`:           1_000_000, // an escape in a string is the character that it stands for
		`90071992547.40993`:     9_007_199_254_740_993_000,
		`0.1000000000000000000`: -1,
		`"1e2"`:                 -1,
		`"ten"`:                 -1,
	} {
		var d Decimal
		if err := json.Unmarshal([]byte(wire), &d); err != nil {
			t.Fatalf("%s: %v", wire, err)
		}
		a, err := d.Amount(btc)
		if units < 0 {
			if err == nil {
				t.Errorf("%s was read as %s", wire, a)
			}
			continue
		}
		if err != nil || a.Units() != units {
			t.Errorf("%s: got %d, %v, want %d", wire, a.Units(), err, units)
		}
		again, err := json.Marshal(d)
		var back Decimal
		if err != nil || json.Unmarshal(again, &back) != nil || back != d {
			t.Errorf("%s was written as %s, %v", wire, again, err)
		}
	}
	for _, wire := range []string{`true`, `{}`, `[1]`} {
		var d Decimal
		if json.Unmarshal([]byte(wire), &d) == nil {
			t.Errorf("%s was read as %s", wire, d)
		}
	}
	d := NewDecimal("1")
	if err := json.Unmarshal([]byte(`null`), &d); err != nil || d.String() != "1" {
		t.Errorf("null: got %s, %v", d, err)
	}
}

func TestNumberIsWrittenExactly(t *testing.T) {
	t.Parallel()
	type answer struct {
		Amount Number  `json:"amount"`
		Fee    *Number `json:"fee"`
	}
	for _, wire := range []string{`{"amount":0.001,"fee":null}`, `{"amount":92233720368.54775807,"fee":1.49}`, `{"amount":-1.5,"fee":0}`} {
		var a answer
		if err := json.Unmarshal([]byte(wire), &a); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(a); err != nil || string(got) != wire {
			t.Errorf("got %s, %v, want %s", got, err, wire)
		}
	}
	for _, text := range []Number{"", "x", "01", `"1"`, "NaN", "1,2", "null"} {
		if got, err := json.Marshal(text); err == nil {
			t.Errorf("%q was written as %s", text, got)
		}
	}
	var n Number
	if json.Unmarshal([]byte(`"1"`), &n) == nil {
		t.Error("a string passed for a number")
	}
}
