package simulation

import (
	"slices"
	"time"
)

// Senders of payments, by what their names are to the owner's.
const (
	same     = "same"
	unsure   = "unsure"   // a person decides
	stranger = "stranger" // it goes back
	refusing = "refusing" // a stranger whose bank does not take it back
)

// Why a deposit waits on suspense.
const (
	byOwner = "owner" // who may not receive money
	byName  = "name"
	byBank  = "bank" // which refused to send it back
)

// deposit is a payment in: one that is to be booked, waits on suspense, or goes back.
type deposit struct {
	owner
	cents  int64
	due    time.Time // business time, when the bank books it, or its return
	sender string
	quiet  bool   // nobody has told of it yet
	why    string // it waits on suspense
	given  bool   // it was told that it goes back
	number int    // in the order of their making, since ids differ from run to run
}

// payment is a payment for nobody, on the operator's suspense account once it is booked.
type payment struct {
	cents  int64
	due    time.Time
	sender string
	booked bool
	back   bool // a person has decided that it goes back
	number int
}

// order is a SEPA transfer that is not at its end.
type order struct {
	owner
	cents, fee int64
	back       int64 // what comes back; 0: nothing
	rejected   bool
	hangs      bool
	due        time.Time // when the bank has told everything
}

// sepaFee is what a transfer of at most 1,000 euros costs.
const sepaFee = 100

// operator owns the accounts at the bank.
var operator = owner{}

func (m *model) fresh(d deposit) deposit {
	m.drawn++
	d.number = m.drawn
	return d
}

// fits tells whether an owner may receive money from outside.
func (m *model) fits(o owner) bool { return o.name == "" || m.users[o].verification == "VERIFIED" }

// due is when the bank books the first, and the last, of what it has been told or has told.
func (m *model) due() (first, last time.Time) {
	var all []time.Time
	for _, of := range []map[string]deposit{m.deposits, m.back} {
		for _, d := range of {
			all = append(all, d.due)
		}
	}
	for _, o := range m.orders {
		if !o.hangs {
			all = append(all, o.due)
		}
		if o.back > 0 {
			all = append(all, o.due.Add(-bankDelay)) // until then it has succeeded
		}
	}
	for _, n := range m.nobodys {
		if !n.booked || n.back {
			all = append(all, n.due)
		}
	}
	if len(all) == 0 {
		return first, last
	}
	return slices.MinFunc(all, time.Time.Compare), slices.MaxFunc(all, time.Time.Compare)
}

// settle does what has happened once nothing waits any more.
func (m *model) settle(now time.Time) {
	for id, d := range m.deposits {
		if !d.due.After(now) {
			m.move(operator.account("bank"), operator.account("clearing"), d.cents)
			m.arrive(id, d)
		}
	}
	for id, n := range m.nobodys {
		if !n.booked {
			m.move(operator.account("bank"), operator.account("suspense"), n.cents)
			n.booked = true
		}
		if n.back && n.sender != refusing {
			m.ends["nobody's payment returned"]++
			m.move(operator.account("suspense"), operator.account("bank"), n.cents)
			delete(m.nobodys, id)
			continue
		}
		n.back = false
		m.nobodys[id] = n
	}
	for id, o := range m.orders {
		if !o.hangs {
			m.end(id, o)
		}
	}
	for id, d := range m.back {
		m.goBack(id, d)
	}
	m.resume()
}

// arrive lets a payment that is in the operator's book become a deposit.
func (m *model) arrive(id string, d deposit) {
	delete(m.deposits, id)
	clearing, suspense := d.itself().account("clearing"), d.itself().account("suspense")
	if d.quiet {
		m.tell(id, "iban-status")
		d.quiet = false
	}
	switch {
	case !m.fits(d.owner):
		d.why = byOwner
		m.stuck[id] = d
		m.ends["deposit waits for its owner"]++
	case d.sender == same:
		m.give(id, d, clearing)
		return
	case d.sender == unsure:
		d.why = byName
		m.stuck[id] = d
		m.ends["deposit waits for its name"]++
	default:
		m.refuse(id, d)
	}
	m.move(clearing, suspense, d.cents)
}

