package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver is the demonstration's own receiver of webhooks. It checks what a partner's program should check:
// the token, and the signature by the library of Standard Webhooks.
type receiver struct {
	url     string
	token   string
	checker *standardwebhooks.Webhook
	server  *http.Server
	notes   *notes

	mu     sync.Mutex
	seen   map[string]bool // by webhook-id: an event can arrive more than once
	counts map[string]int
	wrong  error
	change chan struct{} // closed and replaced whenever something arrived
}

func startReceiver(c credentials, n *notes) (*receiver, error) {
	checker, err := standardwebhooks.NewWebhook(c.WebhookSecret)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{
		url: "http://" + listener.Addr().String(), token: c.WebhookToken, checker: checker, notes: n,
		seen: map[string]bool{}, counts: map[string]int{}, change: make(chan struct{}),
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // ends with stop
	return r, nil
}

func (r *receiver) stop() { r.server.Close() }

// ServeHTTP takes one delivery.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	switch {
	case err != nil:
	case req.Header.Get("Authorization") != r.token:
		err = errors.New("a delivery has a wrong token")
	default:
		err = r.checker.Verify(body, req.Header)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.wrong = err
		w.WriteHeader(http.StatusUnauthorized)
	} else if id := req.Header.Get("webhook-id"); !r.seen[id] {
		r.seen[id] = true
		r.counts[req.Header.Get("x-kontor-event")]++
		r.notes.line("⇐", "event %s %s %s", req.Header.Get("x-kontor-sequence"), req.URL.Path, body)
	}
	close(r.change)
	r.change = make(chan struct{})
}

// wait waits until an event has arrived a number of times.
func (r *receiver) wait(ctx context.Context, name string, count int) error {
	for {
		r.mu.Lock()
		got, wrong, change := r.counts[name], r.wrong, r.change
		r.mu.Unlock()
		switch {
		case wrong != nil:
			return wrong
		case got >= count:
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events %s arrived", got, count, name)
		}
	}
}

// count is how many different events arrived.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}
