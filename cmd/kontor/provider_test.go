package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnIdentityProviderIsNamedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const url = "https://identity.example.com/v1"
	for name, c := range map[string]struct {
		flags       providerFlags
		environment string
		problem     string // empty: it is taken
	}{
		"none":               {providerFlags{}, "production", ""},
		"whole":              {providerFlags{URL: url, Key: "k", Secret: secret}, "production", ""},
		"from a file":        {providerFlags{URL: url, Key: "k", SecretFile: file}, "production", ""},
		"no address":         {providerFlags{Key: "k"}, "staging", "--identity-provider-url"},
		"no key":             {providerFlags{URL: url, Secret: secret}, "staging", "--identity-provider-key"},
		"no secret":          {providerFlags{URL: url, Key: "k"}, "staging", "--identity-provider-secret"},
		"two secrets":        {providerFlags{URL: url, Key: "k", Secret: secret, SecretFile: file}, "staging", "not both"},
		"no such file":       {providerFlags{URL: url, KeyFile: file + "x", Secret: secret}, "staging", "no such file"},
		"http in production": {providerFlags{URL: "http://identity.example.com", Key: "k", Secret: secret}, "production", "https"},
	} {
		p, err := c.flags.provider(c.environment, slog.New(slog.DiscardHandler))
		switch {
		case c.problem == "" && err != nil, c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v", name, err)
		case (p != nil) != (c.problem == "" && name != "none"):
			t.Errorf("%s: a provider: %t", name, p != nil)
		}
	}
}
