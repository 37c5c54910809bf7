package bank

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/job"
	"kontor/internal/money"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// listener keeps what the bank tells.
type listener struct {
	booked     []sepa.Entry
	statements []sepa.Statement
	fails      error
}

func (l *listener) Report(context.Context, []sepa.Status) error { return nil }

func (l *listener) ReportBatch(context.Context, clock.ID, bool, string) error { return nil }

func (l *listener) Book(_ context.Context, entries []sepa.Entry) error {
	l.booked = append(l.booked, entries...)
	return l.fails
}

func (l *listener) KeepStatement(_ context.Context, s sepa.Statement) error {
	l.statements = append(l.statements, s)
	return nil
}

// sandboxBank is the sandbox's bank beside a listener.
type sandboxBank struct {
	*testing.T
	*Sandbox
	clock *clock.Manual
	heard *listener
}

func newSandboxBank(t *testing.T, d *db.DB) sandboxBank {
	t.Helper()
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	jobs := job.NewRunner(job.Config{DB: d, Clock: now, Node: "test", Log: slog.New(slog.DiscardHandler)})
	heard := &listener{}
	number, err := sepa.SandboxBank.Collective()
	if err != nil {
		t.Fatal(err)
	}
	account := Account{Holder: "Test", IBAN: number, BIC: sepa.SandboxBank.BIC}
	return sandboxBank{t, NewSandbox(SandboxConfig{
		Account: account, DB: d, Vault: v, Clock: now, Jobs: jobs, Send: account.SendTo(heard),
	}), now, heard}
}

// book lets the bank book amounts, as it does when it tells of them.
func (s sandboxBank) book(references []string, cents ...int64) {
	s.Helper()
	n := s.statement(s.clock.Now())
	for i, c := range cents {
		amount := money.New(c, iso20022.Euro)
		n.Entries = append(n.Entries, iso20022.Entry{
			Reference: references[i], Amount: amount, Booked: true, Day: s.clock.Now(),
			Details: []iso20022.Detail{{
				Reference: references[i], EndToEndID: "e2e" + references[i], Amount: amount, Remittance: "Test",
				Debtor: iso20022.Party{Name: "Test User", IBAN: "DE89370400440532013000"}, Returned: true, ReturnReason: "AC04",
			}},
		})
	}
	document, err := iso20022.WriteStatement(n)
	if err != nil {
		s.Fatal(err)
	}
	for range 2 { // as after a crash
		d, err := iso20022.Read(bytes.NewReader(document))
		if err == nil {
			err = s.enter(s.Context(), d)
		}
		if err != nil {
			s.Fatal(err)
		}
	}
}

// midnight moves to the end of the day and does the day's job, twice, as after a crash.
func (s sandboxBank) midnight() {
	s.Helper()
	day := s.clock.Now().Truncate(aDay)
	s.clock.Set(day.Add(aDay))
	for range 2 {
		if err := s.closeDay(s.Context(), job.Job{Object: idOfDay(day)}); err != nil {
			s.Fatal(err)
		}
	}
	s.tellAll()
}

// tellAll sends the statements that were made, as their jobs do.
func (s sandboxBank) tellAll() {
	s.Helper()
	var ids []clock.ID
	err := s.db.View(s.Context(), func(r db.Reader) error {
		rows := r.Rows(db.NewQuery(`SELECT object_id FROM job WHERE partner_id = 0 AND kind = $1 ORDER BY created_at`), tellStatement)
		defer rows.Close()
		for rows.Next() {
			var id clock.ID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return rows.Err()
	})
	if err != nil {
		s.Fatal(err)
	}
	s.heard.statements = nil
	for _, id := range ids {
		if err := s.tellStatement(s.Context(), job.Job{Object: id}); err != nil {
			s.Fatal(err)
		}
	}
}

func TestSandboxBankStatesItsDays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := newSandboxBank(t, d)
		s.book([]string{"B", "A"}, 500_00, -120_00)
		s.midnight()
		s.clock.Advance(48 * time.Hour) // days without a booking have no statement
		s.book([]string{"C"}, -1)
		s.midnight()
		made, err := s.CloseNow(t.Context())
		if err != nil || made.Sequence != 3 || made.Entries != 0 || made.Closing.Units() != 379_99 {
			t.Errorf("closing now: %+v, %v", made, err)
		}
		s.tellAll()
		type figures struct {
			sequence, opening, closing int64
			day                        string
			lines                      []string
		}
		var got []figures
		for _, st := range s.heard.statements {
			f := figures{st.Sequence, st.Opening.Units(), st.Closing.Units(), st.Day.Format(time.DateOnly), nil}
			for _, l := range st.Lines {
				f.lines = append(f.lines, l.Reference+" "+l.EndToEnd+" "+l.Amount.String()+" "+l.Reason)
			}
			got = append(got, f)
		}
		want := []figures{
			{1, 0, 380_00, "2026-03-01", []string{"A e2eA -120.00 AC04", "B e2eB 500.00 AC04"}},
			{2, 380_00, 379_99, "2026-03-04", []string{"C e2eC -0.01 AC04"}},
			{3, 379_99, 379_99, "2026-03-05", nil},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the statements are %+v, want %+v", got, want)
		}
	})
}
