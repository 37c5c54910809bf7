package partner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kontor/internal/catalog"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// Rules judge settings by what the deployment knows.
type Rules struct {
	Catalog     *catalog.Catalog
	Environment Environment
}

// Apply answers what settings are after changes, in canonical form, and leaves the given ones as they were.
// An empty value goes back to the default. Everything that is wrong, with names, values, or values that
// contradict each other, comes in one P403.
func (r Rules) Apply(settings Settings, changes map[string]string) (Settings, error) {
	after := maps.Clone(settings)
	if after == nil {
		after = Settings{}
	}
	var problems []string
	refused := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		value, problem := r.judge(name, strings.TrimSpace(changes[name]))
		switch {
		case problem != "":
			problems = append(problems, name+" "+problem)
			refused[name] = true
		case value == "":
			delete(after, name)
		default:
			after[name] = value
		}
	}
	if !refused["legalName"] && after.Text("legalName") == "" {
		problems = append(problems, "legalName must be provided")
	}
	if problems = append(problems, r.contradictions(after)...); len(problems) > 0 {
		return nil, fault.Invalid(problems...)
	}
	return after, nil
}

// Defaults answers what those settings are that a partner does not have, by name, with what the catalogue says.
// Some are nothing until they are set: an address, say. The largest amounts of coins are not among them: they are
// worth the catalogue's euros, at the rate of the day.
func (r Rules) Defaults() Settings {
	all := Settings{}
	for name, rule := range settingRules {
		if rule.names == nil {
			all[name] = rule.fallback
		}
	}
	for name, text := range r.Catalog.Fees().Texts() {
		all["fees."+name] = text
	}
	for _, e := range r.Catalog.Currencies() {
		if e.Kind == catalog.Fiat {
			all["exchange.max."+e.Code], all["sepa.max"] = e.MaxEUR.Number(), e.MaxEUR.Number()
			continue
		}
		for _, n := range e.Networks {
			all["fees.withdrawal."+e.Code+"."+n.Key] = n.FeeWithdrawal.Number()
		}
	}
	return all
}

// judge answers a value's canonical form, or what is wrong with the setting.
func (r Rules) judge(name, value string) (canonical, problem string) {
	found, member, ok := find(name)
	if !ok {
		return "", "is not a setting"
	}
	if found.names != nil {
		if problem := found.names(r, member); problem != "" {
			return "", problem
		}
	}
	if value == "" {
		return "", ""
	}
	return found.check(r, member, value)
}

// contradictions finds values that are each allowed, but not together.
func (r Rules) contradictions(s Settings) []string {
	var problems []string
	if accept, reject := s.Text("nameMatch.accept"), s.Text("nameMatch.reject"); exact(reject) > exact(accept) {
		problems = append(problems, fmt.Sprintf("nameMatch.reject (%s) must not be above nameMatch.accept (%s)", reject, accept))
	}
	markup := s.Text("markup.exchange")
	fee := cmp.Or(s["fees.exchangePercent"], r.Catalog.Fees().Exchange.String())
	if exact(fee)+exact(markup) >= exact("100") {
		problems = append(problems, fmt.Sprintf("fees.exchangePercent (%s) and markup.exchange (%s) must be below 100 together: nothing would be left to pay out", fee, markup))
	}
	return problems
}

// exact makes the decimals of settings comparable: ten-thousandths. The texts were judged before.
func exact(text string) int64 {
	amount, err := money.Parse(text, money.Currency{Scale: shareScale})
	if err != nil {
		panic(fmt.Sprintf("partner: a setting has the value %q: %v", text, err))
	}
	return amount.Units()
}
