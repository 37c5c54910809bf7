//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/google/uuid"
)

// The scenarios of SEPA.
const (
	Accept  = "accept"  // orders of transfers, over HTTP
	Book    = "book"    // a statement, into the operator's book
	Through = "through" // a statement, into the books of all partners
)

// What the lines of a statement are.
const (
	MixedLines    = "mixed"     // of 20: 10 debits of transfers, 7 deposits by virtual IBAN, 1 by reference, 1 of a stranger, 1 for nobody
	TransferLines = "transfers" // debits of transfers only
	DepositLines  = "deposits"  // deposits of users by their virtual IBANs only
)

// SEPA measures transfers that are accepted, each one a durable commit with its own Idempotency-Key, and statements
// that are booked, of the given number of lines of the given kinds.
func SEPA(ctx context.Context, c Config, scenarios, kinds []string, lines int) error {
	return run(ctx, c, subject{
		title:  "SEPA: POST /v1/sepa-transfer on level 2, and camt.054 of " + fmt.Sprint(lines) + " lines",
		server: "serve (accept), this process (book, through)", load: closedLoop + " (accept)",
	}, func(s *session, e *engine) error {
		var w *world
		var err error
		if w, err = e.newWorld(ctx, 1, c.Accounts); err != nil {
			return err
		}
		documents := map[string][]byte{}
		for _, scenario := range scenarios {
			if scenario == Accept {
				if err := s.accept(ctx, w); err != nil {
					return err
				}
				continue
			}
			if len(documents) == 0 {
				if documents, err = w.owe(ctx, lines, kinds); err != nil {
					return err
				}
			}
			for _, kind := range kinds {
				cell := Cell{Bench: "sepa", Engine: string(w.kind), Scenario: scenario, Lines: lines, Of: kind}
				if err := s.statement(ctx, w, cell, documents[kind]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *session) accept(ctx context.Context, w *world) error {
	for _, clients := range s.Clients {
		cell := Cell{Bench: "sepa", Engine: string(w.kind), Scenario: Accept, Clients: clients}
		err := w.onCopy(ctx, func(srv *server) error { return s.acceptCell(ctx, w, srv, &cell) })
		if err := errors.Join(err, s.print(cell)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) acceptCell(ctx context.Context, w *world, srv *server, cell *Cell) error {
	var open connections
	defer open.close()
	got, err := load{
		clients: cell.Clients, warmUp: s.warmUp(), measured: s.Measured, server: srv.pid(),
		client: func(n int) operation { return orders(open.add(srv.address), w.partners[0], n) },
	}.run(ctx)
	if err != nil {
		return err
	}
	return cell.fill(got, srv)
}

// orders is a client that sends a cent of a user chosen at random to a company.
func orders(c *connection, p partnerAccess, n int) operation {
	random := rand.New(rand.NewPCG(2, uint64(n)))
	head := "POST /v1/sepa-transfer HTTP/1.1\r\nx-api-key: " + p.key + "\r\nIdempotency-Key: "
	return func(context.Context) string {
		body := `{"sourceExternalUserId":"` + p.users[random.IntN(len(p.users))] + `","amount":"0.01","currency":"eur","destinationIban":"` +
			outside + `","transferTitle":"Benchmark","receiverType":"LEGAL","companyName":"Test Company"}`
		return c.call(http.StatusOK, head+uuid.NewString()+"\r\n", body)
	}
}
