// Package bench measures what the budgets speak of, on databases of a real size. Nothing here runs with the
// other tests; a benchmark is asked for by name:
//
//	go test ./test/bench -bench History -rows 1000000
package bench

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/httpapi"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/pgtest"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

var rows = flag.Int("rows", 100_000, "how many transfers the history has; each is two entries")

const (
	manyUsers = 500
	perCommit = 2_000
	years     = 2 // over which the transfers are spread
)

// BenchmarkHistory reads pages of 50 of long histories over the API's handler, the first one and the last one,
// and tells how long the pages of 200 between them take. One transfer in ten is between two users, all others are the
// partner's; four in five are in euros; one in a thousand has a reference.
func BenchmarkHistory(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			w := newWorld(b, engine)
			w.fill(*rows)
			for _, list := range []struct{ name, path string }{
				{"partner", "/v1/partner/transactions?"},
				{"everyone", "/v1/partner/transactions?scope=all"},
				{"user", "/v1/user/transactions/user-7?"},
				{"currency", "/v1/partner/transactions?scope=all&currency=doge"},
				{"emptyCurrency", "/v1/partner/transactions?currency=usdt"},
				{"reference", "/v1/partner/transactions?reference=rent"},
				{"pending", "/v1/partner/transactions?scope=all&status=PENDING"},
				{"users", "/v1/users?"},
			} {
				last := w.walk(list.name, list.path)
				b.Run(list.name+"/first", func(b *testing.B) { w.measure(b, list.path+"&limit=50") })
				b.Run(list.name+"/last", func(b *testing.B) { w.measure(b, last+"&limit=50") })
			}
			day := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
			b.Run("statement", func(b *testing.B) { w.measure(b, "/v1/partner/statement?currency=eur&date="+day) })
		})
	}
}

// world is the program on one engine, with a partner and users who have money.
type world struct {
	*testing.B
	*app.App
	handler http.Handler
	key     string
	partner int64
	users   []clock.ID
}

