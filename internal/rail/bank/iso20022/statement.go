package iso20022

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kontor/internal/iban"
	"kontor/internal/money"
)

// Kind tells a statement's kind.
type Kind string

// The kinds of statements.
const (
	EndOfDay     Kind = "camt.053" // a day's entries between two balances
	Notification Kind = "camt.054" // single entries, as they are booked
)

// Statement is what was booked on an account.
type Statement struct {
	Kind             Kind
	MessageID        string
	ID               string
	Sequence         int64 // the bank's own number of the statement; 0 when it gave none
	CreatedAt        time.Time
	Account          iban.IBAN
	BIC              string   // of the bank that keeps it
	Opening, Closing *Balance // booked; camt.053 only
	Entries          []Entry
}

// Balance is a balance of the account. Its amount can be below zero.
type Balance struct {
	Amount money.Amount
	Day    time.Time
}

// Entry is one entry. Credits are above zero and debits below, reversals included.
type Entry struct {
	Reference string // the bank's own, unique on the account; empty if it gave none
	Amount    money.Amount
	Booked    bool // otherwise announced only
	Day       time.Time
	Details   []Detail // of a batch that was booked as one, several; together they are the amount
	Batch     int64    // above zero: a batch of so many payments, of which the bank gives no details here; 1: it gave no number
}

// Detail is one payment of an entry.
type Detail struct {
	Reference    string // the bank's own
	EndToEndID   string
	Instruction  string       // the id that whoever ordered the payment gave the instruction
	Amount       money.Amount // with the entry's sign
	Debtor       Party
	Creditor     Party
	Remittance   string
	ReturnReason string // of a payment that came back; a code of the external list, or NARR
	Returned     bool
}

type xmlStatements struct {
	Header        xmlHeader      `xml:"GrpHdr"`
	Statements    []xmlStatement `xml:"Stmt"`
	Notifications []xmlStatement `xml:"Ntfctn"`
}

type xmlStatement struct {
	ID        string       `xml:"Id"`
	Number    string       `xml:"ElctrncSeqNb,omitempty"`
	CreatedAt string       `xml:"CreDtTm"`
	Account   *xmlHolder   `xml:"Acct"`
	Balances  []xmlBalance `xml:"Bal"`
	Summary   *xmlSummary  `xml:"TxsSummry"`
	Entries   []xmlEntry   `xml:"Ntry"`
}

type xmlHolder struct {
	xmlAccount
	Currency string    `xml:"Ccy,omitempty"`
	Bank     *xmlAgent `xml:"Svcr"`
}

type xmlBalance struct {
	Code      string     `xml:"Tp>CdOrPrtry>Cd"`
	Amount    *xmlAmount `xml:"Amt"`
	Indicator string     `xml:"CdtDbtInd"`
	Day       xmlDate    `xml:"Dt"`
}

type xmlSummary struct {
	All     *xmlTotals `xml:"TtlNtries"`
	Credits *xmlTotals `xml:"TtlCdtNtries"`
	Debits  *xmlTotals `xml:"TtlDbtNtries"`
}

type xmlTotals struct {
	Count string `xml:"NbOfNtries,omitempty"`
	Sum   string `xml:"Sum,omitempty"`
}

// totals are numbers and sums of entries, without signs, as a summary counts them.
type totals struct {
	count, credits, debits int
	sum, credited, debited money.Amount
}

func total(entries []Entry) (t totals, err error) {
	t.sum, t.credited, t.debited = money.New(0, Euro), money.New(0, Euro), money.New(0, Euro)
	for _, e := range entries {
		t.count++
		side, sum := &t.credits, &t.credited
		if e.Amount.Sign() < 0 {
			side, sum = &t.debits, &t.debited
		}
		*side++
		if *sum, err = sum.Add(absolute(e.Amount)); err != nil {
			return t, err
		}
	}
	t.sum, err = t.credited.Add(t.debited)
	return t, err
}

func newSummary(t totals) *xmlSummary {
	one := func(count int, sum money.Amount) *xmlTotals {
		return &xmlTotals{Count: strconv.Itoa(count), Sum: sum.String()}
	}
	return &xmlSummary{one(t.count, t.sum), one(t.credits, t.credited), one(t.debits, t.debited)}
}

