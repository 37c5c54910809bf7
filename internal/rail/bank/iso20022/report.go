package iso20022

import (
	"cmp"
	"strings"
	"time"
)

// StatusReport is a pain.002, or a pacs.002: what became of transfers. One that is accepted or refused as a
// whole, or by batch, need not name its transfers.
type StatusReport struct {
	ID         string
	CreatedAt  time.Time
	Initiator  string // the company whose message it was
	OriginalID string // of the message that it is about
	Original   string // that message's kind, such as pain.001.001.09 (which Write takes when it is empty) or pacs.004.001.09
	Group      Status // its Code is empty when the report is not about the whole message
	Batches    []BatchStatus
}

// BatchStatus is what became of a batch.
type BatchStatus struct {
	ID        string // of the batch
	Batch     Status // its Code is empty when the report is not about the whole batch
	Transfers []Status
}

// Status is a code of ISO 20022's external list of payment statuses, with its reason.
type Status struct {
	EndToEndID string // of a transfer
	Code       string
	Reason     string // a code of the external list of status reasons; or the bank's own word
	Info       string // for people
}

// The codes of statuses that say how a payment ended; the others are steps on its way.
const (
	Rejected = "RJCT" // not executed, and never will be
	Settled  = "ACSC" // debited, and passed on
	Credited = "ACCC" // credited to the beneficiary
	Accepted = "ACCP" // checked; it will be executed
)

type xmlReport struct {
	Header   xmlHeader     `xml:"GrpHdr"`
	Original *xmlOriginal  `xml:"OrgnlGrpInfAndSts"`
	Batches  []xmlBatchSts `xml:"OrgnlPmtInfAndSts"`
	Statuses []xmlTxStatus `xml:"TxInfAndSts"` // pacs.002 has no batches
}

type xmlOriginal struct {
	ID     string      `xml:"OrgnlMsgId"`
	Kind   string      `xml:"OrgnlMsgNmId"`
	Status string      `xml:"GrpSts,omitempty"`
	Reason []xmlReason `xml:"StsRsnInf"`
}

type xmlBatchSts struct {
	ID       string        `xml:"OrgnlPmtInfId"`
	Status   string        `xml:"PmtInfSts,omitempty"`
	Reason   []xmlReason   `xml:"StsRsnInf"`
	Statuses []xmlTxStatus `xml:"TxInfAndSts"`
}

type xmlTxStatus struct {
	InstructionID string      `xml:"OrgnlInstrId,omitempty"`
	EndToEndID    string      `xml:"OrgnlEndToEndId,omitempty"`
	Status        string      `xml:"TxSts"`
	Reason        []xmlReason `xml:"StsRsnInf"`
}

type xmlReason struct {
	Reason *xmlCode `xml:"Rsn"`
	Info   []string `xml:"AddtlInf"`
}

func newReason(s Status) []xmlReason {
	if s.Reason == "" && s.Info == "" {
		return nil
	}
	r := xmlReason{}
	if s.Reason != "" {
		r.Reason = &xmlCode{Code: s.Reason}
	}
	if s.Info != "" {
		r.Info = []string{Text(s.Info, 105)}
	}
	return []xmlReason{r}
}

func status(id, code string, reasons []xmlReason) Status {
	s := Status{EndToEndID: strings.TrimSpace(id), Code: strings.TrimSpace(code)}
	for _, r := range reasons {
		if s.Reason == "" {
			s.Reason = r.Reason.text()
		}
		s.Info = joined(append([]string{s.Info}, r.Info...))
	}
	return s
}

// joined puts the parts of a text together.
func joined(parts []string) string { return strings.TrimSpace(strings.Join(parts, " ")) }

// Write writes the report as pain.002.001.10.
func (m StatusReport) Write() ([]byte, error) {
	x := xmlReport{
		Header: xmlHeader{ID: m.ID, CreatedAt: m.CreatedAt.UTC().Format(timeForm), Initiator: &xmlParty{Name: Text(m.Initiator, maxName)}},
		Original: &xmlOriginal{
			ID: m.OriginalID, Kind: cmp.Or(m.Original, "pain.001.001.09"), Status: m.Group.Code, Reason: newReason(m.Group),
		},
	}
	for _, b := range m.Batches {
		xb := xmlBatchSts{ID: b.ID, Status: b.Batch.Code, Reason: newReason(b.Batch)}
		for _, s := range b.Transfers {
			xb.Statuses = append(xb.Statuses, xmlTxStatus{
				InstructionID: s.EndToEndID, EndToEndID: s.EndToEndID, Status: s.Code, Reason: newReason(s),
			})
		}
		x.Batches = append(x.Batches, xb)
	}
	return write("pain.002.001.10", document{Report: &x})
}

// read never takes something for a success that is not: a code that is unknown is passed on as it is.
func (x *xmlReport) read() (*StatusReport, error) {
	m := &StatusReport{ID: strings.TrimSpace(x.Header.ID), Initiator: x.Header.Initiator.name()}
	m.CreatedAt, _ = time.Parse(timeForm, x.Header.CreatedAt)
	if x.Original != nil {
		m.OriginalID, m.Original = strings.TrimSpace(x.Original.ID), strings.TrimSpace(x.Original.Kind)
		m.Group = status("", x.Original.Status, x.Original.Reason)
	}
	batches := x.Batches
	if len(x.Statuses) > 0 {
		batches = append(batches, xmlBatchSts{Statuses: x.Statuses})
	}
	for _, xb := range batches {
		b := BatchStatus{ID: strings.TrimSpace(xb.ID), Batch: status("", xb.Status, xb.Reason)}
		for _, s := range xb.Statuses {
			id := s.EndToEndID
			if id == "" {
				id = s.InstructionID
			}
			b.Transfers = append(b.Transfers, status(id, s.Status, s.Reason))
		}
		m.Batches = append(m.Batches, b)
	}
	return m, nil
}
