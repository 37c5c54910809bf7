package money

// maxRateDecimals is how fine a price can be.
const maxRateDecimals = 18

// Rate is an exact price: what one unit of a currency costs in EUR. It is comparable with ==, because each
// price has one form: "1.50" and "1.5" are the same Rate. The zero value is no price.
type Rate struct {
	units int64 // price × 10^scale, without a zero at the end
	scale int
}

// One is the price of a euro.
var One = Rate{units: 1}

// ParseRate reads a price from a string or from the text of a JSON number, exponent included.
//
// Errors: ErrSyntax when the text is not a JSON number; ErrNegative below zero; ErrScale for more than 18
// decimals; ErrRange for zero, which is no price, and for more digits than an int64 holds.
func ParseRate(text string) (Rate, error) {
	d, err := scan(text)
	if err != nil {
		return Rate{}, err
	}
	if d.isZero() {
		return Rate{}, ErrRange
	}
	if d.negative {
		return Rate{}, ErrNegative
	}
	if d.decimals > maxRateDecimals {
		return Rate{}, ErrScale
	}
	scale := max(d.decimals, 0)
	units, err := d.units(scale)
	if err != nil {
		return Rate{}, err
	}
	return Rate{units: units, scale: scale}.shortest(), nil
}

// String returns the shortest exact decimal, which is a valid JSON number: "0.1832", "91250", "1". The
// price that is none reads "0".
func (r Rate) String() string { return fixed(r.units, r.scale) }
