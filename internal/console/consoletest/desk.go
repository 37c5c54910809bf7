// Package consoletest makes a back office for tests: the whole program on an SQLite file, with officers, users and
// cases, and documents and proofs of address that are made up.
package consoletest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/console"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// Password is every officer's.
const Password = "correct horse battery"

// Start is when the desk's clock begins.
var Start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// Desk is a back office that is served.
type Desk struct {
	App      *app.App
	Accounts *console.Accounts
	Clock    *clock.Manual // business time, and that of the officers
	Partner  partner.Partner
	Cases    *compliance.Service
	Papers   *Papers
	URL      string // of the server
	Handler  http.Handler

	log *log
	t   *testing.T
}

// New makes a desk without officers and users. The settings are the partner's.
func New(t *testing.T, settings map[string]string) *Desk {
	t.Helper()
	d := &Desk{t: t, Clock: clock.NewManual(Start), Papers: &Papers{}, log: &log{}}
	master := bytes.Repeat([]byte{7}, vault.KeySize)
	var err error
	d.App, err = app.Open(t.Context(), app.Config{
		Database: dbtest.Target(t, db.SQLite), MasterKey: master, Environment: partner.Staging,
		Bank: sepa.SandboxBank, Clock: d.Clock, Log: slog.New(slog.NewTextHandler(d.log, nil)),
	})
	d.must(err)
	t.Cleanup(func() { d.must(d.App.Close()) })
	v, err := vault.Open(t.Context(), d.App.DB, master)
	d.must(err)
	d.Accounts = console.NewAccounts(d.App.DB, v, d.Clock, console.Cost{KiB: 8, Passes: 1, Threads: 1})
	d.Papers.db, d.Papers.clock = d.App.DB, d.Clock
	own := map[string]string{"legalName": "Test Partner"}
	for name, value := range settings {
		own[name] = value
	}
	d.Partner, err = d.App.Partners.Create(t.Context(), own)
	d.must(err)
	d.Cases = compliance.NewService(compliance.Config{
		DB: d.App.DB, Vault: v, Clock: d.Clock, Log: slog.New(slog.DiscardHandler),
		FourEyes: func(r db.Reader, id int64) (bool, error) {
			p, err := d.App.Partners.Find(r, id)
			return err == nil && p.Settings.Text("fourEyes") == "on", err
		},
		HighRisk: func(string) bool { return false },
	})
	d.Cases.Join(nobody{}, nobody{}, nobody{})
	cfg := d.App.Console
	cfg.Accounts, cfg.Cases, cfg.Proofs, cfg.Documents = d.Accounts, d.Cases, d.Papers, d.Papers
	d.Handler = console.NewHandler(cfg)
	server := httptest.NewServer(d.Handler)
	t.Cleanup(server.Close)
	d.URL = server.URL
	return d
}

// Logged is what the program has logged.
func (d *Desk) Logged() string { return d.log.String() }

