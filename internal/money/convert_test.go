package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"kontor/internal/money"
)

func rate(t *testing.T, text string) money.Rate {
	t.Helper()
	r, err := money.ParseRate(text)
	if err != nil {
		t.Fatalf("rate %s: %v", text, err)
	}
	return r
}

func share(t *testing.T, text string) money.Percent {
	t.Helper()
	p, err := money.ParsePercent(text)
	if err != nil {
		t.Fatalf("share %s: %v", text, err)
	}
	return p
}

func TestConversionIsExactUntilItIsCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount         money.Amount
		from, less, to string
		want           money.Amount
	}{
		{money.New(10000, eur), "1", "1.49", "57000.5", money.New(172_823, btc)}, // 98.51 / 57000.5 = 0.00172823…
		{money.New(100_000_000, btc), "57000.5", "0", "1", money.New(5_700_050, eur)},
		{money.New(1, btc), "91250.4", "0", "1", money.New(0, eur)}, // 0.0009 EUR
		{money.New(300, eur), "1", "0", "3", money.New(1_000_000, usdc)},
		{money.New(100, eur), "1", "0", "3", money.New(333_333, usdc)},
		{money.New(100, eur), "1", "100", "3", money.New(0, usdc)},
		{money.New(math.MaxInt64, btc), "0.000000000000000001", "0", "9000000000000000000", money.New(0, usdc)},
		{money.New(0, eur), "1", "0", "1", money.New(0, eur)},
	} {
		got, err := money.Convert(c.amount, rate(t, c.from), share(t, c.less), rate(t, c.to), c.want.Currency())
		if err != nil || got != c.want {
			t.Errorf("%s at %s less %s %% at %s: got %s, %v; want %s", c.amount, c.from, c.less, c.to, got, err, c.want)
		}
	}
	if _, err := money.Convert(money.New(math.MaxInt64, eur), rate(t, "9"), share(t, "0"), rate(t, "1"), eur); !errors.Is(err, money.ErrRange) {
		t.Errorf("too much: got %v, want ErrRange", err)
	}
	mustPanic(t, "an amount below zero", func() {
		_, _ = money.Convert(money.New(-1, eur), rate(t, "1"), money.Percent{}, rate(t, "1"), eur)
	})
	mustPanic(t, "no price", func() { _, _ = money.Convert(money.New(1, eur), rate(t, "1"), money.Percent{}, money.Rate{}, eur) })
}

// The result is the greatest amount that is not worth more than what was given, computed with fractions.
func TestConversionAgainstFractions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := money.New(rapid.Int64Range(0, math.MaxInt64).Draw(t, "units"), money.Currency{Code: "from", Scale: rapid.IntRange(0, 8).Draw(t, "scale")})
		target := money.Currency{Code: "to", Scale: rapid.IntRange(0, 8).Draw(t, "target scale")}
		from, to := drawRate(t, "from"), drawRate(t, "to")
		less, err := money.ParsePercent(money.New(rapid.Int64Range(0, 1_000_000).Draw(t, "less"), money.Currency{Scale: 4}).Number())
		if err != nil {
			t.Fatal(err)
		}
		lessRat, _ := new(big.Rat).SetString(less.String())
		kept := new(big.Rat).Sub(big.NewRat(1, 1), new(big.Rat).Quo(lessRat, big.NewRat(100, 1)))
		exact := new(big.Rat).SetFrac(big.NewInt(a.Units()), pow10(a.Currency().Scale))
		exact.Mul(exact, from.Rat()).Mul(exact, kept).Quo(exact, to.Rat()).Mul(exact, new(big.Rat).SetInt(pow10(target.Scale)))
		want := new(big.Int).Quo(exact.Num(), exact.Denom())
		got, err := money.Convert(a, from, less, to, target)
		switch {
		case want.IsInt64() && (err != nil || got != money.New(want.Int64(), target)):
			t.Fatalf("got %v, %v; want %v", got, err, want)
		case !want.IsInt64() && !errors.Is(err, money.ErrRange):
			t.Fatalf("got %v, %v for %v; want ErrRange", got, err, want)
		}
	})
}

func drawRate(t *rapid.T, name string) money.Rate {
	units := rapid.Int64Range(1, math.MaxInt64).Draw(t, name)
	r, err := money.RateOf(new(big.Rat).SetFrac(big.NewInt(units), pow10(rapid.IntRange(0, 18).Draw(t, name+" scale"))), 18)
	if err != nil {
		t.Skip("it has no exact form")
	}
	return r
}

