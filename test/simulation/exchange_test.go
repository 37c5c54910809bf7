package simulation

import (
	"fmt"
	"net/http"
)

// Exchanges are between euros and bitcoin, at a price that each partner has pinned.
const bitcoinPrice = "50000"

// exchange is what somebody wants to exchange: cents, or satoshis.
type exchange struct {
	owner
	amount int64
	buys   bool // bitcoin
}

// accounts are the purposes of the accounts of a currency. Those of euros have no prefix.
func (x exchange) accounts() (from, to string) {
	if x.buys {
		return "", "btc "
	}
	return "btc ", ""
}

// fee is 1.49 % of the amount.
func (x exchange) fee() int64 { return x.amount * 149 / 10_000 }

// received is the rest at the price: a cent is 20 satoshis.
func (x exchange) received() int64 {
	if x.buys {
		return x.amount * 9_851 * 20 / 10_000
	}
	return x.amount * 9_851 / (20 * 10_000)
}

func (m *model) mayExchange(x exchange) string {
	if code := m.fit(x.owner, x.owner); code != "" {
		return code
	}
	if x.received() == 0 {
		return "P430"
	}
	if x.buys {
		return m.mayPay(x.owner, x.amount)
	}
	if m.figures[x.account("btc balance")].posted < x.amount {
		return "P433"
	}
	return ""
}

func (m *model) exchange(id string, x exchange) {
	from, to := x.accounts()
	balance := x.account(from + "balance")
	m.move(balance, x.itself().account(from+"fees"), x.fee())
	m.move(balance, x.itself().account(from+"liquidity"), x.amount-x.fee())
	if paying := x.itself().account(to + "liquidity"); x.buys {
		m.move(paying, x.account("btc balance"), x.received())
	} else {
		m.credit(paying, x.owner, x.received())
	}
	m.tell(id, "exchange")
}

// exchange locks rates and uses them up. Whoever has bitcoin mostly sells some of it.
func (p *player) exchange() error {
	q := p.party()
	x := exchange{owner: p.someOwner(q), amount: p.cents(), buys: true}
	if there := p.model.figures[x.account("btc balance")].posted; there > 0 && p.rng.IntN(3) > 0 || p.rng.IntN(10) == 0 {
		x.amount, x.buys = 1+p.rng.Int64N(there+there/10+30), false
	}
	lock, path := "/v1/partner/exchange/get-lock", "/v1/partner/exchange"
	body := map[string]any{"amount": euros(x.amount), "currencyFrom": "eur", "currencyTo": "btc"}
	if !x.buys {
		body = map[string]any{"amount": fmt.Sprintf("%d.%08d", x.amount/1e8, x.amount%1e8), "currencyFrom": "btc", "currencyTo": "eur"}
	}
	if x.name != "" {
		lock, path = "/v1/exchange/get-lock/"+x.name, "/v1/exchange"
		body["sourceExternalUserId"] = x.name
	}
	code := ""
	if x.name != "" {
		code = p.model.mayRead(x.owner)
	}
	got, err := p.ask(&request{party: q, method: http.MethodGet, path: lock}, wish{code: code})
	if err != nil {
		return err
	}
	if body["lockId"] = got.text("id"); code != "" {
		body["lockId"] = "00000000-0000-7000-8000-000000000000"
	}
	r := &request{party: q, method: http.MethodPost, path: path, key: p.newKey(), body: encode(body), lasting: true}
	return p.change(r, member("exchangeId"), wish{
		code:   p.model.mayExchange(x),
		effect: func(m *model, got answer) { m.exchange(got.text("exchangeId"), x) },
	})
}
