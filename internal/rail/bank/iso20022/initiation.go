package iso20022

import (
	"fmt"
	"strconv"
	"time"

	"kontor/internal/money"
)

// Initiation is a pain.001: credit transfers in batches.
type Initiation struct {
	ID        string // at most 35 characters, never used twice
	CreatedAt time.Time
	Initiator string // name of the company
	Batches   []Batch
}

// Batch is a payment information block: transfers from one account on one day.
type Batch struct {
	ID        string
	ExecuteOn time.Time // a day
	Instant   bool      // SCT Inst
	Debtor    Party
	Transfers []Transfer
}

// Transfer is one credit transfer.
type Transfer struct {
	EndToEndID string // goes through to the beneficiary, and comes back in reports and returns
	Amount     money.Amount
	Creditor   Party
	Remittance string // unstructured, at most 140 characters
}

type xmlInitiation struct {
	Header  xmlHeader  `xml:"GrpHdr"`
	Batches []xmlBatch `xml:"PmtInf"`
}

type xmlHeader struct {
	ID        string    `xml:"MsgId"`
	CreatedAt string    `xml:"CreDtTm"`
	Count     string    `xml:"NbOfTxs,omitempty"`
	Sum       string    `xml:"CtrlSum,omitempty"`
	Initiator *xmlParty `xml:"InitgPty"`
}

type xmlBatch struct {
	ID        string        `xml:"PmtInfId"`
	Method    string        `xml:"PmtMtd"`
	Booking   string        `xml:"BtchBookg,omitempty"`
	Count     string        `xml:"NbOfTxs,omitempty"`
	Sum       string        `xml:"CtrlSum,omitempty"`
	Level     string        `xml:"PmtTpInf>SvcLvl>Cd,omitempty"`
	Local     string        `xml:"PmtTpInf>LclInstrm>Cd,omitempty"`
	ExecuteOn xmlDay        `xml:"ReqdExctnDt"`
	Debtor    xmlParty      `xml:"Dbtr"`
	Account   *xmlAccount   `xml:"DbtrAcct"`
	Agent     *xmlAgent     `xml:"DbtrAgt"`
	Charges   string        `xml:"ChrgBr,omitempty"`
	Transfers []xmlTransfer `xml:"CdtTrfTxInf"`
}

// xmlDay is a date in an element of its own from version .08 on, and plain before.
type xmlDay struct {
	xmlDate
	Plain string `xml:",chardata"`
}

func (d xmlDay) day() (time.Time, error) {
	if day, err := d.xmlDate.day(); err != nil || !day.IsZero() {
		return day, err
	}
	return (&xmlDate{Date: d.Plain}).day()
}

type xmlTransfer struct {
	InstructionID string      `xml:"PmtId>InstrId,omitempty"`
	EndToEndID    string      `xml:"PmtId>EndToEndId"`
	Amount        *xmlAmount  `xml:"Amt>InstdAmt"`
	Agent         *xmlAgent   `xml:"CdtrAgt"`
	Creditor      xmlParty    `xml:"Cdtr"`
	Account       *xmlAccount `xml:"CdtrAcct"`
	Remittance    []string    `xml:"RmtInf>Ustrd"`
}

// Write writes the message as pain.001.001.09, in the SEPA character set. The same Initiation always makes the
// same bytes. It fails when an id is missing or too long, a batch is empty, or a sum does not fit.
func (m Initiation) Write() ([]byte, error) {
	x := xmlInitiation{Header: xmlHeader{
		ID: m.ID, CreatedAt: m.CreatedAt.UTC().Format(timeForm), Initiator: &xmlParty{Name: Text(m.Initiator, maxName)},
	}}
	count, total := 0, money.New(0, Euro)
	for _, b := range m.Batches {
		batch, sum, err := b.write()
		if err != nil {
			return nil, err
		}
		count += len(b.Transfers)
		if total, err = total.Add(sum); err != nil {
			return nil, err
		}
		x.Batches = append(x.Batches, batch)
	}
	if !idFits(m.ID) || count == 0 {
		return nil, fmt.Errorf("%w: no message id, or nothing to transfer", ErrForm)
	}
	x.Header.Count, x.Header.Sum = strconv.Itoa(count), total.String()
	return write("pain.001.001.09", document{Initiation: &x})
}