// check compares the summary, as far as there is one, with the entries.
func (x *xmlSummary) check(entries []Entry) error {
	if x == nil {
		return nil
	}
	t, err := total(entries)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		told  *xmlTotals
		count int
		sum   money.Amount
	}{{x.All, t.count, t.sum}, {x.Credits, t.credits, t.credited}, {x.Debits, t.debits, t.debited}} {
		if c.told == nil {
			continue
		}
		if err := controls(strings.TrimSpace(c.told.Count), c.told.Sum, c.count, c.sum); err != nil {
			return err
		}
	}
	return nil
}

type xmlEntry struct {
	EntryReference string         `xml:"NtryRef,omitempty"`
	Amount         *xmlAmount     `xml:"Amt"`
	Indicator      string         `xml:"CdtDbtInd"`
	Reversal       string         `xml:"RvslInd,omitempty"`
	Status         xmlStatus      `xml:"Sts"`
	Booked         *xmlDate       `xml:"BookgDt"`
	Reference      string         `xml:"AcctSvcrRef,omitempty"`
	Domain         *xmlDomain     `xml:"BkTxCd"`
	Elsewhere      *xmlMessage    `xml:"AddtlInfInd"` // the message that has the details
	Batches        []xmlCollected `xml:"NtryDtls>Btch"`
	Details        []xmlDetail    `xml:"NtryDtls>TxDtls"`
}

// xmlMessage names a message by its kind.
type xmlMessage struct {
	Kind string `xml:"MsgNmId"`
}

// xmlCollected tells that an entry is a batch.
type xmlCollected struct {
	Count string `xml:"NbOfTxs,omitempty"`
}

// batch is how many payments the entry is, of which the bank gives no details here; 0 when it is none of that kind.
func (x xmlEntry) batch() int64 {
	elsewhere := x.Elsewhere != nil && strings.HasPrefix(strings.TrimSpace(x.Elsewhere.Kind), string(Notification))
	if len(x.Details) > 0 || len(x.Batches) == 0 && !elsewhere {
		return 0
	}
	var count int64
	for _, b := range x.Batches {
		n, _ := strconv.ParseInt(strings.TrimSpace(b.Count), 10, 32) // not a number: none
		count += max(0, n)
	}
	return max(1, count)
}

// xmlDomain is the bank transaction code.
type xmlDomain struct {
	Domain    string `xml:"Domn>Cd,omitempty"`
	Family    string `xml:"Domn>Fmly>Cd,omitempty"`
	SubFamily string `xml:"Domn>Fmly>SubFmlyCd,omitempty"`
}

// xmlStatus is plain up to version .03, and a code in an element of its own later.
type xmlStatus struct {
	Code  string `xml:"Cd,omitempty"`
	Plain string `xml:",chardata"`
}

func (s xmlStatus) booked() bool {
	return strings.TrimSpace(s.Code) == "BOOK" || strings.TrimSpace(s.Plain) == "BOOK"
}

type xmlDetail struct {
	Reference    string       `xml:"Refs>AcctSvcrRef,omitempty"`
	Instruction  string       `xml:"Refs>InstrId,omitempty"`
	EndToEndID   string       `xml:"Refs>EndToEndId,omitempty"`
	Amount       *xmlAmount   `xml:"Amt"`
	OlderAmount  *xmlAmount   `xml:"AmtDtls>TxAmt>Amt"`
	Indicator    string       `xml:"CdtDbtInd,omitempty"`
	Debtor       *xmlParty    `xml:"RltdPties>Dbtr"`
	DebtorAcct   *xmlAccount  `xml:"RltdPties>DbtrAcct"`
	Creditor     *xmlParty    `xml:"RltdPties>Cdtr"`
	CreditorAcct *xmlAccount  `xml:"RltdPties>CdtrAcct"`
	DebtorAgent  *xmlAgent    `xml:"RltdAgts>DbtrAgt"`
	Remittance   []string     `xml:"RmtInf>Ustrd"`
	Structured   []string     `xml:"RmtInf>Strd>CdtrRefInf>Ref"`
	Return       *xmlReturned `xml:"RtrInf"`
}

type xmlReturned struct {
	Reason *xmlCode `xml:"Rsn"`
}

func (x *xmlStatements) read(kind Kind) ([]Statement, error) {
	var all []Statement
	for _, xs := range append(x.Statements, x.Notifications...) {
		if strings.TrimSpace(xs.CreatedAt) == "" {
			xs.CreatedAt = x.Header.CreatedAt // newer versions need not repeat it
		}
		s, err := xs.read()
		if err != nil {
			return nil, err
		}
		s.Kind, s.MessageID = kind, strings.TrimSpace(x.Header.ID)
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no statement", ErrForm)
	}
	return all, nil
}

