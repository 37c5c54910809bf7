//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"
)

// Exchange measures exchanges as partners make them: an operation is a rate lock and the exchange that uses it up,
// which are two requests and two durable commits.
func Exchange(ctx context.Context, c Config) error {
	return run(ctx, c, subject{
		title:  "exchanges: GET /v1/exchange/get-lock/{externalUserId} and then POST /v1/exchange",
		server: "serve", load: closedLoop,
	}, func(s *session, e *engine) error {
		w, err := e.newWorld(ctx, 1, c.Accounts)
		if err != nil {
			return err
		}
		for _, clients := range c.Clients {
			cell := Cell{Bench: "exchange", Engine: string(e.kind), Scenario: "eur-btc", Clients: clients}
			if err := w.onCopy(ctx, func(srv *server) error { return s.exchangeCell(ctx, w, srv, &cell) }); err != nil {
				return err
			}
			if err := s.print(cell); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) exchangeCell(ctx context.Context, w *world, srv *server, cell *Cell) error {
	var open connections
	defer open.close()
	got, err := load{
		clients: cell.Clients, warmUp: s.warmUp(), measured: s.Measured, server: srv.pid(),
		client: func(n int) operation { return exchanges(open.add(srv.address), w.partners[0], n) },
	}.run(ctx)
	if err != nil {
		return err
	}
	return cell.fill(got, srv)
}

// exchanges is a client that exchanges a euro of a user chosen at random.
func exchanges(c *connection, p partnerAccess, n int) operation {
	choose := chooser(Spread, len(p.users), n)
	key := " HTTP/1.1\r\nx-api-key: " + p.key + "\r\n"
	head := "POST /v1/exchange" + key + "Idempotency-Key: "
	return func(context.Context) string {
		which, _ := choose()
		if problem := c.call(http.StatusOK, "GET /v1/exchange/get-lock/"+p.users[which]+key, ""); problem != "" {
			return problem
		}
		var lock struct{ ID string }
		if json.Unmarshal(c.answer.Bytes(), &lock) != nil || lock.ID == "" {
			return "no lock"
		}
		body := `{"sourceExternalUserId":"` + p.users[which] + `","amount":"1.00","currencyFrom":"eur","currencyTo":"btc","lockId":"` + lock.ID + `"}`
		return c.call(http.StatusOK, head+uuid.NewString()+"\r\n", body)
	}
}