func idFits(id string) bool { return id != "" && len(id) <= maxID && InSet(id) }

func (b Batch) write() (xmlBatch, money.Amount, error) {
	total := money.New(0, Euro)
	x := xmlBatch{
		ID: b.ID, Method: "TRF", Booking: "false", Level: "SEPA", Charges: "SLEV",
		Debtor: xmlParty{Name: Text(b.Debtor.Name, maxName)}, Account: newAccount(b.Debtor.IBAN), Agent: newAgent(b.Debtor.BIC),
	}
	x.ExecuteOn.Date = b.ExecuteOn.Format(dateForm)
	if b.Instant {
		x.Local = "INST"
	}
	for _, t := range b.Transfers {
		if !idFits(t.EndToEndID) || t.Amount.Sign() <= 0 || t.Creditor.IBAN == "" {
			return x, total, fmt.Errorf("%w: a transfer without id, amount or account", ErrForm)
		}
		var err error
		if total, err = total.Add(t.Amount); err != nil {
			return x, total, err
		}
		transfer := xmlTransfer{
			InstructionID: t.EndToEndID, EndToEndID: t.EndToEndID, Amount: newAmount(t.Amount),
			Creditor: xmlParty{Name: Text(t.Creditor.Name, maxName)}, Account: newAccount(t.Creditor.IBAN),
		}
		if t.Creditor.BIC != "" {
			transfer.Agent = newAgent(t.Creditor.BIC)
		}
		if t.Remittance != "" {
			transfer.Remittance = []string{Text(t.Remittance, MaxRemittance)}
		}
		x.Transfers = append(x.Transfers, transfer)
	}
	if !idFits(b.ID) || len(b.Transfers) == 0 {
		return x, total, fmt.Errorf("%w: a batch without id or transfers", ErrForm)
	}
	x.Count, x.Sum = strconv.Itoa(len(b.Transfers)), total.String()
	return x, total, nil
}

func (x *xmlInitiation) read() (*Initiation, error) {
	m := &Initiation{ID: x.Header.ID, Initiator: x.Header.Initiator.name()}
	m.CreatedAt, _ = time.Parse(timeForm, x.Header.CreatedAt)
	count, total := 0, money.New(0, Euro)
	for _, xb := range x.Batches {
		executeOn, err := xb.ExecuteOn.day()
		if err != nil {
			return nil, err
		}
		b := Batch{
			ID: xb.ID, ExecuteOn: executeOn, Instant: xb.Local == "INST",
			Debtor: Party{Name: xb.Debtor.name(), IBAN: xb.Account.number(), BIC: xb.Agent.bic()},
		}
		sum := money.New(0, Euro)
		for _, xt := range xb.Transfers {
			amount, err := xt.Amount.read()
			if err != nil {
				return nil, err
			}
			if sum, err = sum.Add(amount); err != nil {
				return nil, err
			}
			b.Transfers = append(b.Transfers, Transfer{
				EndToEndID: xt.EndToEndID, Amount: amount, Remittance: joined(xt.Remittance),
				Creditor: Party{Name: xt.Creditor.name(), IBAN: xt.Account.number(), BIC: xt.Agent.bic()},
			})
		}
		if err := controls(xb.Count, xb.Sum, len(b.Transfers), sum); err != nil {
			return nil, err
		}
		if total, err = total.Add(sum); err != nil {
			return nil, err
		}
		count += len(b.Transfers)
		m.Batches = append(m.Batches, b)
	}
	return m, controls(x.Header.Count, x.Header.Sum, count, total)
}

// controls compares the figures of a header, as far as they are given, with what was counted.
func controls(count, sum string, counted int, summed money.Amount) error {
	if count != "" && count != strconv.Itoa(counted) {
		return ErrControlSum
	}
	if sum == "" {
		return nil
	}
	told, err := readSum(sum)
	if err != nil {
		return err
	}
	if told != summed {
		return ErrControlSum
	}
	return nil
}
