package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"kontor/internal/app"
	"kontor/internal/console"
	"kontor/internal/metrics"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/trace"
)

// serveCommand runs a node.
type serveCommand struct {
	store
	Listen string    `help:"Address of the API." default:"127.0.0.1:8080" env:"KONTOR_LISTEN"`
	Roles  []string  `help:"What this node does: api, worker." default:"api,worker" enum:"api,worker" env:"KONTOR_ROLES"`
	Bank   bankFlags `embed:"" prefix:"bank-"`

	BankFiles exchangeFlags `embed:"" prefix:"bank-"`

	IdentityProvider providerFlags `embed:"" prefix:"identity-provider-"`

	ExchangeGuard string `help:"By how many per cent the market may move against a rate lock before an exchange with it is refused; 0: by anything. Without it, 1 in production and 0 in staging." env:"KONTOR_EXCHANGE_GUARD"`

	WebhookAllow    []string      `help:"Networks (CIDR) that webhooks may go to although they are private, loopback or otherwise not public." env:"KONTOR_WEBHOOK_ALLOW" placeholder:"CIDR,…"`
	EventsRetention time.Duration `help:"How long events are kept, with their attempts." default:"2160h" env:"KONTOR_EVENTS_RETENTION"`

	ConsoleListen string `help:"Address of the back office (docs/console.md). A port alone, such as 8082, is on this machine only. Without it there is none." env:"KONTOR_CONSOLE_LISTEN"`
	PagesURL      string `name:"pages-url" help:"Where users' browsers reach their pages, such as https://verify.example.com: links begin with it. Without it they lead to the listener of the pages or of the API." env:"KONTOR_PAGES_URL"`
	PagesListen   string `help:"Address that shows users their pages and nothing else; the API's listener shows them too. Without it there is none." env:"KONTOR_PAGES_LISTEN"`
	MetricsListen string `help:"Address of the operator's listener: /metrics for Prometheus, /healthz and /readyz. A port alone, such as 9464, is on this machine only. Without it there is none." env:"KONTOR_METRICS_LISTEN"`
}

// errRoles says that a node would do nothing.
var errRoles = errors.New("--roles (KONTOR_ROLES) names no role: it must be api, worker or both")

// Run serves until it is told to stop.
func (c serveCommand) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if len(c.Roles) == 0 {
		return errRoles
	}
	if c.EventsRetention <= 0 {
		return errRetention
	}
	bank, err := c.Bank.bank(c.Environment)
	if err != nil {
		return err
	}
	files, err := c.BankFiles.files(c.Environment, bank)
	if err != nil {
		return err
	}
	allowed, err := networks(c.WebhookAllow)
	if err != nil {
		return fmt.Errorf("--webhook-allow: %w", err)
	}
	guard, err := c.guard()
	if err != nil {
		return err
	}
	identities, err := c.IdentityProvider.provider(c.Environment, log)
	if err != nil {
		return err
	}
	collectLess()
	tracer, err := trace.Start(ctx, log)
	if err != nil {
		return err
	}
	a, err := c.open(ctx, log, false, sandboxDelay, bank, func(cfg *app.Config) {
		cfg.Tracer, cfg.WebhookAllow, cfg.EventRetention, cfg.ExchangeGuard = tracer, allowed, c.EventsRetention, guard
		cfg.IdentityProvider, cfg.BankFiles = identities, files
		cfg.PagesURL = cmp.Or(c.PagesURL, urlOf(cmp.Or(c.PagesListen, c.Listen)))
		if c.MetricsListen != "" {
			cfg.Metrics = metrics.New()
		}
	})
	if err != nil {
		return err
	}
	listener, roles, err := c.listen(ctx, out, a)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	return errors.Join(a.Serve(ctx, listener, roles), a.Close())
}

// gcPercent is by how much a node's memory may grow, in percent of what is in use, before garbage is collected.
const gcPercent = 200

// collectLess lets garbage be collected half as often as Go would do it by itself, unless the operator has said how often
// by GOGC: a node has little in use, and would spend a tenth of its time on that.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// guard reads by how much the market may move against a rate lock.
func (c serveCommand) guard() (money.Percent, error) {
	text := c.ExchangeGuard
	if text == "" {
		text = map[bool]string{true: "1", false: "0"}[c.Environment == string(partner.Production)]
	}
	guard, err := money.ParsePercent(text)
	if err != nil {
		return guard, fmt.Errorf("--exchange-guard must be a share in per cent, such as 1 or 0.5: %w", err)
	}
	return guard, nil
}

// networks reads CIDRs.
func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		switch {
		case err != nil:
			return nil, err
		case p.Addr().Is4In6():
			return nil, fmt.Errorf("%q is an IPv4-mapped IPv6 network: write the IPv4 network", text)
		case p != p.Masked():
			return nil, fmt.Errorf("%q has host bits: write %s", text, p.Masked())
		}
		all = append(all, p)
	}
	return all, nil
}

// listen opens the listeners of the node's roles and tells where they are.
func (c serveCommand) listen(ctx context.Context, out io.Writer, a *app.App) (listener net.Listener, roles app.Roles, err error) {
	roles = app.Roles{API: slices.Contains(c.Roles, "api"), Worker: slices.Contains(c.Roles, "worker")}
	var config net.ListenConfig
	if c.MetricsListen != "" {
		if roles.Operations, err = config.Listen(ctx, "tcp", onThisMachine(c.MetricsListen)); err != nil {
			return nil, roles, err
		}
		fmt.Fprintf(out, "Metrics and health on http://%s\n", roles.Operations.Addr())
	}
	if c.ConsoleListen != "" {
		if roles.Console, err = config.Listen(ctx, "tcp", onThisMachine(c.ConsoleListen)); err != nil {
			closeAll(roles.Operations)
			return nil, roles, err
		}
		fmt.Fprintf(out, "Console on http://%s%s\n", roles.Console.Addr(), console.Root)
	}
	if c.PagesListen != "" {
		if roles.Pages, err = config.Listen(ctx, "tcp", c.PagesListen); err != nil {
			closeAll(roles.Operations, roles.Console)
			return nil, roles, err
		}
		fmt.Fprintf(out, "Pages for users on http://%s\n", roles.Pages.Addr())
	}
	if roles.API {
		if listener, err = config.Listen(ctx, "tcp", c.Listen); err != nil {
			closeAll(roles.Operations, roles.Console, roles.Pages)
			return nil, roles, err
		}
		fmt.Fprintf(out, "Kontor (%s) serves http://%s on %s\n", c.Environment, listener.Addr(), a.DB.Engine())
	}
	return listener, roles, nil
}

// urlOf is where a browser on this machine reaches a listener.
func urlOf(address string) string {
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address
	}
	return "http://" + address
}

// closeAll closes the listeners that there are.
func closeAll(listeners ...net.Listener) {
	for _, l := range listeners {
		if l != nil {
			l.Close()
		}
	}
}

// onThisMachine puts an address that names no host on the loopback interface: metrics and the back office are
// nobody else's business unless the operator says so.
func onThisMachine(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil && !strings.ContainsRune(address, ':') {
		port, err = address, nil
	}
	if err != nil || host != "" {
		return address
	}
	return net.JoinHostPort("127.0.0.1", port)
}
