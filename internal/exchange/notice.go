package exchange

import (
	"encoding/json"

	"kontor/internal/clock"
)

// Notice is the body of the Exchange webhook.
type Notice struct {
	ExchangeID     string            `json:"exchangeId"`
	ExternalUserID string            `json:"externalUserId,omitempty"`
	Status         string            `json:"status"`
	CurrencyFrom   string            `json:"currencyFrom"`
	CurrencyTo     string            `json:"currencyTo"`
	AmountFrom     json.Number       `json:"amountFrom"`
	AmountTo       json.Number       `json:"amountTo"`
	Fee            json.Number       `json:"fee"`
	CreatedAt      string            `json:"createdAt"`
	Reference      string            `json:"reference,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
}

func (x Exchange) notice() Notice {
	return Notice{
		ExchangeID: x.ID.String(), ExternalUserID: x.externalUserID, Status: Completed,
		CurrencyFrom: x.From.Currency().Code, CurrencyTo: x.To.Currency().Code,
		AmountFrom: json.Number(x.From.Number()), AmountTo: json.Number(x.To.Number()), Fee: json.Number(x.Fee.Number()),
		CreatedAt: clock.Format(x.CreatedAt), Reference: x.Reference, Metadata: x.Metadata,
	}
}
