package partner_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/partner"
)

// rules are those of a deployment with the built-in catalog.
func rules(t *testing.T, env partner.Environment) partner.Rules {
	t.Helper()
	return partner.Rules{Catalog: builtIn(t), Environment: env}
}

var named = partner.Settings{"legalName": "Test Partner"}

func TestSettingsAreBroughtToCanonicalForm(t *testing.T) {
	t.Parallel()
	s, err := rules(t, partner.Staging).Apply(nil, map[string]string{
		"legalName": " Test Partner ", "ipAllowlist": "203.0.113.0/24, 2001:db8::/32,203.0.113.0/24,", "sepaLevel": "2",
		"fees.exchangePercent": "1.4900", "fees.sepaTransferMinEur": "0.50", "fees.withdrawal.usdc.polygon": "0.250000",
		"webhook.baseUrl": "https://example.com/hooks/", "webhook.url.exchange": "https://example.com/x",
		"webhook.disabled": "exchange, sepa-deposit", "exchange.max.btc": "0.50000000", "withdrawal.max.usdt": "100",
		"checkout.colours": "#1A56DB, #ffffff", "checkout.coins": "btc, usdc", "rateLimit": "0", "nameMatch.reject": "0.92",
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"legalName": "Test Partner", "sepaLevel": "2", "webhook.baseUrl": "https://example.com/hooks", "rateLimit": "0",
		"rateBurst": "100", "wording": "newer", "fees.exchangePercent": "1.49", "fees.sepaTransferMinEur": "0.5",
		"fees.withdrawal.usdc.polygon": "0.25", "exchange.max.btc": "0.5", "exchange.max.eth": "", "withdrawal.max.usdt": "100",
		"checkout.colours": "#1a56db,#ffffff", "checkout.underpaymentWindow": "60", "checkout.tolerance": "0.5",
	} {
		if got := s.Text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"ipAllowlist": "203.0.113.0/24 2001:db8::/32", "webhook.disabled": "exchange sepa-deposit", "checkout.coins": "btc usdc",
	} {
		if got := strings.Join(s.List(name), " "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := s.Family("webhook.url."); got["exchange"] != "https://example.com/x" {
		t.Errorf("webhook.url.* is %q", got)
	}
	fees, err := builtIn(t).FeesWith(s.Family("fees."))
	if err != nil || fees.SepaTransferMin.String() != "0.50" || fees.SepaTransfer.String() != "0.1" {
		t.Errorf("the fees are %v, %v", fees, err)
	}
}

// TestEveryDefaultIsAValue shows that what partner show prints can be set.
func TestEveryDefaultIsAValue(t *testing.T) {
	t.Parallel()
	in := rules(t, partner.Production)
	all := in.Defaults()
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	all["legalName"] = "Test Partner"
	got, err := in.Apply(nil, all)
	if err != nil || !maps.Equal(got, all) {
		t.Errorf("the defaults %v become %v, %v", all, got, err)
	}
}

// TestDefaultsAreTheDocumentedOnes has the table of settings, with the figures of the built-in catalogue.
func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	want := partner.Settings{
		"legalName": "", "model": "kyc", "sepaLevel": "1", "wording": "newer", "ipAllowlist": "", "trustedProxies": "",
		"rateLimit": "50", "rateBurst": "100",
		"fees.sepaTransferPercent": "0.1", "fees.sepaTransferMinEur": "1", "fees.exchangePercent": "1.49",
		"fees.orderPercent": "1.49", "fees.kycVerificationEur": "1", "fees.virtualCardMonthEur": "0.25",
		"fees.withdrawal.btc.btc": "0.0003", "fees.withdrawal.eth.ethereum": "0.003", "fees.withdrawal.ltc.ltc": "0.002",
		"fees.withdrawal.doge.doge": "5", "fees.withdrawal.pol.polygon": "0.5",
		"fees.withdrawal.usdc.ethereum": "10", "fees.withdrawal.usdc.polygon": "0.5",
		"fees.withdrawal.usdt.ethereum": "10", "fees.withdrawal.usdt.polygon": "0.5",
		"markup.exchange": "0", "markup.withdrawal": "0", "markup.sepa": "0",
		"locks.perMinute": "30", "exchange.max.eur": "100000", "sepa.max": "100000", "sepa.maxPerDay": "", "sepa.maxPerDayTotal": "",
		"webhook.baseUrl": "", "webhook.disabled": "", "webhook.signatures": "v1", "webhook.ratePerSecond": "500", "webhook.concurrency": "8",
		"poa.required": "auto", "kycFee.at": "created", "travelRule.thresholdEur": "1000",
		"nameMatch.accept": "0.92", "nameMatch.reject": "0.75",
		"checkout.logo": "", "checkout.colours": "", "checkout.coins": "", "checkout.expiry": "1440", "checkout.underpaymentWindow": "60",
		"checkout.tolerance": "0.5", "checkout.settlement": "eur", "checkout.feePaidBy": "payer", "checkout.successUrl": "", "checkout.cancelUrl": "",
		"retention.days": "1825", "externalId.reuse": "off", "fourEyes": "off", "fourEyes.aboveEur": "0",
	}
	got := rules(t, partner.Staging).Defaults()
	for name, value := range want {
		if has, known := got[name]; !known || has != value {
			t.Errorf("%s is %q (known: %v), want %q", name, has, known, value)
		}
	}
	for name := range got {
		if _, documented := want[name]; !documented {
			t.Errorf("%s is not in this table", name)
		}
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	t.Parallel()
	in := rules(t, partner.Staging)
	for _, c := range []struct{ name, value, says string }{
		{"colour", "red", "is not a setting"},
		{"", "", "is not a setting"},
		{"checkout.", "1", "is not a setting"},
		{"checkout.music", "loud", "is not a setting"},
		{"sepaLevel", "3", "one of the following values: 1, 2"},
		{"model", "KYC", "kyc, nokyc"},
		{"rateLimit", "-1", "between 0 and"},
		{"rateBurst", "many", "whole number"},
		{"rateBurst", "0", "between 1 and"},
		{"legalName", "a\nb", "one line"},
		{"legalName", strings.Repeat("ż", 141), "140 characters"},
		{"legalName", "\xff", "one line"},
		{"ipAllowlist", "203.0.113.7/24", "write 203.0.113.0/24"},
		{"ipAllowlist", "203.0.113.7", "write 203.0.113.7/32"},
		{"ipAllowlist", "2001:db8::7", "write 2001:db8::7/128"},
		{"ipAllowlist", "::ffff:203.0.113.7", "write 203.0.113.7/32"},
		{"ipAllowlist", "fe80::1%eth0", "is none"},
		{"ipAllowlist", "203.0.113.0/33", "is none"},
		{"ipAllowlist", "everyone", "is none"},
		{"ipAllowlist", manyNetworks(), "at most 100"},
		{"trustedProxies", "::ffff:203.0.113.0/120", "IPv4-mapped"},
		{"trustedProxies", "10.0.0.0/8,0.0.0.0/0", "wider than /8"},
		{"trustedProxies", "0.0.0.0/1,128.0.0.0/1", "wider than /8"},
		{"trustedProxies", "2000::/3", "wider than /8"},
		{"markup.sepa", "1e3", "share in percent"},
		{"markup.sepa", "100.0001", "share in percent"},
		{"checkout.tolerance", "100", "less than 100"},
		{"fees.orderPercent", "100.0", "less than 100"},
		{"markup.sepa", "0.00001", "share in percent"},
		{"fees.", "1", "is not a setting"},
		{"fees.exchange", "1", "there are sepaTransferPercent, sepaTransferMinEur, exchangePercent"},
		{"fees.exchangePercent", "101", "share in percent"},
		{"fees.kycVerificationEur", "0.001", "at most 2 decimals"},
		{"fees.withdrawal.btc.polygon", "1", "btc.btc"},
		{"fees.withdrawal.eur.SEPA", "1", "is no coin"},
		{"fees.withdrawal.usdc.polygon", "0.0000001", "at most 6 decimals"},
		{"exchange.max.xrp", "1", "xrp is no currency; there are eur, btc"},
		{"exchange.max.BTC", "1", "BTC is no currency"},
		{"exchange.max.eur", "0.001", "at most 2 decimals"},
		{"exchange.max.eur", "0.00", "more than 0"},
		{"withdrawal.max.eur", "1", "eur is no coin"},
		{"sepa.max", "-5", "amount in eur"},
		{"sepa.maxPerDay", "0", "more than 0"},
		{"sepa.maxPerDayTotal", "1.001", "at most 2 decimals"},
		{"webhook.baseUrl", "ftp://example.com", "http or https"},
		{"webhook.baseUrl", "https://user@example.com", "without user"},
		{"webhook.baseUrl", "https://", "http or https"},
		{"webhook.baseUrl", "https://:443/", "http or https"},
		{"webhook.baseUrl", "https://example.com:65536", "between 1 and 65535"},
		{"webhook.url.exchange", "https://example.com:0/hooks", "between 1 and 65535"},
		{"webhook.baseUrl", "https://example.com/" + strings.Repeat("a", 2048), "2048 characters"},
		{"webhook.url.", "https://example.com", "is not a setting"},
		{"webhook.url.exchanged", "https://example.com", "exchanged is no event"},
		{"webhook.disabled", "exchange,exchanged", `"exchanged" is none`},
		{"webhook.concurrency", "65", "between 1 and 64"},
		{"nameMatch.accept", "1.01", "between 0 and 1"},
		{"travelRule.thresholdEur", "1000.001", "at most 2 decimals"},
		{"checkout.colours", "red", "such as #1a56db"},
		{"checkout.colours", "#111111,#222222,#333333,#444444", "up to three"},
		{"checkout.coins", "btc,eur", `"eur" is none`},
		{"checkout.logo", "logo.png", "http or https"},
	} {
		_, err := in.Apply(named, map[string]string{c.name: c.value, "wording": "older"})
		f := fault.From(err)
		if f == nil || f.Code != fault.Validation || !strings.HasPrefix(f.Message, c.name+" ") || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s=%q: %v; want a P403 that names it and says %q", c.name, c.value, err, c.says)
		}
	}
}

func manyNetworks() string {
	var all []string
	for i := range 101 {
		all = append(all, fmt.Sprintf("10.0.%d.0/24", i))
	}
	return strings.Join(all, ",")
}

func TestValuesThatContradictEachOtherAreRefused(t *testing.T) {
	t.Parallel()
	in := rules(t, partner.Staging)
	for _, c := range []struct {
		name    string
		current partner.Settings
		changes map[string]string
		says    string // empty: allowed
	}{
		{"against the default", nil, map[string]string{"nameMatch.reject": "0.93"}, "nameMatch.reject (0.93) must not be above nameMatch.accept (0.92)"},
		{"against what is set", partner.Settings{"nameMatch.reject": "0.9"}, map[string]string{"nameMatch.accept": "0.8"}, "nameMatch.reject (0.9)"},
		{"by going back to the default", partner.Settings{"nameMatch.accept": "0.99", "nameMatch.reject": "0.95"}, map[string]string{"nameMatch.accept": ""}, "nameMatch.accept (0.92)"},
		{"equal", nil, map[string]string{"nameMatch.accept": "0.75"}, ""},
		{"both at once", nil, map[string]string{"nameMatch.accept": "0.5", "nameMatch.reject": "0.4"}, ""},
		{"a mark-up that leaves nothing", nil, map[string]string{"markup.exchange": "98.51"}, "must be below 100 together"},
		{"a fee that leaves nothing", partner.Settings{"markup.exchange": "50"}, map[string]string{"fees.exchangePercent": "50"}, "must be below 100 together"},
		{"one that leaves a little", nil, map[string]string{"markup.exchange": "98.5099"}, ""},
		{"no name", nil, map[string]string{"legalName": " "}, "legalName must be provided"},
	} {
		current := partner.Settings{"legalName": "Test Partner"}
		maps.Copy(current, c.current)
		_, err := in.Apply(current, c.changes)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v; want %q", c.name, err, c.says)
		}
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := rules(t, partner.Staging).Apply(nil, map[string]string{
		"sepaLevel": "3", "colour": "red", "nameMatch.accept": "0.1", "rateLimit": "",
	})
	want := "colour is not a setting. sepaLevel must be one of the following values: 1, 2. legalName must be provided. " +
		"nameMatch.reject (0.75) must not be above nameMatch.accept (0.1)."
	if got := fault.From(err).Message; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, err = rules(t, partner.Staging).Apply(nil, map[string]string{"legalName": "a\tb"})
	if got := fault.From(err).Message; strings.Count(got, "legalName") != 1 {
		t.Errorf("the name is complained of twice: %s", got)
	}
}

func TestProductionWantsHTTPS(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"webhook.baseUrl", "webhook.url.exchange", "checkout.successUrl"} {
		if _, err := rules(t, partner.Production).Apply(named, map[string]string{name: "http://example.com"}); err == nil || !strings.Contains(err.Error(), "an https URL") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := rules(t, partner.Production).Apply(named, map[string]string{name: "https://example.com"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryEventCanHaveItsOwnURL(t *testing.T) {
	t.Parallel()
	types := event.Types()
	if !slices.IsSorted(types) || len(types) < 20 {
		t.Fatalf("the events are %v", types)
	}
	for _, kind := range types {
		if kind == event.URLChanged {
			continue
		}
		if _, err := rules(t, partner.Staging).Apply(named, map[string]string{"webhook.url." + string(kind): "https://example.com", "webhook.disabled": string(kind)}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestNoticesCannotBeLedElsewhere(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"webhook.url." + string(event.URLChanged): "https://example.com", "webhook.disabled": string(event.URLChanged),
	} {
		if _, err := rules(t, partner.Staging).Apply(named, map[string]string{name: value}); fault.From(err).Code != fault.Validation {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestChangedSettingsAreInTheAuditLogWithTheirOldValues(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d, partner.Staging)
		p := create(t, s)
		for _, changes := range []map[string]string{
			{"sepaLevel": "2", "rateLimit": "50"},
			{"sepaLevel": "1", "rateLimit": ""},
			{"sepaLevel": "1"}, // changes nothing
			{},
		} {
			if _, err := s.Set(t.Context(), p.ID, changes); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Set(t.Context(), p.ID, map[string]string{"sepaLevel": "9"}); err == nil {
			t.Error("sepaLevel 9")
		}
		wantAudit(t, d, p.ID,
			`system partner.create  {"settings":{"legalName":"Test Partner"}}`,
			`system partner.set  {"settings":{"rateLimit":{"new":"50","old":null},"sepaLevel":{"new":"2","old":null}}}`,
			`system partner.set  {"settings":{"rateLimit":{"new":null,"old":"50"},"sepaLevel":{"new":"1","old":"2"}}}`,
		)
		if _, err := s.Set(t.Context(), 4711, map[string]string{"sepaLevel": "2"}); err == nil || !strings.Contains(err.Error(), "there is no partner 4711") {
			t.Errorf("nobody's settings: %v", err)
		}
	})
}
