package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"kontor/internal/money"
)

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		percent string
		of      money.Amount
		want    int64
	}{
		{"1.49", money.New(10_000, eur), 149},
		{"0.1", money.New(100_000, eur), 100},
		{"0.1", money.New(999, eur), 0},      // 0.999 cents: cut
		{"1.49", money.New(9_999, eur), 148}, // 148.9851 cents: cut
		{"100", money.New(math.MaxInt64, btc), math.MaxInt64},
		{"0.0001", money.New(1_000_000, btc), 1},
		{"0", money.New(100, eur), 0},
	} {
		p, err := money.ParsePercent(c.percent)
		if err != nil || p.String() != c.percent {
			t.Fatalf("ParsePercent(%q): got %s, %v", c.percent, p, err)
		}
		if got := p.Of(c.of); got != money.New(c.want, c.of.Currency()) {
			t.Errorf("%s %% of %s: got %s, want %d units", p, c.of, got, c.want)
		}
	}
	mustPanic(t, "a share of a negative amount", func() { money.Percent{}.Of(money.New(-1, eur)) })
}

func TestPercentRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"":         money.ErrSyntax,
		"1 %":      money.ErrSyntax,
		"-1":       money.ErrSyntax,
		"1e1":      money.ErrSyntax,
		"0.00001":  money.ErrScale,
		"100.0001": money.ErrRange,
	} {
		if got, err := money.ParsePercent(text); !errors.Is(err, want) || got != (money.Percent{}) {
			t.Errorf("ParsePercent(%q): got %s, %v; want %v", text, got, err, want)
		}
	}
}

// A share is the largest whole number of units that is not above the exact share.
func TestPercentAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(rapid.Int64Min(0).Draw(t, "units"), usdc)
		millionths := rapid.Int64Range(0, 1_000_000).Draw(t, "millionths")
		p, err := money.ParsePercent(big.NewRat(millionths, 10_000).FloatString(4))
		if err != nil {
			t.Fatal(err)
		}
		want := new(big.Int).Mul(big.NewInt(a.Units()), big.NewInt(millionths))
		want.Quo(want, big.NewInt(1_000_000))
		if got := p.Of(a); got.Units() != want.Int64() {
			t.Fatalf("%s %% of %d: got %d, want %s", p, a.Units(), got.Units(), want)
		}
	})
}
