package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// place says where the data are.
type place struct {
	Data     string `help:"Folder of the data: the SQLite file, the sandbox's master key and its credentials." default:"./kontor-data" env:"KONTOR_DATA" type:"path"`
	Database string `help:"postgres:// URL of the database, instead of the SQLite file in the data folder." env:"KONTOR_DATABASE"`
}

// errDatabase does not show the value, which may hold a password.
var errDatabase = errors.New("--database (KONTOR_DATABASE) must be a URL that begins with postgres://; an SQLite file is named by its folder, with --data")

// AfterApply checks the URL when the flags were read: anything else would become the name of an SQLite file. Schemes are
// the same in any case.
func (p *place) AfterApply() error {
	if p.Database == "" {
		return nil
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(p.Database), ":")
	p.Database = strings.ToLower(scheme) + ":" + rest
	if !db.IsPostgres(p.Database) {
		return errDatabase
	}
	return nil
}

// target is what the database is opened by.
func (p place) target() string {
	if p.Database != "" {
		return p.Database
	}
	return filepath.Join(p.Data, "kontor.db")
}

// exists makes sure that a mistyped folder does not become a database.
func (p place) exists() error {
	if p.Database != "" {
		return nil
	}
	if _, err := os.Stat(p.target()); err != nil {
		return fmt.Errorf("there are no data in %s: name their folder with --data, or the database with --database", p.Data)
	}
	return nil
}

// open opens the database as it is, for a command that only reads and needs no keys.
func (p place) open(ctx context.Context) (*db.DB, error) {
	if err := p.exists(); err != nil {
		return nil, err
	}
	return db.Open(ctx, p.target(), db.WithSchema(db.Keep))
}

// store says where the data are and how they are read. Every command that needs more than the bare database has
// these flags.
type store struct {
	place

	MasterKey     string `help:"Master key: 32 bytes in base64." env:"KONTOR_MASTER_KEY"`
	MasterKeyFile string `help:"File that holds the master key." env:"KONTOR_MASTER_KEY_FILE" type:"path"`
	Environment   string `help:"What this deployment is: staging or production." enum:"staging,production" default:"staging" env:"KONTOR_ENVIRONMENT"`
	Documents     string `help:"Folder of users' documents, which all nodes share. Without it: documents in the data folder." env:"KONTOR_DOCUMENTS" type:"path"`
	Catalog       string `help:"Folder with data files that replace the built-in currencies, countries and fees." env:"KONTOR_CATALOG" type:"path"`
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
	if !sandbox {
		if err := s.exists(); err != nil {
			return nil, err
		}
	}
	cfg := app.Config{
		Database: s.target(), MasterKey: key, Documents: cmp.Or(s.Documents, filepath.Join(s.Data, "documents")), Environment: partner.Environment(s.Environment), CatalogDir: s.Catalog,
		PDFProgram: pageProgram(), Bank: bank, SandboxDelay: delay, Clock: clock.System(), Log: log,
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
