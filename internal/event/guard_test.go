package event_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

// Whatever way an address of the operator's network is written, it is not dialled.
func TestAddressesThatAreNotDialled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Open(t, db.SQLite))
	w.config.Production = true
	want := map[string]string{}
	for _, address := range []string{
		"10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", // private, and a carrier's
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "[::1]", "[::]", "localhost",
		"169.254.1.1", "[fe80::1]", // link-local
		"169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", // metadata of clouds
		"[fd12:3456::1]", "224.0.0.1", "255.255.255.255", "[ff02::1]",
		"[::ffff:10.1.2.3]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", // IPv4 in IPv6
		"[64:ff9b::10.1.2.3]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::10.1.2.3]", // NAT64
		"[2002:a01:203::1]", "[2002:7f00:1::]", "[2001:0:a01:203::]", // 6to4, Teredo
	} {
		want["https://"+address+":9"] = "the address is not allowed"
	}
	checkOutcomes(w, want)
}

// names is a resolver that answers one name with one list of addresses after another; the last one stays.
func names(t *testing.T, lists ...[]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		packet, asked := make([]byte, 512), 0
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(packet[:n]) != nil || len(question.Questions) != 1 {
				continue
			}
			q := question.Questions[0]
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true}, Questions: question.Questions}
			if q.Type == dnsmessage.TypeA {
				for _, text := range lists[min(asked, len(lists)-1)] {
					answer.Answers = append(answer.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
						Body:   &dnsmessage.AResource{A: netip.MustParseAddr(text).As4()},
					})
				}
				asked++
			}
			if packed, err := answer.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that led to an allowed address first, and then into the operator's network.
func TestNameThatIsBoundAnew(t *testing.T) {
	t.Parallel()
	w, object := newWorld(t, dbtest.Open(t, db.SQLite)), clock.NewID()
	r := receive(t, func(w http.ResponseWriter, _ arrival) { w.Header().Set("Connection", "close") })
	port := r.url[strings.LastIndex(r.url, ":"):]
	w.targets[1] = event.Target{BaseURL: "http://receiver.example" + port}
	resolver := names(t, []string{"127.0.0.1"}, []string{"10.1.2.3", "169.254.169.254"})
	w.run(func(d *event.Deliverer) { d.SetResolver(resolver) })
	w.write(object, 1)
	r.expect(name(object, 1))
	w.awaitStatus(object, 1, event.Delivered)
	w.write(object, 2)
	got := w.await(1, object, 2, func(r row) bool { return r.attempts > 0 })
	if got.outcome != "the address is not allowed" {
		t.Errorf("the second delivery ended as %+v", got)
	}
}

// authority issues certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	})
	return a
}

func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: "Test"}
	template.NotBefore = time.Now().Add(-48 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// serve starts a receiver with a certificate, and counts what arrives.
func (a *authority) serve(arrived *atomic.Int64, addresses []net.IP, until time.Time) string {
	a.t.Helper()
	cert, key := a.issue(&x509.Certificate{IPAddresses: addresses, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	server.StartTLS()
	a.t.Cleanup(server.Close)
	return server.URL
}

func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	w, object := newWorld(t, dbtest.Open(t, db.SQLite)), clock.NewID()
	w.config.Production = true
	w.config.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	trusted, stranger := newAuthority(t), newAuthority(t)
	here, later := []net.IP{net.IPv4(127, 0, 0, 1)}, time.Now().Add(time.Hour)
	var good, bad atomic.Int64
	for partner, url := range map[int64]string{
		1: trusted.serve(&good, here, later),
		2: trusted.serve(&bad, here, time.Now().Add(-time.Hour)),
		3: trusted.serve(&bad, []net.IP{net.IPv4(127, 0, 0, 2)}, later),
		4: stranger.serve(&bad, here, later),
	} {
		w.targets[partner] = event.Target{BaseURL: url}
	}
	roots := x509.NewCertPool()
	roots.AddCert(trusted.cert)
	w.run(func(d *event.Deliverer) { d.SetRoots(roots) })
	for partner := range w.targets {
		w.writeFor(partner, object, 1)
	}
	for partner := range w.targets {
		want := "the TLS certificate is not trusted"
		if partner == 1 {
			want = "HTTP 200"
		}
		if got := w.await(partner, object, 1, func(r row) bool { return r.attempts > 0 }); got.outcome != want {
			t.Errorf("receiver %d: %+v, want %q", partner, got, want)
		}
	}
	if good.Load() != 1 || bad.Load() != 0 {
		t.Errorf("%d deliveries to the good receiver, %d to the bad ones", good.Load(), bad.Load())
	}
}
