// Package provider connects an identity provider outside of the program: it hands cases over by HTTP, with their
// documents, and takes the signed callbacks that tell how they ended. docs/operating.md has the protocol.
package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/semaphore"

	"kontor/internal/identity"
)

// Limits, in the machine's time.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 15 * time.Second // after the request was sent
	wholeTimeout  = 2 * time.Minute  // of a request with its documents and its answer
	atOnce        = 4                // cases being handed over, so that the worker has hands for other jobs
	maxAnswer     = 64 << 10         // bytes of an answer or a callback
	maxHeader     = 64 << 10
	minSecret     = 24 // bytes, as Standard Webhooks wants
)

var (
	errURL = errors.New("the identity provider's URL must be such as https://identity.example.com/v1, without a query or a password; in production it begins with https")
	errKey = errors.New("the identity provider's key is missing, or has signs that cannot stand in a header")
	errSec = fmt.Errorf("the secret of the identity provider's callbacks must be whsec_ and at least %d bytes in base64", minSecret)

	errBusy    = errors.New("as many checks as may be at a time are being handed to the identity provider")
	errUnknown = errors.New("the identity provider does not know the check")
	errLong    = errors.New("the identity provider's answer is too long")
)

// Config names a provider.
type Config struct {
	URL        string // below it are /checks and /checks/{id}
	Key        string // is sent as a bearer token
	Secret     string // of callbacks: whsec_ and base64
	Production bool   // https only
	Log        *slog.Logger
}

// Provider hands cases to one provider. It is safe for concurrent use.
type Provider struct {
	base   *url.URL
	key    string
	signed *standardwebhooks.Webhook
	client *http.Client
	slots  *semaphore.Weighted
	log    *slog.Logger
}

var _ identity.Provider = (*Provider)(nil)

var headerText = regexp.MustCompile(`^[!-~]{1,1000}$`)

// New makes a provider, and tells all that is wrong with its configuration. It asks nobody.
func New(c Config) (*Provider, error) {
	base, err := url.Parse(c.URL)
	var problems []error
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" ||
		(base.Scheme != "https" && (base.Scheme != "http" || c.Production)) {
		problems = append(problems, errURL)
	}
	if !headerText.MatchString(c.Key) {
		problems = append(problems, errKey)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Secret, "whsec_"))
	if err != nil || len(secret) < minSecret {
		problems = append(problems, errSec)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	signed, err := standardwebhooks.NewWebhookRaw(secret)
	return &Provider{
		base: base, key: c.Key, signed: signed, client: newClient(), slots: semaphore.NewWeighted(atOnce), log: c.Log,
	}, err
}

// newClient makes the client. Webhooks go where partners say, so they are kept out of the operator's network. This
// address is the operator's own word: a provider may well be inside that network, and TLS proves that it is there.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       wholeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  answerTimeout,
			IdleConnTimeout:        90 * time.Second,
			MaxConnsPerHost:        atOnce,
			MaxResponseHeaderBytes: maxHeader,
		},
	}
}

// Start implements identity.Provider. It first asks for the check, so that documents are sent once, and so that an
// answer whose callback was lost is found.
func (p *Provider) Start(ctx context.Context, c identity.Case, open func(identity.Document) (io.ReadCloser, error)) (identity.Outcome, error) {
	if !p.slots.TryAcquire(1) {
		return identity.Outcome{}, errBusy
	}
	defer p.slots.Release(1)
	id := checkID(c.Partner, c.Attempt)
	a, err := p.find(ctx, id)
	if errors.Is(err, errUnknown) {
		a, err = p.hand(ctx, id, c, open)
	}
	if err != nil {
		return identity.Outcome{}, err
	}
	if a.ID != id {
		return identity.Outcome{}, errors.New("the identity provider answered about another check")
	}
	return a.outcome()
}

// find asks for a check; errUnknown when it was not handed over yet.
func (p *Provider) find(ctx context.Context, id string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base.JoinPath("checks", id).String(), http.NoBody)
	if err != nil {
		return answer{}, err
	}
	return p.exchange(req)
}

// hand sends a case with its documents, which are read as they are sent.
func (p *Provider) hand(ctx context.Context, id string, c identity.Case, open func(identity.Document) (io.ReadCloser, error)) (answer, error) {
	reader, writer := io.Pipe()
	form := newForm(writer, id, c, open)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base.JoinPath("checks").String(), reader)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Idempotency-Key", id)
	written := make(chan struct{})
	go func() {
		defer close(written)
		writer.CloseWithError(form.write())
	}()
	defer func() { <-written }()
	defer reader.Close() // a provider may answer before it has read everything
	return p.exchange(req)
}

// exchange sends a request and reads the answer.
func (p *Provider) exchange(req *http.Request) (answer, error) {
	req.Header.Set("Authorization", "Bearer "+p.key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Kontor/1")
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound && req.Method == http.MethodGet:
		return answer{}, errUnknown
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return answer{}, fmt.Errorf("the identity provider answered %d to %s %s", resp.StatusCode, req.Method, req.URL.Path)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, err
	case len(text) > maxAnswer:
		return answer{}, errLong
	}
	return parse(bytes.NewReader(text))
}
