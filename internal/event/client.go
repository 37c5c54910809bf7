package event

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Limits of one attempt, in the machine's time.
const (
	answerTimeout = 10 * time.Second // from dialling to the end of the answer's headers
	drainTimeout  = time.Second      // for the answer's body, which decides nothing
	drainLimit    = 64 << 10         // bytes of the body that are read, so that the connection can be used again
)

const userAgent = "Kontor-Webhooks/1"

// loopback is what staging may dial beside the public networks: the receiver on the developer's machine.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// newClient makes the client for deliveries. It judges the address it is about to dial, after the name was
// resolved, so no DNS answer leads it into the operator's network; it knows no proxy, which would be
// dialled instead; it follows no redirect.
func newClient(production bool, allowed []netip.Prefix, resolver *net.Resolver) *http.Client {
	if !production {
		allowed = append(loopback[:len(loopback):len(loopback)], allowed...)
	}
	var v4, v6 []netip.Prefix
	for _, p := range allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, Control: guard.Safe, Resolver: resolver}
	return &http.Client{
		Timeout:       answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    5 * time.Second,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConns:           512,
			MaxIdleConnsPerHost:    maxConcurrency, // several partners may have their receivers behind one host
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
	}
}

// classify names a failed exchange without repeating its error, which may hold a URL with secrets.
func classify(err error) string {
	var refused *url.Error
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return "the address is not allowed"
	case errors.As(err, &dns):
		return "the host name was not found"
	case errors.As(err, &refused) && refused.Timeout():
		return "no answer in time"
	case errors.As(err, &certificate):
		return "the TLS certificate is not trusted"
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &alert):
		return "the TLS handshake failed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	}
	return "no answer"
}
