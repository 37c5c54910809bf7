package sepa

import (
	"context"
	"encoding/json"
	"errors"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/vault"
)

// The kinds of what the bank booked.
const (
	entryTransfer = "TRANSFER" // a transfer of ours was debited
	entryReturn   = "RETURN"   // one came back
	entryUnknown  = "UNKNOWN"  // a person must look at it
)

// applyEntry is the job that passes what was booked on to the partner whose transfer it is.
const applyEntry = "sepa-entry-apply"

var (
	insertEntry = db.NewInsert("bank_entry", `partner_id bigint, account text, reference text, part text, id uuid, kind text,
		amount bigint, target_partner bigint, object_id uuid, reason text, detail bytes, booked_on bigint, created_at bigint`)
	selectEntry = db.NewQuery(`SELECT kind, amount, target_partner, object_id, reason FROM bank_entry
		WHERE partner_id = $1 AND id = $2`)
	selectAmount = db.NewQuery(`SELECT amount, status FROM sepa_transfer WHERE partner_id = $1 AND id = $2`)
	countEntries = db.NewQuery(`SELECT COUNT(*) FROM bank_entry WHERE partner_id = $1 AND object_id = $2 AND kind = $3`)
)

// Book takes payments that the bank has booked on the collective account. Each is booked once in the operator's
// book, however often it is told: against clearing when it is a transfer's, which is then passed on to its partner,
// and else against the operator's suspense account, where a person must look at it.
func (s *Service) Book(ctx context.Context, entries []Entry) error {
	for _, e := range entries {
		err := s.bookEntry(ctx, e)
		if err != nil && !db.Violates(err, "bank_entry_reference_key") {
			return err
		}
	}
	return nil
}

func (s *Service) bookEntry(ctx context.Context, e Entry) error {
	t, ours, err := s.target(ctx, e.EndToEnd)
	if err != nil {
		return err
	}
	detail, err := json.Marshal(map[string]string{"debtor": e.Debtor, "creditor": e.Creditor, "title": e.Title, "endToEnd": e.EndToEnd})
	if err != nil {
		return err
	}
	id := clock.NewID()
	sealed, err := s.vault.Seal(vault.Place{Table: "bank_entry", Column: "detail", Row: id.String()}, detail)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		kind := entryUnknown
		if ours {
			if kind, err = s.kindOf(tx, t, e); err != nil {
				return err
			}
		}
		target := t
		if kind == entryUnknown {
			target = ref{}
		}
		bank, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Bank, s.euro)
		if err != nil {
			return err
		}
		against := ledger.Clearing
		if kind == entryUnknown {
			against = ledger.Suspense
		}
		other, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, against, s.euro)
		if err != nil {
			return err
		}
		now := s.clock.Now()
		tx.Write(insertEntry, ledger.Operator, string(e.Account), e.Reference, e.Part, id, kind, e.Amount.Units(), target.partner,
			target.id, e.Reason, sealed, e.Day, now)
		leg := ledger.Leg{Name: "amount", Debit: bank, Credit: other, Amount: e.Amount}
		if e.Amount.Sign() < 0 {
			leg.Debit, leg.Credit, leg.Amount = other, bank, e.Amount.Neg()
		}
		ledger.Post(tx, ledger.Operator, ledger.Operation{Type: TransferOperation, ID: id}, now, leg)
		if kind != entryUnknown {
			job.Enqueue(tx, ledger.Operator, applyEntry, id, now)
			tx.AfterCommit(s.jobs.Wake)
		}
		return nil
	})
}

// kindOf tells what a booked payment is to the transfer that it names. What does not fit, a debit of another
// amount or a second return, say, is for a person.
func (s *Service) kindOf(r db.Reader, t ref, e Entry) (string, error) {
	var units int64
	var status string
	if err := r.Row(selectAmount, t.partner, t.id).Scan(&units, &status); err != nil {
		return "", err
	}
	kind := entryUnknown
	switch {
	case status == TransferFailed:
	case e.Amount.Units() == -units:
		kind = entryTransfer
	case e.Returned && e.Amount.Sign() > 0 && e.Amount.Units() <= units:
		kind = entryReturn
	}
	var earlier int64
	err := r.Row(countEntries, ledger.Operator, t.id, kind).Scan(&earlier)
	if earlier > 0 {
		kind = entryUnknown
	}
	return kind, err
}

// apply passes an entry on to the partner's book.
func (s *Service) apply(ctx context.Context, j job.Job) error {
	var kind, reason string
	var units int64
	var t ref
	err := s.db.View(ctx, func(r db.Reader) error {
		return r.Row(selectEntry, ledger.Operator, j.Object).Scan(&kind, &units, &t.partner, &t.id, &reason)
	})
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		switch kind {
		case entryTransfer:
			return s.end(tx, t, Status{Settled: true})
		case entryReturn:
			return s.comeBack(tx, t, money.New(units, s.euro), reason)
		}
		return errors.New("sepa: a job for an entry that is nobody's")
	})
}