func (d *Desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// nobody lets nothing follow from decisions.
type nobody struct{}

func (nobody) Reviewed(*db.Tx, compliance.Review) error { return nil }
func (nobody) Next(context.Context, compliance.Position, int) ([]compliance.Candidate, error) {
	return nil, nil
}
func (nobody) Freeze(*db.Tx, int64, clock.ID) (bool, error) { return true, nil }
func (nobody) Unfreeze(*db.Tx, int64, clock.ID) error       { return nil }

// Officer is somebody who can sign in.
type Officer struct {
	Name, Secret string
	Session      string // a session that is open already
}

// Officer adds an officer whose account is set up.
func (d *Desk) Officer(name, role string) Officer {
	d.t.Helper()
	setup, err := d.Accounts.Add(audit.As(d.t.Context(), "operator:test"), name, role)
	d.must(err)
	_, secret, err := d.Accounts.FindSetup(d.t.Context(), setup)
	d.must(err)
	session, err := d.Accounts.SetUp(d.t.Context(), setup, Password, d.Code(secret))
	d.must(err)
	d.Clock.Advance(time.Minute) // to the next code
	return Officer{name, secret, session}
}

// Code is what an authenticator shows now.
func (d *Desk) Code(secret string) string {
	d.t.Helper()
	code, err := totp.GenerateCode(secret, d.Clock.Now())
	d.must(err)
	return code
}

// User opens a user of the partner.
func (d *Desk) User(externalID string, p user.Person) user.User {
	d.t.Helper()
	var u user.User
	d.must(d.App.DB.Update(d.t.Context(), func(tx *db.Tx) (err error) {
		u, _, err = d.App.API.Users.Create(tx, d.Partner.ID, user.New{ExternalID: externalID, Model: user.KYC, Person: p})
		return err
	}))
	d.Clock.Advance(time.Second)
	return u
}

// Case puts a user under review.
func (d *Desk) Case(u user.User, p user.Person, findings ...compliance.Finding) clock.ID {
	d.t.Helper()
	var id clock.ID
	d.must(d.App.DB.Update(d.t.Context(), func(tx *db.Tx) (err error) {
		id, err = d.Cases.OpenCase(tx, compliance.Subject{
			Partner: u.Partner, User: u.ID, Names: []compliance.Name{{First: p.FirstName, Last: p.LastName}}, BirthDate: p.BirthDate,
			Countries: compliance.Countries{Residence: p.Country, Citizenship: p.Citizenship},
		}, compliance.Onboarding, compliance.Result{Findings: findings, ListVersion: "test 2026-10-30 0a1b2c3d4e5f"})
		return err
	}))
	d.Clock.Advance(time.Second)
	return id
}

var insertSuspended = db.NewInsert("sepa_deposit", `partner_id bigint, id uuid, owner_id uuid, amount bigint, currency text, title text,
	sender_name text, sender_iban text, status text, reason text, score bigint, version bigint, created_at bigint`)

// Suspended lets a deposit of a user wait on suspense, whose sender is called name. why is its reason, score how alike
// the names are, in thousandths.
func (d *Desk) Suspended(u user.User, cents int64, name, why string, score int64) clock.ID {
	d.t.Helper()
	id, euro := clock.NewID(), d.euro()
	d.must(d.App.DB.Update(d.t.Context(), func(tx *db.Tx) (err error) {
		leg := ledger.Leg{Name: "suspense", Amount: money.New(cents, euro)}
		if leg.Debit, err = ledger.FindAccount(tx, u.Partner, ledger.PartnerItself, ledger.Clearing, euro); err != nil {
			return err
		}
		if leg.Credit, err = ledger.FindAccount(tx, u.Partner, ledger.PartnerItself, ledger.Suspense, euro); err != nil {
			return err
		}
		tx.Write(insertSuspended, u.Partner, id, u.ID, cents, "eur", "Savings", name, "DE89370400440532013000", sepa.DepositSuspended, why,
			score, 0, d.Clock.Now())
		ledger.Post(tx, u.Partner, ledger.Operation{Type: sepa.DepositOperation, ID: id}, d.Clock.Now(), leg)
		return nil
	}))
	d.Clock.Advance(time.Second)
	return id
}

// Unknown lets the bank book a payment that is nobody's: a debit when cents are below zero.
func (d *Desk) Unknown(cents int64, name string) {
	d.t.Helper()
	e := sepa.Entry{
		Account: "LT121000011101001000", Reference: clock.NewID().String()[:18], EndToEnd: "NOTPROVIDED", Amount: money.New(cents, d.euro()),
		Debtor: sepa.Party{Name: name, IBAN: "DE89370400440532013000"}, Creditor: sepa.Party{Name: name}, Title: "Invoice 12", Day: Start,
	}
	d.must(d.App.API.SEPA.Book(d.t.Context(), []sepa.Entry{e}))
	d.Clock.Advance(time.Second)
}

// Line is a payment that is nobody's, as the bank books it on a day of Start's month.
func (d *Desk) Line(reference string, cents int64, day int) sepa.Entry {
	d.t.Helper()
	return sepa.Entry{
		Account: "LT121000011101001000", Reference: reference, Amount: money.New(cents, d.euro()), Day: bankDay(day),
		Debtor: sepa.Party{Name: "Test Sender"},
	}
}

func bankDay(day int) time.Time {
	return time.Date(Start.Year(), Start.Month(), day, 0, 0, 0, 0, time.UTC)
}

// Book lets the bank tell of payments at noon of a day.
func (d *Desk) Book(day int, lines ...sepa.Entry) {
	d.t.Helper()
	d.at(bankDay(day).Add(12 * time.Hour))
	d.must(d.App.API.SEPA.Book(d.t.Context(), lines))
}

// State lets the bank give the statement of a day, which begins with so many cents, at 6 o'clock of the next one.
func (d *Desk) State(sequence int64, day int, opening int64, lines ...sepa.Entry) {
	d.t.Helper()
	closing := opening
	for _, l := range lines {
		closing += l.Amount.Units()
	}
	made := bankDay(day + 1).Add(6 * time.Hour)
	d.at(made)
	d.must(d.App.API.SEPA.Book(d.t.Context(), lines))
	d.must(d.App.API.SEPA.KeepStatement(d.t.Context(), sepa.Statement{
		Account: "LT121000011101001000", ID: fmt.Sprintf("2026-%03d", sequence), Sequence: sequence, Day: bankDay(day), MadeAt: made,
		Opening: money.New(opening, d.euro()), Closing: money.New(closing, d.euro()), Lines: lines,
	}))
}

// at moves the clock forward.
func (d *Desk) at(t time.Time) {
	if d.Clock.Now().Before(t) {
		d.Clock.Set(t)
	}
}

// Activate makes a user one who may receive money, whom an identity check knows by the name of the profile.
func (d *Desk) Activate(u user.User, p user.Person) {
	d.t.Helper()
	u.Verification, u.ActivatedAt = user.Verified, d.Clock.Now()
	d.must(d.App.DB.Update(d.t.Context(), func(tx *db.Tx) error {
		user.SaveState(tx, u)
		return d.App.API.Users.Establish(tx, u, user.Established{FirstName: p.FirstName, LastName: p.LastName, BirthDate: p.BirthDate, At: d.Clock.Now()})
	}))
}

func (d *Desk) euro() money.Currency {
	d.t.Helper()
	c, ok := d.App.Catalog.Currency("eur")
	if !ok {
		d.t.Fatal("there is no eur")
	}
	return c
}

// Audited answers the newest entries of the audit log, as "actor action object".
func (d *Desk) Audited(limit int) (all []string) {
	d.t.Helper()
	d.must(d.App.DB.View(d.t.Context(), func(r db.Reader) error {
		entries, err := audit.List(r, audit.Filter{}, limit, 0)
		all = nil
		for _, e := range entries {
			all = append(all, e.Actor+" "+e.Action+" "+e.Object)
		}
		return err
	}))
	return all
}
