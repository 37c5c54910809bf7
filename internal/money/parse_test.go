package money_test

import (
	"errors"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kontor/internal/money"
)

var forty = strings.Repeat("1234567890", 4)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text     string
		currency money.Currency
		want     int64
	}{
		{"0", eur, 0},
		{"0.00", eur, 0},
		{"10", eur, 1000},
		{"10.5", eur, 1050},
		{"10.50", eur, 1050},
		{"0.01", eur, 1},
		{"0.00000001", btc, 1},
		{"346.59", usdc, 346_590_000},
		{"999999999999999999", yen, 999_999_999_999_999_999},
		{"92233720368.54775807", btc, 9_223_372_036_854_775_807},
	} {
		got, err := money.Parse(c.text, c.currency)
		if err != nil || got != money.New(c.want, c.currency) {
			t.Errorf("Parse(%q): got %v, %v; want %d units", c.text, got, err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	refused(t, "Parse", money.Parse, []refusal{
		{"", eur, money.ErrSyntax},
		{" ", eur, money.ErrSyntax},
		{" 1", eur, money.ErrSyntax},
		{"1 ", eur, money.ErrSyntax},
		{"1\n", eur, money.ErrSyntax},
		{"1\x00", eur, money.ErrSyntax},
		{"+1", eur, money.ErrSyntax},
		{"-1", eur, money.ErrSyntax},
		{"-0", eur, money.ErrSyntax},
		{"-", eur, money.ErrSyntax},
		{"1.", eur, money.ErrSyntax},
		{".5", eur, money.ErrSyntax},
		{".", eur, money.ErrSyntax},
		{"1..5", eur, money.ErrSyntax},
		{"1.5.0", eur, money.ErrSyntax},
		{"00", eur, money.ErrSyntax},
		{"00.10", eur, money.ErrSyntax},
		{"01", eur, money.ErrSyntax},
		{"1e3", eur, money.ErrSyntax},
		{"1e0", eur, money.ErrSyntax},
		{"0x10", eur, money.ErrSyntax},
		{"0b1", eur, money.ErrSyntax},
		{"1_000", eur, money.ErrSyntax},
		{"1,5", eur, money.ErrSyntax},
		{"1'000", eur, money.ErrSyntax},
		{"NaN", eur, money.ErrSyntax},
		{"Infinity", eur, money.ErrSyntax},
		{"null", eur, money.ErrSyntax},
		{"١٢٣", eur, money.ErrSyntax}, // Arabic-Indic digits
		{"１２", eur, money.ErrSyntax},  // full-width digits
		{"1\xff", eur, money.ErrSyntax},
		{"1.005", eur, money.ErrScale},
		{"1.500", eur, money.ErrScale},
		{"1.0", yen, money.ErrScale},
		{"0.0000001", usdc, money.ErrScale},
		{"0." + forty, btc, money.ErrScale},
		{"1000000000000000000", yen, money.ErrRange}, // 19 digits, though an int64 could hold them
		{"92233720368.54775808", btc, money.ErrRange},
		{"999999999999999999", eur, money.ErrRange},
		{"184467440737.09551617", btc, money.ErrRange}, // 2^64 + 1 units: must not wrap to 1
		{forty, eur, money.ErrRange},
	})
}

func TestParseNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text     string
		currency money.Currency
		want     int64
	}{
		{"0", eur, 0},
		{"-0", eur, 0},
		{"-0.00", eur, 0},
		{"10.5", eur, 1050},
		{"5e-7", btc, 50},
		{"5E-7", btc, 50},
		{"1E2", eur, 10_000},
		{"1e+2", eur, 10_000},
		{"1e002", eur, 10_000},
		{"1.50e1", eur, 1500},
		{"1.50e-1", money.Currency{Code: "test", Scale: 3}, 150},
		{"123456.789e-2", btc, 123_456_789_000},
		{"0e999999999", eur, 0},
		{"0.1", eur, 10},
		{"0.3", btc, 30_000_000}, // has no exact binary form
		{"92233720368.54775807", btc, 9_223_372_036_854_775_807},
		{"9223372036854775807e-8", btc, 9_223_372_036_854_775_807},
		{"1000000000000000000", yen, 1_000_000_000_000_000_000},
		{"0.00000000000000000001e20", eur, 100},
	} {
		got, err := money.ParseNumber(c.text, c.currency)
		if err != nil || got != money.New(c.want, c.currency) {
			t.Errorf("ParseNumber(%q): got %v, %v; want %d units", c.text, got, err, c.want)
		}
	}
}

func TestParseNumberRefuses(t *testing.T) {
	t.Parallel()
	refused(t, "ParseNumber", money.ParseNumber, []refusal{
		{"", eur, money.ErrSyntax},
		{"-", eur, money.ErrSyntax},
		{"--1", eur, money.ErrSyntax},
		{"+1", eur, money.ErrSyntax},
		{" 1", eur, money.ErrSyntax},
		{"1.", eur, money.ErrSyntax},
		{".5", eur, money.ErrSyntax},
		{"00.10", eur, money.ErrSyntax},
		{"-01", eur, money.ErrSyntax},
		{"1e", eur, money.ErrSyntax},
		{"1e+", eur, money.ErrSyntax},
		{"1e1.5", eur, money.ErrSyntax},
		{"1e1e1", eur, money.ErrSyntax},
		{"e5", eur, money.ErrSyntax},
		{"1.e5", eur, money.ErrSyntax},
		{"0x10", eur, money.ErrSyntax},
		{"1_000", eur, money.ErrSyntax},
		{"NaN", eur, money.ErrSyntax},
		{"-Infinity", eur, money.ErrSyntax},
		{"١", eur, money.ErrSyntax},
		{"1e١", eur, money.ErrSyntax},
		{"-1", eur, money.ErrNegative},
		{"-0.01", eur, money.ErrNegative},
		{"-1e-7", eur, money.ErrNegative},
		{"1e-7", usdc, money.ErrScale},
		{"1.0e-6", usdc, money.ErrScale}, // a written zero counts
		{"100e-3", eur, money.ErrScale},
		{"1.500", eur, money.ErrScale},
		{"1.500e0", eur, money.ErrScale},
		{"1e-999999999", btc, money.ErrScale},
		{"0e-999999999", btc, money.ErrScale},
		{"1e999999999", eur, money.ErrRange},
		{"1e99999999999999999999999999999999", eur, money.ErrRange},
		{"1e18", eur, money.ErrRange},
		{"184467440737.09551617", btc, money.ErrRange},
		{"92233720368.54775808", btc, money.ErrRange},
		{forty, eur, money.ErrRange},
	})
}