func (x xmlStatement) read() (Statement, error) {
	s := Statement{ID: strings.TrimSpace(x.ID)}
	var err error
	if s.CreatedAt, err = readTime(x.CreatedAt); err != nil {
		return s, err
	}
	s.Sequence, _ = strconv.ParseInt(strings.TrimSpace(x.Number), 10, 64) // not a number: none
	if x.Account == nil || x.Account.number() == "" {
		return s, fmt.Errorf("%w: a statement without account", ErrForm)
	}
	if x.Account.Currency != "" && x.Account.Currency != "EUR" {
		return s, ErrCurrency
	}
	s.Account, s.BIC = x.Account.number(), x.Account.Bank.bic()
	booked := money.New(0, Euro)
	for _, xe := range x.Entries {
		e, err := xe.read()
		if err != nil {
			return s, err
		}
		if e.Booked {
			if booked, err = booked.Add(e.Amount); err != nil {
				return s, err
			}
		}
		s.Entries = append(s.Entries, e)
	}
	if err := x.Summary.check(s.Entries); err != nil {
		return s, err
	}
	return s, x.readBalances(&s, booked)
}

func (x xmlStatement) readBalances(s *Statement, booked money.Amount) error {
	for _, xb := range x.Balances {
		amount, err := signed(xb.Amount, xb.Indicator)
		if err != nil {
			return err
		}
		code := strings.TrimSpace(xb.Code)
		if code != "OPBD" && code != "PRCD" && code != "CLBD" {
			continue
		}
		b := &Balance{Amount: amount}
		if b.Day, err = xb.Day.day(); err == nil && b.Day.IsZero() {
			err = fmt.Errorf("%w: a balance without date", ErrForm)
		}
		if err != nil {
			return err
		}
		if code == "CLBD" {
			s.Closing = b
		} else {
			s.Opening = b
		}
	}
	if s.Opening == nil || s.Closing == nil {
		return nil
	}
	if sum, err := s.Opening.Amount.Add(booked); err != nil || sum != s.Closing.Amount {
		return ErrBalance
	}
	return nil
}

func absolute(a money.Amount) money.Amount {
	if a.Sign() < 0 {
		return a.Neg()
	}
	return a
}

// signed reads an amount whose sign stands beside it.
func signed(a *xmlAmount, indicator string) (money.Amount, error) {
	amount, err := a.read()
	if err != nil {
		return amount, err
	}
	switch strings.TrimSpace(indicator) {
	case "CRDT":
		return amount, nil
	case "DBIT":
		return amount.Neg(), nil
	}
	return amount, fmt.Errorf("%w: neither credit nor debit", ErrForm)
}

func (x xmlEntry) read() (Entry, error) {
	e := Entry{Reference: strings.TrimSpace(x.Reference), Booked: x.Status.booked(), Batch: x.batch()}
	if e.Reference == "" {
		e.Reference = strings.TrimSpace(x.EntryReference)
	}
	var err error
	if e.Day, err = x.Booked.day(); err != nil {
		return e, err
	}
	// The indicator of a reversal tells its own direction, not that of the entry which it reverses.
	if e.Amount, err = signed(x.Amount, x.Indicator); err != nil {
		return e, err
	}
	total, complete := money.New(0, Euro), true
	for _, xd := range x.Details {
		d, known, err := xd.read(e.Amount, len(x.Details) == 1)
		if err != nil {
			return e, err
		}
		if complete = complete && known; complete {
			if total, err = total.Add(d.Amount); err != nil {
				return e, err
			}
		}
		e.Details = append(e.Details, d)
	}
	if len(e.Details) > 0 && (!complete || total != e.Amount) {
		return e, ErrControlSum
	}
	return e, nil
}

