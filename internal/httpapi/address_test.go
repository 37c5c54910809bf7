package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		trusted   []string
		want      string // empty: no address
	}{
		"nobody trusted, no header": {"203.0.113.7:50000", nil, nil, "203.0.113.7"},
		"nobody trusted: the header is ignored": {
			"203.0.113.7:50000", []string{"198.51.100.1"}, nil, "203.0.113.7",
		},
		"a stranger's header is ignored": {
			"203.0.113.7:50000", []string{"198.51.100.1"}, []string{"10.0.0.0/8"}, "203.0.113.7",
		},
		"one proxy": {"10.0.0.1:1", []string{"203.0.113.7"}, []string{"10.0.0.0/8"}, "203.0.113.7"},
		"forged by the caller, who stands right of what he claims": {
			"10.0.0.1:1", []string{"198.51.100.1, 203.0.113.7"}, []string{"10.0.0.0/8"}, "203.0.113.7",
		},
		"forged with a proxy's address": {
			"10.0.0.1:1", []string{"198.51.100.1, 10.0.0.9, 203.0.113.7"}, []string{"10.0.0.0/8"}, "203.0.113.7",
		},
		"two proxies": {
			"10.0.0.1:1", []string{"203.0.113.7, 192.0.2.1"}, []string{"10.0.0.0/8", "192.0.2.0/24"}, "203.0.113.7",
		},
		"a proxy that is not trusted is the caller": {
			"10.0.0.1:1", []string{"203.0.113.7, 192.0.2.1"}, []string{"10.0.0.0/8"}, "192.0.2.1",
		},
		"several headers are one list": {
			"10.0.0.1:1", []string{"198.51.100.1", "203.0.113.7", "10.0.0.2,10.0.0.3"}, []string{"10.0.0.0/8"}, "203.0.113.7",
		},
		"no header from a proxy: it calls itself": {"10.0.0.1:1", nil, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"all are proxies: the left-most":          {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, []string{"10.0.0.0/8"}, "10.0.0.3"},
		"empty entries do not count":              {"10.0.0.1:1", []string{"", " , 203.0.113.7 ,, "}, []string{"10.0.0.0/8"}, "203.0.113.7"},
		"garbage where the caller should be":      {"10.0.0.1:1", []string{"203.0.113.7, unknown"}, []string{"10.0.0.0/8"}, ""},
		"garbage behind a proxy":                  {"10.0.0.1:1", []string{"203.0.113.7, _hidden, 10.0.0.2"}, []string{"10.0.0.0/8"}, ""},
		"garbage that the caller claims":          {"10.0.0.1:1", []string{"'; --, 203.0.113.7"}, []string{"10.0.0.0/8"}, "203.0.113.7"},
		"numbers that are no address":             {"10.0.0.1:1", []string{"203.0.113.007"}, []string{"10.0.0.0/8"}, ""},
		"a network is no address":                 {"10.0.0.1:1", []string{"203.0.113.0/24"}, []string{"10.0.0.0/8"}, ""},
		"with a port":                             {"10.0.0.1:1", []string{"203.0.113.7:4711"}, []string{"10.0.0.0/8"}, "203.0.113.7"},
		"IPv6":                                    {"[2001:db8::1]:1", []string{"2001:db8:1::7"}, []string{"2001:db8::/48"}, "2001:db8:1::7"},
		"IPv6 in brackets":                        {"10.0.0.1:1", []string{"[2001:db8::7]"}, []string{"10.0.0.0/8"}, "2001:db8::7"},
		"IPv6 with a port":                        {"10.0.0.1:1", []string{"[2001:db8::7]:443"}, []string{"10.0.0.0/8"}, "2001:db8::7"},
		"half a bracket":                          {"10.0.0.1:1", []string{"[2001:db8::7"}, []string{"10.0.0.0/8"}, ""},
		"an IPv4-mapped peer is IPv4":             {"[::ffff:203.0.113.7]:1", nil, nil, "203.0.113.7"},
		"an IPv4-mapped proxy is IPv4": {
			"[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.7"}, []string{"10.0.0.0/8"}, "203.0.113.7",
		},
		"an IPv4-mapped entry in hexadecimal": {"10.0.0.1:1", []string{"::ffff:cb00:7107"}, []string{"10.0.0.0/8"}, "203.0.113.7"},
		"a zone counts for nothing":           {"[fe80::1%eth0]:1", []string{"203.0.113.7"}, []string{"fe80::/10"}, "203.0.113.7"},
		"a socket file":                       {"@", []string{"203.0.113.7"}, []string{"10.0.0.0/8"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			for _, line := range c.forwarded {
				r.Header.Add("x-forwarded-for", line)
			}
			var trusted []netip.Prefix
			for _, network := range c.trusted {
				trusted = append(trusted, netip.MustParsePrefix(network))
			}
			got := ""
			if a := clientAddress(r, trusted); a.IsValid() {
				got = a.String()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