func TestValues(t *testing.T) {
	t.Parallel()
	a, b := money.ValueOf(money.New(150, eur), rate(t, "1")), money.ValueOf(money.New(1, btc), rate(t, "0.000000000000000001"))
	if a.Cmp(b) <= 0 || b.Sign() != 1 || a.Sub(a).Sign() != 0 || b.Sub(a).Sign() != -1 || a.Add(b).Cmp(a) != 1 {
		t.Error("values do not compare")
	}
	for _, c := range []struct {
		value    money.Value
		decimals int
		want     int64
	}{
		{a, 2, 150},
		{a, 0, 1},
		{b, 26, 1},
		{b, 25, 0},
		{a.Sub(b), 2, 149},
		{b.Sub(a), 2, -150}, // towards the lower number
		{a.Sub(a).Sub(b), 2, -1},
	} {
		if got, err := c.value.Floor(c.decimals); err != nil || got != c.want {
			t.Errorf("to %d decimals: got %d, %v; want %d", c.decimals, got, err, c.want)
		}
	}
	large := money.ValueOf(money.New(math.MaxInt64, eur), rate(t, "100"))
	if _, err := large.Floor(2); !errors.Is(err, money.ErrRange) {
		t.Errorf("too large: got %v", err)
	}
}

func TestMoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fromThen, toThen, fromNow, toNow, share string
		want                                    bool
	}{
		{"1", "100", "1", "100", "0", false},
		{"1", "100", "1", "101", "1", false},    // 0.990099…: less than one per cent
		{"1", "99", "1", "100", "1", false},     // exactly one per cent
		{"1", "99", "1", "100.0001", "1", true}, // a little more
		{"100", "1", "99", "1", "1", false},
		{"100", "1", "98.9999999999999999", "1", "1", true},
		{"100", "1", "200", "1", "0", false}, // for the better
		{"9000000000000000000", "0.000000000000000001", "8000000000000000000", "0.000000000000000001", "10", true},
	} {
		got := money.Moved(rate(t, c.fromThen), rate(t, c.toThen), rate(t, c.fromNow), rate(t, c.toNow), share(t, c.share))
		if got != c.want {
			t.Errorf("%v: got %v", c, got)
		}
	}
}

func TestRatesAsFractions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		num, denom int64
		decimals   int
		want       string
	}{
		{1, 3, 8, "0.33333333"},
		{2, 3, 8, "0.66666667"},
		{1, 2, 0, "1"},
		{300, 200, 18, "1.5"},
		{91_250_405, 1000, 2, "91250.41"},
	} {
		if got, err := money.RateOf(big.NewRat(c.num, c.denom), c.decimals); err != nil || got != rate(t, c.want) {
			t.Errorf("%d/%d: got %s, %v; want %s", c.num, c.denom, got, err, c.want)
		}
	}
	for _, x := range []*big.Rat{big.NewRat(0, 1), big.NewRat(-1, 2), big.NewRat(1, 1000), big.NewRat(math.MaxInt64, 1)} {
		if got, err := money.RateOf(x, 2); !errors.Is(err, money.ErrRange) {
			t.Errorf("%s: got %s, %v; want ErrRange", x, got, err)
		}
	}
	if rate(t, "0.1832").Rat().Cmp(big.NewRat(1832, 10000)) != 0 {
		t.Error("the fraction is another number")
	}
	if rate(t, "1.5").Cmp(rate(t, "1.49999")) != 1 || rate(t, "2").Cmp(rate(t, "10")) != -1 || rate(t, "1.50").Cmp(rate(t, "1.5")) != 0 {
		t.Error("the order is wrong")
	}
}

func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	if sum, err := share(t, "1.49").Plus(share(t, "0.5")); err != nil || sum.String() != "1.99" {
		t.Errorf("got %s, %v", sum, err)
	}
	if got := share(t, "1.49").Rat(); got.Cmp(big.NewRat(149, 10000)) != 0 {
		t.Errorf("as a fraction: %s", got)
	}
	if _, err := share(t, "99.9999").Plus(share(t, "0.0002")); !errors.Is(err, money.ErrRange) {
		t.Errorf("above the whole: %v", err)
	}
}
