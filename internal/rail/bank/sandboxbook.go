package bank

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// The jobs of the bank's statements: at the end of a day on which something was booked it makes one, and sends it.
const (
	closeDay      = "sandbox-bank-close-day"
	tellStatement = "sandbox-bank-statement"
)

const aDay = 24 * time.Hour

var (
	insertBooked = db.NewInsertOnce("sandbox_bank_entry", `partner_id bigint, reference text, amount bigint, detail bytes, day bigint,
		sequence bigint`, "partner_id, reference")
	selectLast = db.NewQuery(`SELECT sequence, closing FROM sandbox_bank_statement
		WHERE partner_id = $1 ORDER BY sequence DESC LIMIT 1`)
	sumClosed = db.NewQuery(`SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT), COUNT(*) FROM sandbox_bank_entry
		WHERE partner_id = $1 AND sequence = $2`)
	closeEntries = db.NewCommand(`UPDATE sandbox_bank_entry SET sequence = $3
		WHERE partner_id = $1 AND sequence = 0 AND day <= $2`)
	insertClosed = db.NewInsert("sandbox_bank_statement", `partner_id bigint, sequence bigint, id uuid, day bigint, opening bigint,
		closing bigint, made_at bigint`)
	selectClosed = db.NewQuery(`SELECT sequence, day, opening, closing, made_at FROM sandbox_bank_statement
		WHERE partner_id = $1 AND id = $2`)
	selectNewest = db.NewQuery(`SELECT reference, amount, detail, day, sequence FROM sandbox_bank_entry
		WHERE partner_id = $1 ORDER BY reference DESC LIMIT $2`)  // references begin with their time
	selectBooked = db.NewQuery(`SELECT reference, amount, detail, day FROM sandbox_bank_entry
		WHERE partner_id = $1 AND sequence = $2 ORDER BY day, reference`)
)

// kept is how a payment of an entry is kept: amounts have no JSON of their own.
type kept struct {
	iso20022.Detail
	Units int64
}

func keep(details []iso20022.Detail) ([]byte, error) {
	all := make([]kept, len(details))
	for i, d := range details {
		all[i] = kept{d, d.Amount.Units()}
	}
	return json.Marshal(all)
}

func unkeep(text []byte) ([]iso20022.Detail, error) {
	var all []kept
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	details := make([]iso20022.Detail, len(all))
	for i, k := range all {
		details[i] = k.Detail
		details[i].Amount = money.New(k.Units, iso20022.Euro)
	}
	return details, nil
}

func detailPlace(reference string) vault.Place {
	return vault.Place{Table: "sandbox_bank_entry", Column: "detail", Row: reference}
}

// enter books what a document of the bank's own tells of, in the bank's own book, and has a statement made when the day
// is over. It can be repeated.
func (s *Sandbox) enter(ctx context.Context, d iso20022.Document) error {
	var entries []iso20022.Entry
	for _, n := range d.Statements {
		entries = append(entries, n.Entries...)
	}
	if len(entries) == 0 {
		return nil
	}
	sealed := make([][]byte, len(entries))
	for i, e := range entries {
		text, err := keep(e.Details)
		if err != nil {
			return err
		}
		if sealed[i], err = s.vault.Seal(detailPlace(e.Reference), text); err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		days := map[time.Time]bool{}
		for i, e := range entries {
			tx.Write(insertBooked, ledger.Operator, e.Reference, e.Amount.Units(), sealed[i], e.Day, notClosed)
			if !days[e.Day] {
				days[e.Day] = true
				job.EnqueueOnce(tx, ledger.Operator, closeDay, idOfDay(e.Day), e.Day.Add(aDay))
			}
		}
		tx.AfterCommit(s.jobs.Wake)
		return nil
	})
}

// idOfDay makes the id of a day's job: there is one for each day.
func idOfDay(day time.Time) (id clock.ID) {
	binary.BigEndian.PutUint64(id[8:], uint64(day.Unix()))
	return id
}

func dayOf(id clock.ID) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(id[8:])), 0).UTC()
}

// closeDay is the job at the end of a day.
func (s *Sandbox) closeDay(ctx context.Context, j job.Job) error {
	_, err := s.statementOf(ctx, dayOf(j.Object), false)
	return err
}

// CloseNow makes a statement of what has been booked so far, also when that is nothing, and has it sent.
func (s *Sandbox) CloseNow(ctx context.Context) (Closed, error) {
	id, err := s.statementOf(ctx, s.clock.Now().Truncate(aDay), true)
	if err != nil {
		return Closed{}, err
	}
	st, err := s.statementClosed(ctx, id)
	if err != nil {
		return Closed{}, err
	}
	return Closed{ID: id, Sequence: st.Sequence, Entries: len(st.Entries), Closing: st.Closing.Amount}, nil
}

// Closed is a statement that the bank has made.
type Closed struct {
	ID       clock.ID
	Sequence int64 // its number, from 1
	Entries  int
	Closing  money.Amount
}

// SendNow sends a statement, which its job sends once more.
func (s *Sandbox) SendNow(ctx context.Context, c Closed) error {
	return s.tellStatement(ctx, job.Job{Object: c.ID})
}

