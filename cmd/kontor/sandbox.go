package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"kontor/internal/app"
	"kontor/internal/console"
	"kontor/internal/file"
	"kontor/internal/ledger"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/trace"
)

// sandboxDelay is how long a simulated rail takes.
const sandboxDelay = 200 * time.Millisecond

// usualConsole is where a sandbox's back office listens unless it is told otherwise.
const usualConsole = "127.0.0.1:8082"

// sandboxCommand runs everything in one process.
type sandboxCommand struct {
	store
	Listen     string            `help:"Address of the API." default:"127.0.0.1:8080" env:"KONTOR_LISTEN"`
	Console    string            `name:"console-listen" help:"Address of the back office; empty: there is none." default:"127.0.0.1:8082" env:"KONTOR_CONSOLE_LISTEN"`
	WebhookURL string            `name:"webhook-url" help:"Where the demo partner's webhooks go." env:"KONTOR_WEBHOOK_URL"`
	APIKey     string            `name:"api-key" help:"An API key of your own for the demo partner." env:"KONTOR_API_KEY"`
	Set        map[string]string `help:"Settings of the demo partner by name." mapsep:"none"`

	BankFiles exchangeFlags `embed:"" prefix:"bank-"`

	EventsRetention time.Duration `help:"How long events are kept, with their attempts." default:"2160h" env:"KONTOR_EVENTS_RETENTION"`
}

// credentials are what sandbox.json holds.
type credentials struct {
	BaseURL       string `json:"baseUrl"`
	APIKey        string `json:"apiKey"`
	WebhookToken  string `json:"webhookToken"`
	WebhookSecret string `json:"webhookSecret"`
}

// Run serves the sandbox until it is told to stop.
func (c sandboxCommand) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if c.Environment != string(partner.Staging) {
		return errors.New("a sandbox is staging: use kontor serve for production")
	}
	if c.EventsRetention <= 0 {
		return errRetention
	}
	files, err := c.BankFiles.files(c.Environment, sepa.SandboxBank)
	if err != nil {
		return err
	}
	collectLess()
	tracer, err := trace.Start(ctx, log)
	if err != nil {
		return err
	}
	a, err := c.open(ctx, log, true, sandboxDelay, sepa.SandboxBank, func(cfg *app.Config) {
		cfg.Tracer, cfg.EventRetention, cfg.PagesURL, cfg.BankFiles = tracer, c.EventsRetention, urlOf(c.Listen), files
	})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	roles := app.Roles{API: true, Worker: true}
	if c.Console != "" {
		if roles.Console, err = c.listenConsole(ctx); err != nil {
			closeAll(listener)
			return errors.Join(err, a.Close())
		}
	}
	creds, err := c.prepare(ctx, a, "http://"+listener.Addr().String())
	if err != nil {
		closeAll(listener, roles.Console)
		return errors.Join(err, a.Close())
	}
	c.greet(out, a, creds, roles.Console)
	return errors.Join(a.Serve(ctx, listener, roles), a.Close())
}

// listenConsole opens the back office's port: any free one when somebody has the usual one, who most likely runs
// another sandbox.
func (c sandboxCommand) listenConsole(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", onThisMachine(c.Console))
	if c.Console == usualConsole && errors.Is(err, syscall.EADDRINUSE) {
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return l, err
}

// prepare makes the demo partner on the first start, applies the flags, and writes sandbox.json.
func (c sandboxCommand) prepare(ctx context.Context, a *app.App, baseURL string) (credentials, error) {
	demo, err := c.demoPartner(ctx, a)
	if err != nil {
		return credentials{}, err
	}
	changes := map[string]string{}
	for name, value := range c.Set {
		changes[name] = value
	}
	if c.WebhookURL != "" {
		changes["webhook.baseUrl"] = c.WebhookURL
	}
	if _, err := a.Partners.Set(ctx, demo.ID, changes); err != nil {
		return credentials{}, err
	}
	path := filepath.Join(c.Data, "sandbox.json")
	creds, err := c.knownKey(ctx, a, demo, path)
	if err != nil {
		return credentials{}, err
	}
	hooks, err := a.Partners.WebhookCredentials(ctx, demo.ID)
	if err != nil {
		return credentials{}, err
	}
	creds.BaseURL, creds.WebhookToken, creds.WebhookSecret = baseURL, hooks.Token, hooks.Secret
	text, err := json.MarshalIndent(creds, "", "  ")
	if err != nil {
		return credentials{}, err
	}
	return creds, file.Replace(path, append(text, '\n'), 0o600)
}

// demoPartner is the first partner after the operator that is open, or a new one.
func (c sandboxCommand) demoPartner(ctx context.Context, a *app.App) (partner.Partner, error) {
	all, err := a.Partners.List(ctx)
	if err != nil {
		return partner.Partner{}, err
	}
	for _, p := range all {
		if p.ID != ledger.Operator && p.ClosedAt.IsZero() {
			return p, nil
		}
	}
	return a.Partners.Create(ctx, map[string]string{"legalName": "Demo Partner", "rateLimit": "0"})
}

// knownKey answers an API key that works: the flag's, the one in sandbox.json, or a new one.
func (c sandboxCommand) knownKey(ctx context.Context, a *app.App, demo partner.Partner, path string) (credentials, error) {
	var creds credentials
	text, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(text, &creds); err != nil {
			return creds, fmt.Errorf("%s: %w", path, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return creds, err
	}
	if c.APIKey != "" {
		creds.APIKey = c.APIKey
	}
	if p, err := a.Partners.Authenticate(ctx, creds.APIKey); err == nil && p.ID == demo.ID {
		return creds, nil
	}
	if c.APIKey != "" {
		return creds, a.Partners.AddKey(ctx, demo.ID, c.APIKey)
	}
	_, creds.APIKey, err = a.Partners.IssueKey(ctx, demo.ID)
	return creds, err
}

func (c sandboxCommand) greet(out io.Writer, a *app.App, creds credentials, backOffice net.Listener) {
	fmt.Fprintf(out, `Kontor sandbox on %s. Simulated rails, no real money.

  base URL        %s
  API key         %s
  webhook token   %s
  (also in %s)

Try:
  curl -H "x-api-key: %s" %s/v1/partner/balances
  kontor demo --data %s

`, a.DB.Engine(), creds.BaseURL, creds.APIKey, creds.WebhookToken, filepath.Join(c.Data, "sandbox.json"),
		creds.APIKey, creds.BaseURL, c.Data)
	if folder := c.BankFiles.Folder; folder != "" {
		fmt.Fprintf(out, `Bank: files in %[1]s
Run one beside this, and let payments arrive there:
  kontor sandbox-bank --folder %[1]s

`, folder)
	}
	if backOffice != nil {
		fmt.Fprintf(out, `Console: http://%[1]s%[2]s
Add yourself to it:
  kontor console user add NAME --role admin --url http://%[1]s --data %[3]s

`, backOffice.Addr(), console.Root, c.Data)
	}
}
