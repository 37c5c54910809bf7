package money

import (
	"math"
	"math/bits"
)

// maxWholeDigits is how many digits a string may have before its point.
const maxWholeDigits = 18

// Parse reads an amount written as a string: (0|[1-9][0-9]{0,17})(\.[0-9]+)?, that is, without a sign, an
// exponent, a space or a superfluous leading zero.
//
// Errors: ErrSyntax for any other form; ErrScale for more decimals than the currency has, zeros too;
// ErrRange for more than 18 digits before the point or a value that does not fit.
func Parse(text string, c Currency) (Amount, error) {
	d, err := scan(text)
	if err != nil {
		return Amount{}, err
	}
	if d.negative || d.hasExponent {
		return Amount{}, ErrSyntax
	}
	if d.wholeDigits > maxWholeDigits {
		return Amount{}, ErrRange
	}
	return d.amount(c)
}

// ParseNumber reads an amount from the text of a JSON number (RFC 8259 §6), as it stood on the wire. An
// exponent is read exactly, as programs write it for small values (5e-7), and in time that does not
// depend on its size.
//
// Errors: ErrSyntax when the text is not a JSON number; ErrNegative below zero (-0 is zero); ErrScale for
// more decimals than the currency has, once the exponent has moved the point: written zeros count, so
// 1.50e1 has one decimal; ErrRange for a value that does not fit.
func ParseNumber(text string, c Currency) (Amount, error) {
	d, err := scan(text)
	if err != nil {
		return Amount{}, err
	}
	if d.negative && !d.isZero() {
		return Amount{}, ErrNegative
	}
	return d.amount(c)
}

// decimal is a number as it was written: mantissa × 10^-decimals.
type decimal struct {
	negative    bool
	hasExponent bool
	overflow    bool   // the mantissa is longer than an amount can be
	mantissa    uint64 // all digits before the exponent, read as one whole number
	wholeDigits int    // digits before the point
	decimals    int    // digits behind the point once the exponent has moved it; can be negative
}

func (d decimal) isZero() bool { return d.mantissa == 0 && !d.overflow }

// amount returns the value in units of c, whatever its sign.
func (d decimal) amount(c Currency) (Amount, error) {
	units, err := d.units(c.Scale)
	if err != nil {
		return Amount{}, err
	}
	return New(units, c), nil
}

// units returns the magnitude in units of 10^-scale.
func (d decimal) units(scale int) (int64, error) {
	if d.decimals > scale {
		return 0, ErrScale
	}
	if d.isZero() {
		return 0, nil
	}
	// Each step makes the number ten times larger, so that this ends after twenty steps at most, however
	// large the exponent was.
	value, tooLarge := d.mantissa, d.overflow
	for i := d.decimals; i < scale && !tooLarge; i++ {
		var high uint64
		high, value = bits.Mul64(value, 10)
		tooLarge = high != 0
	}
	if tooLarge || value > math.MaxInt64 {
		return 0, ErrRange
	}
	return int64(value), nil
}

// scan reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?, the grammar of a JSON number.
func scan(text string) (decimal, error) {
	var d decimal
	if len(text) > 0 && text[0] == '-' {
		d.negative, text = true, text[1:]
	}
	whole := countDigits(text)
	if whole == 0 || whole > 1 && text[0] == '0' {
		return decimal{}, ErrSyntax
	}
	d.wholeDigits = whole
	d.append(text[:whole])
	text = text[whole:]

	if len(text) > 0 && text[0] == '.' {
		text = text[1:]
		d.decimals = countDigits(text)
		if d.decimals == 0 {
			return decimal{}, ErrSyntax
		}
		d.append(text[:d.decimals])
		text = text[d.decimals:]
	}
	if text == "" {
		return d, nil
	}
	exponent, ok := scanExponent(text)
	if !ok {
		return decimal{}, ErrSyntax
	}
	d.hasExponent = true
	d.decimals -= exponent
	return d, nil
}

// append adds digits to the end of the mantissa.
func (d *decimal) append(digits string) {
	for i := range len(digits) {
		if d.mantissa > math.MaxInt64/10 {
			d.overflow = true
			return
		}
		d.mantissa = d.mantissa*10 + uint64(digits[i]-'0')
	}
}

// scanExponent reads [eE][+-]?[0-9]+ to its end. Past a billion it stops counting: that is already beyond
// any text of digits that could outweigh it.
func scanExponent(text string) (exponent int, ok bool) {
	const enough = 1 << 30
	if text[0] != 'e' && text[0] != 'E' {
		return 0, false
	}
	text = text[1:]
	sign := 1
	if text != "" && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	if text == "" || countDigits(text) != len(text) {
		return 0, false
	}
	for i := range len(text) {
		if exponent < enough/10 {
			exponent = exponent*10 + int(text[i]-'0')
		} else {
			exponent = enough
		}
	}
	return sign * exponent, true
}

// countDigits returns how many ASCII digits text begins with.
func countDigits(text string) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}
