// Package bank is the way to the bank that keeps the operator's collective account: ISO 20022 messages, exchanged as
// files in folders with a real bank (Files), or read and answered by a little bank of our own in the sandbox (Sandbox).
package bank

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"kontor/internal/clock"
	"kontor/internal/iban"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

// ErrAccount says that a statement is of an account that is not ours.
var ErrAccount = errors.New("bank: a statement of another account")

// Receiver takes what the bank tells. Everything can be told again.
type Receiver interface {
	Report(ctx context.Context, statuses []sepa.Status) error
	// ReportBatch takes what became of a whole message: a batch, or a return.
	ReportBatch(ctx context.Context, message clock.ID, settled bool, reason string) error
	Book(ctx context.Context, entries []sepa.Entry) error
	// KeepStatement follows Book with the same lines: the statement is one for reconciliation.
	KeepStatement(ctx context.Context, s sepa.Statement) error
}

// Account is the operator's collective account.
type Account struct {
	Holder  string
	IBAN    iban.IBAN
	BIC     string
	Instant bool // transfers are SCT Inst
}

// idPrefix begins the ids of our messages.
const idPrefix = "K"

// messageID is the id of a batch's message, and the name of its file.
func messageID(batch clock.ID) string { return idPrefix + sepa.EndToEnd(batch) }

// render writes a batch as pain.001. The same batch makes the same bytes.
func (a Account) render(b sepa.Batch) ([]byte, error) {
	id := messageID(b.ID)
	batch := iso20022.Batch{
		ID: id, ExecuteOn: b.ExecuteOn, Instant: a.Instant, Debtor: iso20022.Party{Name: a.Holder, IBAN: a.IBAN, BIC: a.BIC},
	}
	for _, p := range b.Payments {
		batch.Transfers = append(batch.Transfers, iso20022.Transfer{
			EndToEndID: p.ID, Amount: p.Amount, Creditor: iso20022.Party{Name: p.Name, IBAN: p.IBAN}, Remittance: p.Title,
		})
	}
	m := iso20022.Initiation{ID: id, CreatedAt: b.CreatedAt, Initiator: a.Holder, Batches: []iso20022.Batch{batch}}
	return m.Write()
}

// renderReturn writes a return as pacs.004. The same return makes the same bytes.
func (a Account) renderReturn(r sepa.ReturnOrder) ([]byte, error) {
	m := iso20022.Return{ID: messageID(r.ID), CreatedAt: r.CreatedAt, Payments: []iso20022.ReturnedPayment{{
		ID: sepa.EndToEnd(r.ID), EndToEndID: r.EndToEnd, OriginalID: r.Reference, Amount: r.Amount, Reason: r.Reason,
		Debtor: iso20022.Party(r.Debtor), Creditor: iso20022.Party(r.Creditor),
	}}}
	return m.Write()
}

// Take reads a document of the bank and passes on what it says. Errors of iso20022, ErrAccount and
// sepa.ErrContradiction are the document's; all others are the receiver's, and the document is to be taken again.
func (a Account) Take(ctx context.Context, document []byte, to Receiver) error {
	d, err := a.read(bytes.NewReader(document))
	if err != nil {
		return err
	}
	return pass(ctx, d, to)
}

// read reads a document of the bank: a status report, or statements of our account.
func (a Account) read(document io.Reader) (iso20022.Document, error) {
	d, err := iso20022.Read(document)
	switch {
	case err != nil:
		return d, err
	case d.Report == nil && d.Statements == nil:
		return d, iso20022.ErrKind // a message of ours has come back
	}
	for _, s := range d.Statements {
		if s.Account != a.IBAN {
			return d, ErrAccount
		}
	}
	return d, nil
}

// pass passes on what a document says. All its errors are the receiver's, except sepa.ErrContradiction: then everything
// was booked, and all statements that contradict no other were kept.
func pass(ctx context.Context, d iso20022.Document, to Receiver) error {
	if d.Report != nil {
		return report(ctx, *d.Report, to)
	}
	var contradiction error
	for _, s := range d.Statements {
		err := takeStatement(ctx, s, to)
		if errors.Is(err, sepa.ErrContradiction) {
			contradiction = err
		} else if err != nil {
			return err
		}
	}
	return contradiction
}

