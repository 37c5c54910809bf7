//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"kontor/internal/bench"
	"kontor/internal/db"
	"kontor/internal/pgtest"
)

// benchCommand measures the program itself on this machine.
type benchCommand struct {
	Transfer benchTransfer `cmd:"" help:"Internal transfers, each one a durable commit, and the ratio to what the engine itself can do."`
}

// benchFlags are those of every benchmark.
type benchFlags struct {
	Seconds  float64 `help:"How long each cell is measured." default:"5"`
	Engine   string  `help:"The engine: sqlite, postgres or both." enum:"sqlite,postgres,both" default:"both"`
	Database string  `help:"postgres:// URL of a server on which databases may be made and dropped. Without it one is started for the benchmark."`
	JSON     bool    `name:"json" help:"Print one object per cell on a line."`
}

func (f benchFlags) config(out io.Writer) (bench.Config, error) {
	program, err := os.Executable()
	engines := []db.Engine{db.SQLite, db.Postgres}
	if f.Engine != "both" {
		engines = []db.Engine{db.Engine(f.Engine)}
	}
	return bench.Config{
		Program: program, Engines: engines, Database: f.Database, Postgres: scratchPostgres, Folder: os.TempDir(),
		Measured: time.Duration(f.Seconds * float64(time.Second)), JSON: f.JSON, Out: out,
	}, err
}

func scratchPostgres() (url string, stop func(), err error) {
	s, err := pgtest.Start(pgtest.Options{})
	if err != nil {
		return "", nil, err
	}
	return s.URL("postgres"), s.Stop, nil
}

// benchTransfer is kontor bench transfer.
type benchTransfer struct {
	benchFlags
	Clients  []int    `help:"Numbers of clients." default:"1,16,64"`
	Scenario []string `help:"spread: between two of 1,000 accounts; hot: to a single one." enum:"spread,hot" default:"spread,hot"`
}

// Run prints each cell as it is measured.
func (c benchTransfer) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config(out)
	if err != nil {
		return err
	}
	cfg.Clients = c.Clients
	for _, n := range c.Clients {
		if n < 1 {
			return fmt.Errorf("--clients: %d is no number of clients", n)
		}
	}
	return bench.Transfer(ctx, cfg, c.Scenario)
}
