// Package iso20022 writes and reads the messages between a company and its bank (ISO 20022, as the European
// Payments Council's guidelines for SEPA credit transfers use them):
//
//	pain.001.001.09  credit transfers that the bank is to execute (Initiation)
//	pain.002         what became of them (StatusReport); pacs.002, its twin between banks, is read as well
//	camt.053, .054   what was booked on the account (Statement): of a day, or at once
//	pacs.004         a payment that is sent back (Return)
//
// What is read may be of any version from .02 on and in any namespace. It comes from outside, so reading is
// strict where it matters: no DTD, no entities beyond XML's five, bounded in size and depth, control sums and
// balances checked. Amounts are euros, to the cent; a document in another currency is refused.
package iso20022

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"kontor/internal/iban"
	"kontor/internal/money"
)

// Euro is the currency of all amounts.
var Euro = money.Currency{Code: "eur", Scale: 2}

// What can be wrong with a document.
var (
	// ErrForm: it is no XML, or XML of a kind that no message needs, or a message that lacks what it must have.
	ErrForm = errors.New("iso20022: not a message that can be read")
	// ErrSize: it is larger or deeper than any honest message.
	ErrSize = errors.New("iso20022: too large")
	// ErrKind: it is a message of a kind that is not read here.
	ErrKind = errors.New("iso20022: unknown kind of message")
	// ErrCurrency: an amount is not in euros.
	ErrCurrency = errors.New("iso20022: not in euros")
	// ErrControlSum: a number or sum in a header does not fit what follows.
	ErrControlSum = errors.New("iso20022: wrong control sum")
	// ErrBalance: the opening balance and the entries do not make the closing balance.
	ErrBalance = errors.New("iso20022: the balances do not fit the entries")
)

// Document is a message that was read. One of its members is there.
type Document struct {
	Initiation *Initiation
	Report     *StatusReport
	Statements []Statement
	Return     *Return
}

// Kind is the message's kind without its version, such as "camt.053". Reports are "pain.002", of whichever twin.
func (d Document) Kind() string {
	switch {
	case d.Initiation != nil:
		return "pain.001"
	case d.Report != nil:
		return "pain.002"
	case d.Return != nil:
		return "pacs.004"
	case len(d.Statements) > 0:
		return string(d.Statements[0].Kind)
	}
	return ""
}

// ID is the message's own id, which its sender never uses twice.
func (d Document) ID() string {
	switch {
	case d.Initiation != nil:
		return d.Initiation.ID
	case d.Report != nil:
		return d.Report.ID
	case d.Return != nil:
		return d.Return.ID
	case len(d.Statements) > 0:
		return d.Statements[0].MessageID
	}
	return ""
}

// Party is somebody with an account.
type Party struct {
	Name string
	IBAN iban.IBAN // empty when the message has none, or none that is valid
	BIC  string    // empty when the message has none
}

// Read reads one message.
//
// Errors: ErrForm, ErrSize, ErrKind, ErrCurrency, ErrControlSum, ErrBalance; none of them carries content of
// the message.
func Read(r io.Reader) (Document, error) { return read(r, maxSize) }

func read(r io.Reader, size int64) (Document, error) {
	var x document
	if err := decode(r, size, &x); err != nil {
		return Document{}, err
	}
	var d Document
	var err error
	switch {
	case x.Initiation != nil:
		d.Initiation, err = x.Initiation.read()
	case x.Report != nil:
		d.Report, err = x.Report.read()
	case x.BankReport != nil:
		d.Report, err = x.BankReport.read()
	case x.Statement != nil:
		d.Statements, err = x.Statement.read(EndOfDay)
	case x.Notification != nil:
		d.Statements, err = x.Notification.read(Notification)
	case x.Return != nil:
		d.Return, err = x.Return.read()
	default:
		return Document{}, ErrKind
	}
	if err == nil && d.ID() == "" {
		err = fmt.Errorf("%w: no message id", ErrForm)
	}
	if err != nil {
		return Document{}, err
	}
	return d, nil
}

// document is the root of every message.
type document struct {
	XMLName      xml.Name       `xml:"Document"`
	Namespace    string         `xml:"xmlns,attr"`
	Initiation   *xmlInitiation `xml:"CstmrCdtTrfInitn"`
	Report       *xmlReport     `xml:"CstmrPmtStsRpt"`
	BankReport   *xmlReport     `xml:"FIToFIPmtStsRpt"`
	Statement    *xmlStatements `xml:"BkToCstmrStmt"`
	Notification *xmlStatements `xml:"BkToCstmrDbtCdtNtfctn"`
	Return       *xmlReturn     `xml:"PmtRtr"`
}