type refusal struct {
	text     string
	currency money.Currency
	want     error
}

func refused(t *testing.T, name string, parse func(string, money.Currency) (money.Amount, error), list []refusal) {
	t.Helper()
	for _, c := range list {
		if got, err := parse(c.text, c.currency); !errors.Is(err, c.want) || got != (money.Amount{}) {
			t.Errorf("%s(%q, %s): got %v, %v; want %v", name, c.text, c.currency.Code, got, err, c.want)
		}
	}
}

// The cost of reading a number does not grow with the value of its exponent: if it did, this would take hours.
func TestParseNumberHugeExponentIsCheap(t *testing.T) {
	t.Parallel()
	for range 50_000 {
		for _, text := range []string{"1e999999999", "1e-999999999", "9e999999999999999999", "0e999999999"} {
			_, _ = money.ParseNumber(text, btc)
		}
	}
}

var (
	stringForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})(\.[0-9]+)?$`)
	numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// Texts near the grammar are accepted exactly when it matches, and read exactly.
func TestParsersAgainstBig(t *testing.T) {
	t.Parallel()
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,10})?([eE][+-]?[0-9]{1,2})?`)
	nearly := rapid.StringMatching(`[-+ ]?[0-9]{0,3}\.?[0-9]{0,9}[eE]?[-+]?[0-9]{0,2}`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(number, nearly).Draw(t, "text")
		scale := rapid.IntRange(0, 8).Draw(t, "scale")
		checkParsers(t, text, money.Currency{Code: "test", Scale: scale})
	})
}

func FuzzParsers(f *testing.F) {
	for _, text := range []string{
		"0", "10.50", "0.00000001", "999999999999999999", "1e3", "0x10", " 1", "1.", ".5", "00.10", "-1", forty, "NaN", "1_000", "+1",
		"١٢٣", "1e-7", "1.50e1", "5E-7", "-0", "0e5", "92233720368.54775808", "1e999999999", "1e-999999999", "1\xff",
	} {
		f.Add(text, uint8(2))
		f.Add(text, uint8(8))
	}
	f.Fuzz(func(t *testing.T, text string, scale uint8) {
		checkParsers(t, text, money.Currency{Code: "test", Scale: int(scale % 9)})
	})
}

// checkParsers compares Parse, ParseNumber and ParseRate with the grammars and with big.Rat.
func checkParsers(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string, c money.Currency,
) {
	t.Helper()
	fromString, stringErr := money.Parse(text, c)
	if stringErr == nil && !stringForm.MatchString(text) {
		t.Fatalf("Parse(%q) read a text that is not of its form", text)
	}
	fromNumber, numberErr := money.ParseNumber(text, c)
	if errors.Is(numberErr, money.ErrSyntax) == numberForm.MatchString(text) {
		t.Fatalf("ParseNumber(%q): %v, against the grammar of a JSON number", text, numberErr)
	}
	rate, rateErr := money.ParseRate(text)
	if errors.Is(rateErr, money.ErrSyntax) == numberForm.MatchString(text) {
		t.Fatalf("ParseRate(%q): %v, against the grammar of a JSON number", text, rateErr)
	}
	if !numberForm.MatchString(text) || hugeExponent.MatchString(text) {
		return // big.Rat would write out a huge exponent
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("big.Rat does not read %q", text)
	}
	units := new(big.Rat).Mul(exact, new(big.Rat).SetInt(pow10(c.Scale)))
	fits := units.IsInt() && units.Num().IsInt64()
	if stringErr == nil && (!fits || fromString != money.New(units.Num().Int64(), c)) {
		t.Fatalf("Parse(%q) at scale %d: got %d units, want %s", text, c.Scale, fromString.Units(), units)
	}
	if numberErr == nil && (!fits || fromNumber != money.New(units.Num().Int64(), c)) {
		t.Fatalf("ParseNumber(%q) at scale %d: got %d units, want %s", text, c.Scale, fromNumber.Units(), units)
	}
	if errors.Is(numberErr, money.ErrRange) && fits {
		t.Fatalf("ParseNumber(%q) at scale %d refuses %s units, which fit", text, c.Scale, units)
	}
	if errors.Is(numberErr, money.ErrNegative) != (exact.Sign() < 0) {
		t.Fatalf("ParseNumber(%q): %v", text, numberErr)
	}
	if rateErr == nil {
		if back, _ := new(big.Rat).SetString(rate.String()); back.Cmp(exact) != 0 {
			t.Fatalf("ParseRate(%q) is written %s", text, rate)
		}
	}
}

var hugeExponent = regexp.MustCompile(`[eE][+-]?0*[1-9][0-9]{2,}`)

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		_, _ = money.Parse("1234567.89", eur)
	}
}
