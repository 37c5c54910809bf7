package simulation

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"kontor/internal/idempotency"
)

// operation is a kind of step. It answers a violation.
type operation struct {
	name   string
	weight int
	step   func(p *player) error
}

// everywhere are the operations of all histories.
var everywhere = []operation{
	{"create user", 8, (*player).createUser},
	{"decide identity", 9, (*player).decideIdentity},
	{"suspend", 3, (*player).suspend},
	{"unsuspend", 4, (*player).unsuspend},
	{"delete user", 3, (*player).deleteUser},
	{"deposit", 12, (*player).deposit},
	{"order", 14, (*player).order},
	{"pay unannounced", 6, (*player).payUnannounced},
	{"tell of payments again", 3, (*player).tellAgain},
	{"decide about suspense", 8, (*player).decideSuspense},
	{"send back what is nobody's", 2, (*player).sendNobodysBack},
	{"transfer", 26, (*player).transfer},
	{"exchange", 10, (*player).exchange},
	{"replay", 8, (*player).replay},
	{"conflicting replay", 4, (*player).conflict},
	{"read", 8, (*player).read},
	{"read another's", 4, (*player).readForeign},
	{"place hold", 7, (*player).placeHold},
	{"capture hold", 8, (*player).captureHold},
	{"end hold", 4, (*player).endHold},
	{"collect", 4, (*player).collect},
	{"propose correction", 4, (*player).propose},
	{"decide correction", 5, (*player).decideCase},
	{"issue key", 2, (*player).issueKey},
	{"revoke key", 2, (*player).revokeKey},
	{"use revoked key", 4, (*player).useRevokedKey},
	{"store key uses", 1, (*player).storeUses},
}

// act takes a random step, and counts it.
func (p *player) act(of []operation) error {
	total := 0
	for _, o := range of {
		total += o.weight
	}
	at := p.rng.IntN(total)
	for _, o := range of {
		if at -= o.weight; at < 0 {
			p.journal.count(o.name)
			if err := o.step(p); err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
			return nil
		}
	}
	return nil
}

// someUser is one of a partner's users, or rarely nobody's.
func (p *player) someUser(q *party) owner {
	if q.users == 0 || p.rng.IntN(30) == 0 {
		return q.owner("nobody")
	}
	return q.owner(fmt.Sprintf("user-%d", 1+p.rng.IntN(q.users)))
}

// someOwner is a user or the partner itself.
func (p *player) someOwner(q *party) owner {
	if p.rng.IntN(4) == 0 {
		return q.owner("")
	}
	return p.someUser(q)
}

// cents draws an amount: mostly small.
func (p *player) cents() int64 {
	if p.rng.IntN(8) == 0 {
		return 1 + p.rng.Int64N(50_000)
	}
	return 1 + p.rng.Int64N(2_000)
}

func (p *player) createUser() error {
	q := p.party()
	o := p.someUser(q)
	if p.rng.IntN(5) > 0 || o.name == "nobody" {
		q.users++
		o = q.owner(fmt.Sprintf("user-%d", q.users))
	}
	r := &request{party: q, method: http.MethodPost, path: "/v1/user/balances/crypto-and-fiat", key: p.newKey(), body: newUser(o.name)}
	return p.change(r, member("userId"), wish{
		code:   p.model.mayCreate(o),
		effect: func(m *model, got answer) { m.create(o, got.text("userId")) },
	})
}

// member finds an object's id in an answer.
func member(name string) func(got answer) string {
	return func(got answer) string { return got.text(name) }
}

// change asks for a change and remembers it once it was acknowledged. object finds what it made.
func (p *player) change(r *request, object func(got answer) string, want wish) error {
	got, err := p.ask(r, want)
	if err == nil && got.code == "" {
		p.past = append(p.past, &ended{*r, got, object(got), time.Now()})
	}
	return err
}

func (p *player) decideIdentity() error {
	q := p.party()
	o := p.someUser(q)
	documents := []string{accepted, accepted, accepted, accepted, rejected, manual, expired}
	document := documents[p.rng.IntN(len(documents))]
	if p.shared != nil && document == accepted && p.model.resumes(o) {
		document = expired // when waiting deposits are credited cannot be told while others act
	}
	r := &request{
		party: q, method: http.MethodPost, path: "/v1/sandbox/user/" + o.name + "/activate", key: p.newKey(),
		body: encode(map[string]string{"documentNumber": document + "-" + o.name}),
	}
	err := p.change(r, func(answer) string { return p.model.users[o].id }, wish{
		code:   p.model.mayDecide(o),
		effect: func(m *model, _ answer) { m.decide(o, document) },
		check: func(got answer) error {
			if u := p.model.users[o]; got.text("verificationStatus") != u.verification {
				return fmt.Errorf("answered %s, want %s", got, u.verification)
			}
			return nil
		},
	})
	if err == nil && p.shared == nil && p.model.users[o].verification == "VERIFIED" && p.model.resumes(o) {
		return p.workOff()
	}
	return err
}

