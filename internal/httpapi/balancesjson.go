package httpapi

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"kontor/internal/httpapi/oas"
)

// Balances are what partners ask for most often. They are written without reflection, which took an eighth of the time of
// such a request. A test holds this against what encoding/json makes of the contract's types.

const balancesRoom = 4 << 10 // bytes; eight balances take 2,400

func writeUserBalances(b oas.UserBalances) json.RawMessage {
	out := appendText(append(make([]byte, 0, balancesRoom), `{"userId":`...), b.UserId)
	out = append(out, `,"poaRequired":`...)
	out = strconv.AppendBool(out, b.PoaRequired)
	out = appendList(append(out, `,"fiatBalances":`...), b.FiatBalances, appendFiatBalance)
	out = appendList(append(out, `,"cryptoBalances":`...), b.CryptoBalances, appendCryptoBalance)
	if len(b.Balances) > 0 {
		out = appendList(append(out, `,"balances":`...), b.Balances, appendBalance)
	}
	return append(out, '}')
}

func appendFiatBalance(out []byte, b oas.FiatBalance) []byte {
	out = appendText(append(out, `{"id":`...), b.Id)
	out = appendText(append(out, `,"amount":`...), b.Amount)
	out = appendText(append(out, `,"name":`...), b.Name)
	out = append(append(out, `,"rate":`...), b.Rate...)
	out = appendOptional(append(out, `,"iban":`...), b.Iban)
	out = appendText(append(out, `,"status":`...), b.Status)
	out = appendText(append(out, `,"heldAmount":`...), b.HeldAmount)
	return append(out, '}')
}

func appendCryptoBalance(out []byte, b oas.CryptoBalance) []byte {
	out = appendText(append(out, `{"id":`...), b.Id)
	out = appendText(append(out, `,"amount":`...), b.Amount)
	out = appendText(append(out, `,"name":`...), b.Name)
	out = appendOptional(append(out, `,"wallet":`...), b.Wallet)
	out = append(append(out, `,"rate":`...), b.Rate...)
	out = append(append(out, `,"networkConfig":`...), b.NetworkConfig...)
	out = appendText(append(out, `,"heldAmount":`...), b.HeldAmount)
	return append(out, '}')
}

func appendBalance(out []byte, b oas.Balance) []byte {
	out = appendText(append(out, `{"id":`...), b.Id)
	out = appendText(append(out, `,"amount":`...), b.Amount)
	out = appendText(append(out, `,"name":`...), b.Name)
	out = appendOptional(append(out, `,"wallet":`...), b.Wallet)
	out = append(append(out, `,"rate":`...), b.Rate...)
	if len(b.NetworkConfig) > 0 {
		out = append(append(out, `,"networkConfig":`...), b.NetworkConfig...)
	}
	return append(out, '}')
}

func appendList[T any](out []byte, all []T, one func([]byte, T) []byte) []byte {
	out = append(out, '[')
	for i, item := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = one(out, item)
	}
	return append(out, ']')
}

func appendOptional(out []byte, text *string) []byte {
	if text == nil {
		return append(out, "null"...)
	}
	return appendText(out, *text)
}

// appendText writes a JSON string. Ids, amounts and names of currencies are always valid UTF-8,
// which is all that quoting can miss.
func appendText[T ~string](out []byte, text T) []byte {
	out, _ = jsontext.AppendQuote(out, text)
	return out
}
