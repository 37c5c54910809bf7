package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"kontor/internal/app"
	"kontor/internal/console"
)

// consoleCommand manages the back office.
type consoleCommand struct {
	User officerCommand `cmd:"" help:"Manage the accounts of officers."`
}

type officerCommand struct {
	Add     officerAdd     `cmd:"" help:"Add an officer. Prints a link that works once, for a day: over it the officer chooses a password and enrols a second factor."`
	List    officerList    `cmd:"" help:"List all officers."`
	Disable officerDisable `cmd:"" help:"Keep an officer out, and end all sessions, at once and on all nodes."`
	Reset   officerReset   `cmd:"" help:"Take an officer's password, second factor and sessions away, and print a new link. A disabled officer may sign in again after it."`
}

// linked says where the console is, for the link that is printed.
type linked struct {
	URL  string `help:"Where officers' browsers reach the console." default:"http://127.0.0.1:8082" env:"KONTOR_CONSOLE_URL"`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (l linked) print(out io.Writer, name, token string) error {
	link := strings.TrimRight(l.URL, "/") + console.Root + "/setup/" + token
	if l.JSON {
		return printJSON(out, map[string]string{"name": strings.ToLower(name), "url": link})
	}
	_, err := fmt.Fprintf(out, "Whoever opens this link becomes %s. It works once, for 24 hours:\n%s\n", strings.ToLower(name), link)
	return err
}

type officerAdd struct {
	store
	linked
	Name string `arg:"" help:"Name to sign in with: letters, digits and . _ @ -. It stands in the audit log, and is never given to another person."`
	Role string `help:"admin, compliance or support (reads only)." required:"" enum:"admin,compliance,support"`
}

// Run adds an officer and prints the set-up link.
func (c officerAdd) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		token, err := a.Officers.Add(ctx, c.Name, c.Role)
		if err != nil {
			return err
		}
		return c.print(out, c.Name, token)
	})
}

type officerReset struct {
	store
	linked
	Name string `arg:"" help:"Name of the officer."`
	Role string `help:"Another role: admin, compliance or support." enum:",admin,compliance,support" default:""`
}

// Run resets an account and prints the new set-up link.
func (c officerReset) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		token, err := a.Officers.Reset(ctx, c.Name, c.Role)
		if err != nil {
			return err
		}
		return c.print(out, c.Name, token)
	})
}

type officerDisable struct {
	store
	Name string `arg:"" help:"Name of the officer."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run disables an account.
func (c officerDisable) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(a *app.App) error {
		if err := a.Officers.Disable(ctx, c.Name); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"name": strings.ToLower(c.Name), "state": officerDisabled})
		}
		_, err := fmt.Fprintf(out, "%s is disabled\n", strings.ToLower(c.Name))
		return err
	})
}

type officerList struct {
	store
	JSON bool `name:"json" help:"Print JSON."`
}

type listedOfficer struct {
	Name       string  `json:"name"`
	Role       string  `json:"role"`
	State      string  `json:"state"`
	CreatedAt  *string `json:"createdAt"`
	SignedInAt *string `json:"signedInAt"`
}

const officerDisabled = "disabled"

// officerState tells whether an officer can sign in.
func officerState(a console.Account) string {
	switch {
	case !a.DisabledAt.IsZero():
		return officerDisabled
	case !a.Ready:
		return "not set up"
	}
	return "active"
}

// Run prints one line for each officer.
func (c officerList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.reading(ctx, log, func(a *app.App) error {
		all, err := a.Officers.List(ctx)
		if err != nil {
			return err
		}
		rows, listed := [][]string{{"NAME", "ROLE", "STATE", "CREATED", "SIGNED IN"}}, []listedOfficer{}
		for _, o := range all {
			rows = append(rows, []string{o.Name, o.Role, officerState(o), when(o.CreatedAt), when(o.SignedInAt)})
			listed = append(listed, listedOfficer{o.Name, o.Role, officerState(o), jsonTime(o.CreatedAt), jsonTime(o.SignedInAt)})
		}
		if c.JSON {
			return printJSON(out, listed)
		}
		return printTable(out, rows...)
	})
}
