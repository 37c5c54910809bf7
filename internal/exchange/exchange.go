// Package exchange turns one currency into another at rates that were locked before.
//
// An owner locks the rates of all currencies, with the fee, for 40 seconds, and uses the lock once. The exchange
// is executed when it is accepted, in one transaction: the source is debited, the platform's liquidity takes what
// is left after the fee and pays the target, a partner's mark-up is credited. What the liquidity accounts gain or
// owe is the platform's risk, which treasury.go shows and exposure.go limits.
package exchange

import (
	"kontor/internal/catalog"
)

// Service quotes rates.
type Service struct {
	market  Market
	entries []catalog.Entry
}

// NewService makes the service.
func NewService(cat *catalog.Catalog, market Market) *Service {
	return &Service{market: market, entries: cat.Currencies()}
}
