package adjustment_test

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/adjustment"
	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/entry"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/pgtest"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a program with one partner and its user, whom nobody has given anything.
type world struct {
	*testing.T
	*app.App
	clock   *clock.Manual
	partner int64
	user    clock.ID
	euro    money.Currency
}

func each(t *testing.T, f func(w world)) {
	t.Helper()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(newWorld(t, kind))
		})
	}
}

func newWorld(t *testing.T, kind db.Engine) world {
	t.Helper()
	w := world{T: t, clock: clock.NewManual(start)}
	var err error
	w.App, err = app.Open(t.Context(), app.Config{
		Database: dbtest.Target(t, kind), MasterKey: make([]byte, vault.KeySize), Environment: partner.Staging,
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
	w.euro, _ = w.Catalog.Currency("eur")
	p, err := w.Partners.Create(t.Context(), map[string]string{"legalName": "Test Partner"})
	if err != nil {
		t.Fatal(err)
	}
	w.partner = p.ID
	err = w.DB.Update(t.Context(), func(tx *db.Tx) error {
		u, _, err := w.API.Users.Create(tx, p.ID, user.New{ExternalID: "test-user", Model: user.KYC, Person: user.Person{Country: "LT"}})
		w.user = u.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// propose has one person propose a correction of the user's euros.
func (w world) propose(amount string) adjustment.Adjustment {
	w.Helper()
	units, err := adjustment.ParseAmount(amount, w.euro)
	if err != nil {
		w.Fatal(err)
	}
	a, err := w.Adjustments.Propose(w.Context(), adjustment.Proposal{
		Partner: w.partner, User: "test-user", Amount: units, Reason: "Test reason", By: "Person A",
	})
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// approve has another person approve it.
func (w world) approve(a adjustment.Adjustment) {
	w.Helper()
	if _, err := w.Adjustments.Approve(w.Context(), a.ID, "Person B"); err != nil {
		w.Fatal(err)
	}
}

// expect checks what the user has, and owes.
func (w world) expect(balance, owed string) {
	w.Helper()
	err := w.DB.View(w.Context(), func(r db.Reader) error {
		states, err := ledger.Balances(r, w.partner, w.user, w.Catalog.Currency)
		if err != nil {
			return err
		}
		c, err := ledger.FindCustomer(r, w.partner, w.user, w.euro)
		if got := states["eur"].Posted.String(); got != balance || c.Owed.String() != owed {
			w.Errorf("the user has %s and owes %s, want %s and %s", got, c.Owed, balance, owed)
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

// violations is what kontor verify says.
func (w world) violations() []string {
	w.Helper()
	found, err := app.Verify(w.Context(), w.DB)
	if err != nil {
		w.Fatal(err)
	}
	return found
}

func (w world) sound() {
	w.Helper()
	for _, v := range w.violations() {
		w.Error(v)
	}
}

func (w world) debts() []ledger.Debt {
	w.Helper()
	var found []ledger.Debt
	err := w.DB.Snapshot(w.Context(), func(r db.Reader) (err error) {
		found, err = ledger.Debts(r, w.partner, w.Catalog.Currency)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return found
}

func TestApprovalMovesMoneyBothWays(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		first := w.propose("20.00")
		w.approve(first)
		w.expect("20.00", "0.00")
		w.clock.Advance(time.Hour)
		w.approve(w.propose("-32.50")) // more than there is
		w.expect("0.00", "12.50")
		w.clock.Advance(time.Hour)
		w.approve(w.propose("+2.00")) // repays
		w.expect("0.00", "10.50")
		if got := w.debts(); len(got) != 1 || got[0].Owner != w.user || got[0].Amount.String() != "10.50" || !got[0].Since.Equal(start.Add(time.Hour)) {
			w.Errorf("debts are %v", got)
		}
		w.approve(w.propose("30.00"))
		w.expect("19.50", "0.00")
		if got := w.debts(); len(got) != 0 {
			w.Errorf("debts are %v", got)
		}
		w.clock.Advance(time.Hour)
		w.approve(w.propose("-20.00"))
		if got := w.debts(); len(got) != 1 || got[0].Amount.String() != "0.50" || !got[0].Since.Equal(start.Add(3*time.Hour)) {
			w.Errorf("debts are %v: an earlier one was repaid", got)
		}
		w.sound()

		w.propose("99.00") // nobody sees it before it is approved
		query := func(change func(q *entry.Query)) (found []string) {
			w.Helper()
			q := entry.Query{Partner: w.partner, Owner: w.user, Currencies: []money.Currency{w.euro}, Range: page.Range{Limit: 10}}
			change(&q)
			err := w.DB.View(w.Context(), func(r db.Reader) error {
				entries, err := w.Adjustments.History(r, q)
				for _, e := range entries {
					x := e.Object.(adjustment.Executed)
					if e.Owner != w.user || e.Type != "ADJUSTMENT" || e.ID != x.ID || x.CreatedAt != e.At || x.Reason != "Test reason" {
						w.Errorf("an entry is %+v", e)
					}
					found = append(found, e.Part+" "+e.Amount.String())
				}
				return err
			})
			if err != nil {
				w.Fatal(err)
			}
			return found
		}
		all := []string{"OUT 20.00", "IN 30.00", "IN 2.00", "OUT 32.50", "IN 20.00"}
		for name, c := range map[string]struct {
			change func(q *entry.Query)
			want   []string
		}{
			"own":        {func(*entry.Query) {}, all},
			"everyone":   {func(q *entry.Query) { q.Everyone, q.Owner = true, ledger.PartnerItself }, all},
			"partner":    {func(q *entry.Query) { q.Owner = ledger.PartnerItself }, nil},
			"another":    {func(q *entry.Query) { q.Partner = 77 }, nil},
			"type":       {func(q *entry.Query) { q.Type = "SEPA_DEPOSIT" }, nil},
			"status":     {func(q *entry.Query) { q.Status = "PENDING" }, nil},
			"currency":   {func(q *entry.Query) { q.Currencies = nil }, nil},
			"times":      {func(q *entry.Query) { q.From, q.To = start.Add(time.Hour), start.Add(2*time.Hour) }, all[3:4]},
			"one of all": {func(q *entry.Query) { q.Operation = first.ID }, all[4:]},
		} {
			if got := query(c.change); !slices.Equal(got, c.want) {
				w.Errorf("%s: the history is %q, want %q", name, got, c.want)
			}
		}
	})
}

func TestTwoPersonsDecideOnce(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		a := w.propose("20.00")
		refused := func(want string, err error) {
			w.Helper()
			if err == nil || !strings.Contains(err.Error(), want) {
				w.Errorf("answered %v, want %q", err, want)
			}
		}
		for _, same := range []string{"Person A", "person a", " PERSON  A "} {
			_, err := w.Adjustments.Approve(w.Context(), a.ID, same)
			refused("another person must decide it", err)
			_, err = w.Adjustments.Reject(w.Context(), a.ID, same)
			refused("another person must decide it", err)
		}
		_, err := w.Adjustments.Approve(w.Context(), clock.NewID(), "Person B")
		refused("There is no adjustment", err)
		_, err = w.Adjustments.Approve(w.Context(), a.ID, " ")
		refused("the name of the person", err)
		w.expect("0.00", "0.00")
		if _, err := w.Adjustments.Reject(w.Context(), a.ID, "Person B"); err != nil {
			w.Fatal(err)
		}
		_, err = w.Adjustments.Approve(w.Context(), a.ID, "Person C")
		refused("was decided already: REJECTED by person b", err)
		w.expect("0.00", "0.00")
		w.sound()
	})
}

func TestRacingApprovalsExecuteOnce(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		for _, amount := range []string{"20.00", "-5.00"} {
			a := w.propose(amount)
			var all sync.WaitGroup
			results := make(chan error, 8)
			for range cap(results) {
				all.Go(func() {
					_, err := w.Adjustments.Approve(w.Context(), a.ID, "Person B")
					results <- err
				})
			}
			all.Wait()
			approved := 0
			for range cap(results) {
				if err := <-results; err == nil {
					approved++
				} else if !strings.Contains(err.Error(), "was decided already") {
					w.Error(err)
				}
			}
			if approved != 1 {
				w.Errorf("%d approvals succeeded", approved)
			}
		}
		w.expect("15.00", "0.00")
		w.sound()
	})
}

var forgetEquity = db.NewCommand(`DELETE FROM account WHERE partner_id = $1 AND purpose = 'equity'`)

func TestOlderBookGetsItsEquityAccount(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		err := w.DB.Update(w.Context(), func(tx *db.Tx) error {
			tx.Write(forgetEquity, w.partner)
			return nil
		})
		if err != nil {
			w.Fatal(err)
		}
		first, second := w.propose("1.00"), w.propose("-3.00")
		var all sync.WaitGroup
		for _, a := range []adjustment.Adjustment{first, second} {
			all.Go(func() {
				if _, err := w.Adjustments.Approve(w.Context(), a.ID, "Person B"); err != nil {
					w.Error(err)
				}
			})
		}
		all.Wait()
		w.expect("0.00", "2.00")
		w.sound()
	})
}

func TestProposalsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite)
	good := adjustment.Proposal{Partner: w.partner, User: "test-user", Amount: money.New(1, w.euro), Reason: "r", By: "a"}
	for name, c := range map[string]struct {
		change func(p *adjustment.Proposal)
		want   string
	}{
		"zero":              {func(p *adjustment.Proposal) { p.Amount = money.New(0, w.euro) }, "must not be zero"},
		"no reason":         {func(p *adjustment.Proposal) { p.Reason = "  " }, "the reason must be"},
		"lines":             {func(p *adjustment.Proposal) { p.Reason = "a\nb" }, "the reason must be"},
		"nobody":            {func(p *adjustment.Proposal) { p.By = "" }, "the name of the person"},
		"no such user":      {func(p *adjustment.Proposal) { p.User = "other" }, string(fault.InvalidUser)},
		"no such partner":   {func(p *adjustment.Proposal) { p.Partner, p.User = 77, "" }, "partner 77 has no such balance"},
		"another's user":    {func(p *adjustment.Proposal) { p.Partner = ledger.Operator }, string(fault.InvalidUser)},
		"the operator":      {func(p *adjustment.Proposal) { p.Partner, p.User = ledger.Operator, "" }, "no such balance"},
		"a long reason":     {func(p *adjustment.Proposal) { p.Reason = strings.Repeat("a", 501) }, "the reason must be"},
		"any script fits":   {func(p *adjustment.Proposal) { p.Reason = strings.Repeat("اختبار 🧪", 50) }, ""},
		"the partner's own": {func(p *adjustment.Proposal) { p.User = "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := good
			c.change(&p)
			_, err := w.Adjustments.Propose(t.Context(), p)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error()+string(fault.From(err).Code), c.want)) {
				t.Errorf("answered %v, want %q", err, c.want)
			}
		})
	}
}

