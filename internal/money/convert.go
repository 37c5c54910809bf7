package money

import "math/big"

// valueScale is how many decimals a Value has: an amount has at most 8, and a price 18.
const valueScale = maxScale + maxRateDecimals

// maxScale is the most decimals that a currency has.
const maxScale = 8

// powers are 10^0 … 10^36: two prices multiplied have up to 36 decimals.
var powers = func() (all [2*maxRateDecimals + 1]*big.Int) {
	all[0] = big.NewInt(1)
	for i := 1; i < len(all); i++ {
		all[i] = new(big.Int).Mul(all[i-1], big.NewInt(10))
	}
	return all
}()

// Value is an exact sum of EUR that may be finer than a cent: what an amount is worth at a price. Values add,
// subtract and compare without rounding; they are never posted. The zero value is nothing.
type Value struct {
	units big.Int // 10^-valueScale EUR
}

// ValueOf returns what an amount is worth at the price of its currency. It is exact.
func ValueOf(a Amount, price Rate) Value {
	var v Value
	v.units.Mul(big.NewInt(a.units), big.NewInt(price.units))
	v.units.Mul(&v.units, powers[valueScale-a.currency.Scale-price.scale])
	return v
}

// Add returns v + w.
func (v Value) Add(w Value) Value {
	var sum Value
	sum.units.Add(&v.units, &w.units)
	return sum
}

// Sub returns v - w.
func (v Value) Sub(w Value) Value {
	var difference Value
	difference.units.Sub(&v.units, &w.units)
	return difference
}

// Cmp returns -1, 0 or +1 as v is less than, equal to or greater than w.
func (v Value) Cmp(w Value) int { return v.units.Cmp(&w.units) }

// Sign returns -1, 0 or +1.
func (v Value) Sign() int { return v.units.Sign() }

// Floor returns the greatest whole number of 10^-decimals EUR that is not above the value. ErrRange when it does
// not fit. decimals is 0 to 26.
func (v Value) Floor(decimals int) (int64, error) {
	quotient, _ := new(big.Int).DivMod(&v.units, powers[valueScale-decimals], new(big.Int))
	if !quotient.IsInt64() {
		return 0, ErrRange
	}
	return quotient.Int64(), nil
}

// Convert returns what an amount, less a share of it, buys at the prices of both currencies:
//
//	amount × from × (1 − less) ÷ to
//
// It is computed exactly, and then cut at the target's decimals, so that it is never worth more than what was
// given for it. It can be zero. ErrRange when it does not fit; it panics for an amount below zero and for a price
// that is none.
func Convert(a Amount, from Rate, less Percent, to Rate, target Currency) (Amount, error) {
	if a.units < 0 || from.units == 0 || to.units == 0 {
		panic("money: a conversion of a negative amount, or without a price")
	}
	given, unit := ValueOf(a, from), ValueOf(New(1, target), to)
	given.units.Mul(&given.units, big.NewInt(wholePercent-less.units))
	unit.units.Mul(&unit.units, big.NewInt(wholePercent))
	got := new(big.Int).Quo(&given.units, &unit.units)
	if !got.IsInt64() {
		return Amount{}, ErrRange
	}
	return New(got.Int64(), target), nil
}

// Moved tells whether the price of one currency in another has fallen by more than a share: whether
// fromNow ÷ toNow is below fromThen ÷ toThen × (1 − share).
func Moved(fromThen, toThen, fromNow, toNow Rate, share Percent) bool {
	ratio := func(numerator, other Rate, factor int64) *big.Int {
		x := new(big.Int).Mul(big.NewInt(numerator.units), big.NewInt(other.units))
		x.Mul(x, powers[2*maxRateDecimals-numerator.scale-other.scale])
		return x.Mul(x, big.NewInt(factor))
	}
	return ratio(fromNow, toThen, wholePercent).Cmp(ratio(fromThen, toNow, wholePercent-share.units)) < 0
}

// Plus returns the sum of two shares; ErrRange above 100 %.
func (p Percent) Plus(q Percent) (Percent, error) {
	sum := Percent{units: p.units + q.units}
	if sum.units > wholePercent {
		return Percent{}, ErrRange
	}
	return sum, nil
}

// Rat returns the share as a fraction: 1.49 % is 149/10000.
func (p Percent) Rat() *big.Rat { return big.NewRat(p.units, wholePercent) }

// IsZero reports whether it is no share.
func (p Percent) IsZero() bool { return p.units == 0 }

// IsZero reports whether it is no price.
func (r Rate) IsZero() bool { return r.units == 0 }

// Cmp returns -1, 0 or +1 as r is less than, equal to or greater than s.
func (r Rate) Cmp(s Rate) int {
	scale := max(r.scale, s.scale)
	return new(big.Int).Mul(big.NewInt(r.units), powers[scale-r.scale]).
		Cmp(new(big.Int).Mul(big.NewInt(s.units), powers[scale-s.scale]))
}

// Rat returns the price as a fraction, for calculations on prices; RateOf makes a price again.
func (r Rate) Rat() *big.Rat { return new(big.Rat).SetFrac(big.NewInt(r.units), powers[r.scale]) }

// RateOf returns the price that is nearest to a fraction, with so many decimals at most; halves are rounded up.
// ErrRange when that is zero, negative or too large. decimals is 0 to 18.
func RateOf(x *big.Rat, decimals int) (Rate, error) {
	twice := new(big.Int).Mul(x.Num(), powers[decimals])
	twice.Lsh(twice, 1).Add(twice, x.Denom())
	units := twice.Div(twice, new(big.Int).Lsh(x.Denom(), 1))
	if !units.IsInt64() || units.Sign() <= 0 {
		return Rate{}, ErrRange
	}
	return Rate{units: units.Int64(), scale: decimals}.shortest(), nil
}

// shortest is the one form of a price.
func (r Rate) shortest() Rate {
	for r.scale > 0 && r.units%10 == 0 {
		r.units /= 10
		r.scale--
	}
	return r
}
