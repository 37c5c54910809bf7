package app

import (
	"context"

	"kontor/internal/exchange"
	"kontor/internal/ledger"
	"kontor/internal/rail/market"
)

// openMarket makes the market that prices come from. The sandbox's begins when the deployment did.
func openMarket(ctx context.Context, cfg Config, a *App) (exchange.Market, error) {
	operator, err := a.Partners.Get(ctx, ledger.Operator)
	if err != nil {
		return nil, err
	}
	return market.NewSandbox(cfg.Clock, a.Catalog, operator.CreatedAt), nil
}