// write writes a message of a kind, such as "pain.001.001.09".
func write(kind string, d document) ([]byte, error) {
	d.Namespace = "urn:iso:std:iso:20022:tech:xsd:" + kind
	body, err := xml.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}

// xmlAmount is an amount with its currency.
type xmlAmount struct {
	Currency string `xml:"Ccy,attr"`
	Value    string `xml:",chardata"`
}

func newAmount(a money.Amount) *xmlAmount { return &xmlAmount{Currency: "EUR", Value: a.String()} }

func (a *xmlAmount) read() (money.Amount, error) {
	if a == nil {
		return money.Amount{}, fmt.Errorf("%w: an amount is missing", ErrForm)
	}
	if a.Currency != "EUR" {
		return money.Amount{}, ErrCurrency
	}
	amount, err := readSum(a.Value)
	if err == nil && amount.Units() > maxAmount {
		return money.Amount{}, fmt.Errorf("%w: an amount of more than any account holds", ErrForm)
	}
	return amount, err
}

// maxAmount, in cents, is a trillion euros: what is within it can be summed up without care for where integers end.
const maxAmount = 1_000_000_000_000_00

// readSum reads a decimal as XML Schema has it: zeros ahead and behind do not count.
func readSum(text string) (money.Amount, error) {
	whole, fraction, _ := strings.Cut(strings.TrimSpace(text), ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		whole += "." + fraction
	}
	amount, err := money.Parse(whole, Euro)
	if err != nil {
		return money.Amount{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	return amount, nil
}

// xmlCode is a code of a list, or one of the sender's own.
type xmlCode struct {
	Code string `xml:"Cd,omitempty"`
	Own  string `xml:"Prtry,omitempty"`
}

func (c *xmlCode) text() string {
	switch {
	case c == nil:
		return ""
	case c.Code != "":
		return strings.TrimSpace(c.Code)
	}
	return strings.TrimSpace(c.Own)
}

// xmlParty is a party; from version .03 of camt on, some stand one level deeper.
type xmlParty struct {
	Name string    `xml:"Nm,omitempty"`
	In   *xmlParty `xml:"Pty"`
}

func (p *xmlParty) name() string {
	switch {
	case p == nil:
		return ""
	case p.In != nil:
		return p.In.name()
	}
	return strings.TrimSpace(p.Name)
}

// xmlAccount is an account. Only IBANs are read.
type xmlAccount struct {
	IBAN string `xml:"Id>IBAN"`
}

func newAccount(number iban.IBAN) *xmlAccount {
	if number == "" {
		return nil
	}
	return &xmlAccount{IBAN: string(number)}
}

func (a *xmlAccount) number() iban.IBAN {
	if a == nil {
		return ""
	}
	number, err := iban.Parse(strings.TrimSpace(a.IBAN))
	if err != nil {
		return ""
	}
	return number
}

// xmlAgent is a bank. BICFI is what versions from .03 on call BIC.
type xmlAgent struct {
	BICFI string    `xml:"FinInstnId>BICFI,omitempty"`
	BIC   string    `xml:"FinInstnId>BIC,omitempty"`
	Other *xmlOther `xml:"FinInstnId>Othr"`
}

type xmlOther struct {
	ID string `xml:"Id"`
}

// newAgent says NOTPROVIDED where a bank must be named and is not known, as the guidelines want it.
func newAgent(bic string) *xmlAgent {
	if bic == "" {
		return &xmlAgent{Other: &xmlOther{ID: "NOTPROVIDED"}}
	}
	return &xmlAgent{BICFI: bic}
}

func (a *xmlAgent) bic() string {
	switch {
	case a == nil:
		return ""
	case a.BICFI != "":
		return strings.TrimSpace(a.BICFI)
	}
	return strings.TrimSpace(a.BIC)
}

const (
	dateForm  = "2006-01-02"
	timeForm  = "2006-01-02T15:04:05Z07:00"
	localForm = "2006-01-02T15:04:05"
)

// xmlDate is a day, or a moment of which the day counts.
type xmlDate struct {
	Date string `xml:"Dt,omitempty"`
	Time string `xml:"DtTm,omitempty"`
}

// day is zero when no day is told.
func (d *xmlDate) day() (time.Time, error) {
	if d == nil {
		return time.Time{}, nil
	}
	text := strings.TrimSpace(d.Date)
	if text == "" {
		text = strings.TrimSpace(d.Time)
	}
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(dateForm, text[:min(len(text), len(dateForm))])
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: a date that is none", ErrForm)
	}
	return day, nil
}

// readTime reads a moment. One that names no zone is taken as UTC; zero: none is told.
func readTime(text string) (time.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(timeForm, text)
	if err != nil {
		at, err = time.Parse(localForm, text)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: a time that is none", ErrForm)
	}
	return at, nil
}
