package httpapi

import (
	"encoding/json"
	"testing"

	"kontor/internal/httpapi/oas"
)

// Each member has another value, so that none can stand for another one.
func TestBalancesAreWrittenAsTheirTypesSay(t *testing.T) {
	t.Parallel()
	number, wallet := "LT909999937614073895", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
	networks := json.RawMessage(`{"ethereum":{"mainnet":false,"name":"sepolia"}}`)
	fiat := []oas.FiatBalance{
		{Id: "f1", Amount: "1.00", Name: "eur", Rate: "1", Iban: &number, Status: "ACTIVE", HeldAmount: "0.10"},
		{Id: "f2", Amount: "2.00", Name: "eur", Rate: "1.5", Status: "WAITING_FOR_ACTIVATION", HeldAmount: "0.20"},
	}
	crypto := []oas.CryptoBalance{
		{Id: "c1", Amount: "0.00000003", Name: "eth", Wallet: &wallet, Rate: "3120.55", NetworkConfig: networks, HeldAmount: "0.4"},
		{Id: "c2", Amount: "5", Name: "btc", Rate: "0", NetworkConfig: json.RawMessage(`{}`), HeldAmount: "0.6"},
	}
	older := []oas.Balance{
		{Id: "b1", Amount: "7.00", Name: "eur", Rate: "1"},
		{Id: "b2", Amount: "8", Name: "eth", Wallet: &wallet, Rate: "2", NetworkConfig: networks},
	}
	for _, b := range []oas.UserBalances{
		{UserId: "u1", PoaRequired: true, FiatBalances: fiat, CryptoBalances: crypto, Balances: older},
		{UserId: `"u2"`, FiatBalances: fiat[:1], CryptoBalances: crypto[:1]},
		{UserId: "u3", FiatBalances: []oas.FiatBalance{}, CryptoBalances: []oas.CryptoBalance{}},
	} {
		want, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := writeUserBalances(b); string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
