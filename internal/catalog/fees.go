package catalog

import (
	"fmt"
	"io/fs"

	"kontor/internal/money"
)

// Fees are what a partner pays by default. What is not here costs nothing: SEPA deposits, internal transfers
// and crypto deposits. The service fee of a withdrawal is a figure of its Network.
type Fees struct {
	SepaTransfer     money.Percent // of the amount
	SepaTransferMin  money.Amount  // EUR; at least so much for a SEPA transfer
	Exchange         money.Percent // of the source amount
	Order            money.Percent // inside the quoted rate of orders and payment links
	KycVerification  money.Amount  // EUR, for a hosted identity check
	VirtualCardMonth money.Amount  // EUR, for each active card and month
}

type feesData struct {
	SepaTransferPercent string `json:"sepaTransferPercent"`
	SepaTransferMinEUR  string `json:"sepaTransferMinEur"`
	ExchangePercent     string `json:"exchangePercent"`
	OrderPercent        string `json:"orderPercent"`
	KycVerificationEUR  string `json:"kycVerificationEur"`
	VirtualCardMonthEUR string `json:"virtualCardMonthEur"`
}

func readFees(files fs.FS, eur money.Currency) (Fees, error) {
	var data feesData
	if err := decode(files, feesFile, &data); err != nil {
		return Fees{}, err
	}
	var f Fees
	for _, share := range []struct {
		member, text string
		to           *money.Percent
	}{
		{"sepaTransferPercent", data.SepaTransferPercent, &f.SepaTransfer},
		{"exchangePercent", data.ExchangePercent, &f.Exchange},
		{"orderPercent", data.OrderPercent, &f.Order},
	} {
		percent, err := money.ParsePercent(share.text)
		if err != nil {
			return Fees{}, fmt.Errorf("catalog: %s: %s %q: %w", feesFile, share.member, share.text, err)
		}
		*share.to = percent
	}
	for _, fixed := range []struct {
		member, text string
		to           *money.Amount
	}{
		{"sepaTransferMinEur", data.SepaTransferMinEUR, &f.SepaTransferMin},
		{"kycVerificationEur", data.KycVerificationEUR, &f.KycVerification},
		{"virtualCardMonthEur", data.VirtualCardMonthEUR, &f.VirtualCardMonth},
	} {
		a, err := amount(fixed.member, fixed.text, eur)
		if err != nil {
			return Fees{}, fmt.Errorf("catalog: %s: %w", feesFile, err)
		}
		*fixed.to = a
	}
	return f, nil
}
