//go:build linux

package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/db"
)

// TestClientHangsUp has clients that break their connections in the middle of requests beside others that
// behave. What the rude ones asked for happens or not; the others must not notice.
func TestClientHangsUp(t *testing.T) {
	t.Parallel()
	eachEngine(t, 20, func(t *testing.T, engine db.Engine) {
		rng := random(t)
		r := startReceiver(t)
		s := startSandbox(t, engine, r.url)
		r.expect(t, s.creds)
		w := newWorld(t, r, s.creds.APIKey)
		w.populate(s.url, 6, 10_000)
		stop := w.load(rng, 8, s.url)
		users := w.usersByName()
		cut := make([][]*operation, 6)
		var group sync.WaitGroup
		for i := range cut {
			own := rand.New(rand.NewPCG(rng.Uint64(), 0))
			group.Go(func() {
				var took time.Duration // how long an answer takes at the moment
				for j := range 150 {
					source, destination := own.IntN(len(users)), own.IntN(len(users)-1)
					if destination >= source {
						destination++
					}
					o := w.inventTransfer(users[source], users[destination], 1+own.Int64N(300))
					cut[i] = append(cut[i], o)
					start := time.Now()
					switch {
					case j == 0:
						w.attempt(t.Context(), s.url, o)
					case own.IntN(8) == 0:
						w.half(s.url, o)
					default:
						w.rudely(time.Duration(own.Int64N(2*int64(took))), s.url, o)
					}
					if o.settled {
						took = time.Since(start)
					}
				}
			})
		}
		group.Wait()
		stop()
		rude := map[*operation]bool{}
		for _, of := range cut {
			for _, o := range of {
				rude[o] = true
			}
		}
		for _, o := range w.operations {
			if !rude[o] && o.unknown > 0 {
				t.Errorf("%s: somebody else's broken connection was noticed", o)
			}
		}
		w.settle(s.url)
		w.check(s.url)
		s.verify("at the end")
	})
}

// rudely asks for an operation and hangs up after a while: while the request is on its way, being worked on,
// or answered.
func (w *world) rudely(after time.Duration, base string, o *operation) {
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	w.attempt(ctx, base, o)
}

// half sends half of a request's body and hangs up.
func (w *world) half(base string, o *operation) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err == nil {
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: test\r\nx-api-key: %s\r\nIdempotency-Key: %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			o.path, w.apiKey, o.key, len(o.body), o.body[:len(o.body)/2])
	}
	w.change(func() {
		o.unknown++
		if err != nil {
			w.complain("%s: %v", o, err)
		}
	})
}
