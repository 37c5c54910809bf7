package sepa

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/vault"
)

// crash makes one commit of the program fail: it is refused, or its answer is lost, as when the program dies on
// either side of it.
type crash struct {
	at      int64 // which commit, from 1; 0: none
	failure db.Failure
	commits atomic.Int64
	armed   atomic.Bool // the fixture is made
}

func (f *crash) Inject(_ context.Context, c db.Call) db.Fault {
	if !f.armed.Load() || c.Point != db.AtQueue && c.Point != db.AtCommit {
		return db.Fault{}
	}
	if n := f.commits.Add(1); n == f.at {
		return db.Fault{Failure: f.failure}
	}
	return db.Fault{}
}

func (f *crash) Committed(context.Context) {}

// recorder is a bank that keeps what it was given. It refuses the first call, after it has taken it.
type recorder struct {
	calls   int
	batches map[clock.ID]Batch
	returns map[clock.ID]ReturnOrder
	t       *testing.T
}

func (r *recorder) Submit(_ context.Context, b Batch) error {
	r.calls++
	if known, ok := r.batches[b.ID]; ok && !reflect.DeepEqual(known, b) {
		r.t.Errorf("a batch is given again with another content: %+v, then %+v", known, b)
	}
	r.batches[b.ID] = b
	if r.calls == 1 {
		return fmt.Errorf("the answer of the bank was lost")
	}
	return nil
}

func (r *recorder) Return(_ context.Context, o ReturnOrder) error {
	r.calls++
	if known, ok := r.returns[o.ID]; ok && !reflect.DeepEqual(known, o) {
		r.t.Errorf("a return is given again with another content: %+v, then %+v", known, o)
	}
	r.returns[o.ID] = o
	if r.calls == 1 {
		return fmt.Errorf("the answer of the bank was lost")
	}
	return nil
}

const cashes = 100_00 // what the partner has at first

// sender is partner 1 with money and a bank that records.
type sender struct {
	*testing.T
	db    *db.DB
	sepa  *Service
	rail  *recorder
	order Order
	log   bytes.Buffer // of what the service tells the operator, by one goroutine
}

