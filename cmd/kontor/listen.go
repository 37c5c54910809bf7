package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	listenEvery = 300 * time.Millisecond // when there was nothing
	listenRetry = time.Second            // when Kontor does not answer
	listenLimit = 200                    // events of one answer
)

// eventsListen forwards a sandbox's events to a receiver, as its deliveries would arrive there.
type eventsListen struct {
	ForwardTo string `required:"" help:"Base URL of the receiver, such as http://localhost:3000/hooks. The path of each event is appended."`
	Data      string `help:"Folder of the sandbox's data, for its sandbox.json." default:"./kontor-data" env:"KONTOR_DATA" type:"path"`
	URL       string `name:"url" help:"Address of the sandbox; without it, the one in sandbox.json."`
	APIKey    string `name:"api-key" help:"The partner's API key; without it, the one in sandbox.json." env:"KONTOR_API_KEY"`
	Token     string `name:"webhook-token" help:"The partner's webhook token; without it, the one in sandbox.json."`
	Secret    string `name:"webhook-secret" help:"The partner's signing secret; without it, the one in sandbox.json."`
	After     *int64 `help:"Begin behind this sequence, 0 with the first event; without it, with the next event."`
}

// Run forwards until it is told to stop. It goes on when the sandbox was away.
func (c eventsListen) Run(ctx context.Context, out io.Writer) error {
	l, err := c.listener(out)
	if err != nil {
		return err
	}
	l.print("Forwarding the events of %s to %s\n", l.BaseURL, c.ForwardTo)
	last := int64(-1)
	if c.After != nil {
		last = *c.After
	}
	away := false
	for ctx.Err() == nil {
		next, err := l.round(ctx, last)
		if ctx.Err() != nil {
			break
		}
		pause := listenEvery
		if err != nil {
			// A sandbox that was started anew may have another address or key.
			if fresh, readErr := c.listener(out); readErr == nil && fresh.credentials != l.credentials {
				l = fresh
			} else if errors.As(err, new(refusal)) {
				return err
			}
			if pause = listenRetry; !away {
				l.print("Kontor does not answer; waiting for it: %v\n", err)
			}
		} else if away {
			l.print("Kontor answers again\n")
		}
		away = err != nil
		if last >= 0 && next > last {
			pause = 0
		}
		last = next
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

// refusal is an answer of Kontor's that does not change by waiting.
type refusal string

func (r refusal) Error() string { return string(r) }

// listener knows both ends.
type listener struct {
	credentials
	target string
	signer *standardwebhooks.Webhook
	client *http.Client
	out    io.Writer
}

func (c eventsListen) listener(out io.Writer) (*listener, error) {
	l := &listener{target: c.ForwardTo, out: out, client: &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if u, err := url.Parse(c.ForwardTo); err != nil || u.Host == "" {
		return nil, errors.New("--forward-to must be an address such as http://localhost:3000/hooks")
	}
	text, err := os.ReadFile(filepath.Join(c.Data, "sandbox.json"))
	if err == nil {
		err = json.Unmarshal(text, &l.credentials)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, given := range []struct {
		value string
		into  *string
	}{{c.URL, &l.BaseURL}, {c.APIKey, &l.APIKey}, {c.Token, &l.WebhookToken}, {c.Secret, &l.WebhookSecret}} {
		if given.value != "" {
			*given.into = given.value
		}
	}
	if l.BaseURL == "" || l.APIKey == "" || l.WebhookToken == "" || l.WebhookSecret == "" {
		return nil, fmt.Errorf("no sandbox has written its credentials to %s: name its folder with --data, or give --url, --api-key, --webhook-token and --webhook-secret", c.Data)
	}
	l.signer, err = standardwebhooks.NewWebhook(l.WebhookSecret)
	return l, err
}

func (l *listener) print(format string, args ...any) { fmt.Fprintf(l.out, format, args...) }

// followed is a part of what the sandbox answers.
type followed struct {
	Events []struct {
		ID       string          `json:"id"`
		Event    string          `json:"event"`
		Path     string          `json:"path"`
		Sequence int64           `json:"sequence"`
		Body     json.RawMessage `json:"body"`
	} `json:"events"`
	Last int64 `json:"last"`
}

// round fetches what comes behind a sequence, forwards it, and answers the sequence to go on from. A negative one
// asks only where the end is.
func (l *listener) round(ctx context.Context, last int64) (int64, error) {
	path := fmt.Sprintf("/v1/sandbox/events?limit=%d", listenLimit)
	if last >= 0 {
		path += "&after=" + strconv.FormatInt(last, 10)
	}
	var got followed
	if err := l.get(ctx, path, &got); err != nil {
		return last, err
	}
	if last < 0 {
		l.print("Listening from sequence %d on\n", got.Last+1)
		return got.Last, nil
	}
	if got.Last < last {
		l.print("This is another sandbox than before; beginning with its first event\n")
		return 0, nil
	}
	for _, e := range got.Events {
		answer := l.forward(ctx, e.ID, e.Event, e.Path, e.Sequence, e.Body)
		if ctx.Err() != nil {
			return last, nil
		}
		l.print("%d  %s  %s  → %s\n", e.Sequence, e.Event, e.Body, answer)
		last = e.Sequence
	}
	return last, nil
}

func (l *listener) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.BaseURL+path, nil)
	if err != nil {
		return refusal(err.Error())
	}
	req.Header.Set("x-api-key", l.APIKey)
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusNotFound:
		return refusal(fmt.Sprintf("%s answers %d: %s", l.BaseURL, resp.StatusCode, text))
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers %d: %s", resp.StatusCode, text)
	}
	return json.Unmarshal(text, into)
}

// forward makes the delivery that a webhook would be, and tells what the receiver answered.
func (l *listener) forward(ctx context.Context, id, event, path string, sequence int64, body []byte) string {
	address, err := url.JoinPath(l.target, path)
	if err != nil {
		return err.Error()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	now := time.Now()
	signature, err := l.signer.Sign(id, now, body)
	if err != nil {
		return err.Error()
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "Kontor-Webhooks/1", "Authorization": l.WebhookToken,
		standardwebhooks.HeaderWebhookID: id, standardwebhooks.HeaderWebhookSignature: signature,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(now.Unix(), 10),
		"x-kontor-event":                        event, "x-kontor-sequence": strconv.FormatInt(sequence, 10),
	} {
		req.Header.Set(name, value)
	}
	began := time.Now()
	resp, err := l.client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return strings.TrimSpace(fmt.Sprintf("%d in %d ms %s", resp.StatusCode, time.Since(began).Milliseconds(), text))
}
