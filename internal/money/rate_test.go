package money_test

import (
	"errors"
	"strings"
	"testing"

	"kontor/internal/money"
)

func TestRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1":                    "1",
		"1.00":                 "1",
		"91250.40":             "91250.4",
		"0.1832":               "0.1832",
		"5e-7":                 "0.0000005",
		"1E5":                  "100000",
		"10":                   "10",
		"1.000000000000000001": "1.000000000000000001",
		"9223372036854775807":  "9223372036854775807",
	} {
		got, err := money.ParseRate(text)
		if err != nil || got.String() != want {
			t.Errorf("ParseRate(%q): got %s, %v; want %s", text, got, err, want)
		}
		back, err := money.ParseRate(got.String())
		if err != nil || back != got {
			t.Errorf("%s is not the same rate when it is read back", got)
		}
	}
	if (money.Rate{}).String() != "0" {
		t.Error("no price is not written 0")
	}
}

func TestRateRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"":                              money.ErrSyntax,
		"1,5":                           money.ErrSyntax,
		"free":                          money.ErrSyntax,
		"-1":                            money.ErrNegative,
		"0":                             money.ErrRange,
		"0.00":                          money.ErrRange,
		"-0":                            money.ErrRange,
		"1e-19":                         money.ErrScale,
		"1e19":                          money.ErrRange,
		"1e999999999":                   money.ErrRange,
		"1" + strings.Repeat("0", 19):   money.ErrRange,
		"0." + strings.Repeat("1", 19):  money.ErrScale,
		"99." + strings.Repeat("1", 18): money.ErrRange,
	} {
		if got, err := money.ParseRate(text); !errors.Is(err, want) || got != (money.Rate{}) {
			t.Errorf("ParseRate(%q): got %v, %v; want %v", text, got, err, want)
		}
	}
}
