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

	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/vault"
)

// masterkeyCommand manages the master key.
type masterkeyCommand struct {
	Rotate masterkeyRotate `cmd:"" help:"Put a new master key in the place of the old one, which the usual flags name. Running nodes go on; from then on nodes start with the new one."`
}

type masterkeyRotate struct {
	store
	NewKeyFile string `help:"File with the new master key: 32 random bytes in base64, for example from: openssl rand -base64 32." required:"" type:"path"`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// Run seals the data keys under the new master key.
func (c masterkeyRotate) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	old, err := c.masterKey(false)
	if err != nil {
		return err
	}
	fresh, err := readDurably(c.NewKeyFile)
	if err != nil {
		return err
	}
	return c.with(ctx, log, func(a *app.App) error {
		err := vault.Rotate(ctx, a.DB, old, fresh, func(tx *db.Tx) error {
			return audit.Write(tx, audit.Entry{Actor: audit.Actor(ctx), Action: "masterkey.rotate", Partner: ledger.Operator})
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"masterKeyFile": c.NewKeyFile})
		}
		fmt.Fprintf(out, "The data keys are sealed under the master key in %s.\n", c.NewKeyFile)
		fmt.Fprintln(out, "Nodes that run go on. Start nodes and commands with the new key from now on.")
		if c.MasterKey == "" && c.MasterKeyFile == "" {
			fmt.Fprintf(out, "The key in %s is the old one: put the new file in its place.\n", filepath.Join(c.Data, "master.key"))
		}
		_, err = fmt.Fprintln(out, "Keep the old key as long as there are backups from before.")
		return err
	})
}

// readDurably reads a master key from its file, and first makes sure that the file is on the disk: were it
// lost with the power after the rotation, so would be every sealed field.
func readDurably(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s; make it, readable for you only, for example by: (umask 077; openssl rand -base64 32 > %s)", path, path)
	}
	if err != nil {
		return nil, err
	}
	key, err := vault.ParseMasterKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range []string{path, filepath.Dir(path)} {
		if err := syncFile(name); err != nil {
			return nil, err
		}
	}
	return key, nil
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
