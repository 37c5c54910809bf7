package partner

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kontor/internal/fault"
)

// Settings are what a partner has chosen, by name, in canonical text. A name that is absent has its default.
type Settings map[string]string

// rule says which values a setting takes and what it is without one.
type rule struct {
	fallback string
	check    func(value string) (canonical string, problem string)
}

// rules is the table of settings by name. A name that ends with a dot stands for a family: fees.* and so on.
var rules = map[string]rule{
	"legalName":               {"", text(140)},
	"model":                   {"kyc", oneOf("kyc", "nokyc")},
	"sepaLevel":               {"1", oneOf("1", "2")},
	"wording":                 {"newer", oneOf("newer", "older")},
	"ipAllowlist":             {"", networks},
	"trustedProxies":          {"", networks},
	"rateLimit":               {"50", whole(0, 1_000_000)},
	"rateBurst":               {"100", whole(0, 1_000_000)},
	"fees.":                   {"", decimal},
	"markup.exchange":         {"0", decimal},
	"markup.withdrawal":       {"0", decimal},
	"markup.sepa":             {"0", decimal},
	"locks.perMinute":         {"30", whole(1, 10_000)},
	"exchange.max.":           {"", decimal},
	"sepa.max":                {"", decimal},
	"withdrawal.max.":         {"", decimal},
	"webhook.baseUrl":         {"", webURL},
	"webhook.url.":            {"", webURL},
	"webhook.disabled":        {"", list},
	"webhook.signatures":      {"v1", oneOf("v1")},
	"webhook.ratePerSecond":   {"500", whole(1, 100_000)},
	"webhook.concurrency":     {"8", whole(1, 64)},
	"poa.required":            {"auto", oneOf("auto", "always", "never")},
	"kycFee.at":               {"created", oneOf("created", "successful")},
	"travelRule.thresholdEur": {"1000", decimal},
	"nameMatch.accept":        {"0.92", decimal},
	"nameMatch.reject":        {"0.75", decimal},
	"checkout.":               {"", text(500)},
	"retention.days":          {"1825", whole(1, 36_500)},
	"fourEyes":                {"off", oneOf("off", "on")},
	"fourEyes.aboveEur":       {"0", decimal},
}

func find(name string) (rule, bool) {
	if r, ok := rules[name]; ok && !strings.HasSuffix(name, ".") {
		return r, true
	}
	for family, r := range rules {
		if strings.HasSuffix(family, ".") && len(name) > len(family) && strings.HasPrefix(name, family) {
			return r, true
		}
	}
	return rule{}, false
}

// ParseSettings checks names and values and brings values to their canonical form. All problems come in one
// P403. An empty value is kept: it stands for the default.
func ParseSettings(in map[string]string) (Settings, error) {
	out := Settings{}
	var problems []string
	for name, value := range in {
		r, ok := find(name)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s is not a setting", name))
			continue
		}
		value = strings.TrimSpace(value)
		if value != "" {
			canonical, problem := r.check(value)
			if problem != "" {
				problems = append(problems, name+" "+problem)
				continue
			}
			value = canonical
		}
		out[name] = value
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, fault.Invalid(problems...)
	}
	return out, nil
}

// Text is a setting's value, or its default. Asking for a name that is no setting panics.
func (s Settings) Text(name string) string {
	if v, ok := s[name]; ok {
		return v
	}
	r, ok := find(name)
	if !ok {
		panic("partner: no setting is named " + name)
	}
	return r.fallback
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

func oneOf(values ...string) func(string) (string, string) {
	return func(v string) (string, string) {
		if !slices.Contains(values, v) {
			return "", "must be one of the following values: " + strings.Join(values, ", ")
		}
		return v, ""
	}
}

func text(limit int) func(string) (string, string) {
	return func(v string) (string, string) {
		if len([]rune(v)) > limit || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", fmt.Sprintf("must be one line of at most %d characters", limit)
		}
		return v, ""
	}
}

func whole(low, high int) func(string) (string, string) {
	return func(v string) (string, string) {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return "", fmt.Sprintf("must be a whole number between %d and %d", low, high)
		}
		return strconv.Itoa(n), ""
	}
}

var decimalForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?$`)

func decimal(v string) (string, string) {
	if !decimalForm.MatchString(v) {
		return "", "must be a decimal number, such as 1.49"
	}
	return v, ""
}

func list(v string) (string, string) {
	var items []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return strings.Join(items, ","), ""
}

func networks(v string) (string, string) {
	items, _ := list(v)
	for item := range strings.SplitSeq(items, ",") {
		p, err := netip.ParsePrefix(item)
		switch {
		case err != nil:
			return "", fmt.Sprintf("must be a list of CIDRs, such as 203.0.113.0/24: %q is none", item)
		case p.Addr().Is4In6():
			return "", fmt.Sprintf("must not contain IPv4-mapped IPv6 such as %q: write the IPv4 network", item)
		case p != p.Masked():
			return "", fmt.Sprintf("must not contain addresses with host bits such as %q: write %s", item, p.Masked())
		}
	}
	return items, ""
}

func webURL(v string) (string, string) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.Fragment != "" || len(v) > 2048 {
		return "", "must be an http or https URL without user and fragment, of at most 2048 characters"
	}
	return strings.TrimSuffix(u.String(), "/"), ""
}
