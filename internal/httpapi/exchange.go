package httpapi

import (
	"net/http"

	"kontor/internal/contract"
	"kontor/internal/exchange"
	"kontor/internal/httpapi/oas"
	"kontor/internal/money"
	"kontor/internal/partner"
)

// GetExchangeRates answers the rates of the moment, from memory.
func (a *api) GetExchangeRates(w http.ResponseWriter, r *http.Request) {
	quote, err := a.Exchange.Quote(pins(caller(r)))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, oas.ExchangeRates(showRates(quote.Rates)))
}

// GetPartnerExchangeRates is GetExchangeRates under the other path.
func (a *api) GetPartnerExchangeRates(w http.ResponseWriter, r *http.Request) {
	a.GetExchangeRates(w, r)
}

func showRates(rates map[string]money.Rate) map[string]contract.Number {
	out := make(map[string]contract.Number, len(rates))
	for slug, rate := range rates {
		out[slug] = contract.Number(rate.String())
	}
	return out
}

// pinned begins the settings that pin prices; away is the value of one that takes a market away.
const (
	pinned = "sandbox.rate."
	away   = "off"
)

// pins reads the prices that a partner has pinned in the sandbox.
func pins(p partner.Partner) exchange.Pins {
	texts := p.Settings.Family(pinned)
	if len(texts) == 0 {
		return nil
	}
	all := exchange.Pins{}
	for slug, text := range texts {
		all[slug] = exchange.Away
		if rate, err := money.ParseRate(text); err == nil {
			all[slug] = rate
		}
	}
	return all
}
