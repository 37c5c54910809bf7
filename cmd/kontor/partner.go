package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"

	"kontor/internal/app"
	"kontor/internal/partner"
)

// partnerCommand manages partners.
type partnerCommand struct {
	Create partnerCreate `cmd:"" help:"Create a partner; --set legalName=… is needed."`
	List   partnerList   `cmd:"" help:"List the partners."`
	Show   partnerShow   `cmd:"" help:"Show a partner with all its settings."`
	Set    partnerSet    `cmd:"" help:"Change settings of a partner: kontor partner set 3 sepaLevel=2 webhook.baseUrl=https://…"`
	Close  partnerClose  `cmd:"" help:"End a partner's access: its API keys get P418. Its users, balances and history stay. A closed partner is not opened again."`
}

// with runs work on the opened program and closes it.
func (s store) with(ctx context.Context, log *slog.Logger, work func(a *app.App) error) error {
	a, err := s.tool(ctx, log)
	if err != nil {
		return err
	}
	return errors.Join(work(a), a.Close())
}

// reading is with for work that changes nothing.
func (s store) reading(ctx context.Context, log *slog.Logger, work func(a *app.App) error) error {
	a, err := s.reader(ctx, log)
	if err != nil {
		return err
	}
	return errors.Join(work(a), a.Close())
}

type partnerCreate struct {
	store
	Set  map[string]string `help:"Settings by name." mapsep:"none"`
	JSON bool              `name:"json" help:"Print JSON."`
}

// Run creates a partner and prints its id.
func (c partnerCreate) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		p, err := a.Partners.Create(ctx, c.Set)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"id": strconv.FormatInt(p.ID, 10)})
		}
		_, err = fmt.Fprintf(out, "partner %d, %s\n", p.ID, p.Settings.Text("legalName"))
		return err
	})
}

type partnerList struct {
	store
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints one line for each partner.
func (c partnerList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.reading(ctx, log, func(a *app.App) error {
		all, err := a.Partners.List(ctx)
		if err != nil {
			return err
		}
		rows, listed := [][]string{{"ID", "LEGAL NAME", "STATE"}}, []listedPartner{}
		for _, p := range all {
			rows = append(rows, []string{strconv.FormatInt(p.ID, 10), p.Settings.Text("legalName"), state(p)})
			listed = append(listed, listedPartner{strconv.FormatInt(p.ID, 10), p.Settings.Text("legalName"), jsonTime(p.CreatedAt), jsonTime(p.ClosedAt)})
		}
		if c.JSON {
			return printJSON(out, listed)
		}
		return printTable(out, rows...)
	})
}

type listedPartner struct {
	ID        string  `json:"id"`
	LegalName string  `json:"legalName"`
	CreatedAt *string `json:"createdAt"`
	ClosedAt  *string `json:"closedAt"`
}

func state(p partner.Partner) string {
	if p.ClosedAt.IsZero() {
		return "open"
	}
	return "closed " + when(p.ClosedAt)
}

type partnerShow struct {
	store
	Partner int64 `arg:"" help:"Id of the partner."`
	JSON    bool  `name:"json" help:"Print JSON."`
}

// Run prints a partner with every setting, those that have their default too.
func (c partnerShow) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.reading(ctx, log, func(a *app.App) error {
		p, err := a.Partners.Get(ctx, c.Partner)
		if err != nil {
			return err
		}
		return printPartner(out, p, a.Partners.Defaults(), c.JSON)
	})
}

// printPartner prints a partner: its settings, and the defaults of those that it has not set.
func printPartner(out io.Writer, p partner.Partner, defaults partner.Settings, asJSON bool) error {
	maps.DeleteFunc(defaults, func(name, _ string) bool { _, set := p.Settings[name]; return set })
	if asJSON {
		return printJSON(out, map[string]any{
			"id": strconv.FormatInt(p.ID, 10), "createdAt": jsonTime(p.CreatedAt), "closedAt": jsonTime(p.ClosedAt),
			"settings": p.Settings, "defaults": defaults,
		})
	}
	rows := [][]string{{"SETTING", "VALUE", ""}}
	for name, value := range p.Settings {
		rows = append(rows, []string{name, value, ""})
	}
	for name, value := range defaults {
		rows = append(rows, []string{name, orDash(value), "default"})
	}
	slices.SortFunc(rows[1:], slices.Compare)
	fmt.Fprintf(out, "partner %d, %s, created %s, %s\n\n", p.ID, p.Settings.Text("legalName"), when(p.CreatedAt), state(p))
	return printTable(out, rows...)
}

type partnerSet struct {
	store
	Partner int64             `arg:"" help:"Id of the partner."`
	Changes map[string]string `arg:"" name:"name=value" help:"Settings by name; an empty value goes back to the default." mapsep:"none"`
	JSON    bool              `name:"json" help:"Print JSON."`
}

// Run changes settings, all or none, and prints what they are now.
func (c partnerSet) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		p, err := a.Partners.Set(ctx, c.Partner, c.Changes)
		if err != nil {
			return err
		}
		if c.JSON {
			return printPartner(out, p, a.Partners.Defaults(), true)
		}
		rows, defaults := [][]string{{"SETTING", "VALUE", ""}}, a.Partners.Defaults()
		for _, name := range slices.Sorted(maps.Keys(c.Changes)) {
			if value, set := p.Settings[name]; set {
				rows = append(rows, []string{name, value, ""})
			} else {
				rows = append(rows, []string{name, orDash(defaults[name]), "default"})
			}
		}
		return printTable(out, rows...)
	})
}

type partnerClose struct {
	store
	Partner int64 `arg:"" help:"Id of the partner."`
	JSON    bool  `name:"json" help:"Print JSON."`
}

// Run closes a partner.
func (c partnerClose) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		p, err := a.Partners.Close(ctx, c.Partner)
		if err != nil {
			return err
		}
		if c.JSON {
			return printPartner(out, p, a.Partners.Defaults(), true)
		}
		_, err = fmt.Fprintf(out, "partner %d, %s, %s\n", p.ID, p.Settings.Text("legalName"), state(p))
		return err
	})
}
