package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
)

// auditCommand reads the audit log.
type auditCommand struct {
	List auditList `cmd:"" help:"List what was changed and by whom, the newest first. kontor verify checks that the log is whole."`
}

type auditList struct {
	place
	Partner *int64 `help:"Only what concerns this partner; 0 is the operator."`
	Limit   int    `help:"How many entries." default:"50"`
	Before  int64  `help:"Only entries with lower numbers, for the next page."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

type listedEntry struct {
	Number   int64           `json:"number"`
	At       string          `json:"at"`
	Actor    string          `json:"actor"`
	Action   string          `json:"action"`
	Partner  string          `json:"partner"`
	Object   string          `json:"object"`
	Details  json.RawMessage `json:"details"`
	Previous string          `json:"previousHash"`
	Hash     string          `json:"hash"`
}

// Run prints entries, one line each.
func (c auditList) Run(ctx context.Context, out io.Writer) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	d, err := c.open(ctx)
	if err != nil {
		return err
	}
	var entries []audit.Recorded
	err = d.View(ctx, func(r db.Reader) (err error) {
		entries, err = audit.List(r, audit.Filter{Partner: c.Partner}, c.Limit, c.Before)
		return err
	})
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	rows, listed := [][]string{{"NUMBER", "TIME", "ACTOR", "ACTION", "PARTNER", "OBJECT", "DETAILS"}}, []listedEntry{}
	for _, e := range entries {
		number, partner := strconv.FormatInt(e.Number, 10), strconv.FormatInt(e.Partner, 10)
		rows = append(rows, []string{number, when(e.At), e.Actor, e.Action, partner, orDash(e.Object), e.Details})
		listed = append(listed, listedEntry{e.Number, clock.Format(e.At), e.Actor, e.Action, partner, e.Object, json.RawMessage(e.Details), e.Previous, e.Hash})
	}
	switch {
	case c.JSON:
		return printJSON(out, listed)
	case len(entries) == 0:
		_, err = fmt.Fprintln(out, "no entries")
		return err
	}
	return printTable(out, rows...)
}

// actor is who works with the program's commands, as the audit log names them.
func actor() string {
	u, err := user.Current()
	if err != nil {
		return audit.Operator("uid-" + strconv.Itoa(os.Getuid()))
	}
	return audit.Operator(u.Username)
}
