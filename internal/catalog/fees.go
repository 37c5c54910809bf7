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

// fee is one of the Fees: how it is called in the data file and in settings, and how its text is read.
type fee struct {
	name string
	data func(feesData) string
	read func(f *Fees, text string, eur money.Currency) error
	show func(f Fees) string
}

// feeTable has the fees in the order of the data file.
var feeTable = []fee{
	share("sepaTransferPercent", func(d feesData) string { return d.SepaTransferPercent }, func(f *Fees) *money.Percent { return &f.SepaTransfer }),
	fixed("sepaTransferMinEur", func(d feesData) string { return d.SepaTransferMinEUR }, func(f *Fees) *money.Amount { return &f.SepaTransferMin }),
	share("exchangePercent", func(d feesData) string { return d.ExchangePercent }, func(f *Fees) *money.Percent { return &f.Exchange }),
	share("orderPercent", func(d feesData) string { return d.OrderPercent }, func(f *Fees) *money.Percent { return &f.Order }),
	fixed("kycVerificationEur", func(d feesData) string { return d.KycVerificationEUR }, func(f *Fees) *money.Amount { return &f.KycVerification }),
	fixed("virtualCardMonthEur", func(d feesData) string { return d.VirtualCardMonthEUR }, func(f *Fees) *money.Amount { return &f.VirtualCardMonth }),
}

func share(name string, data func(feesData) string, to func(*Fees) *money.Percent) fee {
	return fee{name, data, func(f *Fees, text string, _ money.Currency) error {
		percent, err := money.ParsePercent(text)
		*to(f) = percent
		return err
	}, func(f Fees) string { return to(&f).String() }}
}

func fixed(name string, data func(feesData) string, to func(*Fees) *money.Amount) fee {
	return fee{name, data, func(f *Fees, text string, eur money.Currency) error {
		amount, err := money.Parse(text, eur)
		*to(f) = amount
		return err
	}, func(f Fees) string { return to(&f).Number() }}
}

// FeeNames returns the names of the fees, as the data file has them and the settings fees.<name> of a partner.
func FeeNames() []string {
	names := make([]string, len(feeTable))
	for i, fee := range feeTable {
		names[i] = fee.name
	}
	return names
}

// Texts returns the fees by their names, as settings are written: "1.49".
func (f Fees) Texts() map[string]string {
	texts := map[string]string{}
	for _, fee := range feeTable {
		texts[fee.name] = fee.show(f)
	}
	return texts
}

// FeesWith returns the fees with some of them replaced, by name: what a partner pays whose settings are so.
// Names that are not among FeeNames are passed over. The error is the money package's, with the name.
func (c *Catalog) FeesWith(own map[string]string) (Fees, error) {
	fees := c.fees
	for _, fee := range feeTable {
		if text, ok := own[fee.name]; ok {
			if err := fee.read(&fees, text, c.bySlug[euro]); err != nil {
				return Fees{}, fmt.Errorf("%s %q: %w", fee.name, text, err)
			}
		}
	}
	return fees, nil
}

func readFees(files fs.FS, eur money.Currency) (Fees, error) {
	var data feesData
	if err := decode(files, feesFile, &data); err != nil {
		return Fees{}, err
	}
	var f Fees
	for _, fee := range feeTable {
		if err := fee.read(&f, fee.data(data), eur); err != nil {
			return Fees{}, fmt.Errorf("catalog: %s: %s %q: %w", feesFile, fee.name, fee.data(data), err)
		}
	}
	return f, nil
}
