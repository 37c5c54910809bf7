package bank

import (
	"strings"
	"time"

	"kontor/internal/db"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

// refuseReturn in the name of who sent a payment makes the sandbox's bank refuse to send it back.
const refuseReturn = "SANDBOX-REFUSE-RETURN"

// Pay lets a payment arrive at the bank: it will be in a camt.054 after the delay. It is answered as it will stand
// there.
func (s *Sandbox) Pay(tx *db.Tx, in sepa.Incoming) (sepa.Entry, error) {
	now := s.clock.Now()
	to := in.IBAN
	if to == "" {
		to = s.account.IBAN
	}
	reference := bankID()
	n := s.statement(now)
	n.Entries = []iso20022.Entry{{
		Reference: reference, Amount: in.Amount, Booked: true, Day: now,
		Details: []iso20022.Detail{{
			Reference: reference, EndToEndID: notProvided, Amount: in.Amount, Remittance: in.Title,
			Debtor:   iso20022.Party{Name: in.SenderName, IBAN: in.SenderIBAN},
			Creditor: iso20022.Party{Name: s.account.Holder, IBAN: to},
		}},
	}}
	document, err := iso20022.WriteStatement(n)
	if err != nil {
		return sepa.Entry{}, err
	}
	return entries(n)[0], s.prepare(tx, answer{document, now.Add(s.delay)})
}

// returnKind is the kind of our returns.
const returnKind = "pacs.004.001.09"

// notProvided stands where a payer gave no end-to-end id.
const notProvided = "NOTPROVIDED"

// sendBack decides what becomes of payments that are to go back: the bank debits them, or refuses a message with one
// whose sender has the word for it in the name.
func (s *Sandbox) sendBack(m iso20022.Return, now time.Time) ([]answer, error) {
	due := now.Add(s.delay)
	booked := s.statement(now)
	for _, p := range m.Payments {
		if strings.Contains(strings.ToUpper(p.Debtor.Name), refuseReturn) {
			document, err := iso20022.StatusReport{
				ID: bankID(), CreatedAt: now, Initiator: s.account.Holder, OriginalID: m.ID, Original: returnKind,
				Group: iso20022.Status{Code: iso20022.Rejected, Reason: "AC04"},
			}.Write()
			return []answer{{document, due}}, err
		}
		reference := bankID()
		booked.Entries = append(booked.Entries, iso20022.Entry{
			Reference: reference, Amount: p.Amount.Neg(), Booked: true, Day: now,
			Details: []iso20022.Detail{{
				Reference: reference, EndToEndID: p.EndToEndID, Instruction: p.ID, Amount: p.Amount.Neg(),
				Debtor: p.Creditor, Creditor: p.Debtor, Returned: true, ReturnReason: p.Reason,
			}},
		})
	}
	document, err := iso20022.WriteStatement(booked)
	return []answer{{document, due}}, err
}
