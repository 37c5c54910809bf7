package event

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// SetTimeout shortens how long an attempt waits for an answer. It is called before Run.
func (d *Deliverer) SetTimeout(t time.Duration) { d.client.Timeout = t }

// What tests compare with the contract, or look for in the database.
var (
	SecretMembers = secretMembers
	Paths         = paths
	BodyPlace     = bodyPlace
)

// SetResolver replaces the resolver of names. It is called before Run.
func (d *Deliverer) SetResolver(r *net.Resolver) {
	d.client = newClient(d.cfg.Production, d.cfg.Allowed, r)
}

// SetRoots replaces the trusted authorities. It is called before Run.
func (d *Deliverer) SetRoots(roots *x509.CertPool) {
	d.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
}
