package event

import (
	"strings"
	"testing"
)

func TestURLOfAnEvent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target  Target
		url     string
		refusal string
	}{
		{Target{BaseURL: "https://test.example"}, "https://test.example/webhook/user/status", ""},
		{Target{BaseURL: "https://test.example/a/"}, "https://test.example/a/webhook/user/status", ""},
		{Target{BaseURL: "https://test.example/a?k=v"}, "https://test.example/a/webhook/user/status?k=v", ""},
		{Target{BaseURL: "https://b", URLs: map[Type]string{UserStatus: "https://own/x?y"}}, "https://own/x?y", ""},
		{Target{BaseURL: "https://b", URLs: map[Type]string{UserStatus: ""}}, "https://b/webhook/user/status", ""},
		{Target{URLs: map[Type]string{Transfer: "https://own"}}, "", "no webhook URL is set"},
		{Target{BaseURL: "https://b", Disabled: map[Type]bool{UserStatus: true}}, "", "disabled"},
		{Target{BaseURL: ":"}, "", "the webhook URL is not valid"},
	} {
		if url, refusal := c.target.resolve(UserStatus); url != c.url || refusal != c.refusal {
			t.Errorf("%+v leads to %q (%q), want %q (%q)", c.target, url, refusal, c.url, c.refusal)
		}
	}
}

func TestPathsOfTheContract(t *testing.T) {
	t.Parallel()
	seen := map[string]Type{}
	for kind, path := range paths {
		if other, twice := seen[path]; twice || strings.HasPrefix(path, "/") {
			t.Errorf("the path %q of %s is not well-formed, or that of %s too", path, kind, other)
		}
		seen[path] = kind
	}
	if len(paths) != 20 {
		t.Errorf("%d event types have a path, want 20", len(paths))
	}
}
