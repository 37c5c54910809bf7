package simulation

import (
	"maps"
	"slices"
)

// The model is what the program must be, as naively as it can be said: maps of integers, in cents and satoshis. It shares no
// code with the program. Its methods answer the code that a request must be refused with, or "" for success.
type model struct {
	figures  map[account]figures
	users    map[owner]user
	holds    map[string]hold     // by id
	deposits map[string]deposit  // that are to be booked, by id
	stuck    map[string]deposit  // that wait on suspense, by id
	back     map[string]deposit  // that go back, by id
	nobodys  map[string]payment  // by the bank's reference
	orders   map[string]order    // SEPA transfers under way, by id
	contacts map[owner]bool      // who has paid in
	drawn    int                 // payments so far
	ends     map[string]int      // what became of payments
	events   map[string][]string // kinds of an object's events in order, by the object's id
	cases    map[string]proposal // corrections, by id
}

// owner is a user of a partner, or with an empty name the partner itself.
type owner struct {
	partner int64
	name    string
}

type account struct {
	owner
	purpose string
}

type figures struct{ posted, held int64 }

type user struct {
	id           string
	verification string
	active       bool
	review       bool // a person must decide
	suspended    bool // by the partner
	deleted      bool
}

type hold struct {
	owner
	number    int // in the order of their making, since ids differ from run to run
	remaining int64
	ended     bool
}

// proposal is a correction that waits for a decision, or has one.
type proposal struct {
	owner
	number int // as a hold's
	cents  int64
	by     string
	state  string
}

func newModel() *model {
	return &model{
		figures: map[account]figures{}, users: map[owner]user{}, holds: map[string]hold{}, deposits: map[string]deposit{},
		stuck: map[string]deposit{}, back: map[string]deposit{}, nobodys: map[string]payment{}, orders: map[string]order{},
		contacts: map[owner]bool{}, ends: map[string]int{}, events: map[string][]string{}, cases: map[string]proposal{},
	}
}

// clone is for what may have happened.
func (m *model) clone() *model {
	return &model{
		figures: maps.Clone(m.figures), users: maps.Clone(m.users), holds: maps.Clone(m.holds), deposits: maps.Clone(m.deposits),
		stuck: maps.Clone(m.stuck), back: maps.Clone(m.back), nobodys: maps.Clone(m.nobodys), orders: maps.Clone(m.orders),
		contacts: maps.Clone(m.contacts), drawn: m.drawn, ends: maps.Clone(m.ends), events: maps.Clone(m.events), cases: maps.Clone(m.cases),
	}
}

func (o owner) account(purpose string) account { return account{o, purpose} }

// itself is the partner of an owner.
func (o owner) itself() owner { return owner{partner: o.partner} }

// move moves cents between two accounts.
func (m *model) move(from, to account, cents int64) {
	f := m.figures[from]
	f.posted -= cents
	m.figures[from] = f
	t := m.figures[to]
	t.posted += cents
	m.figures[to] = t
}

func (m *model) reserve(a account, cents int64) {
	f := m.figures[a]
	f.held += cents
	m.figures[a] = f
}

func (m *model) available(o owner) int64 {
	f := m.figures[o.account("balance")]
	return f.posted - f.held
}

func (m *model) owed(o owner) int64 { return -m.figures[o.account("receivable")].posted }

// credit gives an owner money, which first repays what is owed.
func (m *model) credit(from account, to owner, cents int64) {
	m.move(from, to.account("balance"), cents)
	if repaid := min(cents, m.owed(to)); repaid > 0 {
		m.move(to.account("balance"), to.account("receivable"), repaid)
	}
}

// take takes what is there, and lets the owner owe the rest.
func (m *model) take(from owner, to account, cents int64) {
	there := min(max(m.available(from), 0), cents)
	m.move(from.account("balance"), to, there)
	m.move(from.account("receivable"), to, cents-there)
}

func (m *model) tell(object string, kinds ...string) {
	m.events[object] = slices.Concat(m.events[object], kinds)
}

// Users.

func (m *model) mayCreate(o owner) string {
	if _, taken := m.users[o]; taken {
		return "P411"
	}
	return ""
}

func (m *model) create(o owner, id string) { m.users[o] = user{id: id, verification: "NOT_VERIFIED"} }

// Outcomes of identity checks, as the number of the document chooses them.
const (
	accepted = "TEST-1"
	rejected = "REJECT-FACE_MISMATCH"
	manual   = "MANUAL"
	expired  = "EXPIRED"
)

// mayRead also tells whether a user may be suspended, and the suspension lifted.
func (m *model) mayRead(o owner) string {
	if u, known := m.users[o]; !known || u.deleted {
		return "P412"
	}
	return ""
}

