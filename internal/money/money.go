// Package money holds exact amounts: a whole number of a currency's smallest units, together with the
// currency.
//
// An amount never passes through a float, on no path: texts are read digit by digit, arithmetic is checked
// and refuses to overflow, and the written forms are the exact decimals. Amounts of different currencies
// cannot be added by accident, because the currency is part of the value.
package money

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The ways in which a text or a sum can fail to be an amount. They are returned as they are, without the
// offending text, so that they compare with errors.Is and never carry a partner's input into a log.
var (
	// ErrSyntax: the text is not a decimal number of the accepted form.
	ErrSyntax = errors.New("money: not a decimal number")
	// ErrScale: the text has more decimals than the currency, written zeros included.
	ErrScale = errors.New("money: too many decimal places")
	// ErrNegative: the number is below zero.
	ErrNegative = errors.New("money: negative")
	// ErrRange: the value does not fit.
	ErrRange = errors.New("money: out of range")
	// ErrCurrency: the two amounts are of different currencies.
	ErrCurrency = errors.New("money: currencies differ")
)

// Currency is what an amount is counted in. It is comparable: two currencies are the same when code and
// scale are.
type Currency struct {
	Code  string // the slug, in lower case, such as "eur"
	Scale int    // decimals of one unit, 0 to 8: eur 2, usdc 6, btc 8
}

// Amount is an exact sum of money: whole smallest units of its currency (cents, satoshis). It is
// comparable with ==. The zero value is nothing in no currency; it adds to no amount that has one.
type Amount struct {
	units    int64
	currency Currency
}

// New returns the amount of so many smallest units: New(150, eur) is 1.50 EUR.
func New(units int64, c Currency) Amount { return Amount{units: units, currency: c} }

// Units returns the number of the currency's smallest units.
func (a Amount) Units() int64 { return a.units }

// Currency returns what the amount is counted in.
func (a Amount) Currency() Currency { return a.currency }

// IsZero reports whether the amount is nothing, in whichever currency.
func (a Amount) IsZero() bool { return a.units == 0 }

// Sign returns -1, 0 or +1.
func (a Amount) Sign() int { return cmp.Compare(a.units, 0) }

// Add returns a + b, ErrCurrency when their currencies differ, or ErrRange when the sum does not fit.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, ErrCurrency
	}
	sum := a.units + b.units
	if (sum > a.units) != (b.units > 0) && b.units != 0 {
		return Amount{}, ErrRange
	}
	return checked(sum, a.currency)
}

// Sub returns a - b, ErrCurrency when their currencies differ, or ErrRange when the difference does not
// fit.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, ErrCurrency
	}
	difference := a.units - b.units
	if (difference < a.units) != (b.units > 0) && b.units != 0 {
		return Amount{}, ErrRange
	}
	return checked(difference, a.currency)
}

// checked refuses the one int64 that has no opposite, so that the result of a calculation can always be
// negated.
func checked(units int64, c Currency) (Amount, error) {
	if units == math.MinInt64 {
		return Amount{}, ErrRange
	}
	return New(units, c), nil
}

// Neg returns -a. It panics for New(math.MinInt64, …), which no text and no calculation yields.
func (a Amount) Neg() Amount {
	if a.units == math.MinInt64 {
		panic("money: the smallest int64 has no opposite")
	}
	return New(-a.units, a.currency)
}

// Cmp returns -1, 0 or +1 as a is less than, equal to or greater than b. It panics when the currencies
// differ: such amounts have no order, and to compare them is a mistake in the program.
func (a Amount) Cmp(b Amount) int {
	if a.currency != b.currency {
		panic(fmt.Sprintf("money: %s compared with %s", a.currency.Code, b.currency.Code))
	}
	return cmp.Compare(a.units, b.units)
}

// String returns the amount with all the decimals of its currency and without its code: "0.00", "-1.50".
// For an amount that is not negative, Parse reads it back.
func (a Amount) String() string { return fixed(a.units, a.currency.Scale) }

// Number returns the shortest exact decimal, which is a valid JSON number: "0.001", "10", "-1.5". For an
// amount that is not negative, ParseNumber reads it back.
func (a Amount) Number() string { return shortest(a.String()) }

// fixed writes units/10^scale with exactly scale decimals.
func fixed(units int64, scale int) string {
	magnitude := uint64(units)
	text := make([]byte, 0, 32)
	if units < 0 {
		magnitude = -magnitude // two's complement: right for the smallest int64 too
		text = append(text, '-')
	}
	digits := strconv.AppendUint(make([]byte, 0, 20), magnitude, 10)
	if scale <= 0 {
		return string(append(text, digits...))
	}
	point := len(digits) - scale
	if point <= 0 {
		text = append(text, '0')
	} else {
		text, digits = append(text, digits[:point]...), digits[point:]
	}
	text = append(text, '.')
	for range -point {
		text = append(text, '0')
	}
	return string(append(text, digits...))
}

// shortest removes the zeros that end a fraction, and the point when nothing is left behind it.
func shortest(text string) string {
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
