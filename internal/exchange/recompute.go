package exchange

import (
	"fmt"
	"math/big"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
)

var selectConversions = db.NewQuery(`
	SELECT partner_id, id, currency_from, amount_from, currency_to, amount_to, rate_from, rate_to, fee_percent, fee,
		markup_percent, markup
	FROM exchange WHERE partner_id >= 0`)

// conversion is what a stored exchange says of its arithmetic, as it stands in the row.
type conversion struct {
	partner                int64
	id                     clock.ID
	from, to               string // slugs
	amount, received       int64  // in minor units, as all amounts here
	fee, markup            int64
	rateFrom, rateTo       string // EUR for one unit
	feeShare, markupShare  string // in percent
	unitsOfFrom, unitsOfTo int64  // how many minor units are one unit
}

// misconverted finds the exchanges whose figures do not follow from their amount, rates and shares (I12). It is
// written apart from what computes exchanges, in fractions, so that one mistake cannot be in both.
func misconverted(r db.Reader) ([]string, error) {
	// The currencies of an operator's own catalogue have the same decimals as the built-in ones.
	cat, err := catalog.Load("")
	if err != nil {
		return nil, err
	}
	units := map[string]int64{}
	for _, e := range cat.Currencies() {
		units[e.Code] = 1
		for range e.Scale {
			units[e.Code] *= 10
		}
	}
	rows := r.Rows(selectConversions)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var c conversion
		err := rows.Scan(&c.partner, &c.id, &c.from, &c.amount, &c.to, &c.received, &c.rateFrom, &c.rateTo, &c.feeShare, &c.fee,
			&c.markupShare, &c.markup)
		if err != nil {
			return nil, err
		}
		c.unitsOfFrom, c.unitsOfTo = units[c.from], units[c.to]
		for _, wrong := range c.check() {
			violations = append(violations, fmt.Sprintf("I12: exchange %s of partner %d: %s", c.id, c.partner, wrong))
		}
	}
	return violations, rows.Err()
}

// check names what is wrong with a conversion.
func (c conversion) check() (wrong []string) {
	if c.unitsOfFrom == 0 || c.unitsOfTo == 0 {
		return []string{fmt.Sprintf("from %q to %q, of which one is unknown", c.from, c.to)}
	}
	fractions := make([]*big.Rat, 4)
	for i, text := range []string{c.rateFrom, c.rateTo, c.feeShare, c.markupShare} {
		x, ok := new(big.Rat).SetString(text)
		if !ok || x.Sign() < 0 || i < 2 && x.Sign() == 0 {
			return []string{fmt.Sprintf("%q is no rate or share", text)}
		}
		fractions[i] = x
	}
	rateFrom, rateTo, fee, markup := fractions[0], fractions[1], fractions[2], fractions[3]
	if markup.Cmp(fee) > 0 {
		wrong = append(wrong, fmt.Sprintf("the mark-up of %s %% is more than the fee of %s %%", c.markupShare, c.feeShare))
	}
	hundred := big.NewRat(100, 1)
	share := func(percent *big.Rat) *big.Rat {
		part := new(big.Rat).Mul(new(big.Rat).SetInt64(c.amount), percent)
		return part.Quo(part, hundred)
	}
	// amount × rate[from] × (1 − fee %) ÷ rate[to], each side in its own units.
	received := new(big.Rat).Mul(new(big.Rat).SetFrac64(c.amount, c.unitsOfFrom), rateFrom)
	rest := new(big.Rat).Sub(hundred, fee)
	received.Mul(received, rest.Quo(rest, hundred)).Quo(received, rateTo).Mul(received, new(big.Rat).SetInt64(c.unitsOfTo))
	for _, figure := range []struct {
		name  string
		got   int64
		exact *big.Rat
	}{{"fee", c.fee, share(fee)}, {"mark-up", c.markup, share(markup)}, {"received amount", c.received, received}} {
		if want := cut(figure.exact); want.Cmp(big.NewInt(figure.got)) != 0 {
			wrong = append(wrong, fmt.Sprintf("the %s is %d units, and must be %s", figure.name, figure.got, want))
		}
	}
	return wrong
}

// cut is the whole part of what is not below zero.
func cut(x *big.Rat) *big.Int { return new(big.Int).Quo(x.Num(), x.Denom()) }