func newWorld(b *testing.B, engine db.Engine) *world {
	master := make([]byte, vault.KeySize)
	if _, err := rand.Read(master); err != nil {
		b.Fatal(err)
	}
	target := b.TempDir() + "/kontor.db"
	if engine == db.Postgres {
		target = pgtest.NewDatabase(b)
	}
	w := &world{B: b}
	var err error
	w.App, err = app.Open(b.Context(), app.Config{
		Database: target, MasterKey: master, Environment: partner.Staging, Bank: sepa.SandboxBank,
		Clock: clock.System(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.Close() })
	w.handler = httpapi.NewHandler(w.API)
	p, err := w.Partners.Create(b.Context(), map[string]string{"legalName": "Test Partner", "rateLimit": "0"})
	if err != nil {
		b.Fatal(err)
	}
	w.partner = p.ID
	if _, w.key, err = w.Partners.IssueKey(b.Context(), p.ID); err != nil {
		b.Fatal(err)
	}
	for i := range manyUsers {
		w.update(func(tx *db.Tx) error {
			u, _, err := w.API.Users.Create(tx, w.partner, user.New{ExternalID: fmt.Sprintf("user-%d", i), Model: user.KYC, Person: user.Person{Email: "test@example.com", Country: "LT"}})
			w.users = append(w.users[:i], u.ID)
			return err
		})
	}
	return w
}

func (w *world) update(fn func(tx *db.Tx) error) {
	w.Helper()
	if err := w.DB.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

var (
	insertTransfer = db.NewInsert("internal_transfer", `partner_id bigint, id uuid, source_id uuid, destination_id uuid,
		currency text, amount bigint, reference text, metadata text, created_at bigint`)
	insertDeposit = db.NewInsert("sepa_deposit", `partner_id bigint, id uuid, owner_id uuid, amount bigint, currency text,
		title text, sender_name text, sender_iban text, status text, version bigint, created_at bigint`)
	analyze = db.NewCommand("ANALYZE")
)

// account is an owner's balance of a currency.
type account struct {
	owner    clock.ID
	currency string
}

// fill writes transfers as they would have been made over the years, past the checks of making one, and a
// deposit for every hundred of them.
func (w *world) fill(total int) {
	w.Helper()
	began := time.Now()
	accounts := w.fund(int64(total))
	at, step := began.AddDate(-years, 0, 0), years*365*24*time.Hour/time.Duration(total)
	for done := 0; done < total; done += perCommit {
		w.update(func(tx *db.Tx) error {
			for i := done; i < min(done+perCommit, total); i++ {
				w.write(tx, accounts, i, at.Add(time.Duration(i)*step))
			}
			return nil
		})
	}
	if w.DB.Engine() == db.Postgres { // which autovacuum does there
		w.update(func(tx *db.Tx) error {
			tx.Write(analyze)
			return nil
		})
	}
	w.Logf("%s: %d transfers in %s", w.DB.Engine(), total, time.Since(began).Round(time.Second))
}

func (w *world) write(tx *db.Tx, accounts map[account]clock.ID, i int, at time.Time) {
	source, destination := ledger.PartnerItself, w.users[i*7%manyUsers]
	if i%3 == 0 {
		source, destination = destination, source
	}
	if i%10 == 0 {
		source, destination = w.users[i*7%manyUsers], w.users[(i*7+1)%manyUsers]
	}
	c := w.Catalog.Currencies()[0].Currency
	if i%5 == 0 {
		c = w.Catalog.Currencies()[1+i/5%6].Currency // all but the last
	}
	reference := ""
	if i%1000 == 1 {
		reference = "rent"
	}
	id := clock.NewID()
	tx.Write(insertTransfer, w.partner, id, source, destination, c.Code, 1, reference, "", at)
	ledger.Post(tx, w.partner, ledger.Operation{Type: "INTERNAL_TRANSFER", ID: id}, at, ledger.Leg{
		Name: "amount", Debit: accounts[account{source, c.Code}], Credit: accounts[account{destination, c.Code}], Amount: money.New(1, c),
	})
	if i%100 == 0 {
		status := "SUCCESSFUL"
		if i%10_000 == 0 {
			status = "PENDING"
		}
		tx.Write(insertDeposit, w.partner, clock.NewID(), w.users[i*7%manyUsers], 1, "eur", "title", "Test User",
			"DE89370400440532013000", status, int64(1), at)
	}
}

// fund gives everybody enough of every currency.
func (w *world) fund(units int64) map[account]clock.ID {
	w.Helper()
	accounts := map[account]clock.ID{}
	for _, owner := range append([]clock.ID{ledger.PartnerItself}, w.users...) {
		w.update(func(tx *db.Tx) error {
			type pair struct {
				from, to clock.ID
				amount   money.Amount
			}
			var pairs []pair
			for _, e := range w.Catalog.Currencies() {
				from, err := ledger.FindAccount(tx, w.partner, ledger.PartnerItself, ledger.Clearing, e.Currency)
				if err != nil {
					return err
				}
				to, err := ledger.FindAccount(tx, w.partner, owner, ledger.Balance, e.Currency)
				if err != nil {
					return err
				}
				accounts[account{owner, e.Code}] = to
				pairs = append(pairs, pair{from, to, money.New(units, e.Currency)})
			}
			for _, p := range pairs {
				ledger.Post(tx, w.partner, ledger.Operation{Type: "TEST", ID: clock.NewID()}, time.Now(),
					ledger.Leg{Name: "amount", Debit: p.from, Credit: p.to, Amount: p.amount})
			}
			return nil
		})
	}
	return accounts
}

// get calls the API and answers the cursor of the next page.
func (w *world) get(path string) (entries int, cursor string) {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("x-api-key", w.key)
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, request)
	var page struct {
		Transactions, Users, Entries []json.RawMessage
		NextCursor                   string
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &page); err != nil || recorder.Code != http.StatusOK {
		w.Fatalf("%s: %d %s, %v", path, recorder.Code, recorder.Body, err)
	}
	return len(page.Transactions) + len(page.Users) + len(page.Entries), page.NextCursor
}

// walk reads all pages, as long as they may be, tells how long they take, and answers the path of the last one.
func (w *world) walk(name, path string) string {
	var took []time.Duration
	last, entries := path, 0
	for {
		start := time.Now()
		n, cursor := w.get(last + "&limit=200")
		took, entries = append(took, time.Since(start)), entries+n
		if cursor == "" {
			break
		}
		last = path + "&cursor=" + cursor
	}
	slices.Sort(took)
	share := func(percent int) time.Duration {
		return took[(len(took)-1)*percent/100].Round(10 * time.Microsecond)
	}
	fmt.Printf("%s %s: %d entries on %d pages of 200: median %s, 99 %% within %s, slowest %s\n",
		w.DB.Engine(), name, entries, len(took), share(50), share(99), share(100))
	return last
}

func (w *world) measure(b *testing.B, path string) {
	w.get(path)
	for b.Loop() {
		w.get(path)
	}
}