func TestParseAmount(t *testing.T) {
	t.Parallel()
	euro := money.Currency{Code: "eur", Scale: 2}
	for text, want := range map[string]string{"12.50": "12.50", "+1": "1.00", "-0.01": "-0.01", "-12.5": "-12.50"} {
		if got, err := adjustment.ParseAmount(text, euro); err != nil || got.String() != want {
			t.Errorf("%s is %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "--1", "-+1", "+-1", "0", "-0.00", "0.001", "1e2", "1,00", " 1", "ten"} {
		if got, err := adjustment.ParseAmount(text, euro); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

var (
	decideAlone = db.NewCommand(`
		INSERT INTO adjustment_decision (partner_id, id, approved, proposed_by, decided_by, created_at)
		VALUES ($1, $2, TRUE, 'a', 'a', 1)`)
	decideOnly = db.NewCommand(`
		INSERT INTO adjustment_decision (partner_id, id, approved, proposed_by, decided_by, created_at)
		VALUES ($1, $2, TRUE, 'a', 'b', 1)`)
	execute = db.NewCommand(`
		INSERT INTO adjustment (partner_id, id, owner_id, currency, amount, reason, created_at)
		VALUES ($1, $2, $2, 'eur', 100, 'r', 1)`)
)

func TestVerifyNamesWhatDoesNotAgree(t *testing.T) {
	t.Parallel()
	each(t, func(w world) {
		write := func(c *db.Command, id clock.ID) error {
			return w.DB.Update(w.Context(), func(tx *db.Tx) error {
				tx.Write(c, w.partner, id)
				return nil
			})
		}
		if err := write(decideAlone, clock.NewID()); !db.Violates(err, "adjustment_decision_two_persons") {
			w.Errorf("the schema lets one person decide alone: %v", err)
		}
		approved, executed, posted := clock.NewID(), clock.NewID(), clock.NewID()
		if err := write(decideOnly, approved); err != nil {
			w.Fatal(err)
		}
		if err := write(execute, executed); err != nil {
			w.Fatal(err)
		}
		err := w.DB.Update(w.Context(), func(tx *db.Tx) error {
			c, err := ledger.FindCustomer(tx, w.partner, w.user, w.euro)
			if err != nil {
				return err
			}
			equity, err := ledger.FindAccount(tx, w.partner, ledger.PartnerItself, ledger.Equity, w.euro)
			ledger.Post(tx, w.partner, ledger.Operation{Type: adjustment.OperationType, ID: posted}, start,
				ledger.Credit("amount", equity, c, money.New(5, w.euro))...)
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		found := w.violations()
		for _, want := range []string{
			approved.String() + " of partner 1 was approved and not executed",
			executed.String() + " of partner 1 does not agree with its postings",
			executed.String() + " of partner 1 was executed without an approval",
			posted.String() + " of partner 1 have no adjustment",
		} {
			if !slices.ContainsFunc(found, func(v string) bool { return strings.Contains(v, want) }) {
				w.Errorf("%q does not name %q", found, want)
			}
		}
		if len(found) != 4 {
			w.Errorf("violations: %q", found)
		}
	})
}
