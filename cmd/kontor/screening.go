package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"kontor/internal/app"
	"kontor/internal/compliance"
	"kontor/internal/db"
)

// screeningCommand keeps the lists that users are screened against.
type screeningCommand struct {
	Import screeningImport `cmd:"" help:"Import a list of sanctions or politically exposed persons from its published file. All users are screened again a minute later."`
	Status screeningStatus `cmd:"" help:"Show the lists in use, and how far the screening after the last change has come."`
	Check  screeningCheck  `cmd:"" help:"Compare a name with the lists, as a screening does. Nothing is stored."`
}

type screeningImport struct {
	store
	Source      string `arg:"" help:"opensanctions (targets.simple.csv or entities as JSON lines), eu (XML 1.1), un (XML) or ofac (SDN XML)." enum:"opensanctions,eu,un,ofac"`
	File        string `arg:"" help:"The file; - reads the standard input." type:"path"`
	AcceptFewer bool   `help:"Accept a list that has lost more than a fifth of its persons."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

// Run imports the file.
func (c screeningImport) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	file := io.ReadCloser(os.Stdin)
	if c.File != "-" {
		if file, err = os.Open(c.File); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	return c.with(ctx, log, func(a *app.App) error {
		l, err := a.Compliance.Import(ctx, c.Source, file, c.AcceptFewer)
		if err != nil {
			if errors.Is(err, compliance.ErrFewer) {
				err = fmt.Errorf("%w; --accept-fewer takes it all the same", err)
			}
			return err
		}
		if l.Unnamed > 0 {
			log.Warn("persons without a name were left out of the list", "persons", l.Unnamed, "places", l.Places)
		}
		if c.JSON {
			return printJSON(out, listedWatchlist(l, compliance.Progress{}))
		}
		_, err = fmt.Fprintf(out, "%s: %d persons are in use, %d other entries were left out (%s)\n", l.Version(), l.Entities, l.Skipped, l.Format)
		return err
	})
}

// watchlistStatus is a list in use, with the screening that its import began.
type watchlistStatus struct {
	Source     string  `json:"source"`
	Date       string  `json:"date"`
	Hash       string  `json:"hash"`
	Format     string  `json:"format"`
	Entities   int64   `json:"entities"`
	Skipped    int64   `json:"skipped"`
	ImportedAt *string `json:"importedAt"`
	Screened   int64   `json:"usersScreenedAgain"`
	Cases      int64   `json:"casesOpened"`
	FinishedAt *string `json:"screeningFinishedAt"`
}

func listedWatchlist(l compliance.Watchlist, p compliance.Progress) watchlistStatus {
	return watchlistStatus{
		l.Source, l.Date, l.Hash, l.Format, l.Entities, l.Skipped, jsonTime(l.ImportedAt), p.Screened, p.Cases, jsonTime(p.FinishedAt),
	}
}

type screeningStatus struct {
	store
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints one line for each list.
func (c screeningStatus) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.reading(ctx, log, func(a *app.App) error {
		imported := false
		rows := [][]string{{"LIST", "DATE", "ENTRIES", "IMPORTED", "HASH", "USERS SCREENED", "CASES", "FINISHED"}}
		all := []watchlistStatus{}
		err := a.DB.View(ctx, func(r db.Reader) error {
			lists, err := compliance.Lists(r)
			if err != nil {
				return err
			}
			imported = len(lists) > 0
			if risk, noted, err := compliance.FindRisk(r); err != nil {
				return err
			} else if noted {
				lists = append(lists, risk)
			}
			for _, l := range lists {
				p, _, err := compliance.FindProgress(r, l.ID)
				if err != nil {
					return err
				}
				const digits = 12
				rows = append(rows, []string{
					l.Source, l.Date, strconv.FormatInt(l.Entities, 10), when(l.ImportedAt), l.Hash[:min(digits, len(l.Hash))],
					strconv.FormatInt(p.Screened, 10), strconv.FormatInt(p.Cases, 10), when(p.FinishedAt),
				})
				all = append(all, listedWatchlist(l, p))
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case c.JSON:
			return printJSON(out, all)
		case !imported:
			_, err = fmt.Fprintln(out, "No list was imported. In staging the invented persons of docs/screening.md are listed; in production every user waits for an officer.")
			return err
		}
		return printTable(out, rows...)
	})
}

type screeningCheck struct {
	store
	Name      string `arg:"" help:"The name, in any script."`
	BirthDate string `help:"YYYY-MM-DD."`
	Country   string `help:"ISO code of a country that the person has to do with."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Run prints the hits, the surest first.
func (c screeningCheck) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if _, err := time.Parse(time.DateOnly, c.BirthDate); c.BirthDate != "" && err != nil {
		return fmt.Errorf("--birth-date: %q is not a date such as 1980-12-31", c.BirthDate)
	}
	return c.reading(ctx, log, func(a *app.App) error {
		if err := a.Compliance.Load(ctx); err != nil {
			return err
		}
		found := a.Compliance.Screen(compliance.Subject{
			Names: []compliance.Name{{Last: c.Name}}, BirthDate: c.BirthDate,
			Countries: compliance.Countries{Citizenship: strings.ToUpper(c.Country)},
		})
		if c.JSON {
			if found.Findings == nil {
				found.Findings = []compliance.Finding{}
			}
			return printJSON(out, map[string]any{"findings": found.Findings, "lists": found.ListVersion})
		}
		if !found.Flagged() {
			_, err := fmt.Fprintf(out, "nothing found; lists: %s\n", found.ListVersion)
			return err
		}
		return printFindings(out, found.Findings)
	})
}

// printFindings prints one line for each.
func printFindings(out io.Writer, findings []compliance.Finding) error {
	rows := [][]string{{"SCORE", "KIND", "REF", "WHAT", "EVIDENCE"}}
	for _, f := range findings {
		evidence := ""
		if f.Match != nil {
			evidence = strings.Join(f.Match.Evidence, "; ")
		}
		rows = append(rows, []string{strconv.FormatInt(f.Score, 10), string(f.Kind), f.Ref, f.Text, orDash(evidence)})
	}
	return printTable(out, rows...)
}
