//go:build linux

package bench

import (
	"context"
	"net/http"
)

// The scenarios of reads.
const (
	Balances = "balances" // of a user
	Details  = "details"  // of a transfer
	Mixed    = "mixed"    // of both, by turns
)

// Read measures what partners ask most often. Reads change nothing, so all cells share the data.
func Read(ctx context.Context, c Config, scenarios []string) error {
	return run(ctx, c, subject{
		title:  "reads: GET /v1/user/balances/{externalUserId} and GET /v1/transfer/details/{transferId}",
		server: "serve", load: closedLoop,
	}, func(s *session, e *engine) error {
		w, err := e.newWorld(ctx, 1, c.Accounts)
		if err != nil {
			return err
		}
		for _, scenario := range scenarios {
			for _, clients := range c.Clients {
				cell := Cell{Bench: "read", Engine: string(e.kind), Scenario: scenario, Clients: clients}
				if err := s.readCell(ctx, w, &cell); err != nil {
					return err
				}
				if err := s.print(cell); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *session) readCell(ctx context.Context, w *world, cell *Cell) error {
	srv, err := w.serve(ctx)
	if err != nil {
		return err
	}
	defer srv.stop()
	var open connections
	defer open.close()
	got, err := load{
		clients: cell.Clients, warmUp: s.warmUp(), measured: s.Measured, server: srv.pid(),
		client: func(n int) operation { return reads(open.add(srv.address), w.partners[0], cell.Scenario, n) },
	}.run(ctx)
	if err != nil {
		return err
	}
	return cell.fill(got, srv)
}

// reads is a client that reads about users and transfers chosen at random.
func reads(c *connection, p partnerAccess, scenario string, n int) operation {
	choose, turn := chooser(Spread, len(p.users), n), n
	end := " HTTP/1.1\r\nx-api-key: " + p.key + "\r\n"
	return func(context.Context) string {
		which, _ := choose()
		turn++
		if scenario == Balances || scenario == Mixed && turn%2 == 0 {
			return c.call(http.StatusOK, "GET /v1/user/balances/"+p.users[which]+end, "")
		}
		return c.call(http.StatusOK, "GET /v1/transfer/details/"+p.transfers[which].String()+end, "")
	}
}
