package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardedFor is the header to which each proxy adds, at the right, the address that called it.
const forwardedFor = "X-Forwarded-For"

// peerAddress is the address of the connection's other end; the zero Addr when it has none (a socket file).
func peerAddress(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddress(peer.Addr())
}

// clientAddress is the address that a request came from: the connection's peer, unless that is a trusted
// proxy. Then X-Forwarded-For is read from the right, past the trusted proxies; the first address that is not
// one of them counts, since everything left of it is only what that caller claims. When all are trusted, the
// left-most counts. It is the zero Addr, which is on no list, when what should count is not an address.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	address := peerAddress(r)
	for _, entry := range slices.Backward(forwarded(r.Header)) {
		if !contains(trusted, address) {
			return address
		}
		if address = parseForwarded(entry); !address.IsValid() {
			return netip.Addr{}
		}
	}
	return address
}

// forwarded are the entries of all X-Forwarded-For headers, in their order: several headers are one list
// (RFC 9110, section 5.3). Empty entries do not count.
func forwarded(h http.Header) []string {
	var entries []string
	for _, line := range h.Values(forwardedFor) {
		for entry := range strings.SplitSeq(line, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				entries = append(entries, entry)
			}
		}
	}
	return entries
}

// parseForwarded reads an entry: an address, which some proxies write with a port, and IPv6 in brackets.
func parseForwarded(entry string) netip.Addr {
	if with, err := netip.ParseAddrPort(entry); err == nil {
		return plainAddress(with.Addr())
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}
		}
		entry = inner
	}
	address, err := netip.ParseAddr(entry)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddress(address)
}

// plainAddress writes an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) as the IPv4 address that it is, and
// leaves the zone away, which means something on this machine only.
func plainAddress(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func contains(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
}