func (p *player) suspend() error { return p.mark("suspend", true) }

func (p *player) unsuspend() error { return p.mark("unsuspend", false) }

func (p *player) mark(verb string, suspended bool) error {
	q := p.party()
	o := p.someUser(q)
	return p.manage(q, o, http.MethodPatch, "/v1/user/"+verb+"/"+o.name, p.model.mayRead(o), func(m *model, _ answer) {
		m.suspend(o, suspended)
	})
}

// deleteUser deletes somebody, now and then whoever it is, mostly one of those who can be deleted.
func (p *player) deleteUser() error {
	q := p.party()
	o := p.someUser(q)
	for try := 0; try < 5 && p.model.mayDelete(o) != ""; try++ {
		o = p.someUser(q)
	}
	return p.manage(q, o, http.MethodDelete, "/v1/user/"+o.name, p.model.mayDelete(o), func(m *model, _ answer) { m.remove(o) })
}

// manage makes a change of an account that needs no body. It sends one, which is ignored.
func (p *player) manage(q *party, o owner, method, path, code string, effect func(m *model, got answer)) error {
	r := &request{party: q, method: method, path: path, key: p.newKey(), body: []byte("{}")}
	return p.change(r, func(answer) string { return p.model.users[o].id }, wish{code: code, effect: effect})
}

// iban is where an owner's payments go; empty while there is none.
func (p *player) iban(q *party, o owner) (string, error) {
	if o.name == "" {
		return q.iban, nil
	}
	if !p.model.users[o].active || p.model.users[o].deleted {
		return "", nil
	}
	got, err := p.ask(&request{party: q, method: http.MethodGet, path: "/v1/sepa-deposit/info/" + o.name}, wish{})
	return got.text("iban"), err
}

func (p *player) deposit() error {
	q := p.party()
	o := p.someOwner(q)
	number, err := p.iban(q, o)
	if err != nil {
		return err
	}
	code, payee := "", q
	if number == "" {
		o = q.owner("")
		number = q.iban
	}
	if other := p.party(); other != q && p.rng.IntN(10) == 0 {
		payee, code = other, "P412" // the payment is for somebody else's account
	}
	cents, sender := p.cents()*5, p.sender()
	r := paymentTo(payee, o, sender, number, cents)
	r.key = p.newKey()
	due := p.clock.Now().Add(bankDelay)
	return p.change(r, member("depositId"), wish{code: code, effect: func(m *model, got answer) {
		m.deposits[got.text("depositId")] = m.fresh(deposit{owner: o, cents: cents, due: due, sender: sender})
		m.tell(got.text("depositId"), "iban-status")
	}})
}

// elsewhere is an account at another bank, from which everybody pays, and to which everybody sends.
const elsewhere = "DE89370400440532013000"

// paymentTo is a payment that arrives at an account of a partner.
func paymentTo(q *party, o owner, sender, number string, cents int64) *request {
	return &request{party: q, method: http.MethodPost, path: "/v1/sandbox/sepa-deposit", lasting: true, body: encode(map[string]any{
		"iban": number, "amount": euros(cents), "senderName": senderName(o, sender), "senderIban": elsewhere,
	})}
}

// senderName is the name of somebody who pays for an owner.
func senderName(o owner, sender string) string {
	switch {
	case sender == stranger:
		return "Somebody Else"
	case sender == refusing:
		return "Somebody Else SANDBOX-REFUSE-RETURN"
	case o.name == "" && sender == unsure:
		return "Test Partner Probe"
	case o.name == "":
		return "Test Partner"
	case sender == unsure:
		return "T " + o.name
	}
	return "Test " + o.name
}

// newUser is the body that creates a user. Each is another person, born long before the time in which histories
// begin, so that no identity check finds one twice, or too young.
func newUser(name string) []byte {
	hash := fnv.New32a()
	hash.Write([]byte(name))
	born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(hash.Sum32()%15_000))
	return encode(map[string]any{
		"externalUserId": name, "email": "test@example.com", "phone": "+37060000000", "firstName": "Test",
		"lastName": name, "street": "Test Street", "number": "1", "city": "Vilnius", "postCode": "LT-01100",
		"country": "LT", "citizenship": "LT", "nationality": "LT", "birthCountry": "LT", "birthDate": born.Format(time.DateOnly),
		"hasAcceptedP100Tc": true,
	})
}

func (p *player) transfer() error {
	q := p.party()
	from, to, cents := p.someOwner(q), p.someOwner(q), p.cents()
	return p.change(p.transferRequest(q, from, to, cents), member("transferId"), wish{
		code:   p.model.mayTransfer(from, to, cents),
		effect: func(m *model, got answer) { m.transfer(got.text("transferId"), from, to, cents) },
	})
}

func (p *player) transferRequest(q *party, from, to owner, cents int64) *request {
	body := map[string]any{"amount": euros(cents), "currency": "eur", "reference": "اختبار 🧪"}
	if from.name != "" {
		body["sourceExternalUserId"] = from.name
	}
	if to.name != "" {
		body["destinationExternalUserId"] = to.name
	}
	return &request{party: q, method: http.MethodPost, path: "/v1/transfer", key: p.newKey(), body: encode(body), lasting: true}
}

