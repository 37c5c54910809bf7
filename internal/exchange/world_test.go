package exchange_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/pgtest"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

var (
	eur  = money.Currency{Code: "eur", Scale: 2}
	btc  = money.Currency{Code: "btc", Scale: 8}
	eth  = money.Currency{Code: "eth", Scale: 8}
	usdc = money.Currency{Code: "usdc", Scale: 6}

	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// prices is a market that a test moves.
type prices map[string]money.Rate

func (p prices) Prices() map[string]money.Rate { return maps.Clone(p) }
func (p prices) Last() map[string]money.Rate   { return p }

// world is the program on one engine, with a partner who has a user without KYC, and a market of the test's own.
type world struct {
	*testing.T
	*app.App
	*exchange.Service
	clock   *clock.Manual
	market  prices
	vault   *vault.Vault
	partner int64
	terms   exchange.Terms
	others  atomic.Bool // there are other nodes
	broken  bool        // on purpose: the books need not be right at the end
}

// each runs a test in a fresh world on either engine.
func each(t *testing.T, f func(w *world)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			f(newWorld(t, engine))
		})
	}
}

func newWorld(t *testing.T, engine db.Engine) *world {
	t.Helper()
	master := make([]byte, vault.KeySize)
	if _, err := rand.Read(master); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, clock: clock.NewManual(start), market: prices{}}
	var err error
	w.App, err = app.Open(t.Context(), app.Config{
		Database: dbtest.Target(t, engine), MasterKey: master, Environment: partner.Staging,
		Bank: sepa.SandboxBank, Clock: w.clock, Log: slog.New(slog.DiscardHandler), CheckEvents: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.vault, err = vault.Open(t.Context(), w.DB, master); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		violations, err := app.Verify(context.WithoutCancel(t.Context()), w.DB)
		if err != nil {
			t.Error(err)
		}
		if len(violations) > 0 && !w.broken {
			t.Errorf("verify: %s", strings.Join(violations, "\n"))
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := w.Partners.Create(t.Context(), map[string]string{"legalName": "Test Partner", "model": "nokyc"})
	if err != nil {
		t.Fatal(err)
	}
	w.partner = p.ID
	w.update(func(tx *db.Tx) error {
		_, _, err := w.API.Users.Create(tx, w.partner, user.New{
			ExternalID: "user", Model: user.NoKYC, Person: user.Person{Email: "user@example.com", Country: "LT"},
		})
		return err
	})
	for slug, price := range map[string]string{
		"eur": "1", "btc": "50000", "eth": "2000", "ltc": "70", "doge": "0.2", "pol": "0.25", "usdc": "0.8", "usdt": "0.8",
	} {
		w.market[slug] = w.rate(price)
	}
	w.terms = exchange.Terms{Fee: w.share("1.49"), LocksPerMinute: 10_000}
	w.serve(w.Catalog, money.Percent{})
	return w
}

// catalogWith is the built-in catalogue with more members for the currencies that start at these rates.
func catalogWith(t *testing.T, more map[string]string) *catalog.Catalog {
	t.Helper()
	text, err := os.ReadFile("../catalog/data/currencies.json")
	if err != nil {
		t.Fatal(err)
	}
	changed, dir := string(text), t.TempDir()
	for rate, members := range more {
		start := `"startRate": "` + rate + `"`
		changed = strings.ReplaceAll(changed, start, start+", "+members)
	}
	if err := os.WriteFile(filepath.Join(dir, "currencies.json"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// serve makes the service that is tested.
func (w *world) serve(cat *catalog.Catalog, guard money.Percent) { w.Service = w.node(cat, guard) }

// node is one more service on the same database, which remembers nothing of what the others do.
func (w *world) node(cat *catalog.Catalog, guard money.Percent) *exchange.Service {
	users := user.NewService(w.vault, w.clock, cat, w.API.Events)
	return exchange.NewService(exchange.Config{
		DB: w.DB, Clock: w.clock, Catalog: cat, Events: w.API.Events, Market: w.market, Guard: guard,
		Users: users, Vault: w.vault, Alone: func() bool { return !w.others.Load() },
	})
}

func (w *world) update(fn func(tx *db.Tx) error) {
	w.Helper()
	if err := w.DB.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

func (w *world) rate(text string) money.Rate {
	w.Helper()
	r, err := money.ParseRate(text)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) share(text string) money.Percent {
	w.Helper()
	p, err := money.ParsePercent(text)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// owner is the id of a user, or with an empty name the partner's own.
func (w *world) owner(name string) (id clock.ID) {
	w.Helper()
	if name == "" {
		return ledger.PartnerItself
	}
	err := w.DB.View(w.Context(), func(r db.Reader) error {
		u, err := user.Find(r, w.partner, name)
		id = u.ID
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// fund gives an owner an amount, as the operator's corrections do.
func (w *world) fund(name string, amount money.Amount) {
	w.Helper()
	owner := w.owner(name)
	w.update(func(tx *db.Tx) error {
		to, err := ledger.FindCustomer(tx, w.partner, owner, amount.Currency())
		if err != nil {
			return err
		}
		from, err := ledger.FindAccount(tx, w.partner, ledger.PartnerItself, ledger.Equity, amount.Currency())
		if err != nil {
			return err
		}
		ledger.Post(tx, w.partner, ledger.Operation{Type: "TEST", ID: clock.NewID()}, w.clock.Now(),
			ledger.Credit("amount", from, to, amount)...)
		return nil
	})
}

// on is what stands on an account.
func (w *world) on(name string, p ledger.Purpose, c money.Currency) money.Amount {
	w.Helper()
	owner := w.owner(name)
	var posted int64
	err := w.DB.View(w.Context(), func(r db.Reader) error {
		return r.Row(selectPosted, w.partner, owner, string(p), c.Code).Scan(&posted)
	})
	if err != nil {
		w.Fatal(err)
	}
	return money.New(posted, c)
}

var selectPosted = db.NewQuery(
	`SELECT posted FROM account WHERE partner_id = $1 AND owner_id = $2 AND purpose = $3 AND currency = $4`)

// lock locks rates for an owner.
func (w *world) lock(name string) exchange.Lock {
	w.Helper()
	l, err := w.Lock(w.Context(), w.partner, name, w.terms)
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// try makes an exchange.
func (w *world) try(name string, amount money.Amount, to money.Currency, lock clock.ID) (x exchange.Exchange, err error) {
	err = w.DB.Update(w.Context(), func(tx *db.Tx) (err error) {
		x, err = w.Create(tx, w.partner, exchange.Create{User: name, Amount: amount, To: to, Lock: lock}, w.terms)
		return err
	})
	return x, err
}

// want compares the code of an error.
func (w *world) want(what string, err error, code fault.Code) {
	w.Helper()
	if err == nil || fault.From(err).Code != code {
		w.Errorf("%s: got %v, want %s", what, err, code)
	}
}
