package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"kontor/internal/money"
)

var (
	yen  = money.Currency{Code: "yen", Scale: 0}
	eur  = money.Currency{Code: "eur", Scale: 2}
	usdc = money.Currency{Code: "usdc", Scale: 6}
	btc  = money.Currency{Code: "btc", Scale: 8}
)

func TestWrittenForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount        money.Amount
		fixed, number string
	}{
		{money.New(0, eur), "0.00", "0"},
		{money.New(0, usdc), "0.000000", "0"},
		{money.New(0, yen), "0", "0"},
		{money.New(100, yen), "100", "100"},
		{money.New(1, eur), "0.01", "0.01"},
		{money.New(-1, eur), "-0.01", "-0.01"},
		{money.New(-150, eur), "-1.50", "-1.5"},
		{money.New(1000, eur), "10.00", "10"},
		{money.New(100_000, btc), "0.00100000", "0.001"},
		{money.New(math.MaxInt64, btc), "92233720368.54775807", "92233720368.54775807"},
		{money.New(math.MinInt64, btc), "-92233720368.54775808", "-92233720368.54775808"},
		{money.Amount{}, "0", "0"},
	} {
		if got := c.amount.String(); got != c.fixed {
			t.Errorf("String of %d: got %s, want %s", c.amount.Units(), got, c.fixed)
		}
		if got := c.amount.Number(); got != c.number {
			t.Errorf("Number of %d: got %s, want %s", c.amount.Units(), got, c.number)
		}
	}
}

func TestArithmeticRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	one, largest := money.New(1, eur), money.New(math.MaxInt64, eur)
	smallest := largest.Neg()
	for name, err := range map[string]error{
		"largest + 1":  second(largest.Add(one)),
		"smallest - 1": second(smallest.Sub(one)),
		"largest + largest, which wraps to a small number":         second(largest.Add(largest)),
		"smallest + smallest, which wraps to a small number":       second(smallest.Add(smallest)),
		"0 - the int64 without an opposite":                        second(money.New(0, eur).Sub(money.New(math.MinInt64, eur))),
		"-1 - largest, which has no opposite":                      second(one.Neg().Sub(largest)),
		"the int64 without an opposite + 0, which must not spread": second(money.New(math.MinInt64, eur).Add(money.New(0, eur))),
	} {
		if !errors.Is(err, money.ErrRange) {
			t.Errorf("%s: got %v, want ErrRange", name, err)
		}
	}
}

func TestCurrenciesDoNotMix(t *testing.T) {
	t.Parallel()
	euro, coin := money.New(100, eur), money.New(100, btc)
	for name, err := range map[string]error{
		"eur + btc":              second(euro.Add(coin)),
		"eur - btc":              second(euro.Sub(coin)),
		"eur + no currency":      second(euro.Add(money.Amount{})),
		"same code, other scale": second(euro.Add(money.New(1, money.Currency{Code: "eur", Scale: 3}))),
	} {
		if !errors.Is(err, money.ErrCurrency) {
			t.Errorf("%s: got %v, want ErrCurrency", name, err)
		}
	}
	mustPanic(t, "comparing eur with btc", func() { euro.Cmp(coin) })
	mustPanic(t, "the opposite of the smallest int64", func() { money.New(math.MinInt64, eur).Neg() })
}

func TestSignAndOrder(t *testing.T) {
	t.Parallel()
	debit, nothing, credit := money.New(-1, eur), money.New(0, eur), money.New(1, eur)
	if debit.Sign() != -1 || nothing.Sign() != 0 || credit.Sign() != 1 {
		t.Error("the sign is wrong")
	}
	if debit.IsZero() || !nothing.IsZero() || !(money.Amount{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if debit.Cmp(credit) != -1 || credit.Cmp(debit) != 1 || credit.Cmp(debit.Neg()) != 0 {
		t.Error("the order is wrong")
	}
	if credit.Currency() != eur {
		t.Error("the currency is lost")
	}
}

// Sums agree with arithmetic that has no limits, and are refused exactly when they do not fit.
func TestArithmeticAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := rapid.Int64().Draw(t, "x"), rapid.Int64().Draw(t, "y")
		a, b := money.New(x, usdc), money.New(y, usdc)
		sum, err := a.Add(b)
		compare(t, sum, err, new(big.Int).Add(big.NewInt(x), big.NewInt(y)))
		difference, err := a.Sub(b)
		compare(t, difference, err, new(big.Int).Sub(big.NewInt(x), big.NewInt(y)))
	})
}

func compare(t *rapid.T, got money.Amount, err error, want *big.Int) {
	t.Helper()
	fits := want.IsInt64() && want.Int64() != math.MinInt64
	if fits && (err != nil || got != money.New(want.Int64(), usdc)) {
		t.Fatalf("got %v, %v; want %v", got, err, want)
	}
	if !fits && !errors.Is(err, money.ErrRange) {
		t.Fatalf("got %v, %v for %v; want ErrRange", got, err, want)
	}
}

// What is written is the exact value and reads back as the same amount.
func TestWrittenFormsAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := money.Currency{Code: "test", Scale: rapid.IntRange(0, 8).Draw(t, "scale")}
		a := money.New(rapid.Int64().Draw(t, "units"), c)
		exact := new(big.Rat).SetFrac(big.NewInt(a.Units()), pow10(c.Scale))
		for _, text := range []string{a.String(), a.Number()} {
			if written, ok := new(big.Rat).SetString(text); !ok || written.Cmp(exact) != 0 {
				t.Fatalf("%d units at scale %d are written %s", a.Units(), c.Scale, text)
			}
		}
		if got := a.String(); got != exact.FloatString(c.Scale) {
			t.Fatalf("got %s, want %s", got, exact.FloatString(c.Scale))
		}
		if a.Sign() < 0 {
			return
		}
		if back, err := money.ParseNumber(a.Number(), c); err != nil || back != a {
			t.Fatalf("%s reads back as %v, %v", a.Number(), back, err)
		}
		if back, err := money.Parse(a.String(), c); len(exact.FloatString(0)) <= 18 && (err != nil || back != a) {
			t.Fatalf("%s reads back as %v, %v", a, back, err)
		}
	})
}

func second(_ money.Amount, err error) error { return err }

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}
