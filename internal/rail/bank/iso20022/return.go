package iso20022

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kontor/internal/money"
)

// Return is a pacs.004: payments that are sent back.
type Return struct {
	ID        string
	CreatedAt time.Time
	Payments  []ReturnedPayment
}

// ReturnedPayment is a payment that is sent back to who had sent it.
type ReturnedPayment struct {
	ID         string // of the return
	EndToEndID string // of the payment; NOTPROVIDED when it had none
	OriginalID string // the bank's own reference of the payment
	Amount     money.Amount
	Reason     string // a code of the external list of return reasons, such as MD06
	Debtor     Party  // who had sent it
	Creditor   Party  // who had received it
}

type xmlReturn struct {
	Header   xmlReturnHeader `xml:"GrpHdr"`
	Payments []xmlReturnTx   `xml:"TxInf"`
}

type xmlReturnHeader struct {
	ID        string     `xml:"MsgId"`
	CreatedAt string     `xml:"CreDtTm"`
	Count     string     `xml:"NbOfTxs"`
	Sum       *xmlAmount `xml:"TtlRtrdIntrBkSttlmAmt"`
	Day       string     `xml:"IntrBkSttlmDt"`
	Method    string     `xml:"SttlmInf>SttlmMtd"`
}

type xmlReturnTx struct {
	ID         string      `xml:"RtrId"`
	EndToEndID string      `xml:"OrgnlEndToEndId"`
	OriginalID string      `xml:"OrgnlTxId,omitempty"`
	Amount     *xmlAmount  `xml:"RtrdIntrBkSttlmAmt"`
	Reasons    []xmlReason `xml:"RtrRsnInf"`
	Debtor     *xmlParty   `xml:"OrgnlTxRef>Dbtr"`
	Account    *xmlAccount `xml:"OrgnlTxRef>DbtrAcct"`
	Creditor   *xmlParty   `xml:"OrgnlTxRef>Cdtr"`
	Receiver   *xmlAccount `xml:"OrgnlTxRef>CdtrAcct"`
}

// Write writes the message as pacs.004.001.09, in the SEPA character set. The same Return always makes the same
// bytes.
func (m Return) Write() ([]byte, error) {
	x := xmlReturn{}
	total := money.New(0, Euro)
	for _, p := range m.Payments {
		if !idFits(p.ID) || p.Amount.Sign() <= 0 || p.Reason == "" {
			return nil, fmt.Errorf("%w: a return without id, amount or reason", ErrForm)
		}
		var err error
		if total, err = total.Add(p.Amount); err != nil {
			return nil, err
		}
		end := p.EndToEndID
		if end == "" {
			end = "NOTPROVIDED"
		}
		x.Payments = append(x.Payments, xmlReturnTx{
			ID: p.ID, EndToEndID: Text(end, maxID), OriginalID: Text(p.OriginalID, maxID), Amount: newAmount(p.Amount),
			Reasons: []xmlReason{{Reason: &xmlCode{Code: p.Reason}}},
			Debtor:  deeper(Text(p.Debtor.Name, maxName)), Account: newAccount(p.Debtor.IBAN),
			Creditor: deeper(Text(p.Creditor.Name, maxName)), Receiver: newAccount(p.Creditor.IBAN),
		})
	}
	if !idFits(m.ID) || len(m.Payments) == 0 {
		return nil, fmt.Errorf("%w: no message id, or nothing to return", ErrForm)
	}
	x.Header = xmlReturnHeader{
		ID: m.ID, CreatedAt: m.CreatedAt.UTC().Format(timeForm), Count: strconv.Itoa(len(m.Payments)), Sum: newAmount(total),
		Day: m.CreatedAt.UTC().Format(dateForm), Method: "CLRG",
	}
	return write("pacs.004.001.09", document{Return: &x})
}

func (x *xmlReturn) read() (*Return, error) {
	m := &Return{ID: strings.TrimSpace(x.Header.ID)}
	m.CreatedAt, _ = time.Parse(timeForm, x.Header.CreatedAt)
	total := money.New(0, Euro)
	for _, xp := range x.Payments {
		amount, err := xp.Amount.read()
		if err != nil {
			return nil, err
		}
		if total, err = total.Add(amount); err != nil {
			return nil, err
		}
		m.Payments = append(m.Payments, ReturnedPayment{
			ID: strings.TrimSpace(xp.ID), EndToEndID: strings.TrimSpace(xp.EndToEndID), OriginalID: strings.TrimSpace(xp.OriginalID), Amount: amount,
			Reason: status("", "", xp.Reasons).Reason,
			Debtor: Party{Name: xp.Debtor.name(), IBAN: xp.Account.number()}, Creditor: Party{Name: xp.Creditor.name(), IBAN: xp.Receiver.number()},
		})
	}
	sum := ""
	if x.Header.Sum != nil {
		sum = x.Header.Sum.Value
	}
	return m, controls(strings.TrimSpace(x.Header.Count), sum, len(m.Payments), total)
}
