package main

import (
	"net/netip"
	"slices"
	"testing"
)

func TestNetworksThatWebhooksMayGoTo(t *testing.T) {
	t.Parallel()
	got, err := networks([]string{"10.1.0.0/16", " fd00:1::/32"})
	want := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("read as %v, %v", got, err)
	}
	for _, text := range []string{"", "10.1.0.0", "10.1.0.1/16", "::ffff:10.1.0.0/112", "somewhere"} {
		if _, err := networks([]string{text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
