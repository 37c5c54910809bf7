package console

import (
	"net/http"
	"slices"

	"kontor/internal/exchange"
	"kontor/internal/money"
)

func (c *console) showTreasury(w http.ResponseWriter, r *http.Request) error {
	positions, err := c.Treasury(r.Context())
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, treasuryPage(c.frame(r, treasurySection, treasurySection), positions, drawExposures(positions)))
	return nil
}

// Measures of the chart's rows, in their own units. Bars begin at the axis in the middle and go to the right above zero.
const (
	chartRow   = 28  // height
	chartBar   = 16  // height
	chartReach = 240 // the longest bar
)

// chart shows what the exposures are worth, each beside its limit.
type chart struct{ bars []bar }

type bar struct {
	currency, value       string
	left, width           int64
	below                 bool  // the exposure is below zero
	limited               bool  // there is a limit, and it is drawn on both sides
	limitLeft, limitRight int64 // where
}

// drawExposures draws those that have a price, but for euros, whose worth does not change. All have the same scale.
func drawExposures(positions []exchange.Valued) chart {
	positions = slices.DeleteFunc(slices.Clone(positions), func(p exchange.Valued) bool {
		return p.Price.IsZero() || p.Currency == p.Limit.Currency()
	})
	var largest int64
	for _, p := range positions {
		largest = max(largest, units(p.ExposureEUR), p.Limit.Units())
	}
	unit := max(1, (largest-1)/chartReach+1) // cents; rounded up, so that nothing leaves the chart
	var all chart
	for _, p := range positions {
		width := units(p.ExposureEUR) / unit
		b := bar{
			currency: p.Currency.Code, value: p.ExposureEUR.String(), below: p.ExposureEUR.Sign() < 0,
			left: chartReach, width: width, limited: !p.Limit.IsZero(),
			limitLeft: chartReach - p.Limit.Units()/unit, limitRight: chartReach + p.Limit.Units()/unit,
		}
		if b.below {
			b.left -= width
		}
		all.bars = append(all.bars, b)
	}
	return all
}

// units are the minor units of an amount, without its sign.
func units(a money.Amount) int64 {
	if a.Sign() < 0 {
		return a.Neg().Units()
	}
	return a.Units()
}

// used tells in a word how much of its limit an exposure takes.
func used(p exchange.Valued) string {
	switch exposure, limit := units(p.ExposureEUR), p.Limit.Units(); {
	case limit == 0 || p.Price.IsZero():
		return ""
	case exposure >= limit:
		return "at the limit"
	case exposure >= limit-limit/5:
		return "near the limit"
	}
	return "within"
}

// ofPrice is a figure that a position has only with a price.
func ofPrice(p exchange.Valued, a money.Amount) string {
	if p.Price.IsZero() {
		return "–"
	}
	return a.String()
}
