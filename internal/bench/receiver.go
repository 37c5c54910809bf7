//go:build linux

package bench

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// receiver is a partner's receiver of webhooks: it reads each delivery and answers 200.
type receiver struct {
	url    string
	server *http.Server
	count  atomic.Int64
	note   func(r *http.Request, body []byte, at time.Time) // nil: nobody looks at the deliveries
}

func startReceiver(note func(r *http.Request, body []byte, at time.Time)) (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String(), note: note}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // ends with stop
	return r, nil
}

// ServeHTTP takes one delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.count.Add(1)
	if r.note != nil {
		r.note(req, body, at)
	}
}

func (r *receiver) stop() { r.server.Close() }