func newSender(t *testing.T, target string, f *crash) *sender {
	t.Helper()
	d, err := db.Open(t.Context(), target, db.WithInjector(f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	jobs := job.NewRunner(job.Config{DB: d, Clock: now, Node: "test", Log: slog.New(slog.DiscardHandler)})
	s := &sender{T: t, db: d, rail: &recorder{batches: map[clock.ID]Batch{}, returns: map[clock.ID]ReturnOrder{}, t: t}}
	s.sepa, err = NewService(Config{
		DB: d, Vault: v, Clock: now, Catalog: cat, Bank: SandboxBank, Events: event.NewLog(v, func(int64) {}), Jobs: jobs,
		Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.sepa.Join(s.rail)
	euro := s.sepa.euro
	s.until(func() error {
		return d.Update(t.Context(), func(tx *db.Tx) error {
			for partner := range int64(2) {
				ledger.OpenBook(tx, partner, []money.Currency{euro}, now.Now())
			}
			return nil
		})
	})
	s.until(func() error {
		return d.Update(t.Context(), func(tx *db.Tx) error {
			own, err := ledger.FindCustomer(tx, 1, ledger.PartnerItself, euro)
			if err != nil {
				return err
			}
			equity, err := ledger.FindAccount(tx, 1, ledger.PartnerItself, ledger.Equity, euro)
			ledger.Post(tx, 1, ledger.Operation{Type: "TEST", ID: clock.ID{1}}, now.Now(),
				ledger.Leg{Name: "amount", Debit: equity, Credit: own.Balance, Amount: money.New(cashes, euro)})
			return err
		})
	})
	f.armed.Store(true)
	s.order = Order{
		Amount: money.New(40_00, euro), Destination: "DE89370400440532013000", Title: "Test", Receiver: Receiver{Type: Legal, Company: "Test"},
		Terms: Terms{OpenLoop: true, Least: money.New(1_00, euro), Largest: money.New(1_000_00, euro)},
	}
	return s
}

// until repeats a step as its job would be repeated, and once more after it has succeeded.
func (s *sender) until(step func() error) {
	s.Helper()
	var err error
	for range 5 {
		if err = step(); err == nil {
			return
		}
	}
	s.Fatal(err)
}

func (s *sender) twice(step func() error) {
	s.Helper()
	s.until(step)
	s.until(step)
}

// accept makes the transfer; an order whose answer was lost is found again, as by its idempotency key.
func (s *sender) accept() Transfer {
	s.Helper()
	var t Transfer
	s.until(func() error {
		err := s.db.Update(s.Context(), func(tx *db.Tx) (err error) {
			t, err = s.sepa.CreateTransfer(tx, 1, s.order)
			return err
		})
		if err == nil {
			return nil
		}
		return s.db.View(s.Context(), func(r db.Reader) (err error) {
			t, err = s.sepa.FindTransfer(r, 1, t.ID)
			return err
		})
	})
	return t
}

func sendJob(t Transfer) job.Job {
	return job.Job{Partner: t.Partner, Kind: sendTransfer, Object: t.ID}
}

// batch is the batch that the transfer is in.
func (s *sender) batch(t Transfer) clock.ID {
	s.Helper()
	var id clock.ID
	err := s.db.View(s.Context(), func(r db.Reader) error { return r.Row(selectItem, int64(1), t.ID).Scan(&id) })
	if err != nil {
		s.Fatal(err)
	}
	return id
}

func (s *sender) want(status string, balance int64) {
	s.Helper()
	err := s.db.View(s.Context(), func(r db.Reader) error {
		var posted, held, transfers int64
		q := db.NewQuery(`SELECT posted, held FROM account WHERE partner_id = 1 AND purpose = 'balance' AND currency = 'eur'`)
		if err := r.Row(q).Scan(&posted, &held); err != nil {
			return err
		}
		if posted != balance || held != 0 {
			s.Errorf("the balance is %d with %d held, want %d", posted, held, balance)
		}
		c := db.NewQuery(`SELECT COUNT(*) FROM sepa_transfer WHERE partner_id = 1 AND status = $1`)
		if err := r.Row(c, status).Scan(&transfers); err != nil {
			return err
		}
		if transfers != 1 {
			s.Errorf("%d transfers are %s, want 1", transfers, status)
		}
		found, err := Verify(s.Context(), r)
		more, ledgerErr := ledger.Verify(s.Context(), r)
		if err != nil || ledgerErr != nil || len(found)+len(more) > 0 {
			s.Errorf("verify: %q %q %v %v", found, more, err, ledgerErr)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// life takes a transfer through its whole life, with a fault at one of its commits. Each step is repeated until it
// succeeds, and then once more, as after a crash on either side of its end. It answers how many commits there were.
func life(t *testing.T, target string, f *crash, status string) int64 {
	s := newSender(t, target, f)
	transfer := s.accept()
	s.twice(func() error { return s.sepa.send(t.Context(), sendJob(transfer)) })
	batch := s.batch(transfer)
	s.twice(func() error { return s.sepa.submit(t.Context(), job.Job{Kind: submitBatch, Object: batch}) })
	if given := s.rail.batches[batch]; len(s.rail.batches) != 1 || len(given.Payments) != 1 || given.Payments[0].ID != EndToEnd(transfer.ID) {
		t.Errorf("the bank was given %+v", s.rail.batches)
	}
	balance := int64(cashes)
	tell := func(st Status) {
		st.EndToEnd = EndToEnd(transfer.ID)
		s.twice(func() error { return s.sepa.Report(t.Context(), []Status{st}) })
	}
	book := func(reference string, cents int64, returned bool) {
		entry := Entry{
			Account: "LT121000011101001000", Reference: reference, EndToEnd: EndToEnd(transfer.ID), Returned: returned, Reason: "AC04",
			Amount: money.New(cents, s.sepa.euro), Day: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		}
		s.twice(func() error { return s.sepa.Book(t.Context(), []Entry{entry}) })
		s.twice(func() error { return s.applyAll() })
	}
	switch status {
	case TransferFailed:
		tell(Status{Reason: "AC04"})
		tell(Status{Settled: true}) // what comes too late changes nothing
	case TransferSuccessful:
		tell(Status{Settled: true})
		book("debit", -40_00, false)
		tell(Status{Reason: "AC04"})
		balance -= 41_00
	case TransferReturned:
		book("return", 39_50, true) // ahead of all other news
		book("debit", -40_00, false)
		book("another return", 39_50, true) // for a person
		tell(Status{Settled: true})
		balance -= 1_50
	}
	s.want(status, balance)
	return f.commits.Load()
}

// applyAll runs the jobs of what the bank has booked.
func (s *sender) applyAll() error { return applyAll(s.Context(), s.db, s.sepa) }

func applyAll(ctx context.Context, d *db.DB, s *Service) error {
	var jobs []ref
	err := d.View(ctx, func(r db.Reader) (err error) {
		jobs, err = scanRefs(r.Rows(db.NewQuery(`SELECT partner_id, object_id FROM job WHERE kind = $1`), applyEntries))
		return err
	})
	for _, j := range jobs {
		if err == nil {
			err = s.apply(ctx, job.Job{Partner: j.partner, Kind: applyEntries, Object: j.id})
		}
	}
	return err
}

// Whatever commit is refused, or is lost after it took effect, the bank gets the transfer once, and the books end
// as they must (I6).
func TestTransferIsSentOnceAcrossCrashes(t *testing.T) {
	t.Parallel()
	for _, status := range []string{TransferFailed, TransferSuccessful, TransferReturned} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			commits := life(t, dbtest.Target(t, db.SQLite), &crash{}, status)
			if commits < 3 {
				t.Fatalf("only %d commits", commits)
			}
			life(t, dbtest.Target(t, db.Postgres), &crash{at: 2, failure: db.Lose}, status)
			for at := int64(1); at <= commits; at++ {
				for _, failure := range []db.Failure{db.Refuse, db.Lose} {
					life(t, dbtest.Target(t, db.SQLite), &crash{at: at, failure: failure}, status)
				}
			}
		})
	}
}

// A bank may tell of a payment's return before its debit, and of what it booked before what it executed.
func TestLinesOfAStatementMayStandInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newSender(t, dbtest.Target(t, engine), &crash{})
			transfer := s.accept()
			s.until(func() error { return s.sepa.send(t.Context(), sendJob(transfer)) })
			later := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
			line := Entry{Account: "LT121000011101001000", EndToEnd: EndToEnd(transfer.ID), Reason: "AC04"}
			debit, back := line, line
			debit.Reference, debit.Amount, debit.Day = "debit", money.New(-40_00, s.sepa.euro), later.AddDate(0, 0, -1)
			back.Reference, back.Amount, back.Day, back.Returned = "return", money.New(39_50, s.sepa.euro), later, true
			s.twice(func() error { return s.sepa.Book(t.Context(), []Entry{back, debit, back}) })
			s.twice(func() error { return s.applyAll() })
			s.twice(func() error {
				return s.sepa.Report(t.Context(), []Status{{EndToEnd: line.EndToEnd, Reason: "AC04"}, {EndToEnd: line.EndToEnd, Settled: true}})
			})
			s.want(TransferReturned, cashes-1_50)
		})
	}
}

// A payer is remembered from one transfer to the next, and who was suspended in between does not pay all the same.
func TestRememberedPayerIsStillAllowedToPay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBooks(t, d)
		b.sepa.Join(&recorder{batches: map[clock.ID]Batch{}, t: t})
		b.run(b.receive(1000), 1)
		euros := func(cents int64) money.Amount { return money.New(cents, b.sepa.euro) }
		pay := func() fault.Code {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				_, err := b.sepa.CreateTransfer(tx, 1, Order{
					User: "user", Amount: euros(100), Destination: "DE89370400440532013000", Terms: Terms{Least: euros(1), Largest: euros(1000)},
				})
				return err
			})
			if err == nil {
				return ""
			}
			return fault.From(err).Code
		}
		if first, second := pay(), pay(); first != "" || second != "" {
			t.Fatalf("two transfers: %q %q", first, second)
		}
		b.must(func(tx *db.Tx) error {
			_, err := b.sepa.users.Suspend(tx, 1, "user")
			return err
		})
		if code := pay(); code != fault.UserSuspended {
			t.Errorf("a suspended payer: %q", code)
		}
	})
}