// give credits a deposit.
func (m *model) give(id string, d deposit, from account) {
	m.credit(from, d.owner, d.cents)
	m.tell(id, "iban-status", "sepa-deposit")
	m.contacts[d.owner] = true
	m.ends["deposit credited"]++
	delete(m.stuck, id)
}

// refuse orders the return of a deposit that is on suspense, or comes there.
func (m *model) refuse(id string, d deposit) {
	delete(m.stuck, id)
	if !d.given {
		m.tell(id, "iban-status")
	}
	d.given, d.why = true, ""
	m.back[id] = d
}

// goBack is what becomes of a return.
func (m *model) goBack(id string, d deposit) {
	delete(m.back, id)
	if d.sender == refusing {
		d.why = byBank
		m.stuck[id] = d
		m.ends["return refused"]++
		return
	}
	m.ends["deposit returned"]++
	m.move(d.itself().account("suspense"), d.itself().account("clearing"), d.cents)
	m.move(operator.account("clearing"), operator.account("bank"), d.cents)
}

// waits tells whether a deposit of an owner is on suspense.
func (m *model) waits(o owner) bool {
	return m.anyOf(m.stuck, func(d deposit) bool { return d.owner == o }) ||
		m.anyOf(m.back, func(d deposit) bool { return d.owner == o })
}

// resumes tells whether a deposit waits until an owner is verified again.
func (m *model) resumes(o owner) bool {
	return m.anyOf(m.stuck, func(d deposit) bool { return d.owner == o && d.why == byOwner })
}

func (*model) anyOf(deposits map[string]deposit, is func(d deposit) bool) bool {
	for _, d := range deposits {
		if is(d) {
			return true
		}
	}
	return false
}

// resume credits the deposits that waited for users who are verified again. The program does so in a job: it has happened
// when everything is worked off, and may have before.
func (m *model) resume() {
	for id, d := range m.stuck {
		if d.why != byOwner || !m.fits(d.owner) {
			continue
		}
		if d.sender == same {
			m.ends["deposit resumed"]++
			m.give(id, d, d.itself().account("suspense"))
			continue
		}
		d.why = byName
		m.stuck[id] = d
	}
}

// Transfers.

// mayOrder tells why a transfer is refused. One that the balance does not cover is taken, and fails.
func (m *model) mayOrder(o owner, level string) string {
	if o.name != "" {
		if code := m.fit(o, o); code != "" {
			return code
		}
	}
	if level == "1" && !m.contacts[o] {
		return "P432"
	}
	return ""
}

func (m *model) order(id string, o order) {
	if m.mayPay(o.owner, o.cents+o.fee) != "" {
		m.tellOrder(id, o)
		m.ends["transfer not covered"]++
		return
	}
	m.reserve(o.account("balance"), o.cents+o.fee)
	m.orders[id] = o
}

func (m *model) tellOrder(id string, o order) {
	kind := "user-sepa-transfer"
	if o.name == "" {
		kind = "partner-sepa-transfer"
	}
	m.tell(id, kind)
}

// end is what the bank says of a transfer, all of it.
func (m *model) end(id string, o order) {
	delete(m.orders, id)
	m.reserve(o.account("balance"), -o.cents-o.fee)
	m.tellOrder(id, o)
	if o.rejected {
		m.ends["transfer rejected"]++
		return
	}
	m.ends["transfer successful"]++
	clearing := o.itself().account("clearing")
	m.move(o.account("balance"), clearing, o.cents)
	m.move(o.account("balance"), o.itself().account("fees"), o.fee)
	m.move(operator.account("clearing"), operator.account("bank"), o.cents)
	if o.back > 0 {
		m.move(operator.account("bank"), operator.account("clearing"), o.back)
		m.ends["transfer returned"]++
		m.credit(clearing, o.owner, o.back)
		m.tellOrder(id, o)
	}
}
