package catalog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kontor/internal/catalog"
)

// edited returns an operator's folder that holds one data file in which old is replaced, once, by changed.
func edited(t *testing.T, name, old, changed string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("data", name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not contain %s", name, old)
	}
	return folder(t, name, strings.Replace(string(text), old, changed, 1))
}

func folder(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOperatorsFileReplacesTheBuiltInOne(t *testing.T) {
	t.Parallel()
	c, err := catalog.Load(edited(t, "fees.json", `"1.49"`, `"0.995"`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Fees().Exchange.String(); got != "0.995" {
		t.Errorf("exchange fee: got %s", got)
	}
	if _, ok := c.Country("DE"); !ok || len(c.Currencies()) != 8 {
		t.Error("the files that the folder lacks are not the built-in ones")
	}

	c, err = catalog.Load(folder(t, "countries.json", "\ufeff"+`{"countries":[{"code":"LI","name":"Liechtenstein"},{"code":"CH","name":"Switzerland"}],"aliases":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	if all := c.Countries(); len(all) != 2 || all[0].Code != "CH" {
		t.Errorf("got %v", all)
	}

	c, err = catalog.Load(edited(t, "currencies.json", `"minWithdrawal": "15"`, `"minWithdrawal": "12.5"`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Currencies()[7].Networks[0].MinWithdrawal.Number(); got != "12.5" {
		t.Errorf("smallest withdrawal of usdt: got %s", got)
	}
}

func TestBadDataAreRefusedByNameAndPlace(t *testing.T) {
	t.Parallel()
	const currencies, countries, fees = "currencies.json", "countries.json", "fees.json"
	for _, c := range []struct {
		file, old, changed string
		says               string // besides the file's name
	}{
		{currencies, `"scale": 8`, `"scale": 9`, "btc(coin, 9)"},
		{currencies, `"scale": 2`, `"scale": 3`, "eur(fiat, 3)"},
		{currencies, `"scale": 2, `, ``, "eur"},
		{currencies, `"code": "usdt"`, `"code": "eurt"`, "eurt"},
		{currencies, `"code": "usdt"`, `"code": "usdc"`, "usdc"},
		{currencies, `"code": "eur"`, `"code": "chf"`, "eur is missing"},
		{currencies, `"kind": "fiat"`, `"kind": "cash"`, "eur"},
		{currencies, `"startRate": "0.1832"`, `"startRate": "0"`, "doge: startRate"},
		{currencies, `"startRate": "0.1832"`, `"startRate": 0.1832`, "startRate"},
		{currencies, `"startRate": "1"`, `"startRate": "1.1"`, "eur: startRate"},
		{currencies, `"maxEur": "100000"`, `"maxEur": "1e5"`, "eur: maxEur"},
		{currencies, `"maxEur": "100000"`, `"maxEur": "0"`, "eur: maxEur"},
		{currencies, `"startRate": "0.1832"`, `"startRate": "0.1832", "spreadPercent": "100"`, "doge: spreadPercent"},
		{currencies, `"startRate": "0.1832"`, `"startRate": "0.1832", "spreadPercent": "--1"`, "doge: spreadPercent"},
		{currencies, `"startRate": "1"`, `"startRate": "1", "spreadPercent": "0.1"`, "eur: spreadPercent"},
		{currencies, `"startRate": "0.1832"`, `"startRate": "0.1832", "maxExposureEur": "0"`, "doge: maxExposureEur"},
		{currencies, `"startRate": "0.1832"`, `"startRate": "0.1832", "maxExposureEur": "-5"`, "doge: maxExposureEur"},
		{currencies, `"startRate": "1"`, `"startRate": "1", "maxExposureEur": "5"`, "eur: maxExposureEur"},
		{currencies, `"feeWithdrawal": "0.0003"`, `"feeWithdrawal": "0.000000003"`, "btc: network btc: feeWithdrawal"},
		{currencies, `"feeWithdrawal": "0.0003"`, `"feeWithdrawal": "-1"`, "btc: network btc: feeWithdrawal"},
		{currencies, `"feeWithdrawal": "0.0003", `, ``, "btc: network btc: feeWithdrawal"},
		{currencies, `"minWithdrawal": "0.0005"`, `"minWithdrawal": "some"`, "btc: network btc: minWithdrawal"},
		{currencies, `"minDeposit": "0.0001"`, `"minDeposit": ".1"`, "btc: network btc: minDeposit"},
		{currencies, `"confirmations": 2`, `"confirmations": 0`, "btc: network btc: confirmations"},
		{currencies, `"minDeposit": "0.01"`, `"minDeposit": "0.01", "confirmations": -1`, "eur: network SEPA: confirmations"},
		{currencies, `
        {"key": "SEPA", "name": "SEPA", "stagingName": "SEPA", "feeWithdrawal": "0", "minWithdrawal": "0.01", "minDeposit": "0.01"}`, ``, "eur: networks"},
		{currencies, `"key": "btc"`, `"key": ""`, "btc: network : key"},
		{
			currencies, `"key": "polygon", "name": "mainnet", "stagingName": "amoy", "feeWithdrawal": "0.5", "minWithdrawal": "2"`,
			`"key": "Ethereum", "name": "mainnet", "stagingName": "amoy", "feeWithdrawal": "0.5", "minWithdrawal": "2"`, "usdc: network Ethereum: it is there twice",
		},
		{currencies, `"scale": 2`, `"scale": 2, "decimals": 2`, "decimals"},
		{currencies, `"scale": 2`, `"scale": 2, "scale": 2`, "scale"},
		{currencies, `"scale": 2`, `"Scale": 2`, "Scale"},
		{currencies, `{`, `[{`, ""},
		{countries, `"code": "AE"`, `"code": "AD"`, "AD: it is there twice"},
		{countries, `"code": "AE"`, `"code": "ae"`, `"ae"`},
		{countries, `"name": "Andorra"`, `"name": ""`, `"AD"`},
		{countries, `"name": "Andorra"`, `"name": "Andorra", "sepa": true`, "sepa"},
		{countries, `"GP": "FR"`, `"GP": "XX"`, "alias GP"},
		{countries, `"GP": "FR"`, `"GP": "MQ"`, "alias GP"},
		{countries, `"GP": "FR"`, `"DE": "FR"`, `alias "DE"`},
		{countries, `"GP": "FR"`, `"gp": "FR"`, `alias "gp"`},
		{countries, `"GP": "FR"`, `"MQ": "FR"`, "MQ"},
		{fees, `"1.49"`, `"101"`, "exchangePercent"},
		{fees, `"1.49"`, `1.49`, "exchangePercent"},
		{fees, `"sepaTransferMinEur": "1.00"`, `"sepaTransferMinEur": "1.001"`, "sepaTransferMinEur"},
		{fees, `"orderPercent": "1.49",`, ``, "orderPercent"},
		{fees, `"orderPercent"`, `"orderPercents"`, "orderPercents"},
		{fees, "}\n", "} {}", ""},
	} {
		_, err := catalog.Load(edited(t, c.file, c.old, c.changed))
		if err == nil || !strings.Contains(err.Error(), c.file) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s instead of %s:\ngot  %v\nwant an error that says %q", c.file, c.changed, c.old, err, c.says)
		}
	}
}

func TestFolderMustExist(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := catalog.Load(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v, want an error that names the folder", err)
	}
}

func TestSpreadAndLimitOfExposureAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := os.ReadFile("data/currencies.json")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(
		`"startRate": "0.1832"`, `"startRate": "0.1832", "spreadPercent": "-0.25"`,
		`"startRate": "88.42"`, `"startRate": "88.42", "spreadPercent": "0.5", "maxExposureEur": "250000.5"`,
	).Replace(string(text))
	if err := os.WriteFile(filepath.Join(dir, "currencies.json"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, e := range c.Currencies() {
		if !e.Spread.IsZero() {
			got += fmt.Sprintln(e.Code, e.Spread, e.SpreadBelow, e.MaxExposureEUR)
		}
	}
	if want := "ltc 0.5 false 250000.50\ndoge 0.25 true 0.00\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestCountriesOfHighRiskCanBeReplaced(t *testing.T) {
	t.Parallel()
	c, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if !c.HighRisk("kp") || !c.HighRisk("KW") || c.HighRisk("LT") || c.HighRisk("ZA") || c.HighRisk("") {
		t.Error("the built-in countries of high risk are others")
	}
	if r := c.Risk(); r.Date != "2026-06-19" || len(r.Lists[1].Countries) != 22 || len(r.Lists[2].Countries) != 26 || len(r.Countries()) != 34 {
		t.Errorf("the built-in lists: %+v, %d countries", r, len(r.Countries()))
	}
	const own = `{"lists":[{"name":"Own","date":"2026-07-01","source":"Test","countries":["LT"]},{"name":"None","date":"2026-06-01","source":"Test","countries":[]}]}`
	before := c.Risk().Hash
	if c, err = catalog.Load(folder(t, "risk.json", own)); err != nil || c.HighRisk("KP") || !c.HighRisk("LT") || c.Risk().Date != "2026-07-01" || c.Risk().Hash == before {
		t.Errorf("the operator's countries are not in use: %v", err)
	}
	for _, text := range []string{
		`{"lists":[{"name":"Own","date":"2026-07-01","source":"Test","countries":["LT","LT"]}]}`,
		`{"lists":[{"name":"Own","date":"2026-07-01","source":"Test","countries":["lt"]}]}`,
		`{"lists":[{"name":"Own","date":"July","source":"Test","countries":["LT"]}]}`,
		`{"lists":[{"name":"Own","date":"2026-07-01","countries":["LT"]}]}`,
		`{"lists":[]}`, `{"highRisk":["LT"]}`, `{"high":[]}`,
	} {
		if _, err := catalog.Load(folder(t, "risk.json", text)); err == nil || !strings.Contains(err.Error(), "risk.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
