package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/iban"
	"kontor/internal/money"
	"kontor/internal/sepa"
)

// sender draws who pays in: mostly the owner.
func (p *player) sender() string {
	all := []string{same, same, same, same, same, same, same, unsure, stranger, refusing}
	return all[p.rng.IntN(len(all))]
}

// order orders a SEPA transfer, and chooses what becomes of it.
func (p *player) order() error {
	q := p.party()
	from := p.someOwner(q)
	o := order{owner: from, cents: p.cents(), fee: sepaFee, due: p.clock.Now().Add(bankDelay)}
	title := "Test"
	switch p.rng.IntN(8) {
	case 0, 1:
		title, o.rejected = "SANDBOX-REJECT-AC04", true
	case 2, 3:
		kept := p.rng.Int64N(3)
		title, o.back = fmt.Sprintf("SANDBOX-RETURN-MD06-%d", kept), max(1, o.cents-kept)
		o.due = o.due.Add(bankDelay)
	case 4:
		title, o.hangs = "SANDBOX-HANG", true
	}
	body := map[string]any{"amount": euros(o.cents), "currency": "eur", "destinationIban": elsewhere, "transferTitle": title}
	if q.level == "2" {
		body["receiverType"], body["companyName"] = "LEGAL", "Test Company"
	}
	path := "/v1/partner/sepa-transfer"
	if from.name != "" {
		path, body["sourceExternalUserId"] = "/v1/sepa-transfer", from.name
	}
	r := &request{party: q, method: http.MethodPost, path: path, key: p.newKey(), body: encode(body), lasting: true}
	return p.change(r, member("transferId"), wish{
		code:   p.model.mayOrder(from, q.level),
		effect: func(m *model, got answer) { m.order(got.text("transferId"), o) },
	})
}

// pay lets the bank get a payment of which nobody is told before it is booked. Without a number it is nobody's. No fault
// is meant for it; in a concurrent history one can hit a neighbour in the same group.
func (p *player) pay(number, name string, cents int64) (e sepa.Entry, err error) {
	for n := 0; ; n++ {
		pl, before := &plan{}, p.faults.past()
		err = p.app.DB.Update(pl.under(context.Background()), func(tx *db.Tx) error {
			e, err = p.app.SandboxBank.Pay(tx, sepa.Incoming{
				IBAN: iban.IBAN(number), Title: "Test", Amount: money.New(cents, euro), SenderName: name, SenderIBAN: elsewhere,
			})
			return err
		})
		p.note(fmt.Sprintf("the bank gets %d for %q", cents, number), codeOf(err), errorText(err), pl)
		switch {
		case pl.took > 0:
			return e, nil
		case codeOf(err) != "P501" || !p.excused(n, before):
			return e, err
		}
	}
}

// payUnannounced lets a payment arrive for an owner, or for nobody.
func (p *player) payUnannounced() error {
	_, err := p.arrive(p.clock.Now().Add(bankDelay))
	return err
}

// arrive lets a payment arrive that is booked at a moment.
func (p *player) arrive(due time.Time) (sepa.Entry, error) {
	q := p.party()
	o := p.someOwner(q)
	cents, sender := p.cents(), p.sender()
	number, err := p.iban(q, o)
	if err != nil {
		return sepa.Entry{}, err
	}
	if number == "" {
		o = q.owner("user-0") // there is none, and users have the same name but for the number
	}
	e, err := p.pay(number, senderName(o, sender), cents)
	if err != nil {
		return e, err
	}
	p.lines = append(p.lines, e)
	if number == "" {
		p.model.drawn++
		p.model.nobodys[e.Reference] = payment{cents: cents, due: due, sender: sender, number: p.model.drawn}
		return e, nil
	}
	p.model.deposits[sepa.DepositID(e).String()] = p.model.fresh(deposit{owner: o, cents: cents, due: due, sender: sender, quiet: true})
	return e, nil
}

// told are the payments that the bank has booked.
func (p *player) told() []sepa.Entry {
	return slices.DeleteFunc(slices.Clone(p.lines), func(e sepa.Entry) bool {
		_, due := p.model.deposits[sepa.DepositID(e).String()]
		n, nobodys := p.model.nobodys[e.Reference]
		return due || nobodys && !n.booked
	})
}

