package console

import (
	"net/http"

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

// Measures of the chart, in its own units. Bars begin at the axis and go to the right above zero.
const (
	chartWidth = 720
	chartRow   = 28
	chartBar   = 16 // height
	chartLeft  = 64 // where the names of currencies end
	chartAxis  = 320
	chartReach = 240 // the longest bar
)

// chart shows what the exposures are worth, each beside its limit.
type chart struct{ bars []bar }

type bar struct {
	currency, value       string
	top, left, width      int64
	below                 bool  // the exposure is below zero
	limited               bool  // there is a limit, and it is drawn on both sides
	limitLeft, limitRight int64 // where
}

func (c chart) height() int64 { return int64(len(c.bars)) * chartRow }

// drawExposures draws those that have a price. All have the same scale.
func drawExposures(positions []exchange.Valued) chart {
	var largest int64
	for _, p := range positions {
		largest = max(largest, units(p.ExposureEUR), p.Limit.Units())
	}
	unit := max(1, (largest-1)/chartReach+1) // cents; rounded up, so that nothing leaves the chart
	var all chart
	for _, p := range positions {
		if p.Price.IsZero() {
			continue
		}
		width := units(p.ExposureEUR) / unit
		b := bar{
			currency: p.Currency.Code, value: p.ExposureEUR.String(), below: p.ExposureEUR.Sign() < 0,
			top: int64(len(all.bars)) * chartRow, left: chartAxis, width: width, limited: !p.Limit.IsZero(),
			limitLeft: chartAxis - p.Limit.Units()/unit, limitRight: chartAxis + p.Limit.Units()/unit,
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
