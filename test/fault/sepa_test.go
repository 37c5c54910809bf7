//go:build linux

package fault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/file"
	"kontor/internal/iban"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/pgtest"
	"kontor/internal/rail/bank"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

// send is the kind of operations that are SEPA transfers. Their titles, which choose the outcome, are their references.
const send kind = "send"

// own is the account that all deposits come from and all transfers go to.
const own = iban.IBAN("DE89370400440532013000")

// exchanged is Kontor, with partners' programs, and the sandbox's bank: two processes that share nothing but a folder.
type exchanged struct {
	*world
	kontor   *node
	bank     *node
	desk     *app.SandboxBank // the bank's data, where the test lets payments arrive
	shared   string           // the folder
	bankData string
	database string
	env      []string

	paid []paid // guarded by the world's watch
}

// paid is a payment that arrived at the bank.
type paid struct {
	id       string // of the deposit
	user     string
	cents    int64
	approved bool // otherwise it goes back, because the sender is somebody else
}

// startExchange starts both processes on fresh data of an engine, with so many users who have an amount each.
func startExchange(t *testing.T, engine db.Engine, users int, cents int64) *exchanged {
	t.Helper()
	x := &exchanged{shared: t.TempDir(), bankData: t.TempDir()}
	r := startReceiver(t)
	data, creds := x.prepare(t, engine, r.url)
	r.expect(t, creds)
	x.world = newWorld(t, r, creds.APIKey)
	x.kontor = newNode(t, x.env, "serve", "--data", data, "--bank-folder", x.shared, "--bank-holder", "Test Operator", "--bank-poll", "50ms")
	x.bank = &node{t: t, url: "the bank", logPath: filepath.Join(t.TempDir(), "bank.log"), args: []string{
		"sandbox-bank", "--data", x.bankData, "--folder", x.shared, "--holder", "Test Operator", "--poll", "50ms", "--delay", "50ms",
	}}
	t.Cleanup(func() {
		x.bank.kill()
		if t.Failed() {
			t.Logf("the end of the log of the bank:\n%s", x.bank.complaints())
		}
	})
	x.openDesk()
	x.bank.begin()
	x.kontor.start()
	for range users {
		for _, o := range x.inventUser() {
			x.must(x.kontor.url, o)
		}
		x.arrive(x.users[len(x.users)-1], cents, true)
	}
	x.awaitTold("at the beginning")
	return x
}