// tellAgain has the bank tell once more of payments that it has told, some of them twice: nothing happens.
func (p *player) tellAgain() error {
	told := p.told()
	if len(told) == 0 {
		return nil
	}
	var some []sepa.Entry
	for range 1 + p.rng.IntN(6) {
		some = append(some, told[p.rng.IntN(len(told))])
	}
	took, err := p.bookLines(some)
	if err == nil && took > 0 {
		err = fmt.Errorf("I6: payments were told again, and %d transactions took effect", took)
	}
	return err
}

// bookLines tells of payments until that is taken.
func (p *player) bookLines(lines []sepa.Entry) (took int, err error) {
	for n := 0; ; n++ {
		pl, before := p.plan(n), p.faults.past()
		err := p.app.API.SEPA.Book(pl.under(context.Background()), lines)
		took += pl.took
		p.note(fmt.Sprintf("the bank tells of %d payments", len(lines)), codeOf(err), errorText(err), pl)
		if err == nil || !p.excused(n, before) {
			return took, err
		}
	}
}

// late is from when on in a day a statement is not told before the bank has booked it: the bank would close the day
// without it.
const late = 20

// bookStatement has the bank tell of several payments at once, some of them twice, and once more when it books them.
func (p *player) bookStatement() error {
	if p.clock.Now().UTC().Hour() >= late {
		return nil
	}
	var lines []sepa.Entry
	for range 2 + p.rng.IntN(5) {
		e, err := p.arrive(p.clock.Now())
		if err != nil {
			return err
		}
		lines = append(lines, e)
		if p.rng.IntN(3) == 0 {
			lines = append(lines, e)
		}
	}
	if _, err := p.bookLines(lines); err != nil {
		return err
	}
	p.clock.jump(bankDelay)
	return p.workOff()
}

// oldest are the keys of what was made first, in that order.
func oldest[V any](of map[string]V, number func(V) int) []string {
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int { return number(of[a]) - number(of[b]) })
}

// decideSuspense decides about a deposit that waits on suspense.
func (p *player) decideSuspense() error {
	all := oldest(p.model.stuck, func(d deposit) int { return d.number })
	if len(all) == 0 {
		return nil
	}
	id := all[p.rng.IntN(len(all))]
	d := p.model.stuck[id]
	parsed, err := clock.ParseID(id)
	if err != nil {
		return err
	}
	verdict, want := sepa.GiveBack, ""
	if p.rng.IntN(3) > 0 {
		verdict = sepa.Release
		if !p.model.fits(d.owner) {
			want = "not now"
		}
	}
	return p.perform(deed{
		what: fmt.Sprintf("deposit %d of %v: %s", d.number, d.owner, verdict), want: want,
		do: func(ctx context.Context) error { return p.officer(ctx, parsed, verdict, sepa.Target{}) },
		happened: func() (happened bool, err error) {
			err = p.app.DB.View(calm(), func(r db.Reader) error {
				now, err := p.app.API.SEPA.FindDeposit(r, d.partner, parsed)
				happened = now.Status != sepa.DepositSuspended
				return err
			})
			return happened, err
		},
		effect: func(m *model) {
			if verdict == sepa.Release {
				m.give(id, d, d.itself().account("suspense"))
				return
			}
			d.due = p.clock.Now().Add(bankDelay)
			m.refuse(id, d)
		},
	})
}

func (p *player) officer(ctx context.Context, item clock.ID, verdict compliance.Verdict, to sepa.Target) error {
	_, err := p.app.API.SEPA.Decide(ctx, sepa.Decision{Item: item, Officer: persons[0], Verdict: verdict, Reason: "test", To: to})
	return err
}

// someNobodys is a payment that is nobody's and waits for a decision.
func (p *player) someNobodys() (reference string, id clock.ID, err error) {
	all := slices.DeleteFunc(oldest(p.model.nobodys, func(n payment) int { return n.number }), func(reference string) bool {
		return !p.model.nobodys[reference].booked || p.model.nobodys[reference].back
	})
	if len(all) == 0 {
		return "", id, nil
	}
	reference = all[p.rng.IntN(len(all))]
	const many = 10_000
	err = p.app.DB.View(calm(), func(r db.Reader) error {
		items, err := p.app.API.SEPA.ListItems(r, sepa.ItemFilter{Limit: many})
		for _, it := range items {
			if it.Reference == reference {
				id = it.ID
			}
		}
		return err
	})
	if err == nil && id.IsZero() {
		err = errors.New("a payment that is nobody's is not shown to officers")
	}
	return reference, id, err
}

