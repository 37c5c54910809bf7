// Command kontor is the whole platform in one program: the sandbox on a laptop, the server on PostgreSQL,
// and the tools of the operator.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"kontor/internal/audit"
	"kontor/internal/fault"
	"kontor/internal/trace"
)

// cli is the command line. Every flag can be given by the environment variable that its help names.
type cli struct {
	LogFormat string `help:"How log lines are written: text or json." enum:"text,json" default:"text" env:"KONTOR_LOG_FORMAT"`

	Sandbox     sandboxCommand     `cmd:"" help:"Run everything in one process on this machine, with simulated rails and a demo partner."`
	SandboxBank sandboxBankCommand `cmd:"" help:"Run the sandbox's bank by itself, beside kontor serve with --bank-folder; let payments arrive there."`
	Serve       serveCommand       `cmd:"" help:"Run a node of a deployment."`
	Demo        demoCommand        `cmd:"" help:"Drive a running sandbox through the first money path and show every call, answer and event."`
	Partner     partnerCommand     `cmd:"" help:"Create, list, change and close partners."`
	Key         keyCommand         `cmd:"" help:"Issue, list and revoke API keys."`
	Webhook     webhookCommand     `cmd:"" help:"Rotate the credentials of webhooks."`
	Events      eventsCommand      `cmd:"" help:"Read the event log, have events sent again, forward them to a receiver on this machine."`
	Console     consoleCommand     `cmd:"" help:"Manage who may sign in to the back office."`
	Masterkey   masterkeyCommand   `cmd:"" help:"Rotate the master key."`
	Audit       auditCommand       `cmd:"" help:"Read the audit log."`
	Adjust      adjustCommand      `cmd:"" help:"Correct balances: one person proposes, another decides."`
	Screening   screeningCommand   `cmd:"" help:"Import the lists that users are screened against; see which are in use."`
	Cases       casesCommand       `cmd:"" help:"See the compliance cases, and decide them."`
	Suspense    suspenseCommand    `cmd:"" help:"See incoming money that waits for a decision, and decide."`
	User        userCommand        `cmd:"" help:"Look at users; freeze them and lift the freeze."`
	Receivables receivablesCommand `cmd:"" help:"See who owes the platform."`
	Treasury    treasuryCommand    `cmd:"" help:"See the open position in each currency, and note hedges."`
	Reconcile   reconcileCommand   `cmd:"" help:"Compare the books with what the bank says it has."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the schema of the database up to date, and do nothing else."`
	Verify      verifyCommand      `cmd:"" help:"Check the books, the event log and the audit log; name every violation."`
	Bench       benchCommand       `cmd:"" help:"Measure the program on this machine, on data of its own."`
	DrawPage    drawPageCommand    `cmd:"" hidden:"" help:"Draw a page of a PDF, for the console."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run runs one command and answers the exit status.
func run(ctx context.Context, args []string, out, problems io.Writer) int {
	var c cli
	ctx = audit.As(ctx, actor())
	parser := kong.Must(&c, kong.Name("kontor"),
		kong.Description("Embedded finance: accounts, payments and webhooks for partners, on your own machines."),
		kong.Writers(out, problems), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)))
	k, err := parser.Parse(args)
	parser.FatalIfErrorf(err)
	return status(k.Run(newLog(c.LogFormat, problems)), problems)
}

// status tells an error, unless it was told already, and answers the exit status for it.
func status(err error, out io.Writer) int {
	if err == nil {
		return 0
	}
	var told exitStatus
	if errors.As(err, &told) {
		return int(told)
	}
	fmt.Fprintln(out, "kontor: "+plain(err))
	return 1
}

// exitStatus is an error that was reported already; only its number is left to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// plain is an error as an operator reads it: with the cause that a partner never sees.
func plain(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Cause != nil {
		return f.Message + " (" + f.Cause.Error() + ")"
	}
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}

// newLog makes the program's log. Attributes whose names speak of secrets are masked,
// should one ever be logged by mistake.
func newLog(format string, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{ReplaceAttr: redact}
	if format == "json" {
		return slog.New(trace.LogHandler(slog.NewJSONHandler(out, options)))
	}
	return slog.New(trace.LogHandler(slog.NewTextHandler(out, options)))
}

var secretWords = []string{"key", "token", "secret", "authorization", "password", "pan", "cvv", "pin", "documentnumber", "pesel"}

func redact(_ []string, a slog.Attr) slog.Attr {
	name := strings.ToLower(a.Key)
	for _, word := range secretWords {
		if name == word || strings.HasSuffix(name, word) {
			return slog.String(a.Key, "***")
		}
	}
	return a
}
