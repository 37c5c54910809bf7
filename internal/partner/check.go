package partner

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kontor/internal/catalog"
	"kontor/internal/event"
	"kontor/internal/money"
)

const (
	shareScale  = 4    // decimals of shares and likenesses
	maxURL      = 2048 // characters
	maxNetworks = 100
	maxColours  = 3

	widestProxies = 8 // bits of the network; with maxNetworks of these, most addresses stay strangers
)

// check answers a value's canonical form, or what is wrong with it. member is the setting's name within its
// family.
type check func(r Rules, member, value string) (canonical, problem string)

// names says what is wrong with the name of a family's member.
type names func(r Rules, member string) (problem string)

func oneOf(values ...string) check {
	return func(_ Rules, _, v string) (string, string) {
		if !slices.Contains(values, v) {
			return "", "must be one of the following values: " + strings.Join(values, ", ")
		}
		return v, ""
	}
}

func text(limit int) check {
	return func(_ Rules, _, v string) (string, string) {
		if !isLine(v, limit) {
			return "", fmt.Sprintf("must be one line of at most %d characters", limit)
		}
		return v, ""
	}
}

func isLine(v string, limit int) bool {
	return len([]rune(v)) <= limit && !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' })
}

func whole(low, high int) check {
	return func(_ Rules, _, v string) (string, string) {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return "", fmt.Sprintf("must be a whole number between %d and %d", low, high)
		}
		return strconv.Itoa(n), ""
	}
}

func percent(_ Rules, _, v string) (string, string) {
	p, err := money.ParsePercent(v)
	if err != nil || p.String() == "100" { // a share of everything leaves nothing: no payout, no amount due
		return "", fmt.Sprintf("must be a share in percent, from 0 to less than 100, such as 1.49, with at most %d decimals", shareScale)
	}
	return p.String(), ""
}

func likeness(_ Rules, _, v string) (string, string) {
	a, err := money.Parse(v, money.Currency{Scale: shareScale})
	if err != nil || a.Units() > exact("1") {
		return "", fmt.Sprintf("must be between 0 and 1, such as 0.92, with at most %d decimals", shareScale)
	}
	return a.Number(), ""
}

func amountEUR(r Rules, _, v string) (string, string) { return amount(r, "eur", v) }

// amount reads an amount of a currency.
func amount(r Rules, slug, v string) (string, string) {
	c, ok := r.Catalog.Currency(slug)
	if !ok {
		return "", "is in a currency that this deployment does not have"
	}
	a, err := money.Parse(v, c)
	if err != nil {
		return "", fmt.Sprintf("must be an amount in %s, such as 1.25, with at most %d decimals", slug, c.Scale)
	}
	return a.Number(), ""
}

func largestEUR(r Rules, _, v string) (string, string) { return largest(r, "eur", v) }

func largest(r Rules, slug, v string) (canonical, problem string) {
	if canonical, problem = amount(r, slug, v); canonical == "0" {
		return "", "must be more than 0"
	}
	return canonical, problem
}

// pinnedRate reads a price that replaces the market's in staging; off takes the market away.
func pinnedRate(r Rules, _, v string) (string, string) {
	rate, err := money.ParseRate(v)
	switch {
	case r.Environment == Production:
		return "", "is for the sandbox only"
	case v == "off":
		return v, ""
	case err != nil:
		return "", "must be a price above 0 in EUR, such as 57000.5, with at most 18 decimals, or off"
	}
	return rate.String(), ""
}

func fee(r Rules, name, v string) (string, string) {
	if strings.HasSuffix(name, "Percent") {
		return percent(r, name, v)
	}
	return amountEUR(r, name, v)
}

func feeNames(_ Rules, name string) string { return among("fee", name, catalog.FeeNames()) }

func networkFee(r Rules, name, v string) (string, string) {
	slug, _, _ := strings.Cut(name, ".")
	return amount(r, slug, v)
}

// coinNetworks are the ways of withdrawing: btc.btc, usdc.polygon and so on.
func coinNetworks(r Rules, name string) string {
	var all []string
	for _, e := range coinEntries(r) {
		for _, n := range e.Networks {
			all = append(all, e.Code+"."+n.Key)
		}
	}
	return among("coin with its network", name, all)
}

