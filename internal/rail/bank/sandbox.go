package bank

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
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

// tellAnswer is the job in which the sandbox's bank tells what it has prepared.
const tellAnswer = "sandbox-bank-answer"

var (
	insertMessage = db.NewInsert("sandbox_bank_message", "partner_id bigint, message_id text, created_at bigint")
	insertAnswer  = db.NewInsert("sandbox_bank_answer", "partner_id bigint, id uuid, document bytes")
	selectAnswer  = db.NewQuery(`SELECT document FROM sandbox_bank_answer WHERE partner_id = $1 AND id = $2`)
	deleteAnswer  = db.NewCommand(`DELETE FROM sandbox_bank_answer WHERE partner_id = $1 AND id = $2`)
)

// Sandbox is a bank of our own. It reads our pain.001 and answers, after a delay, with the documents that a bank
// sends: pain.002 for what it has decided, camt.054 for what it has booked. What becomes of a transfer is chosen by
// its title. All it knows is in the database, so that it survives crashes like the program.
type Sandbox struct {
	account Account
	db      *db.DB
	vault   *vault.Vault
	clock   clock.Clock
	delay   time.Duration
	jobs    *job.Runner
	send    Send
}

// SandboxConfig is what a Sandbox needs.
type SandboxConfig struct {
	Account Account
	DB      *db.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Delay   time.Duration // until it answers, and again until money comes back
	Jobs    *job.Runner
	Send    Send
}

// Send brings a document of the sandbox's bank to Kontor. A document always has the same name, and may be sent again.
type Send func(ctx context.Context, name string, document []byte) error

// SendTo lets the sandbox's bank send its documents to a receiver in the same process.
func (a Account) SendTo(r Receiver) Send {
	return func(ctx context.Context, _ string, document []byte) error { return a.Take(ctx, document, r) }
}

// NewSandbox makes the bank and registers its job.
func NewSandbox(c SandboxConfig) *Sandbox {
	s := &Sandbox{account: c.Account, db: c.DB, vault: c.Vault, clock: c.Clock, delay: c.Delay, jobs: c.Jobs, send: c.Send}
	c.Jobs.Register(tellAnswer, s.tell)
	c.Jobs.Register(closeDay, s.closeDay)
	c.Jobs.Register(tellStatement, s.tellStatement)
	return s
}

// Submit gives the bank a batch.
func (s *Sandbox) Submit(ctx context.Context, b sepa.Batch) error {
	document, err := s.account.render(b)
	if err != nil {
		return err
	}
	_, err = s.Receive(ctx, document)
	return err
}

// Return lets the bank send a payment back.
func (s *Sandbox) Return(ctx context.Context, r sepa.ReturnOrder) error {
	document, err := s.account.renderReturn(r)
	if err != nil {
		return err
	}
	_, err = s.Receive(ctx, document)
	return err
}

// Receive takes a pain.001 or a pacs.004, and decides at once and for ever what becomes of it. One whose id was taken
// before changes nothing, as at real banks, and is answered as known. Errors of iso20022 are the document's.
func (s *Sandbox) Receive(ctx context.Context, document []byte) (known bool, err error) {
	d, err := iso20022.Read(bytes.NewReader(document))
	if err != nil {
		return false, err
	}
	now := s.clock.Now()
	var answers []answer
	switch {
	case d.Initiation != nil:
		answers, err = s.answers(*d.Initiation, now)
	case d.Return != nil:
		answers, err = s.sendBack(*d.Return, now)
	default:
		return false, iso20022.ErrKind
	}
	if err != nil {
		return false, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(insertMessage, ledger.Operator, d.ID(), now)
		for _, a := range answers {
			if err := s.prepare(tx, a); err != nil {
				return err
			}
		}
		return nil
	})
	if db.Violates(err, "sandbox_bank_message_pkey") {
		return true, nil
	}
	return false, err
}

// refuseDuplicate answers a message whose id was taken before, as real banks do. What was decided before holds.
func (s *Sandbox) refuseDuplicate(ctx context.Context, document []byte) error {
	d, err := iso20022.Read(bytes.NewReader(document))
	if err != nil {
		return err
	}
	now, original := s.clock.Now(), ""
	if d.Return != nil {
		original = returnKind
	}
	report, err := iso20022.StatusReport{
		ID: bankID(), CreatedAt: now, Initiator: s.account.Holder, OriginalID: d.ID(), Original: original,
		Group: iso20022.Status{Code: iso20022.Rejected, Reason: duplicateMessage},
	}.Write()
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return s.prepare(tx, answer{report, now.Add(s.delay)}) })
}

// prepare keeps an answer until it is due.
func (s *Sandbox) prepare(tx *db.Tx, a answer) error {
	id := clock.NewID()
	sealed, err := s.vault.Seal(answerPlace(id), a.document)
	if err != nil {
		return err
	}
	tx.Write(insertAnswer, ledger.Operator, id, sealed)
	job.Enqueue(tx, ledger.Operator, tellAnswer, id, a.due)
	tx.AfterCommit(s.jobs.Wake)
	return nil
}

func answerPlace(id clock.ID) vault.Place {
	return vault.Place{Table: "sandbox_bank_answer", Column: "document", Row: id.String()}
}

// answer is a document that the bank will send.
type answer struct {
	document []byte
	due      time.Time
}

// noSuchDebtor is why a batch from an account that this bank does not keep is refused: ISO 20022's
// InvalidDebtorAccountNumber.
const noSuchDebtor = "AC02"

