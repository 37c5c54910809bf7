package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"kontor/internal/app"
	"kontor/internal/partner"
)

// keyCommand manages API keys.
type keyCommand struct {
	Issue  keyIssue  `cmd:"" help:"Issue an API key of a partner. It is shown once."`
	List   keyList   `cmd:"" help:"List a partner's API keys."`
	Revoke keyRevoke `cmd:"" help:"Revoke an API key: within a second no node takes it any more."`
}

type keyIssue struct {
	store
	Partner int64  `arg:"" help:"Id of the partner."`
	Label   string `help:"What the key is for."`
	Expires string `help:"When the key ends by itself: 2027-01-31, which is the beginning of that day in UTC, or 2027-01-31T12:00:00Z."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run issues a key and prints it.
func (c keyIssue) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	expires, err := parseTime(c.Expires)
	if err != nil {
		return fmt.Errorf("--expires %s: %w", c.Expires, err)
	}
	return c.with(ctx, log, func(a *app.App) error {
		id, key, err := a.Partners.IssueKeyWith(ctx, c.Partner, partner.KeyTerms{Label: c.Label, ExpiresAt: expires})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"id": id, "apiKey": key})
		}
		_, err = fmt.Fprintf(out, "API key %s of partner %d for %s, shown this once:\n%s\n", id, c.Partner, c.Environment, key)
		return err
	})
}

// parseTime reads a date or a time (RFC 3339); the empty text is the zero time.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("write a date, such as 2027-01-31, or a time, such as 2027-01-31T12:00:00Z")
	}
	return t, nil
}

type keyList struct {
	store
	Partner int64 `arg:"" help:"Id of the partner."`
	JSON    bool  `name:"json" help:"Print JSON."`
}

type listedKey struct {
	ID         string  `json:"id"`
	Label      string  `json:"label"`
	State      string  `json:"state"`
	CreatedAt  *string `json:"createdAt"`
	LastUsedAt *string `json:"lastUsedAt"`
	ExpiresAt  *string `json:"expiresAt"`
	RevokedAt  *string `json:"revokedAt"`
}

// Run prints one line for each key, revoked ones too.
func (c keyList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.reading(ctx, log, func(a *app.App) error {
		keys, err := a.Partners.Keys(ctx, c.Partner)
		if err != nil {
			return err
		}
		rows, listed := [][]string{{"ID", "LABEL", "STATE", "CREATED", "LAST USED", "EXPIRES"}}, []listedKey{}
		for _, k := range keys {
			rows = append(rows, []string{k.ID, orDash(k.Label), keyState(k), when(k.CreatedAt), when(k.LastUsedAt), when(k.ExpiresAt)})
			listed = append(listed, listedKey{
				k.ID, k.Label, keyState(k), jsonTime(k.CreatedAt), jsonTime(k.LastUsedAt), jsonTime(k.ExpiresAt), jsonTime(k.RevokedAt),
			})
		}
		switch {
		case c.JSON:
			return printJSON(out, listed)
		case len(keys) == 0:
			_, err = fmt.Fprintf(out, "partner %d has no API keys; kontor key issue %d makes one\n", c.Partner, c.Partner)
			return err
		}
		return printTable(out, rows...)
	})
}

func keyState(k partner.Key) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case k.Ended(time.Now()):
		return "expired"
	}
	return "active"
}

type keyRevoke struct {
	store
	Partner int64  `arg:"" help:"Id of the partner."`
	Key     string `arg:"" help:"Id of the key, as kontor key list shows it."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run revokes a key.
func (c keyRevoke) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		k, err := a.Partners.RevokeKey(ctx, c.Partner, c.Key)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]*string{"id": &k.ID, "revokedAt": jsonTime(k.RevokedAt)})
		}
		_, err = fmt.Fprintf(out, "API key %s of partner %d, revoked %s\n", k.ID, c.Partner, when(k.RevokedAt))
		return err
	})
}
