package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"kontor/internal/app"
)

// webhookCommand manages what receivers of webhooks check deliveries with.
type webhookCommand struct {
	Rotate webhookRotate `cmd:"" help:"Give a partner a new webhook token and signing secret. During the overlap deliveries are signed with the old secret too; they carry the new token from now on."`
}

type webhookRotate struct {
	store
	Partner int64         `arg:"" help:"Id of the partner."`
	Overlap time.Duration `help:"How long the old secret signs beside the new one; 0s ends it at once." default:"24h"`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Run makes new credentials and prints them.
func (c webhookRotate) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		made, until, err := a.Partners.RotateWebhook(ctx, c.Partner, c.Overlap)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{
				"webhookToken": made.Token, "webhookSecret": made.Secret, "oldSecretUntil": *jsonTime(until),
			})
		}
		fmt.Fprintf(out, "partner %d has new webhook credentials; its old secret signs too until %s\n\n", c.Partner, when(until))
		return printTable(out, []string{"token", made.Token}, []string{"secret", made.Secret})
	})
}