// read reads a payment of an entry. known is false when its amount is not told, and is not that of the entry.
func (x xmlDetail) read(entry money.Amount, only bool) (d Detail, known bool, err error) {
	d = Detail{
		Reference: strings.TrimSpace(x.Reference), EndToEndID: strings.TrimSpace(x.EndToEndID), Instruction: strings.TrimSpace(x.Instruction),
		Debtor:     Party{Name: x.Debtor.name(), IBAN: x.DebtorAcct.number(), BIC: x.DebtorAgent.bic()},
		Creditor:   Party{Name: x.Creditor.name(), IBAN: x.CreditorAcct.number()},
		Remittance: joined(append(x.Remittance, x.Structured...)),
	}
	if x.Return != nil {
		d.Returned, d.ReturnReason = true, x.Return.Reason.text()
		if d.ReturnReason == "" {
			d.ReturnReason = "NARR"
		}
	}
	told := x.Amount
	if told == nil && x.OlderAmount != nil && !only {
		told = x.OlderAmount
	}
	if told == nil {
		d.Amount = entry
		return d, only, nil
	}
	if d.Amount, err = told.read(); err == nil && entry.Sign() < 0 {
		d.Amount = d.Amount.Neg()
	}
	return d, true, err
}

// WriteStatement writes a statement as camt.053.001.08 or camt.054.001.08, as a bank would.
func WriteStatement(s Statement) ([]byte, error) {
	x := xmlStatement{
		ID: s.ID, CreatedAt: s.CreatedAt.UTC().Format(timeForm),
		Account: &xmlHolder{xmlAccount{IBAN: string(s.Account)}, "EUR", newAgent(s.BIC)},
	}
	if s.Sequence > 0 {
		x.Number = strconv.FormatInt(s.Sequence, 10)
	}
	for _, e := range s.Entries {
		x.Entries = append(x.Entries, newEntry(e))
	}
	for code, b := range map[string]*Balance{"OPBD": s.Opening, "CLBD": s.Closing} {
		if b != nil {
			x.Balances = append(x.Balances, xmlBalance{
				Code: code, Amount: newAmount(absolute(b.Amount)), Indicator: indicator(b.Amount), Day: xmlDate{Date: b.Day.Format(dateForm)},
			})
		}
	}
	if len(x.Balances) == 2 && x.Balances[0].Code != "OPBD" {
		x.Balances[0], x.Balances[1] = x.Balances[1], x.Balances[0]
	}
	t, err := total(s.Entries)
	if err != nil {
		return nil, err
	}
	x.Summary = newSummary(t)
	all := &xmlStatements{Header: xmlHeader{ID: s.MessageID, CreatedAt: x.CreatedAt}}
	if s.Kind == EndOfDay {
		all.Statements = []xmlStatement{x}
		return write("camt.053.001.08", document{Statement: all})
	}
	all.Notifications = []xmlStatement{x}
	return write("camt.054.001.08", document{Notification: all})
}

func indicator(a money.Amount) string {
	if a.Sign() < 0 {
		return "DBIT"
	}
	return "CRDT"
}

func newEntry(e Entry) xmlEntry {
	x := xmlEntry{
		EntryReference: e.Reference, Amount: newAmount(absolute(e.Amount)), Indicator: indicator(e.Amount),
		Status: xmlStatus{Code: "PDNG"}, Booked: &xmlDate{Date: e.Day.Format(dateForm)}, Reference: e.Reference,
		Domain: &xmlDomain{"PMNT", "RCDT", "ESCT"},
	}
	if e.Booked {
		x.Status.Code = "BOOK"
	}
	if e.Amount.Sign() < 0 {
		x.Domain.Family = "ICDT"
	}
	for _, d := range e.Details {
		xd := xmlDetail{
			Reference: d.Reference, EndToEndID: d.EndToEndID, Instruction: d.Instruction, Amount: newAmount(absolute(d.Amount)), Indicator: indicator(d.Amount),
			Debtor: deeper(d.Debtor.Name), DebtorAcct: newAccount(d.Debtor.IBAN),
			Creditor: deeper(d.Creditor.Name), CreditorAcct: newAccount(d.Creditor.IBAN),
		}
		if d.Debtor.BIC != "" {
			xd.DebtorAgent = newAgent(d.Debtor.BIC)
		}
		if d.Remittance != "" {
			xd.Remittance = []string{d.Remittance}
		}
		if d.Returned {
			xd.Return = &xmlReturned{Reason: &xmlCode{Code: d.ReturnReason}}
			x.Domain.SubFamily = "RRTN"
		}
		x.Details = append(x.Details, xd)
	}
	return x
}

func deeper(name string) *xmlParty {
	if name == "" {
		return nil
	}
	return &xmlParty{In: &xmlParty{Name: name}}
}