// settled tells whether a decision about a payment that is nobody's took effect.
func (p *player) settled(id clock.ID) func() (bool, error) {
	return func() (settled bool, err error) {
		err = p.app.DB.View(calm(), func(r db.Reader) error {
			it, err := p.app.API.SEPA.FindItem(r, id)
			settled = it.State != sepa.ItemWaiting
			return err
		})
		return settled, err
	}
}

func (p *player) sendNobodysBack() error {
	reference, id, err := p.someNobodys()
	if err != nil || reference == "" {
		return err
	}
	return p.perform(deed{
		what:     fmt.Sprintf("payment %d of nobody goes back", p.model.nobodys[reference].number),
		do:       func(ctx context.Context) error { return p.officer(ctx, id, sepa.GiveBack, sepa.Target{}) },
		happened: p.settled(id),
		effect: func(m *model) {
			n := m.nobodys[reference]
			n.back, n.due = true, p.clock.Now().Add(bankDelay)
			m.nobodys[reference] = n
		},
	})
}

// assign gives a payment that is nobody's to a user. From then on it is a deposit like others.
func (p *player) assign() error {
	q := p.party()
	o := p.someUser(q)
	reference, id, err := p.someNobodys()
	if err != nil || reference == "" {
		return err
	}
	n := p.model.nobodys[reference]
	want := ""
	if !p.model.users[o].active || p.model.users[o].deleted {
		want = "not now"
	}
	i := slices.IndexFunc(p.lines, func(e sepa.Entry) bool { return e.Reference == reference })
	err = p.perform(deed{
		what: fmt.Sprintf("payment %d of nobody becomes one of %v", n.number, o), want: want,
		do: func(ctx context.Context) error {
			return p.officer(ctx, id, sepa.Assign, sepa.Target{Partner: q.id, User: o.name})
		},
		happened: p.settled(id),
		effect: func(m *model) {
			delete(m.nobodys, reference)
			m.ends["nobody's payment assigned"]++
			m.move(operator.account("suspense"), operator.account("clearing"), n.cents)
			d := m.fresh(deposit{owner: o, cents: n.cents, sender: n.sender, quiet: true, due: p.clock.Now().Add(bankDelay)})
			m.arrive(sepa.DepositID(p.lines[i]).String(), d)
		},
	})
	if err != nil {
		return err
	}
	return p.workOff()
}

// verifyAgain lets a deposit wait for a user whose document expired, and verifies the user again.
func (p *player) verifyAgain() error {
	q := p.party()
	q.users++
	o := q.owner(fmt.Sprintf("user-%d", q.users))
	steps := []struct{ path, what string }{{expired, "expires"}, {"", "is paid"}, {accepted, "is verified again"}}
	r := &request{party: q, method: http.MethodPost, path: "/v1/user/balances/crypto-and-fiat", key: p.newKey(), body: newUser(o.name)}
	if err := p.change(r, member("userId"), wish{effect: func(m *model, got answer) { m.create(o, got.text("userId")) }}); err != nil {
		return err
	}
	for _, s := range steps {
		if err := p.verifyStep(q, o, s.path); err != nil {
			return fmt.Errorf("%v %s: %w", o, s.what, err)
		}
	}
	return nil
}

// verifyStep lets a user's identity be checked with a document, or without one money arrive, and works that off.
func (p *player) verifyStep(q *party, o owner, document string) error {
	if document == "" {
		number, err := p.iban(q, o)
		if err != nil {
			return err
		}
		cents, sender := p.cents(), p.sender()
		e, err := p.pay(number, senderName(o, sender), cents)
		if err != nil {
			return err
		}
		p.lines = append(p.lines, e)
		due := p.clock.Now().Add(bankDelay)
		p.model.deposits[sepa.DepositID(e).String()] = p.model.fresh(deposit{owner: o, cents: cents, due: due, sender: sender, quiet: true})
		return p.workOff()
	}
	r := &request{
		party: q, method: http.MethodPost, path: "/v1/sandbox/user/" + o.name + "/activate", key: p.newKey(),
		body: encode(map[string]string{"documentNumber": document + "-" + o.name}),
	}
	err := p.change(r, func(answer) string { return p.model.users[o].id }, wish{effect: func(m *model, _ answer) { m.decide(o, document) }})
	if err != nil {
		return err
	}
	return p.workOff()
}
