package httpapi

import (
	"encoding/json"
	"net/http"

	"kontor/internal/catalog"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/ledger"
	"kontor/internal/partner"
	"kontor/internal/user"
)

// GetPartnerBalances answers the partner's own balances.
func (a *api) GetPartnerBalances(w http.ResponseWriter, r *http.Request) {
	read(a, w, r, "getPartnerBalances", func(rd db.Reader, p partner.Partner) (oas.Balances, error) {
		account, err := a.SEPA.FindAccount(rd, p.ID, ledger.PartnerItself)
		if err != nil {
			return oas.Balances{}, err
		}
		states, err := ledger.Balances(rd, p.ID, ledger.PartnerItself, a.Catalog.Currency)
		if err != nil {
			return oas.Balances{}, err
		}
		number := string(account.IBAN)
		return a.show(p, states, fiatState{status: "ACTIVE", iban: &number})
	})
}

// GetUserBalances answers a user's balances.
func (a *api) GetUserBalances(w http.ResponseWriter, r *http.Request, externalUserID string) {
	read(a, w, r, "getUserBalances", func(rd db.Reader, p partner.Partner) (json.RawMessage, error) {
		b, err := a.userBalances(rd, p, externalUserID)
		if err != nil {
			return nil, err
		}
		return writeUserBalances(b), nil
	})
}

// GetUserBalancesAlias is GetUserBalances under the other documented path.
func (a *api) GetUserBalancesAlias(w http.ResponseWriter, r *http.Request, externalUserID string) {
	a.GetUserBalances(w, r, externalUserID)
}

func (a *api) userBalances(rd db.Reader, p partner.Partner, externalUserID string) (oas.UserBalances, error) {
	h, err := user.FindHoldings(rd, p.ID, externalUserID, a.Catalog.Currency)
	if err != nil {
		return oas.UserBalances{}, err
	}
	if !h.KYC {
		return a.balancesWithoutKYC(p, h)
	}
	var poaRequired bool
	fiat := fiatState{status: waiting(p)}
	if !h.ActivatedAt.IsZero() { // whose proof of address, if one was required, is there
		account, err := a.SEPA.FindAccount(rd, p.ID, h.Owner)
		hasNone := err != nil && fault.From(err).Code == fault.BalanceNotActive // where the user lives none is given
		if err != nil && !hasNone {
			return oas.UserBalances{}, err
		}
		fiat = fiatState{status: "ACTIVE", iban: optional(string(account.IBAN))}
	} else {
		person, err := a.Users.FindPerson(rd, user.User{Partner: p.ID, ID: h.Owner})
		if err != nil {
			return oas.UserBalances{}, err
		}
		poaRequired = a.poaRequired(p, person.Country)
	}
	b, err := a.show(p, h.Balances, fiat)
	return oas.UserBalances{
		UserId: h.Owner.String(), PoaRequired: poaRequired,
		FiatBalances: b.FiatBalances, CryptoBalances: b.CryptoBalances,
	}, err
}

// balancesWithoutKYC shows a user of the older model: no fiat balance beside the coins, and the flat list of all.
func (a *api) balancesWithoutKYC(p partner.Partner, h user.Holdings) (oas.UserBalances, error) {
	b, err := a.show(p, h.Balances, fiatState{})
	return oas.UserBalances{
		UserId: h.Owner.String(), FiatBalances: []oas.FiatBalance{}, CryptoBalances: b.CryptoBalances, Balances: flat(b),
	}, err
}

// flat shows balances as the older model lists them: all in one, the euro without networks.
func flat(b oas.Balances) []oas.Balance {
	all := []oas.Balance{}
	for _, f := range b.FiatBalances {
		all = append(all, oas.Balance{Id: f.Id, Amount: f.Amount, Name: f.Name, Rate: f.Rate})
	}
	for _, c := range b.CryptoBalances {
		all = append(all, oas.Balance{
			Id: c.Id, Amount: c.Amount, Name: c.Name, Wallet: c.Wallet, Rate: c.Rate, NetworkConfig: c.NetworkConfig,
		})
	}
	return all
}

// waiting is the word for a fiat balance that is not active yet, which the older documentation spells
// differently.
func waiting(p partner.Partner) string {
	if p.Settings.Text("wording") == "older" {
		return "WAITING_TO_BE_ACTIVATED"
	}
	return "WAITING_FOR_ACTIVATION"
}

// poaRequired tells whether a user of a country needs a proof of address.
func (a *api) poaRequired(p partner.Partner, country string) bool {
	switch p.Settings.Text("poa.required") {
	case "always":
		return true
	case "never":
		return false
	}
	c, ok := a.Catalog.Country(country)
	return ok && c.POA
}

// fiatState is what a fiat balance shows beside its amount.
type fiatState struct {
	status string
	iban   *string
}

// show puts balances, by currency slug, in the order of the catalogue. The rate of a currency that never had a
// price is 0.
func (a *api) show(p partner.Partner, states map[string]ledger.State, fiat fiatState) (oas.Balances, error) {
	rates := a.Exchange.Rates(pins(p))
	out := oas.Balances{FiatBalances: []oas.FiatBalance{}, CryptoBalances: []oas.CryptoBalance{}}
	for _, entry := range a.Catalog.Currencies() {
		state, ok := states[entry.Code]
		if !ok {
			continue
		}
		available, err := state.Available()
		if err != nil {
			return oas.Balances{}, err
		}
		id, rate := state.Account.String(), contract.Number(rates[entry.Code].String())
		if entry.Kind == catalog.Fiat {
			out.FiatBalances = append(out.FiatBalances, oas.FiatBalance{
				Id: id, Amount: available.String(), HeldAmount: state.Held.String(), Name: oas.Currency(entry.Code),
				Rate: rate, Iban: fiat.iban, Status: oas.FiatBalanceStatus(fiat.status),
			})
			continue
		}
		out.CryptoBalances = append(out.CryptoBalances, oas.CryptoBalance{
			Id: id, Amount: available.String(), HeldAmount: state.Held.String(), Name: oas.Currency(entry.Code),
			Rate: rate, NetworkConfig: a.networks[entry.Code],
		})
	}
	return out, nil
}

// showNetworks writes down, for each coin, its networks by key. They stay the same as long as the program runs.
func showNetworks(all *catalog.Catalog, mainnet bool) map[string]json.RawMessage {
	shown := map[string]json.RawMessage{}
	for _, entry := range all.Currencies() {
		configs := map[string]oas.NetworkConfig{}
		for _, n := range entry.Networks {
			config := oas.NetworkConfig{Mainnet: mainnet, Name: n.StagingName}
			if mainnet {
				config.Name = n.Name
			}
			config.Withdrawal.FeeWithdrawal = contract.Number(n.FeeWithdrawal.Number())
			config.Withdrawal.MinWithdrawal = contract.Number(n.MinWithdrawal.Number())
			config.Deposit.MinDeposit = contract.Number(n.MinDeposit.Number())
			configs[n.Key] = config
		}
		text, err := json.Marshal(configs)
		if err != nil {
			panic(err) // an amount is always a number
		}
		shown[entry.Code] = text
	}
	return shown
}
