package httpapi

import (
	"net/http"
	"strconv"

	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/user"
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

// terms reads what a partner's settings say of exchanges. They were checked when they were made.
func (a *api) terms(p partner.Partner) (exchange.Terms, error) {
	fees, err := a.Catalog.FeesWith(p.Settings.Family("fees."))
	if err != nil {
		return exchange.Terms{}, err
	}
	t := exchange.Terms{Pins: pins(p), Fee: fees.Exchange}
	if t.Markup, err = money.ParsePercent(p.Settings.Text("markup.exchange")); err != nil {
		return t, err
	}
	if t.LocksPerMinute, err = strconv.Atoi(p.Settings.Text("locks.perMinute")); err != nil {
		return t, err
	}
	for slug, text := range p.Settings.Family("exchange.max.") {
		c, ok := a.Catalog.Currency(slug)
		if !ok {
			continue
		}
		if t.Max == nil {
			t.Max = map[string]money.Amount{}
		}
		if t.Max[slug], err = money.Parse(text, c); err != nil {
			return t, err
		}
	}
	return t, nil
}

// GetPartnerExchangeLock locks the rates for the partner itself.
func (a *api) GetPartnerExchangeLock(w http.ResponseWriter, r *http.Request) {
	a.lock(w, r, "getPartnerExchangeLock", "")
}

// GetExchangeLock locks the rates for a user.
func (a *api) GetExchangeLock(w http.ResponseWriter, r *http.Request, externalUserID string) {
	a.lock(w, r, "getExchangeLock", externalUserID)
}

func (a *api) lock(w http.ResponseWriter, r *http.Request, operation, externalUserID string) {
	if err := a.validateParams(r, operation); err != nil {
		a.fail(w, r, err)
		return
	}
	terms, err := a.terms(caller(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	l, err := a.Exchange.Lock(r.Context(), caller(r).ID, externalUserID, terms)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, oas.RateLock{
		Id: l.ID.String(), Rates: showRates(l.Rates), FeePercentage: contract.Number(l.Fee.String()),
		CreatedAt: clock.Format(l.CreatedAt), ValidUntil: clock.Format(l.ValidUntil),
	})
}

// CreatePartnerExchange exchanges money of the partner itself.
func (a *api) CreatePartnerExchange(w http.ResponseWriter, r *http.Request, _ oas.CreatePartnerExchangeParams) {
	change(a, w, r, "createPartnerExchange", func(tx *db.Tx, p partner.Partner, body oas.NewExchange) (result, error) {
		return a.exchange(tx, p, oas.NewUserExchange{
			Amount: body.Amount, CurrencyFrom: body.CurrencyFrom, CurrencyTo: body.CurrencyTo, LockId: body.LockId,
			Reference: body.Reference, Metadata: body.Metadata,
		})
	})
}

// CreateExchange exchanges a user's money.
func (a *api) CreateExchange(w http.ResponseWriter, r *http.Request, _ oas.CreateExchangeParams) {
	change(a, w, r, "createExchange", a.exchange)
}

func (a *api) exchange(tx *db.Tx, p partner.Partner, body oas.NewUserExchange) (result, error) {
	amount, _, err := a.amount(body.Amount, string(body.CurrencyFrom))
	if err != nil {
		return result{}, err
	}
	to, ok := a.Catalog.Currency(string(body.CurrencyTo))
	if !ok {
		return result{}, fault.New(fault.InvalidCurrency)
	}
	terms, err := a.terms(p)
	if err != nil {
		return result{}, err
	}
	// What is no id is the id of no lock.
	lock, _ := clock.ParseID(body.LockId)
	x, err := a.Exchange.Create(tx, p.ID, exchange.Create{
		User: body.SourceExternalUserId, Amount: amount, To: to, Lock: lock, Reference: value(body.Reference), Metadata: body.Metadata,
	}, terms)
	return result{
		status: http.StatusOK, body: oas.ExchangeCreated{ExchangeId: x.ID.String()}, object: x.ID, lasting: true,
	}, err
}

// GetExchange answers the details of an exchange, of the partner or of a user.
func (a *api) GetExchange(w http.ResponseWriter, r *http.Request, exchangeID string) {
	read(a, w, r, "getExchange", func(rd db.Reader, p partner.Partner) (oas.Exchange, error) {
		id, err := clock.ParseID(exchangeID)
		if err != nil {
			return oas.Exchange{}, fault.New(fault.ExchangeNotFound)
		}
		x, err := a.Exchange.Find(rd, p.ID, id)
		if err != nil {
			return oas.Exchange{}, err
		}
		contacts, err := user.Contacts(rd, p.ID, x.Owner)
		return showExchange(x, contacts), err
	})
}

// GetPartnerExchange is GetExchange under the other path.
func (a *api) GetPartnerExchange(w http.ResponseWriter, r *http.Request, exchangeID string) {
	a.GetExchange(w, r, exchangeID)
}

// showExchange shows an exchange to its partner, who knows the user by the contact.
func showExchange(x exchange.Exchange, contacts map[clock.ID]user.Contact) oas.Exchange {
	at := clock.Format(x.CreatedAt)
	out := oas.Exchange{
		ExchangeId: x.ID.String(), Status: exchange.Completed,
		CurrencyFrom: oas.Currency(x.From.Currency().Code), CurrencyTo: oas.Currency(x.To.Currency().Code),
		AmountFrom: contract.Number(x.From.Number()), AmountTo: contract.Number(x.To.Number()),
		RateFrom: contract.Number(x.RateFrom.String()), RateTo: contract.Number(x.RateTo.String()),
		FeePercentage: contract.Number(x.FeePercent.String()), Fee: contract.Number(x.Fee.Number()),
		LockId: x.Lock.String(), CreatedAt: at, CompletedAt: &at, Reference: optional(x.Reference), Metadata: x.Metadata,
	}
	if c, ok := contacts[x.Owner]; ok {
		out.ExternalUserId = &c.ExternalID
	}
	return out
}
