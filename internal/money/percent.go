package money

import "math/bits"

// percentScale is how many decimals a percentage can have.
const percentScale = 4

// wholePercent is 100 % as a Percent counts it.
const wholePercent = 1_000_000

// Percent is an exact share between 0 and 100 %, with at most four decimals. It is comparable with ==; the
// zero value is no share.
type Percent struct {
	units int64 // ten-thousandths of a percent
}

// ParsePercent reads a share in percent, such as "1.49", in the form that Parse takes.
//
// Errors: ErrSyntax for any other form; ErrScale for more than four decimals; ErrRange above 100.
func ParsePercent(text string) (Percent, error) {
	share, err := Parse(text, Currency{Scale: percentScale})
	if err != nil {
		return Percent{}, err
	}
	if share.Units() > wholePercent {
		return Percent{}, ErrRange
	}
	return Percent{units: share.Units()}, nil
}

// String returns the shortest exact decimal, in percent, which is a valid JSON number: "1.49".
func (p Percent) String() string { return shortest(fixed(p.units, percentScale)) }

// Of returns the share of an amount, cut to whole units: never more than the exact share. It panics for an
// amount below zero, of which there is no fee.
func (p Percent) Of(a Amount) Amount {
	if a.units < 0 {
		panic("money: a share of a negative amount")
	}
	// The product needs up to 128 bits; its share does not, because p is at most the whole.
	high, low := bits.Mul64(uint64(a.units), uint64(p.units))
	share, _ := bits.Div64(high, low, wholePercent)
	return New(int64(share), a.currency)
}