// statementOf makes a statement of everything up to a day that stands in no other, and has it sent. Without anything
// there is none, unless one is made all the same.
func (s *Sandbox) statementOf(ctx context.Context, day time.Time, empty bool) (id clock.ID, err error) {
	now := s.clock.Now() // before the entries are read: what is booked later is not missing from it
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		var sequence, opening, sum, count int64
		if err := tx.Row(selectLast, ledger.Operator).Scan(&sequence, &opening); err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		sequence++
		tx.Write(closeEntries, ledger.Operator, day, sequence)
		if err := tx.Row(sumClosed, ledger.Operator, sequence).Scan(&sum, &count); err != nil {
			return err
		}
		if count == 0 && !empty {
			return nil
		}
		id = clock.NewID()
		tx.Write(insertClosed, ledger.Operator, sequence, id, day, opening, opening+sum, now)
		job.Enqueue(tx, ledger.Operator, tellStatement, id, now)
		tx.AfterCommit(s.jobs.Wake)
		return nil
	})
	return id, err
}

// tellStatement is the job that sends a statement.
func (s *Sandbox) tellStatement(ctx context.Context, j job.Job) error {
	st, err := s.statementClosed(ctx, j.Object)
	if err != nil {
		return err
	}
	document, err := iso20022.WriteStatement(st)
	if err != nil {
		return err
	}
	return s.tellOf(ctx, string(st.Kind), st.ID, document)
}

// statementClosed reads a statement. It is written as the same bytes whenever that is done.
func (s *Sandbox) statementClosed(ctx context.Context, id clock.ID) (iso20022.Statement, error) {
	name := bankPrefix + sepa.EndToEnd(id)
	st := iso20022.Statement{
		Kind: iso20022.EndOfDay, MessageID: name, ID: name, Account: s.account.IBAN, BIC: s.account.BIC,
		Opening: &iso20022.Balance{}, Closing: &iso20022.Balance{},
	}
	var sealed [][]byte
	err := s.db.View(ctx, func(r db.Reader) error {
		var opening, closing int64
		err := r.Row(selectClosed, ledger.Operator, id).Scan(&st.Sequence, &st.Closing.Day, &opening, &closing, &st.CreatedAt)
		if err != nil {
			return err
		}
		st.Opening.Day = st.Closing.Day
		st.Opening.Amount, st.Closing.Amount = money.New(opening, iso20022.Euro), money.New(closing, iso20022.Euro)
		rows := r.Rows(selectBooked, ledger.Operator, st.Sequence)
		defer rows.Close()
		st.Entries, sealed = nil, nil
		for rows.Next() {
			e := iso20022.Entry{Booked: true}
			var units int64
			var detail []byte
			if err := rows.Scan(&e.Reference, &units, &detail, &e.Day); err != nil {
				return err
			}
			e.Amount = money.New(units, iso20022.Euro)
			st.Entries, sealed = append(st.Entries, e), append(sealed, detail)
		}
		return rows.Err()
	})
	if err != nil {
		return st, err
	}
	for i := range st.Entries {
		if err := s.unseal(&st.Entries[i], sealed[i]); err != nil {
			return st, err
		}
	}
	return st, nil
}

func (s *Sandbox) unseal(e *iso20022.Entry, sealed []byte) error {
	text, err := s.vault.Open(detailPlace(e.Reference), sealed)
	if err != nil {
		return err
	}
	e.Details, err = unkeep(text)
	return err
}

// Bookings are what the bank has on the account.
type Bookings struct {
	Balance money.Amount
	Entries []Booking // the newest first
}

// Booking is an entry of the account.
type Booking struct {
	iso20022.Entry
	Statement int64 // the number of the statement that it stands in; 0: none yet
}

// notClosed is the number that entries have until they stand in a statement.
const notClosed = 0

// Bookings answers the balance of the account, and so many of the newest entries. What the bank has not told of yet does
// not stand in its book.
func (s *Sandbox) Bookings(ctx context.Context, last int) (all Bookings, err error) {
	var sealed [][]byte
	err = s.db.Snapshot(ctx, func(r db.Reader) error {
		var sequence, closing, sum, count int64
		if err := r.Row(selectLast, ledger.Operator).Scan(&sequence, &closing); err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		if err := r.Row(sumClosed, ledger.Operator, notClosed).Scan(&sum, &count); err != nil {
			return err
		}
		all, sealed = Bookings{Balance: money.New(closing+sum, iso20022.Euro)}, nil
		rows := r.Rows(selectNewest, ledger.Operator, last)
		defer rows.Close()
		for rows.Next() {
			b := Booking{Entry: iso20022.Entry{Booked: true}}
			var units int64
			var detail []byte
			if err := rows.Scan(&b.Reference, &units, &detail, &b.Day, &b.Statement); err != nil {
				return err
			}
			b.Amount = money.New(units, iso20022.Euro)
			all.Entries, sealed = append(all.Entries, b), append(sealed, detail)
		}
		return rows.Err()
	})
	if err != nil {
		return all, err
	}
	for i := range all.Entries {
		if err := s.unseal(&all.Entries[i].Entry, sealed[i]); err != nil {
			return all, err
		}
	}
	return all, nil
}
