package partner

import (
	"strconv"
	"strings"
)

// Settings are what a partner has chosen, by name, in canonical text. A name that is absent has its default.
type Settings map[string]string

// rule says which values a setting takes and what it is without one.
type rule struct {
	fallback string
	check    check
	names    names // of a family: which names it has; nil for a single setting
}

// settingRules is the table of settings by name. A name that ends with a dot stands for a family, whose
// members have a name of their own behind it.
var settingRules = map[string]rule{
	"legalName":                   {"", text(140), nil},
	"model":                       {"kyc", oneOf("kyc", "nokyc"), nil},
	"sepaLevel":                   {"1", oneOf("1", "2"), nil},
	"wording":                     {"newer", oneOf("newer", "older"), nil},
	"ipAllowlist":                 {"", networks, nil},
	"trustedProxies":              {"", proxies, nil},
	"rateLimit":                   {"50", whole(0, 1_000_000), nil}, // 0: unlimited
	"rateBurst":                   {"100", whole(1, 1_000_000), nil},
	"fees.":                       {"", fee, feeNames},
	"fees.withdrawal.":            {"", networkFee, coinNetworks},
	"markup.exchange":             {"0", percent, nil},
	"markup.withdrawal":           {"0", percent, nil},
	"markup.sepa":                 {"0", percent, nil},
	"locks.perMinute":             {"30", whole(1, 10_000), nil},
	"exchange.max.":               {"", largest, currencySlugs},
	"sandbox.rate.":               {"", pinnedRate, coinSlugs},
	"sepa.max":                    {"", largestEUR, nil},
	"sepa.maxPerDay":              {"", largestEUR, nil}, // of one payer; empty: any
	"sepa.maxPerDayTotal":         {"", largestEUR, nil}, // of the partner and all its users
	"withdrawal.max.":             {"", largest, coinSlugs},
	"webhook.baseUrl":             {"", webURL, nil},
	"webhook.url.":                {"", webURL, eventNames},
	"webhook.disabled":            {"", events, nil},
	"webhook.signatures":          {"v1", oneOf("v1"), nil},
	"webhook.ratePerSecond":       {"500", whole(1, 100_000), nil},
	"webhook.concurrency":         {"8", whole(1, 64), nil},
	"poa.required":                {"auto", oneOf("auto", "always", "never"), nil},
	"kycFee.at":                   {"created", oneOf("created", "successful"), nil},
	"travelRule.thresholdEur":     {"1000", amountEUR, nil},
	"nameMatch.accept":            {"0.92", likeness, nil},
	"nameMatch.reject":            {"0.75", likeness, nil},
	"checkout.logo":               {"", webURL, nil},
	"checkout.colours":            {"", colours, nil}, // up to three: accent, background, text
	"checkout.coins":              {"", coins, nil},   // empty: all
	"checkout.expiry":             {"1440", whole(1, 525_600), nil},
	"checkout.underpaymentWindow": {"60", whole(0, 10_080), nil},
	"checkout.tolerance":          {"0.5", percent, nil},
	"checkout.settlement":         {"eur", oneOf("eur", "inKind"), nil},
	"checkout.feePaidBy":          {"payer", oneOf("payer", "partner"), nil},
	"checkout.successUrl":         {"", webURL, nil},
	"checkout.cancelUrl":          {"", webURL, nil},
	"retention.days":              {"1825", whole(0, 36_500), nil}, // 0: at once
	"externalId.reuse":            {"off", oneOf("off", "on"), nil},
	"fourEyes":                    {"off", oneOf("off", "on"), nil},
	"fourEyes.aboveEur":           {"0", amountEUR, nil},
}

// find answers a setting's rule, and for a member of a family its name behind the family's dot. Of families
// within each other the inner one counts.
func find(name string) (r rule, member string, ok bool) {
	if r, ok = settingRules[name]; ok && r.names == nil {
		return r, "", true
	}
	for end := strings.LastIndexByte(name, '.'); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		if r, ok = settingRules[name[:end+1]]; ok && end+1 < len(name) {
			return r, name[end+1:], true
		}
	}
	return rule{}, "", false
}

// Text is a setting's value, or its default. Asking for a name that is no setting panics.
func (s Settings) Text(name string) string {
	if v := s[name]; v != "" { // an empty one stands for the default
		return v
	}
	r, _, ok := find(name)
	if !ok {
		panic("partner: no setting is named " + name)
	}
	return r.fallback
}

// number is the value of a setting that is a whole number.
func (s Settings) number(name string) int {
	n, err := strconv.Atoi(s.Text(name))
	if err != nil {
		panic("partner: " + name + " is no number: " + err.Error())
	}
	return n
}

// List is the value of a setting that is a list.
func (s Settings) List(name string) []string {
	if v := s.Text(name); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// Family answers the settings whose names begin with a prefix, by the rest of their names.
func (s Settings) Family(prefix string) map[string]string {
	out := map[string]string{}
	for name, value := range s {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			out[rest] = value
		}
	}
	return out
}

// changed is a setting's value before and after; nil is the default.
type changed struct {
	Old *string `json:"old"`
	New *string `json:"new"`
}

// difference answers what is not the same in two sets of settings, by name.
func difference(before, after Settings) map[string]changed {
	out := map[string]changed{}
	for _, s := range []Settings{before, after} {
		for name := range s {
			if c := (changed{chosen(before, name), chosen(after, name)}); c.Old == nil || c.New == nil || *c.Old != *c.New {
				out[name] = c
			}
		}
	}
	return out
}

func chosen(s Settings, name string) *string {
	if v, ok := s[name]; ok {
		return &v
	}
	return nil
}
