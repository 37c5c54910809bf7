package partner_test

import (
	"strings"
	"testing"

	"kontor/internal/fault"
	"kontor/internal/partner"
)

func TestSettingsAreBroughtToCanonicalForm(t *testing.T) {
	t.Parallel()
	s, err := partner.ParseSettings(map[string]string{
		"legalName": " Test Partner ", "ipAllowlist": "203.0.113.0/24, 2001:db8::/32", "sepaLevel": "2",
		"fees.exchange": "1.49", "webhook.baseUrl": "https://example.com/hooks/", "webhook.url.exchange": "https://example.com/x",
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"legalName": "Test Partner", "sepaLevel": "2", "webhook.baseUrl": "https://example.com/hooks",
		"rateLimit": "50", "wording": "newer", "fees.exchange": "1.49",
	} {
		if got := s.Text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := s.List("ipAllowlist"); len(got) != 2 || got[1] != "2001:db8::/32" {
		t.Errorf("ipAllowlist is %q", got)
	}
	if got := s.Family("webhook.url."); got["exchange"] != "https://example.com/x" {
		t.Errorf("webhook.url.* is %q", got)
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"colour": "red", "sepaLevel": "3", "rateLimit": "-1", "rateBurst": "many", "model": "KYC",
		"ipAllowlist": "203.0.113.7/24", "trustedProxies": "::ffff:203.0.113.0/120", "markup.sepa": "1e3",
		"webhook.baseUrl": "ftp://example.com", "webhook.url.": "https://example.com", "legalName": "a\nb", "fees.": "1",
	} {
		_, err := partner.ParseSettings(map[string]string{name: bad, "wording": "older"})
		if fault.From(err).Code != fault.Validation || !strings.Contains(fault.From(err).Message, name) {
			t.Errorf("%s=%q: %v; want a P403 that names it", name, bad, err)
		}
	}
}