// prepare makes Kontor's data, with a partner.
func (x *exchanged) prepare(t *testing.T, engine db.Engine, webhookURL string) (data string, creds credentials) {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	data = t.TempDir()
	x.database = filepath.Join(data, "kontor.db")
	x.env = []string{"KONTOR_MASTER_KEY=" + base64.StdEncoding.EncodeToString(key)}
	if engine == db.Postgres {
		x.database = pgtest.NewDatabase(t)
		x.env = append(x.env, "KONTOR_DATABASE="+x.database)
	}
	a, err := app.Open(t.Context(), app.Config{
		Database: x.database, MasterKey: key, Environment: partner.Staging, Bank: sepa.SandboxBank, Clock: clock.System(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.Partners.Create(t.Context(), map[string]string{"legalName": "Test Partner", "rateLimit": "0", "webhook.baseUrl": webhookURL})
	if err != nil {
		t.Fatal(err)
	}
	_, creds.APIKey, err = a.Partners.IssueKey(t.Context(), p.ID)
	hooks, errHooks := a.Partners.WebhookCredentials(t.Context(), p.ID)
	if err := errors.Join(err, errHooks, a.Close()); err != nil {
		t.Fatal(err)
	}
	creds.WebhookToken, creds.WebhookSecret = hooks.Token, hooks.Secret
	return data, creds
}

func (x *exchanged) openDesk() {
	x.t.Helper()
	number, err := sepa.SandboxBank.Collective()
	if err != nil {
		x.t.Fatal(err)
	}
	x.desk, err = app.OpenSandboxBank(x.t.Context(), app.SandboxBankConfig{
		Data: x.bankData, Folder: x.shared, Account: bank.Account{Holder: "Test Operator", IBAN: number, BIC: sepa.SandboxBank.BIC},
		Clock: clock.System(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { x.desk.Close() })
}

// arrive lets a payment arrive at the bank, whether it runs or not.
func (x *exchanged) arrive(user string, cents int64, approved bool) {
	sender := "Test User"
	if !approved {
		sender = "Somebody Else"
	}
	_, id, err := x.desk.Deposit(context.Background(), sepa.Incoming{
		IBAN: iban.IBAN(x.ibans[user]), Amount: money.New(cents, iso20022.Euro), SenderName: sender, SenderIBAN: own,
	})
	x.change(func() {
		if err != nil {
			x.complain("a payment cannot arrive at the bank: %v", err)
			return
		}
		x.paid = append(x.paid, paid{id.String(), user, cents, approved})
	})
}

// titles choose what becomes of transfers; most succeed.
var titles = []string{"Rent", "Rent", "Rent", "SANDBOX-REJECT-AC04", "SANDBOX-RETURN-MD07", "SANDBOX-RETURN-AC06-25"}

func (x *exchanged) inventPayment(user string, cents int64, title string) *operation {
	return x.invent(&operation{
		kind: send, path: "/v1/sepa-transfer", source: user, cents: cents, reference: title,
		body: encode(map[string]any{
			"sourceExternalUserId": user, "currency": "eur", "amount": euros(cents), "destinationIban": string(own), "transferTitle": title,
		}),
	})
}

// payments runs partners' programs that send one transfer after another, and payments that arrive.
func (x *exchanged) payments(rng *mathrand.Rand, clients int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	users := slices.Clone(x.users)
	for i := range clients {
		each := mathrand.New(mathrand.NewPCG(rng.Uint64(), uint64(i)))
		group.Go(func() {
			for ctx.Err() == nil {
				user := users[each.IntN(len(users))]
				if each.IntN(5) == 0 {
					x.arrive(user, 1+each.Int64N(500), each.IntN(4) > 0)
				}
				x.carry(ctx, x.inventPayment(user, 26+each.Int64N(300), titles[each.IntN(len(titles))]), 0, []string{x.kontor.url})
				pause(ctx, time.Duration(each.Int64N(int64(20*time.Millisecond))))
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
	})
	x.t.Cleanup(stop)
	return stop
}

// ends are what partners are told of a transfer.
func (o *operation) ends() []string {
	switch {
	case strings.HasPrefix(o.reference, "SANDBOX-REJECT"):
		return []string{"FAILED " + o.reference[15:19]}
	case strings.HasPrefix(o.reference, "SANDBOX-RETURN"):
		return []string{"SUCCESSFUL", "RETURNED " + o.reference[15:19] + " " + euros(o.comesBack())}
	case strings.HasPrefix(o.reference, "SANDBOX-HANG"):
		return nil
	}
	return []string{"SUCCESSFUL"}
}

// comesBack is how many cents do.
func (o *operation) comesBack() int64 {
	switch {
	case strings.HasSuffix(o.reference, "-25"):
		return o.cents - 25
	case strings.HasPrefix(o.reference, "SANDBOX-RETURN"):
		return o.cents
	}
	return 0
}

// leaves is how many cents a transfer takes from the account at the bank, before some come back.
func (o *operation) leaves() int64 {
	if strings.HasPrefix(o.reference, "SANDBOX-REJECT") || strings.HasPrefix(o.reference, "SANDBOX-HANG") {
		return 0
	}
	return o.cents
}

func (o *operation) transferID() string { return answer{body: o.answer}.member("transferId") }

// atBank is what the bank has by the model once everything has ended.
func (x *exchanged) atBank() (cents int64) {
	for _, p := range x.paid {
		if p.approved {
			cents += p.cents
		}
	}
	for _, o := range x.done(send) {
		cents += o.comesBack() - o.leaves()
	}
	return cents
}

// fee of a transfer in cents: these are all so small that the lowest fee is taken.
const fee = 100

// available is what a user may spend by the model, which holds what has not ended.
func (x *exchanged) available(user string) (cents int64) {
	for _, p := range x.paid {
		if p.user == user && p.approved {
			cents += p.cents
		}
	}
	for _, o := range x.done(send) {
		if o.source != user || strings.HasPrefix(o.reference, "SANDBOX-REJECT") {
			continue
		}
		cents += o.comesBack() - o.cents - fee
	}
	return cents
}

// checkBank holds what the bank has received and booked, and its statement, against the model and the books.
func (x *exchanged) checkBank() {
	x.t.Helper()
	sent, messages := x.received()
	transfers := x.done(send)
	for _, o := range transfers {
		id, err := clock.ParseID(o.transferID())
		if err != nil || sent[sepa.EndToEnd(id)] != 1 {
			x.t.Errorf("the bank got %s %d times (%v)", o, sent[sepa.EndToEnd(id)], err)
		}
	}
	if len(sent) != len(transfers) {
		x.t.Errorf("the bank got %d transfers, of %d that were acknowledged", len(sent), len(transfers))
	}
	for id, times := range messages {
		if times != 1 {
			x.t.Errorf("the bank got the message %s %d times", id, times)
		}
	}
	err := eventually(x.t, arrivalLimit, func() error {
		found, err := x.desk.Bookings(x.t.Context(), 0)
		if err == nil && found.Balance.Units() != x.atBank() {
			err = fmt.Errorf("the bank has %s; by the model it is %s", found.Balance, euros(x.atBank()))
		}
		return err
	})
	if err != nil {
		x.t.Error(err)
	}
	for folder, why := range map[string]string{
		filepath.Join(x.shared, "quarantine"): "Kontor could not take", filepath.Join(x.bankData, "refused"): "the bank could not take",
	} {
		if files, err := os.ReadDir(folder); err != nil || len(files) > 0 {
			x.t.Errorf("%s %v (%v)", why, files, err)
		}
	}
}

// received counts transfers by their end-to-end ids, and messages, in the files that the bank has taken.
func (x *exchanged) received() (transfers, messages map[string]int) {
	x.t.Helper()
	transfers, messages = map[string]int{}, map[string]int{}
	folder := filepath.Join(x.bankData, "received")
	files, err := os.ReadDir(folder)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), file.TempSuffix) {
			continue // the bank was killed while it wrote it
		}
		opened, err := os.Open(filepath.Join(folder, f.Name()))
		if err != nil {
			x.t.Fatal(err)
		}
		d, err := iso20022.Read(opened)
		opened.Close()
		if err != nil {
			x.t.Fatalf("%s: %v", f.Name(), err)
		}
		messages[d.ID()]++
		if d.Initiation == nil {
			continue
		}
		for _, b := range d.Initiation.Batches {
			for _, t := range b.Transfers {
				transfers[t.EndToEndID]++
			}
		}
	}
	return transfers, messages
}

// checkStatement lets the bank end its day, and wants the books to agree with its statement.
func (x *exchanged) checkStatement() {
	x.t.Helper()
	made, err := x.desk.CloseNow(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	d, err := db.Open(x.t.Context(), x.database, db.WithSchema(db.Keep))
	if err != nil {
		x.t.Fatal(err)
	}
	defer d.Close()
	err = eventually(x.t, arrivalLimit, func() error {
		return d.Snapshot(x.t.Context(), func(r db.Reader) error {
			days, err := sepa.Days(r, sepa.Span{Limit: 1})
			switch {
			case err != nil:
				return err
			case len(days) == 0 || days[0].Sequence != made.Sequence:
				return errors.New("the bank's statement is not taken")
			case !days[0].Agrees() || days[0].Books.Units() != x.atBank() || days[0].Closing.Units() != x.atBank():
				return fmt.Errorf("the books do not agree with the statement, or with the model, by which it is %s: %+v", euros(x.atBank()), days[0])
			}
			waiting, _, err := sepa.ItemsWaiting(r)
			if err == nil && waiting > 0 {
				err = fmt.Errorf("%d payments wait for a person", waiting)
			}
			return err
		})
	})
	if err != nil {
		x.t.Error(err)
	}
	x.verifyExchange("at the end")
}

func (x *exchanged) verifyExchange(when string) {
	x.t.Helper()
	(&sandbox{node: x.kontor, place: []string{"--data", filepath.Dir(x.database), "--database", x.database}}).verifyHere(when)
}