func currencySlugs(r Rules, name string) string {
	var all []string
	for _, e := range r.Catalog.Currencies() {
		all = append(all, e.Code)
	}
	return among("currency", name, all)
}

func coinSlugs(r Rules, name string) string { return among("coin", name, coinCodes(r)) }

func coinCodes(r Rules) []string {
	var all []string
	for _, e := range coinEntries(r) {
		all = append(all, e.Code)
	}
	return all
}

func coinEntries(r Rules) []catalog.Entry {
	return slices.DeleteFunc(r.Catalog.Currencies(), func(e catalog.Entry) bool { return e.Kind == catalog.Fiat })
}

func eventNames(_ Rules, name string) string { return among("event", name, eventTypes()) }

func eventTypes() []string {
	var all []string
	for _, t := range event.Types() {
		if t.HasRoute() {
			all = append(all, string(t))
		}
	}
	return all
}

// among says that a name is none of those there are.
func among(what, name string, all []string) string {
	if slices.Contains(all, name) {
		return ""
	}
	return fmt.Sprintf("is not a setting: %s is no %s; there are %s", name, what, strings.Join(all, ", "))
}

// items divides a list at its commas. What is written twice is kept once.
func items(v string) []string {
	var all []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" && !slices.Contains(all, item) {
			all = append(all, item)
		}
	}
	return all
}

func someOf(v string, all []string) (canonical, problem string) {
	chosen := items(v)
	for _, item := range chosen {
		if !slices.Contains(all, item) {
			return "", fmt.Sprintf("must be a list of some of the following values: %s; %q is none", strings.Join(all, ", "), item)
		}
	}
	return strings.Join(chosen, ","), ""
}

func events(_ Rules, _, v string) (string, string) { return someOf(v, eventTypes()) }

func coins(r Rules, _, v string) (string, string) { return someOf(v, coinCodes(r)) }

var colourForm = regexp.MustCompile(`^#[0-9a-f]{6}$`)

func colours(_ Rules, _, v string) (string, string) {
	all := strings.Split(strings.ToLower(strings.ReplaceAll(v, " ", "")), ",")
	if len(all) > maxColours || slices.ContainsFunc(all, func(c string) bool { return !colourForm.MatchString(c) }) {
		return "", "must be up to three colours, for accents, background and text, such as #1a56db,#ffffff,#111827"
	}
	return strings.Join(all, ","), ""
}

func networks(_ Rules, _, v string) (string, string) {
	all := items(v)
	if len(all) > maxNetworks {
		return "", fmt.Sprintf("must be a list of at most %d CIDRs", maxNetworks)
	}
	for _, item := range all {
		if _, err := parseNetwork(item); err != nil {
			return "", "must be a list of CIDRs, such as 203.0.113.0/24: " + err.Error()
		}
	}
	return strings.Join(all, ","), ""
}

// proxies are networks of one's own, and not half the internet: whoever is trusted can claim any address for the
// caller.
func proxies(r Rules, _, v string) (string, string) {
	for _, item := range items(v) {
		if p, err := parseNetwork(item); err == nil && p.Bits() < widestProxies {
			return "", fmt.Sprintf("must not contain networks wider than /%d: callers could then claim an address of the allowlist", widestProxies)
		}
	}
	return networks(r, "", v)
}

func parseNetwork(item string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(item)
	if err != nil {
		if a, err := netip.ParseAddr(item); err == nil && a.Zone() == "" {
			return p, fmt.Errorf("write %s/%d for the one address", a.Unmap(), a.Unmap().BitLen())
		}
		return p, fmt.Errorf("%q is none", item)
	}
	switch {
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%q is an IPv4-mapped IPv6 network: write the IPv4 network", item)
	case p != p.Masked():
		return p, fmt.Errorf("%q has host bits: write %s", item, p.Masked())
	}
	return p, nil
}

func webURL(r Rules, _, v string) (string, string) {
	schemes, kind := []string{"https", "http"}, "an http or https"
	if r.Environment == Production {
		schemes, kind = schemes[:1], "an https"
	}
	u, err := url.Parse(v)
	if err != nil || len(v) > maxURL || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return "", fmt.Sprintf("must be %s URL without user and fragment, of at most %d characters", kind, maxURL)
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return "", "must have a port between 1 and 65535, or none"
	}
	return strings.TrimSuffix(u.String(), "/"), ""
}
