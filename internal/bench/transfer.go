//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/google/uuid"

	"kontor/internal/fault"
)

// The scenarios of transfers.
const (
	Spread    = "spread"    // between two accounts, chosen at random
	Hot       = "hot"       // from any of them to a single one
	Overdrawn = "overdrawn" // as Spread, while others race for the money of two further accounts
)

// racers are the clients that race in Overdrawn: half of them order all the money that one of two users had at first to
// be moved to the other, half of them the reverse. What one of them wins the others find missing.
const racers = 8

// Transfer measures internal transfers: each one a durable commit, with its own Idempotency-Key and its event;
// each cell without and with a receiver of the webhooks.
func Transfer(ctx context.Context, c Config, scenarios []string) error {
	return run(ctx, c, subject{
		title: "internal transfers: POST /v1/transfer", server: "serve", load: closedLoop,
		floor: "one insert and two updates, prepared, one durable transaction each, no HTTP; same clients, accounts and connections",
	}, func(s *session, e *engine) error {
		w, err := e.newWorld(ctx, 1, c.Accounts)
		if err != nil {
			return err
		}
		f, err := e.floor(ctx)
		if err != nil {
			return err
		}
		err = func() error {
			for _, scenario := range scenarios {
				for _, clients := range c.Clients {
					if err := s.transfers(ctx, w, f, scenario, clients); err != nil {
						return err
					}
				}
			}
			return nil
		}()
		return errors.Join(err, f.close())
	})
}

// transfers measures the floor and then both cells above it.
func (s *session) transfers(ctx context.Context, w *world, f floor, scenario string, clients int) error {
	under, err := s.floorOf(ctx, f, clients, scenario)
	if err != nil {
		return err
	}
	if len(under.problems) > 0 {
		return fmt.Errorf("the engine's floor cannot be measured: %v", under.problems)
	}
	for _, receiving := range []bool{false, true} {
		cell := Cell{Bench: "transfer", Engine: string(w.kind), Scenario: scenario, Clients: clients, Receiver: &receiving}
		cell.floor(under.perSecond())
		err := w.onCopy(ctx, func(srv *server) error {
			return s.transferCell(ctx, w, srv, &cell)
		})
		if err != nil {
			return err
		}
		if err := s.print(cell); err != nil {
			return err
		}
	}
	return nil
}

// onCopy runs a server on a copy of the world, so that every cell begins with the same data and its memory is
// its own.
func (w *world) onCopy(ctx context.Context, f func(*server) error) error {
	p, err := w.copy(ctx)
	if err != nil {
		return err
	}
	srv, err := p.serve(ctx)
	if err != nil {
		return err
	}
	err = f(srv)
	srv.stop()
	return errors.Join(err, p.remove(ctx))
}

func (s *session) transferCell(ctx context.Context, w *world, srv *server, cell *Cell) error {
	p := w.partners[0]
	if *cell.Receiver {
		r, err := startReceiver(nil)
		if err != nil {
			return err
		}
		defer r.stop()
		if err := setWebhook(srv.address, p.key, r.url); err != nil {
			return err
		}
	}
	var open connections
	defer open.close()
	var disturbers []operation
	if cell.Scenario == Overdrawn {
		for n := range racers {
			disturbers = append(disturbers, racer(open.add(srv.address), p, n))
		}
		p.users = p.users[2:]
	}
	got, err := load{
		clients: cell.Clients, warmUp: s.warmUp(), measured: s.Measured, server: srv.pid(),
		client:     func(n int) operation { return transfers(open.add(srv.address), p, cell.Scenario, n) },
		disturbers: disturbers,
	}.run(ctx)
	if err != nil {
		return err
	}
	return cell.fill(got, srv)
}

// transfers is a client that makes transfers of one cent between a partner's users.
func transfers(c *connection, p partnerAccess, scenario string, n int) operation {
	choose := chooser(scenario, len(p.users), n)
	return func(context.Context) string {
		from, to := choose()
		return c.transfer(p, p.users[from], p.users[to], "0.01")
	}
}

// racer is a client that moves money which may be gone.
func racer(c *connection, p partnerAccess, n int) operation {
	from, to := p.users[n%2], p.users[1-n%2]
	return func(context.Context) string {
		problem := c.transfer(p, from, to, fmt.Sprintf("%d.%02d", userCents/100, userCents%100))
		if problem == string(fault.InsufficientFunds) {
			return ""
		}
		return problem
	}
}

func (c *connection) transfer(p partnerAccess, from, to, euros string) (problem string) {
	head := "POST /v1/transfer HTTP/1.1\r\nx-api-key: " + p.key + "\r\nIdempotency-Key: " + uuid.NewString() + "\r\n"
	body := `{"sourceExternalUserId":"` + from + `","destinationExternalUserId":"` + to + `","amount":"` + euros + `","currency":"eur"}`
	return c.call(http.StatusCreated, head, body)
}

// chooser chooses two different accounts again and again. The sequence is the same in every run.
func chooser(scenario string, among, client int) func() (from, to int) {
	random := rand.New(rand.NewPCG(1, uint64(client)))
	return func() (from, to int) {
		if scenario == Hot {
			return random.IntN(among - 1), among - 1
		}
		from, to = random.IntN(among), random.IntN(among-1)
		if to >= from {
			to++
		}
		return from, to
	}
}
