package main

import (
	"context"
	"fmt"
	"io"

	"kontor/internal/db"
)

// migrateCommand upgrades the schema and does nothing else. It needs no master key.
type migrateCommand struct {
	place
	JSON bool `name:"json" help:"Print JSON."`
}

// Run upgrades the schema and tells from which version to which.
func (c migrateCommand) Run(ctx context.Context, out io.Writer) error {
	if err := c.exists(); err != nil {
		return err
	}
	from, to, err := db.Migrate(ctx, c.target())
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(out, map[string]any{"from": from, "to": to})
	case from == to:
		_, err = fmt.Fprintf(out, "the schema has version %d already\n", to)
	default:
		_, err = fmt.Fprintf(out, "the schema had version %d and now has version %d\n", from, to)
	}
	return err
}
