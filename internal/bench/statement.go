//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/iban"
	"kontor/internal/rail/bank"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
	"kontor/internal/user"
)

const (
	outside = "DE89370400440532013000" // an account at another bank
	// silent is the title of a transfer of which the sandbox's bank tells nothing.
	silent    = "SANDBOX-HANG"
	perOrder  = 20 // transfers that are made in one transaction
	lineCents = 1_00
)

// owe makes transfers that the bank has got and not answered, and statements, of each kind, which tell of them.
func (w *world) owe(ctx context.Context, lines int, kinds []string) (documents map[string][]byte, err error) {
	documents = map[string][]byte{}
	err = w.with(ctx, func(a *app.App) error {
		p := w.partners[0]
		var sent []clock.ID
		switch {
		case slices.Contains(kinds, TransferLines):
			sent = make([]clock.ID, lines)
		case slices.Contains(kinds, MixedLines):
			sent = make([]clock.ID, lines/2+1)
		}
		group, making := errgroup.WithContext(ctx)
		group.SetLimit(atATime)
		for first := 0; first < len(sent); first += perOrder {
			some := sent[first:min(first+perOrder, len(sent))]
			group.Go(func() error { return p.send(making, a, first, some) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if err := work(ctx, a); err != nil {
			return err
		}
		accounts, err := p.accounts(ctx, a)
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			if documents[kind], err = w.write(a, kind, lines, sent, accounts); err != nil {
				return err
			}
		}
		return analyze(ctx, a)
	})
	return documents, err
}

// send makes transfers of different users.
func (p partnerAccess) send(ctx context.Context, a *app.App, first int, made []clock.ID) error {
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		for i := range made {
			t, err := a.API.SEPA.CreateTransfer(tx, p.id, sepa.Order{
				User: p.users[(first+i)%len(p.users)], Amount: euros(a, lineCents), Destination: outside, Title: silent,
				Receiver: sepa.Receiver{Type: sepa.Legal, Company: "Test Company"},
				Terms:    sepa.Terms{OpenLoop: true, Least: euros(a, lineCents), Largest: euros(a, userCents)},
			})
			if err != nil {
				return err
			}
			made[i] = t.ID
		}
		return nil
	})
}

// accounts are the users' IBANs and references.
func (p partnerAccess) accounts(ctx context.Context, a *app.App) ([]sepa.Account, error) {
	all := make([]sepa.Account, len(p.users))
	err := a.DB.View(ctx, func(r db.Reader) error {
		for i, name := range p.users {
			u, err := user.Find(r, p.id, name)
			if err != nil {
				return err
			}
			if all[i], err = a.API.SEPA.FindAccount(r, p.id, u.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// write makes a statement.
func (w *world) write(a *app.App, kind string, lines int, sent []clock.ID, to []sepa.Account) ([]byte, error) {
	now := time.Now()
	account, err := a.API.SEPA.Bank().Collective()
	if err != nil {
		return nil, err
	}
	s := iso20022.Statement{Kind: iso20022.Notification, MessageID: "BENCH", ID: "BENCH", CreatedAt: now, Account: account, BIC: a.API.SEPA.Bank().BIC}
	for i := range lines {
		reference := fmt.Sprintf("BENCH%09d", i)
		d := iso20022.Detail{Reference: reference, EndToEndID: "NOTPROVIDED", Amount: euros(a, lineCents), Remittance: "Benchmark"}
		owner := to[i/2%len(to)]
		debit := i
		if kind == MixedLines {
			debit = i / 2
		}
		if kind == TransferLines || kind == MixedLines && i%2 == 0 {
			d.EndToEndID, d.Amount = sepa.EndToEnd(sent[debit]), euros(a, -lineCents)
			d.Creditor = iso20022.Party{Name: "Test Company", IBAN: outside}
		} else {
			d.Debtor = iso20022.Party{Name: person.FirstName + " " + person.LastName, IBAN: outside}
			d.Creditor = iso20022.Party{Name: "Kontor", IBAN: owner.IBAN}
		}
		if kind == MixedLines {
			vary(&d, i, account, owner)
		}
		s.Entries = append(s.Entries, iso20022.Entry{
			Reference: reference, Amount: d.Amount, Booked: true, Day: now, Details: []iso20022.Detail{d},
		})
	}
	return iso20022.WriteStatement(s)
}

// vary makes of every twentieth line a payment by reference, of another one a stranger's, and of another one nobody's.
func vary(d *iso20022.Detail, i int, collective iban.IBAN, owner sepa.Account) {
	switch i % 20 {
	case 3:
		d.Creditor.IBAN, d.Remittance = collective, "Payment "+owner.Title
	case 9:
		d.Debtor.Name = "Another Payer"
	case 15:
		d.Creditor.IBAN, d.Remittance = collective, "Payment without reference"
	}
}

// statement measures how a statement is taken, on a copy of the data, in this process.
func (s *session) statement(ctx context.Context, w *world, cell Cell, document []byte) error {
	p, err := w.copy(ctx)
	if err != nil {
		return err
	}
	err = p.with(ctx, func(a *app.App) error { return take(ctx, a, &cell, document) })
	if err := errors.Join(err, p.remove(ctx)); err != nil {
		return err
	}
	return s.print(cell)
}

func take(ctx context.Context, a *app.App, cell *Cell, document []byte) error {
	number, err := a.API.SEPA.Bank().Collective()
	if err != nil {
		return err
	}
	account := bank.Account{Holder: "Kontor", IBAN: number, BIC: a.API.SEPA.Bank().BIC}
	from, err := measure(os.Getpid())
	if err != nil {
		return err
	}
	if err := account.Take(ctx, document, a.API.SEPA); err != nil {
		return err
	}
	if cell.Scenario == Through {
		if err := work(ctx, a); err != nil {
			return err
		}
	}
	to, err := measure(os.Getpid())
	if err != nil {
		return err
	}
	from.load, to.load = 0, 0 // there is no load but the statement
	cell.use(from, to)
	cell.each(from, to, cell.Lines)
	cell.PerSecond = round(float64(cell.Lines)/to.at.Sub(from.at).Seconds(), 1)
	peak, err := peakMemory(os.Getpid())
	cell.RSSMb = round(peak, 1)
	return err
}

// selectWork tells of all partners, of whom each has a number of zero or above, and stops at the first that it finds.
var selectWork = db.NewQuery(`SELECT EXISTS (SELECT 1 FROM job WHERE partner_id >= 0 AND kind LIKE 'sepa-%')
	OR EXISTS (SELECT 1 FROM sepa_transfer WHERE partner_id >= 0 AND status = '` + sepa.TransferPending + `')`)

// work runs the workers until nothing of SEPA is left to do.
func work(ctx context.Context, a *app.App) error {
	return workUntil(ctx, a, func(r db.Reader) (bool, error) {
		var left bool
		err := r.Row(selectWork).Scan(&left)
		return !left, err
	})
}
