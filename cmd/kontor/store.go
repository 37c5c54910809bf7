package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// store says where the data are. Every command that works on them has these flags.
type store struct {
	Data     string `help:"Folder of the data: the SQLite file, the sandbox's master key and its credentials." default:"./kontor-data" env:"KONTOR_DATA" type:"path"`
	Database string `help:"postgres:// URL of the database, instead of the SQLite file in the data folder." env:"KONTOR_DATABASE"`

	MasterKey     string `help:"Master key: 32 bytes in base64." env:"KONTOR_MASTER_KEY"`
	MasterKeyFile string `help:"File that holds the master key." env:"KONTOR_MASTER_KEY_FILE" type:"path"`
	Environment   string `help:"What this deployment is: staging or production." enum:"staging,production" default:"staging" env:"KONTOR_ENVIRONMENT"`
	Catalog       string `help:"Folder with data files that replace the built-in currencies, countries and fees." env:"KONTOR_CATALOG" type:"path"`
}

func (s store) target() string {
	if s.Database != "" {
		return s.Database
	}
	return filepath.Join(s.Data, "kontor.db")
}

// masterKey finds the master key: the flag or variable, a file, or the one that a sandbox wrote. Only a
// sandbox makes one.
func (s store) masterKey(sandbox bool) ([]byte, error) {
	own := filepath.Join(s.Data, "master.key")
	switch {
	case s.MasterKey != "":
		return vault.ParseMasterKey(s.MasterKey)
	case s.MasterKeyFile != "":
		text, err := os.ReadFile(s.MasterKeyFile)
		if err != nil {
			return nil, err
		}
		return vault.ParseMasterKey(string(text))
	case sandbox:
		return vault.LoadOrCreateFile(own)
	case s.Environment == string(partner.Staging):
		text, err := os.ReadFile(own)
		if err == nil {
			return vault.ParseMasterKey(string(text))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, errors.New("no master key: set KONTOR_MASTER_KEY or KONTOR_MASTER_KEY_FILE (32 random bytes in base64, for example from: openssl rand -base64 32)")
}

// open opens the program on the store.
func (s store) open(ctx context.Context, log *slog.Logger, sandbox bool, delay time.Duration, bank sepa.Bank, more ...func(*app.Config)) (*app.App, error) {
	key, err := s.masterKey(sandbox)
	if err != nil {
		return nil, err
	}
	if !sandbox && s.Database == "" {
		if _, err := os.Stat(s.target()); err != nil {
			return nil, fmt.Errorf("there are no data in %s: start kontor sandbox, or name a database with --database", s.Data)
		}
	}
	cfg := app.Config{
		Database: s.target(), MasterKey: key, Environment: partner.Environment(s.Environment), CatalogDir: s.Catalog,
		Bank: bank, SandboxDelay: delay, Clock: clock.System(), Log: log,
	}
	for _, set := range more {
		set(&cfg)
	}
	return app.Open(ctx, cfg)
}

// tool opens the program for a command that changes data. It may fill an empty database, but an upgrade under
// the feet of running nodes is for those who decide it: kontor migrate, or the nodes themselves.
func (s store) tool(ctx context.Context, log *slog.Logger) (*app.App, error) {
	return s.open(ctx, log, false, 0, sepa.SandboxBank, func(cfg *app.Config) { cfg.Schema = db.Create })
}

// reader opens the program for a command that only reads.
func (s store) reader(ctx context.Context, log *slog.Logger) (*app.App, error) {
	return s.open(ctx, log, false, 0, sepa.SandboxBank, func(cfg *app.Config) { cfg.Schema = db.Keep })
}

// verifyCommand checks the invariants.
type verifyCommand struct {
	Data     string `help:"Folder of the data." default:"./kontor-data" env:"KONTOR_DATA" type:"path"`
	Database string `help:"postgres:// URL of the database." env:"KONTOR_DATABASE"`
}

// Run prints every violation; the exit status is 1 when there is any.
func (c verifyCommand) Run(ctx context.Context, out io.Writer) error {
	d, err := openData(ctx, c.Data, c.Database)
	if err != nil {
		return err
	}
	violations, err := app.Verify(ctx, d)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	for _, v := range violations {
		fmt.Fprintln(out, v)
	}
	if len(violations) > 0 {
		fmt.Fprintf(out, "%d violations\n", len(violations))
		return exitStatus(1)
	}
	fmt.Fprintln(out, "ok: I1, I2, I3, I4 and I8 hold; the audit log is whole")
	return nil
}

// openData opens a database that is there, for a command that needs no keys.
func openData(ctx context.Context, data, database string) (*db.DB, error) {
	target := store{Data: data, Database: database}.target()
	if !db.IsPostgres(target) {
		if _, err := os.Stat(target); err != nil {
			return nil, fmt.Errorf("there are no data in %s: name their folder with --data, or the database with --database", data)
		}
	}
	return db.Open(ctx, target, db.WithSchema(db.Keep))
}
