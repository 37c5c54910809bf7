package event_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

func TestAnswersThatFail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		over := make(chan struct{})
		elsewhere := receive(t, nil)
		redirect := receive(t, func(w http.ResponseWriter, _ arrival) {
			w.Header().Set("Location", elsewhere.url)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		silent := receive(t, func(http.ResponseWriter, arrival) { <-over })
		cut := receive(t, func(http.ResponseWriter, arrival) { panic(http.ErrAbortHandler) })
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		t.Cleanup(func() { close(over) })
		checkOutcomes(w, map[string]string{
			redirect.url:                "HTTP 307",
			silent.url:                  "no answer in time",
			cut.url:                     "no answer",
			gone.URL:                    "connection refused",
			receive(t, status(401)).url: "HTTP 401",
			"http://10.0.0.1":           "the address is not allowed",
			"http://169.254.169.254":    "the address is not allowed",
			"http://[fd00::1]:8080":     "the address is not allowed",
			"http://name.invalid":       "the host name was not found",
			"https" + strings.TrimPrefix(elsewhere.url, "http"): "the TLS handshake failed",
			"http://user:pw@\x7f/?k=v":                          "the webhook URL is not valid",
		}, func(d *event.Deliverer) { d.SetTimeout(500 * time.Millisecond) })
		if len(elsewhere.arrivals) > 0 {
			t.Error("a redirect was followed")
		}
	})
}

// checkOutcomes sends one event to each URL and checks how the first attempt ends.
func checkOutcomes(w *world, outcomes map[string]string, adjust ...func(*event.Deliverer)) {
	w.t.Helper()
	object, partners := clock.NewID(), map[string]int64{}
	for url := range outcomes {
		partner := int64(len(partners) + 1)
		partners[url] = partner
		w.targets[partner] = event.Target{URLs: map[event.Type]string{event.Transfer: url}}
	}
	w.run(adjust...)
	for _, partner := range partners {
		w.writeFor(partner, object, 1)
	}
	for url, want := range outcomes {
		got := w.await(partners[url], object, 1, func(r row) bool { return r.attempts > 0 })
		if got.outcome != want || got.status != event.Pending {
			w.t.Errorf("%s: %+v, want %q", url, got, want)
		}
	}
}

// receiveTLS starts a receiver with a certificate that nobody trusts.
func receiveTLS(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it reports each refused handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestProductionDialsPublicHTTPSOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		secure := receiveTLS(t)
		port := secure.URL[strings.LastIndex(secure.URL, ":"):]

		w := newWorld(t, d)
		w.config.Production = true
		checkOutcomes(w, map[string]string{
			"http://127.0.0.1" + port:  "the webhook URL must be https",
			secure.URL:                 "the address is not allowed",
			"https://localhost" + port: "the address is not allowed",
			"https://192.168.1.1":      "the address is not allowed",
		})
	})
}

func TestOperatorMayAllowANetwork(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		secure := receiveTLS(t)
		w := newWorld(t, d)
		w.config.Production = true
		w.config.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		checkOutcomes(w, map[string]string{secure.URL: "the TLS certificate is not trusted"})
	})
}

func TestBodyOfTheAnswerDecidesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		unread := make(chan error, 1)
		large := receive(t, func(w http.ResponseWriter, _ arrival) {
			_, err := io.Copy(w, strings.NewReader(strings.Repeat("x", 10<<20)))
			unread <- err
		})
		slow := receive(t, func(w http.ResponseWriter, _ arrival) {
			w.WriteHeader(http.StatusAccepted)
			for range time.Tick(10 * time.Millisecond) {
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				if err := http.NewResponseController(w).Flush(); err != nil {
					return
				}
			}
		})
		w.targets[1], w.targets[2] = event.Target{BaseURL: large.url}, event.Target{BaseURL: slow.url}
		w.run()
		object := clock.NewID()
		w.writeFor(1, object, 1)
		w.writeFor(2, object, 1)
		for partner, want := range map[int64]string{1: "HTTP 200", 2: "HTTP 202"} {
			got := w.await(partner, object, 1, func(r row) bool { return r.attempts > 0 })
			if got.status != event.Delivered || got.outcome != want {
				t.Errorf("partner %d: %+v, want %s", partner, got, want)
			}
		}
		if <-unread == nil {
			t.Error("10 MB were read")
		}
	})
}
