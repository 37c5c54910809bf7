package history_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/entry"
	"kontor/internal/iban"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/transfer"
	"kontor/internal/user"
	"kontor/internal/vault"
)

var (
	eur   = money.Currency{Code: "eur", Scale: 2}
	btc   = money.Currency{Code: "btc", Scale: 8}
	usdc  = money.Currency{Code: "usdc", Scale: 6}
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// world is the program on one engine, with a partner and some active users, and a clock that stands still.
type world struct {
	*testing.T
	*app.App
	clock   *clock.Manual
	partner int64
	users   []user.User
	all     []entry.Entry // what the histories must show
}

// each runs a test in a fresh world on either engine.
func each(t *testing.T, users int, f func(w *world)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			f(newWorld(t, engine, users))
		})
	}
}

func newWorld(t *testing.T, engine db.Engine, users int) *world {
	t.Helper()
	master := make([]byte, vault.KeySize)
	if _, err := rand.Read(master); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, clock: clock.NewManual(start)}
	var err error
	w.App, err = app.Open(t.Context(), app.Config{
		Database: dbtest.Target(t, engine), MasterKey: master, Environment: partner.Staging,
		Bank: sepa.SandboxBank, Clock: w.clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := w.Partners.Create(t.Context(), map[string]string{"legalName": "Test Partner"})
	if err != nil {
		t.Fatal(err)
	}
	w.partner = p.ID
	for i := range users {
		w.addUser(fmt.Sprintf("user-%d", i), fmt.Sprintf("user-%d@example.com", i))
	}
	for _, owner := range w.owners() {
		for _, c := range []money.Currency{eur, btc, usdc} {
			w.fund(owner, money.New(1_000_000, c))
		}
	}
	return w
}

func (w *world) update(fn func(tx *db.Tx) error) {
	w.Helper()
	if err := w.DB.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

func (w *world) view(fn func(r db.Reader) error) {
	w.Helper()
	if err := w.DB.View(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

// addUser makes an active user.
func (w *world) addUser(externalID, email string) {
	w.Helper()
	w.update(func(tx *db.Tx) error {
		_, _, err := w.API.Users.Create(tx, w.partner, user.New{ExternalID: externalID, Model: user.KYC, Person: user.Person{Email: email, Country: "LT"}})
		return err
	})
	w.update(func(tx *db.Tx) error {
		_, err := w.API.Identity.Activate(tx, w.partner, externalID, "")
		return err
	})
	w.view(func(r db.Reader) error {
		u, err := user.Find(r, w.partner, externalID)
		w.users = append(w.users, u)
		return err
	})
}

// owners are the partner itself, first, and its users.
func (w *world) owners() []clock.ID {
	all := []clock.ID{ledger.PartnerItself}
	for _, u := range w.users {
		all = append(all, u.ID)
	}
	return all
}

func (w *world) externalID(owner clock.ID) string {
	for _, u := range w.users {
		if u.ID == owner {
			return u.ExternalID
		}
	}
	return ""
}

// fund books money that no history shows.
func (w *world) fund(owner clock.ID, amount money.Amount) {
	w.Helper()
	w.update(func(tx *db.Tx) error {
		clearing, err := ledger.FindAccount(tx, w.partner, ledger.PartnerItself, ledger.Clearing, amount.Currency())
		if err != nil {
			return err
		}
		to, err := ledger.FindCustomer(tx, w.partner, owner, amount.Currency())
		if err != nil {
			return err
		}
		ledger.Post(tx, w.partner, ledger.Operation{Type: "TEST", ID: clock.NewID()}, w.clock.Now(),
			ledger.Credit("amount", clearing, to, amount)...)
		return nil
	})
}

// transfer makes a transfer and answers its two entries.
func (w *world) transfer(source, destination clock.ID, amount money.Amount, reference string) []entry.Entry {
	w.Helper()
	var t transfer.Transfer
	w.update(func(tx *db.Tx) (err error) {
		t, err = w.API.Transfers.Create(tx, w.partner, transfer.Create{
			Source: w.externalID(source), Destination: w.externalID(destination), Amount: amount,
			Fiat: amount.Currency() == eur, Reference: reference,
		})
		return err
	})
	e := entry.Entry{
		Position: page.Position{At: t.CreatedAt, ID: t.ID, Part: entry.Out}, Owner: source,
		Type: "INTERNAL_TRANSFER", Status: "SUCCESSFUL", Amount: amount, Object: t,
	}
	other := e
	other.Part, other.Owner = entry.In, destination
	return []entry.Entry{e, other}
}

var settle = db.NewCommand(`UPDATE sepa_deposit SET status = $3 WHERE partner_id = $1 AND id = $2`)

// deposit lets a payment arrive and answers its entry.
func (w *world) deposit(owner clock.ID, units int64, status string) entry.Entry {
	w.Helper()
	var account sepa.Account
	w.view(func(r db.Reader) (err error) {
		account, err = w.API.SEPA.FindAccount(r, w.partner, owner)
		return err
	})
	var d sepa.Deposit
	w.update(func(tx *db.Tx) (err error) {
		d, err = w.API.SEPA.Receive(tx, w.partner, sepa.Incoming{
			IBAN: account.IBAN, Amount: money.New(units, eur), SenderName: "Test User", SenderIBAN: iban.IBAN("DE89370400440532013000"),
		})
		return err
	})
	if status != d.Status {
		w.update(func(tx *db.Tx) error {
			tx.Write(settle, w.partner, d.ID, status)
			return nil
		})
	}
	if d.Status = status; status == sepa.DepositSuspended {
		status = "PENDING" // which is what partners are told
	}
	return entry.Entry{
		Position: page.Position{At: d.CreatedAt, ID: d.ID, Part: entry.In}, Owner: owner,
		Type: "SEPA_DEPOSIT", Status: status, Amount: d.Amount, Object: d,
	}
}

// list reads one page.
func (w *world) list(q entry.Query) (entries []entry.Entry, more bool) {
	w.Helper()
	w.view(func(r db.Reader) (err error) {
		entries, more, err = w.API.History.List(r, q)
		return err
	})
	return entries, more
}

// pages reads a whole list, page by page, and calls between after each.
func (w *world) pages(q entry.Query, between func()) []entry.Entry {
	w.Helper()
	var all []entry.Entry
	for {
		entries, more := w.list(q)
		all = append(all, entries...)
		between()
		if !more {
			return all
		}
		if len(entries) != q.Limit {
			w.Fatalf("a page of %d entries, %d asked for, says that more follow", len(entries), q.Limit)
		}
		if q.After != nil && q.After.Compare(entries[0].Position) >= 0 {
			w.Fatalf("a page behind %v begins with %v", *q.After, entries[0].Position)
		}
		q.After = &entries[len(entries)-1].Position
	}
}
