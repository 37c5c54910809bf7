package app

import (
	"context"

	"golang.org/x/sync/errgroup"

	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/ledger"
	"kontor/internal/partner"
	"kontor/internal/rail/market"
)

// marketSide is where prices come from, and what keeps them.
type marketSide struct {
	exchange.Market
	feed     *market.Feed // nil in staging
	recorder *market.Recorder
}

// openMarket makes the market: public sources in production, and in staging the sandbox's, which begins when the
// deployment did.
func (a *App) openMarket(ctx context.Context, cfg Config) error {
	if cfg.Environment == partner.Production {
		sources, err := market.LoadSources(cfg.CatalogDir)
		if err != nil {
			return err
		}
		last := market.Prices{}
		err = a.DB.View(ctx, func(r db.Reader) error {
			kept, err := market.LastRecorded(r)
			for slug, p := range kept {
				last[slug] = p.Price
			}
			return err
		})
		if err != nil {
			return err
		}
		feed := market.NewFeed(market.FeedConfig{
			Sources: sources, Catalog: a.Catalog, Clock: cfg.Clock, Log: cfg.Log, Last: last,
		})
		a.market = marketSide{Market: feed, feed: feed}
	} else {
		operator, err := a.Partners.Get(ctx, ledger.Operator)
		if err != nil {
			return err
		}
		a.market = marketSide{Market: market.NewSandbox(cfg.Clock, a.Catalog, operator.CreatedAt)}
	}
	a.market.recorder = market.NewRecorder(a.DB, cfg.Clock, a.market.Prices, cfg.Log)
	return nil
}

// run follows the market on every node, and records it where the workers are.
func (m marketSide) run(ctx context.Context, group *errgroup.Group, roles Roles) {
	if m.feed != nil {
		group.Go(func() error { m.feed.Run(ctx); return nil })
	}
	if roles.Worker {
		group.Go(func() error { m.recorder.Run(ctx); return nil })
	}
}