// answers decides what becomes of a message's transfers.
func (s *Sandbox) answers(m iso20022.Initiation, now time.Time) ([]answer, error) {
	later, latest := now.Add(s.delay), now.Add(2*s.delay)
	report := iso20022.StatusReport{ID: bankID(), CreatedAt: now, Initiator: m.Initiator, OriginalID: m.ID}
	booked, returned := s.statement(now), s.statement(now)
	for _, b := range m.Batches {
		statuses := iso20022.BatchStatus{ID: b.ID}
		if b.Debtor.IBAN != s.account.IBAN {
			statuses.Batch = iso20022.Status{Code: iso20022.Rejected, Reason: noSuchDebtor}
			report.Batches = append(report.Batches, statuses)
			continue
		}
		for _, t := range b.Transfers {
			o := outcomeOf(t.Remittance, t.Amount)
			if o.hangs {
				continue
			}
			st := iso20022.Status{EndToEndID: t.EndToEndID, Code: iso20022.Settled}
			if o.rejected != "" {
				st.Code, st.Reason = iso20022.Rejected, o.rejected
			} else {
				booked.Entries = append(booked.Entries, entryOf(t, t.Amount.Neg(), "", now))
			}
			if o.returned != "" {
				returned.Entries = append(returned.Entries, entryOf(t, o.back, o.returned, now))
			}
			statuses.Transfers = append(statuses.Transfers, st)
		}
		if len(statuses.Transfers) > 0 {
			report.Batches = append(report.Batches, statuses)
		}
	}
	var all []answer
	if len(report.Batches) > 0 {
		document, err := report.Write()
		if err != nil {
			return nil, err
		}
		all = append(all, answer{document, later})
	}
	for _, n := range []struct {
		of  iso20022.Statement
		due time.Time
	}{{booked, later}, {returned, latest}} {
		if len(n.of.Entries) == 0 {
			continue
		}
		document, err := iso20022.WriteStatement(n.of)
		if err != nil {
			return nil, err
		}
		all = append(all, answer{document, n.due})
	}
	return all, nil
}

// statement begins a notification of what is booked.
func (s *Sandbox) statement(now time.Time) iso20022.Statement {
	id := bankID()
	return iso20022.Statement{
		Kind: iso20022.Notification, MessageID: id, ID: id, CreatedAt: now, Account: s.account.IBAN, BIC: s.account.BIC,
	}
}

// bankPrefix begins the ids of the bank's own.
const bankPrefix = "SB"

// bankID is an id of the bank's own.
func bankID() string { return bankPrefix + sepa.EndToEnd(clock.NewID()) }

// entryOf is how the bank books a transfer, or its return.
func entryOf(t iso20022.Transfer, amount money.Amount, returned string, now time.Time) iso20022.Entry {
	reference := bankID()
	return iso20022.Entry{
		Reference: reference, Amount: amount, Booked: true, Day: now,
		Details: []iso20022.Detail{{
			Reference: reference, EndToEndID: t.EndToEndID, Amount: amount, Creditor: t.Creditor, Remittance: t.Remittance,
			Returned: returned != "", ReturnReason: returned,
		}},
	}
}

// outcome is what becomes of a transfer.
type outcome struct {
	rejected string       // the reason
	returned string       // the reason
	back     money.Amount // what comes back
	hangs    bool         // nothing is ever heard of it
}

var (
	rejectForm = regexp.MustCompile(`^SANDBOX-REJECT-([A-Z0-9]{4})`)
	returnForm = regexp.MustCompile(`^SANDBOX-RETURN-([A-Z0-9]{4})(?:-([0-9]{1,12})\b)?`)
)

// outcomeOf reads a title. Without a word of the sandbox's the transfer succeeds. The beneficiary's bank keeps at
// most all but a cent of what it returns.
func outcomeOf(title string, amount money.Amount) outcome {
	title = strings.ToUpper(title)
	if found := rejectForm.FindStringSubmatch(title); found != nil {
		return outcome{rejected: found[1]}
	}
	if found := returnForm.FindStringSubmatch(title); found != nil {
		kept, _ := strconv.ParseInt(found[2], 10, 64) // nothing: none is kept
		return outcome{returned: found[1], back: money.New(max(1, amount.Units()-kept), amount.Currency())}
	}
	return outcome{hangs: strings.HasPrefix(title, "SANDBOX-HANG")}
}

// tell sends an answer: Kontor takes it as it takes a file of a real bank.
func (s *Sandbox) tell(ctx context.Context, j job.Job) error {
	var sealed []byte
	err := s.db.View(ctx, func(r db.Reader) error {
		return r.Row(selectAnswer, ledger.Operator, j.Object).Scan(&sealed)
	})
	if errors.Is(err, db.ErrNoRows) {
		return nil // an earlier run came this far
	}
	if err != nil {
		return err
	}
	document, err := s.vault.Open(answerPlace(j.Object), sealed)
	if err != nil {
		return err
	}
	d, err := iso20022.Read(bytes.NewReader(document))
	if err != nil {
		return err
	}
	if err := s.enter(ctx, d); err != nil {
		return err
	}
	if err := s.tellOf(ctx, d.Kind(), d.ID(), document); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(deleteAnswer, ledger.Operator, j.Object)
		return nil
	})
}

// tellOf sends Kontor a document, under the name of its kind and id.
func (s *Sandbox) tellOf(ctx context.Context, kind, id string, document []byte) error {
	if err := s.send(ctx, kind+"-"+id, document); err != nil {
		return fmt.Errorf("the sandbox's bank: %w", err)
	}
	return nil
}
