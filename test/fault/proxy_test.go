//go:build linux

package fault

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"

	"kontor/internal/pgtest"
)

// swallow drops what passes. Unlike toxiproxy's own time-out it does not close connections when it is taken
// away: nobody is told that anything was lost.
type swallow struct{}

// Pipe drops what comes until it is interrupted.
func (*swallow) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
		}
	}
}

func init() { toxics.Register("swallow", &swallow{}) }

// proxy stands between the program and a server, and can be made to misbehave.
type proxy struct {
	t *testing.T
	*toxiproxy.Proxy
}

func startProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, t.Name(), freeAddress(t), upstream)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return &proxy{t: t, Proxy: p}
}

// url is the address of a server's database, through the proxy.
func (p *proxy) url(server *pgtest.Server, database string) string {
	u, err := url.Parse(server.URL(database))
	if err != nil {
		p.t.Fatal(err)
	}
	u.Host = p.Listen
	return u.String()
}

// toxic is a way to misbehave, as toxiproxy describes it.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"` // upstream: to the server; downstream: from it
	Attributes map[string]any `json:"attributes"`
}

func (p *proxy) add(x toxic) {
	p.t.Helper()
	x.Name = x.Type + " " + x.Stream
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(encode(x)))); err != nil {
		p.t.Fatal(err)
	}
}

// heal takes everything away that was added.
func (p *proxy) heal() { p.Toxics.ResetToxics(context.Background()) }

// trouble is a kind of misbehaviour and what it does to the service.
type trouble struct {
	name   string
	toxics []toxic
	cut    time.Duration // for so long at least, while nothing can be acknowledged; 0: something can
}

// How long the network is cut. When it swallows what passes, what was on its way waits for its time-out of 10 seconds
// unless the program finds out by itself: the cut is brief, so that doing nothing takes longer than backLimit.
const (
	whole = 2 * time.Second
	brief = 500 * time.Millisecond
)

var troubles = []trouble{
	{"latency", []toxic{{Type: "latency", Stream: "downstream", Attributes: map[string]any{"latency": 100, "jitter": 50}}}, 0},
	{"bandwidth", []toxic{
		{Type: "bandwidth", Stream: "upstream", Attributes: map[string]any{"rate": 64}}, // KB/s
		{Type: "bandwidth", Stream: "downstream", Attributes: map[string]any{"rate": 64}},
	}, 0},
	{"reset", []toxic{{Type: "reset_peer", Stream: "upstream", Attributes: map[string]any{"timeout": 0}}}, whole},
	{"reset of answers", []toxic{{Type: "reset_peer", Stream: "downstream", Attributes: map[string]any{"timeout": 0}}}, whole},
	{"closed after a while", []toxic{{Type: "timeout", Stream: "downstream", Attributes: map[string]any{"timeout": 300}}}, whole},
	{"requests swallowed", []toxic{{Type: "swallow", Stream: "upstream"}}, brief},
	{"answers swallowed", []toxic{{Type: "swallow", Stream: "downstream"}}, brief},
}

// TestNetworkToDatabase has the network to PostgreSQL misbehave under load: slow, narrow, with connections that
// are reset, closed, or half-open, so that they seem to live and nothing passes.
func TestNetworkToDatabase(t *testing.T) {
	t.Parallel()
	repeatedly(t, 20, func(t *testing.T) {
		server := startServer(t)
		p := startProxy(t, server.Address())
		l := startLoaded(t, 8, "--data", t.TempDir(), "--database", p.url(server, "kontor"))
		for _, i := range l.rng.Perm(len(troubles)) {
			l.endure(p, troubles[i])
		}
		l.finish()
	})
}

// endure has the network misbehave for a while and measures how long the service takes to come back.
func (l *loaded) endure(p *proxy, x trouble) {
	l.t.Helper()
	l.progress(50 + l.rng.IntN(100))
	for _, one := range x.toxics {
		p.add(one)
	}
	if x.cut > 0 {
		pause(l.t.Context(), x.cut+time.Duration(l.rng.Int64N(int64(x.cut))))
	} else {
		l.progress(50)
	}
	p.heal()
	l.recovered(x.name, time.Now(), l.s.node)
}
