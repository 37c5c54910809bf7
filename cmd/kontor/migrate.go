package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"kontor/internal/db"
)

// migrateCommand upgrades the schema and does nothing else. It needs no master key.
type migrateCommand struct {
	Data     string `help:"Folder of the data." default:"./kontor-data" env:"KONTOR_DATA" type:"path"`
	Database string `help:"postgres:// URL of the database." env:"KONTOR_DATABASE"`
}

// Run upgrades the schema and tells from which version to which.
func (c migrateCommand) Run(ctx context.Context, out io.Writer) error {
	target := store{Data: c.Data, Database: c.Database}.target()
	if !db.IsPostgres(target) {
		if _, err := os.Stat(target); err != nil {
			return err // a mistyped folder must not become a database
		}
	}
	from, to, err := db.Migrate(ctx, target)
	if err != nil {
		return err
	}
	if from == to {
		fmt.Fprintf(out, "the schema has version %d already\n", to)
		return nil
	}
	fmt.Fprintf(out, "the schema had version %d and now has version %d\n", from, to)
	return nil
}