// someEnded is a request of the past, mostly of the last ones.
func (p *player) someEnded() *ended {
	if len(p.past) == 0 {
		return nil
	}
	recent := min(len(p.past), 10)
	if p.rng.IntN(4) == 0 {
		recent = len(p.past)
	}
	return p.past[len(p.past)-1-p.rng.IntN(recent)]
}

// old tells whether the answer to a request is kept no longer.
func (e *ended) old() bool { return time.Since(e.at) > idempotency.Keep }

// replay repeats a request: its answer comes again, and nothing else happens.
func (p *player) replay() error {
	e := p.someEnded()
	if e == nil || (e.old() && !e.lasting) {
		return nil
	}
	return p.repeat(e, e.body)
}

// conflict sends another request under a key that was used.
func (p *player) conflict() error {
	e := p.someEnded()
	if e == nil || (e.old() && !e.lasting) {
		return nil
	}
	return p.repeat(e, append(slices.Clone(e.body), ' '))
}

// repeat sends a request again, with this body, and makes sure that nothing happens.
func (p *player) repeat(e *ended, body []byte) error {
	again := e.request
	again.body = body
	conflict := e.old() || string(body) != string(e.body)
	for n := 0; ; n++ {
		pl, before := p.plan(n), p.faults.past()
		got := p.call(pl.under(calm()), &again)
		p.note("again: "+again.String(), got.code, got.String(), pl)
		right := got.replayed && got.status == e.answer.status && got.body == e.answer.body
		if conflict {
			right = got.code == "P409" && got.text("objectId") == e.object
		}
		switch {
		case pl.took > 0:
			return fmt.Errorf("I6: %s: a repetition changed something, and was answered %s", &again, got)
		case right:
			return nil
		case got.code != "P501" || !p.excused(n, before):
			return fmt.Errorf("I6: %s: answered %s at first, and repeated (as another request: %t) %s", &again, e.answer, conflict, got)
		}
	}
}

// read compares what the API shows with the model.
func (p *player) read() error {
	q := p.party()
	if e := p.someEnded(); e != nil && p.rng.IntN(2) == 0 {
		return p.readObject(e.party, e, wish{check: func(got answer) error {
			if !strings.Contains(got.body, e.object) {
				return fmt.Errorf("I5: %s was acknowledged, and is shown as %s", e.object, got)
			}
			return nil
		}})
	}
	o := p.someOwner(q)
	path, code := "/v1/partner/balances", ""
	if o.name != "" {
		path = "/v1/user/balances/" + o.name
		code = p.model.mayRead(o)
	}
	_, err := p.ask(&request{party: q, method: http.MethodGet, path: path}, wish{code: code, check: func(got answer) error {
		var shown struct {
			FiatBalances []struct{ Amount, HeldAmount string }
		}
		f := p.model.figures[o.account("balance")]
		if err := json.Unmarshal([]byte(got.body), &shown); err != nil || len(shown.FiatBalances) != 1 {
			return fmt.Errorf("the balances of %v are shown as %s", o, got)
		}
		if b := shown.FiatBalances[0]; b.Amount != euros(f.posted-f.held) || b.HeldAmount != euros(f.held) {
			return fmt.Errorf("the balances of %v are shown as %s, want %+v", o, got, f)
		}
		return nil
	}})
	return err
}

// readObject reads what a request made, as a partner.
func (p *player) readObject(q *party, e *ended, want wish) error {
	paths := map[string]string{
		"/v1/transfer": "/v1/transfer/details/", "/v1/sandbox/sepa-deposit": "/v1/sepa-deposit/details/",
		"/v1/sepa-transfer": "/v1/sepa-transfer/details/", "/v1/partner/sepa-transfer": "/v1/sepa-transfer/details/",
		"/v1/exchange": "/v1/exchange/details/", "/v1/partner/exchange": "/v1/partner/exchange/details/",
	}
	path, ok := paths[e.path]
	if !ok {
		return nil
	}
	_, err := p.ask(&request{party: q, method: http.MethodGet, path: path + e.object}, want)
	return err
}

// readForeign asks for what belongs to another partner: it must not exist.
func (p *player) readForeign() error {
	e := p.someEnded()
	others := slices.DeleteFunc(slices.Clone(p.parties), func(q *party) bool { return e == nil || q.id == e.party.id })
	if len(others) == 0 {
		return nil
	}
	codes := map[string]string{
		"/v1/transfer": "P417", "/v1/sandbox/sepa-deposit": "P428", "/v1/exchange": "P414", "/v1/partner/exchange": "P414",
		"/v1/sepa-transfer": "P428", "/v1/partner/sepa-transfer": "P428",
	}
	return p.readObject(others[p.rng.IntN(len(others))], e, wish{code: codes[e.path]})
}

// sortedKeys are a map's keys in an order that does not change from run to run.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
