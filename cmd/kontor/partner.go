package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"kontor/internal/partner"
)

// partnerCommand manages partners.
type partnerCommand struct {
	Create partnerCreate `cmd:"" help:"Create a partner; --set legalName=… is needed."`
	List   partnerList   `cmd:"" help:"List the partners."`
}

type partnerCreate struct {
	store
	Set  map[string]string `help:"Settings by name." mapsep:"none"`
	JSON bool              `name:"json" help:"Print JSON."`
}

// Run creates a partner and prints its id.
func (c partnerCreate) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	a, err := c.tool(ctx, log)
	if err != nil {
		return err
	}
	p, err := a.Partners.Create(ctx, c.Set)
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out, map[string]string{"id": strconv.FormatInt(p.ID, 10)})
	}
	fmt.Fprintf(out, "partner %d, %s\n", p.ID, p.Settings.Text("legalName"))
	return nil
}

type partnerList struct {
	store
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints one line for each partner.
func (c partnerList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	a, err := c.tool(ctx, log)
	if err != nil {
		return err
	}
	all, err := a.Partners.List(ctx)
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out, listed(all))
	}
	for _, p := range all {
		fmt.Fprintf(out, "%d\t%s\n", p.ID, p.Settings.Text("legalName"))
	}
	return nil
}

func listed(all []partner.Partner) []map[string]string {
	out := make([]map[string]string, 0, len(all))
	for _, p := range all {
		out = append(out, map[string]string{"id": strconv.FormatInt(p.ID, 10), "legalName": p.Settings.Text("legalName")})
	}
	return out
}

// keyCommand manages API keys.
type keyCommand struct {
	Issue keyIssue `cmd:"" help:"Issue an API key of a partner. It is shown once."`
}

type keyIssue struct {
	store
	Partner int64 `arg:"" help:"Id of the partner."`
	JSON    bool  `name:"json" help:"Print JSON."`
}

// Run issues a key and prints it.
func (c keyIssue) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	a, err := c.tool(ctx, log)
	if err != nil {
		return err
	}
	id, key, err := a.Partners.IssueKey(ctx, c.Partner)
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out, map[string]string{"id": id, "apiKey": key})
	}
	fmt.Fprintf(out, "API key %s of partner %d, shown this once:\n%s\n", id, c.Partner, key)
	return nil
}

func printJSON(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) }