// takeStatement books the payments of a statement, and then has it kept, if it has both balances. Kept it was booked
// whole; after a crash in between it is taken again, and each payment is booked once all the same.
func takeStatement(ctx context.Context, s iso20022.Statement, to Receiver) error {
	lines := entries(s)
	if err := to.Book(ctx, lines); err != nil {
		return err
	}
	if s.Kind != iso20022.EndOfDay || s.Opening == nil || s.Closing == nil {
		return nil
	}
	return to.KeepStatement(ctx, sepa.Statement{
		Account: s.Account, ID: s.ID, Sequence: s.Sequence, Day: s.Closing.Day, MadeAt: s.CreatedAt,
		Opening: s.Opening.Amount, Closing: s.Closing.Amount, Lines: lines,
	})
}

// report passes on what a status report says: of the whole message, of batches, and of transfers. What is neither
// an end nor a refusal is a step on the way.
func report(ctx context.Context, r iso20022.StatusReport, to Receiver) error {
	statuses := []sepa.Status{}
	whole := []iso20022.Status{r.Group}
	for _, b := range r.Batches {
		if strings.HasPrefix(r.Original, "pacs.004") {
			whole = append(whole, b.Transfers...) // our returns have one payment, whose end-to-end id is its sender's
			continue
		}
		if len(b.Transfers) == 0 || b.Batch.Code == iso20022.Rejected {
			whole = append(whole, b.Batch) // our messages have one batch, so that its status is that of all
		}
		for _, t := range b.Transfers {
			if settled, final := ended(t.Code); final {
				statuses = append(statuses, sepa.Status{EndToEnd: t.EndToEndID, Settled: settled, Reason: t.Reason})
			}
		}
	}
	if err := to.Report(ctx, statuses); err != nil {
		return err
	}
	for _, st := range whole {
		settled, final := ended(st.Code)
		if duplicate(st) {
			continue
		}
		batch, err := clock.ParseID(canonical(strings.TrimPrefix(r.OriginalID, idPrefix)))
		if !final || err != nil {
			continue
		}
		if err := to.ReportBatch(ctx, batch, settled, st.Reason); err != nil {
			return err
		}
	}
	return nil
}

// duplicateMessage is ISO 20022's DuplicateMessageID.
const duplicateMessage = "DU01"

// duplicate tells whether a message, or a batch, was refused because the bank has it already: by the codes
// DuplicateMessageID, DuplicatePaymentInformationID and Duplication. Its transfers have not failed: what the bank says of
// the first one holds.
func duplicate(st iso20022.Status) bool {
	return st.Code == iso20022.Rejected && (st.Reason == duplicateMessage || st.Reason == "DU02" || st.Reason == "AM05")
}

func ended(code string) (settled, final bool) {
	switch code {
	case iso20022.Settled, iso20022.Credited:
		return true, true
	case iso20022.Rejected:
		return false, true
	}
	return false, false
}

// canonical spells 32 digits as ids are written.
func canonical(digits string) string {
	if len(digits) != 32 {
		return ""
	}
	return fmt.Sprintf("%s-%s-%s-%s-%s", digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
}

// entries are the payments of a statement that were booked. An entry to which the bank gave no reference is known
// by all that it tells.
func entries(s iso20022.Statement) []sepa.Entry {
	var all []sepa.Entry
	unnamed := map[string]int{}
	for _, e := range s.Entries {
		if !e.Booked {
			continue
		}
		details := e.Details
		if len(details) == 0 {
			details = []iso20022.Detail{{Amount: e.Amount}}
		}
		for i, d := range details {
			entry := sepa.Entry{
				Batch:   e.Batch,
				Account: s.Account, Reference: e.Reference, EndToEnd: d.EndToEndID, Ours: d.Instruction, Amount: d.Amount,
				Returned: d.Returned, Reason: d.ReturnReason, Debtor: sepa.Party(d.Debtor), Creditor: sepa.Party(d.Creditor),
				Title: d.Remittance, Day: e.Day,
			}
			if len(details) > 1 {
				entry.Whole = e.Amount
				entry.Part = d.Reference
				if entry.Part == "" {
					entry.Part = fmt.Sprintf("%s/%d", d.EndToEndID, i)
				}
			}
			if entry.Reference == "" {
				all := fmt.Sprintf("%s %s %s %s %s", e.Day.Format("20060102"), d.Amount, d.EndToEndID, d.Debtor.IBAN, d.Remittance)
				unnamed[all]++
				entry.Reference = fmt.Sprintf("%s #%d", all, unnamed[all])
			}
			all = append(all, entry)
		}
	}
	return all
}