func (m *model) mayDecide(o owner) string {
	if code := m.mayRead(o); code != "" {
		return code
	}
	if m.users[o].suspended {
		return "P455"
	}
	return ""
}

func (m *model) decide(o owner, document string) {
	u := m.users[o]
	if u.review || u.verification == "VERIFIED" {
		return
	}
	m.tell(u.id, "kyc-verification-status")
	switch document {
	case manual:
		u.review = true
	case accepted, expired:
		u.verification = "VERIFIED"
		if !u.active {
			u.active = true
			m.tell(u.id, "user-balance-generation")
		}
		if document == expired {
			u.verification = "EXPIRED"
			m.tell(u.id, "kyc-verification-status")
		}
	}
	m.users[o] = u
}

func (m *model) suspend(o owner, suspended bool) {
	u := m.users[o]
	u.suspended = suspended
	m.users[o] = u
}

func (m *model) mayDelete(o owner) string {
	if code := m.mayRead(o); code != "" {
		return code
	}
	open := m.users[o].review || m.waits(o)
	for _, d := range m.deposits {
		open = open || d.owner == o
	}
	for _, purpose := range []string{"balance", "btc balance"} {
		open = open || m.figures[o.account(purpose)] != (figures{})
	}
	if open || m.owed(o) != 0 {
		return "P463"
	}
	return ""
}

func (m *model) remove(o owner) {
	u := m.users[o]
	u.deleted = true
	m.users[o] = u
}

// Money.

// fit tells why one of two sides may not pay, or not receive.
func (m *model) fit(from, to owner) string {
	sides := []owner{from, to}
	for _, o := range sides {
		if o.name != "" && m.mayRead(o) != "" {
			return "P412"
		}
	}
	if m.users[from].suspended {
		return "P455"
	}
	for _, o := range sides {
		if o.name != "" && m.users[o].verification != "VERIFIED" {
			return "P459"
		}
	}
	return ""
}

func (m *model) mayTransfer(from, to owner, cents int64) string {
	switch {
	case from.name == "" && to.name == "":
		return "P424"
	case from == to:
		return "P403"
	}
	if code := m.fit(from, to); code != "" {
		return code
	}
	return m.mayPay(from, cents)
}

func (m *model) mayPay(from owner, cents int64) string {
	if m.owed(from) > 0 || m.available(from) < cents {
		return "P433"
	}
	return ""
}

func (m *model) transfer(id string, from, to owner, cents int64) {
	m.credit(from.account("balance"), to, cents)
	m.tell(id, "p2p-transfer")
}

// Holds.

func (m *model) mayHold(o owner, cents int64) string {
	if m.available(o) < cents {
		return "P433"
	}
	return ""
}

func (m *model) place(id string, o owner, cents int64) {
	m.reserve(o.account("balance"), cents)
	m.holds[id] = hold{owner: o, number: len(m.holds), remaining: cents}
}

func (m *model) mayCapture(id string, cents int64) string {
	switch h := m.holds[id]; {
	case h.ended:
		return "ended"
	case h.remaining < cents:
		return "exceeded"
	}
	return ""
}

func (m *model) capture(id string, cents int64, final bool) {
	h := m.holds[id]
	m.move(h.account("balance"), h.itself().account("fees"), cents)
	m.reserve(h.account("balance"), -cents)
	h.remaining -= cents
	m.holds[id] = h
	if final || h.remaining == 0 {
		m.release(id)
	}
}

// release ends a hold.
func (m *model) release(id string) {
	h := m.holds[id]
	m.reserve(h.account("balance"), -h.remaining)
	h.remaining, h.ended = 0, true
	m.holds[id] = h
}

// Corrections.

func (m *model) mayCorrect(o owner) string {
	if o.name == "" {
		return ""
	}
	return m.mayRead(o)
}

func (m *model) propose(id string, o owner, cents int64, by string) {
	m.cases[id] = proposal{owner: o, number: len(m.cases), cents: cents, by: by, state: "PENDING"}
}

func (m *model) mayDecideCase(id, verdict, by string) string {
	switch c := m.cases[id]; {
	case c.state != "PENDING":
		return "decided"
	case c.by == by:
		return "same person"
	case verdict == "APPROVED" && c.cents > 0 && m.users[c.owner].deleted:
		return "P412" // what is taken is owed, but nothing can be given any more
	}
	return ""
}

func (m *model) decideCase(id, verdict string) {
	c := m.cases[id]
	c.state = verdict
	m.cases[id] = c
	if verdict != "APPROVED" {
		return
	}
	if equity := c.itself().account("equity"); c.cents > 0 {
		m.credit(equity, c.owner, c.cents)
	} else {
		m.take(c.owner, equity, -c.cents)
	}
}
