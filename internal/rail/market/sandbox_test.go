package market_test

import (
	"maps"
	"math/big"
	"testing"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/rail/market"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func loadCatalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSandboxBeginsWithTheStartValues(t *testing.T) {
	t.Parallel()
	cat := loadCatalog(t)
	for name, now := range map[string]time.Time{"at the start": began, "with a clock that was set back": began.Add(-time.Hour)} {
		prices := market.NewSandbox(clock.NewManual(now), cat, began).Prices()
		for _, e := range cat.Currencies() {
			if prices[e.Code] != e.StartRate {
				t.Errorf("%s %s costs %s, want %s", name, e.Code, prices[e.Code], e.StartRate)
			}
		}
	}
}

func TestSandboxWalksWithTheClockAlone(t *testing.T) {
	t.Parallel()
	cat := loadCatalog(t)
	slow, quick := clock.NewManual(began), clock.NewManual(began)
	a, b := market.NewSandbox(slow, cat, began), market.NewSandbox(quick, cat, began)
	before := a.Prices()
	moved := map[string]bool{}
	for range 100 {
		slow.Advance(7 * time.Second)
		now := a.Prices()
		for slug, price := range now {
			moved[slug] = moved[slug] || price != before[slug]
		}
		if !maps.Equal(now, a.Prices()) {
			t.Fatal("prices move while the clock stands still")
		}
	}
	quick.Advance(700 * time.Second)
	if !maps.Equal(a.Prices(), b.Prices()) {
		t.Error("a clock that jumped finds other prices than one that walked")
	}
	for _, e := range cat.Currencies() {
		if coin := e.Kind != catalog.Fiat; moved[e.Code] != coin {
			t.Errorf("%s has moved: %v", e.Code, moved[e.Code])
		}
	}
}

func TestSandboxStaysNearTheStartValues(t *testing.T) {
	t.Parallel()
	cat := loadCatalog(t)
	c := clock.NewManual(began)
	s := market.NewSandbox(c, cat, began)
	farthest := new(big.Rat)
	for range 2000 {
		c.Advance(5*time.Hour + 13*time.Minute)
		prices := s.Prices()
		for _, e := range cat.Currencies() {
			away := new(big.Rat).Sub(prices[e.Code].Rat(), e.StartRate.Rat())
			away.Abs(away.Quo(away, e.StartRate.Rat()))
			if away.Cmp(farthest) > 0 {
				farthest = away
			}
		}
	}
	if farthest.Cmp(big.NewRat(8, 100)) > 0 || farthest.Cmp(big.NewRat(2, 100)) < 0 {
		t.Errorf("in a year prices went away by up to %s, want between 2 and 8 per cent", farthest.FloatString(4))
	}
}
