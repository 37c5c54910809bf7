//go:build linux

package main

import (
	"context"
	"errors"
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
	Exchange benchExchange `cmd:"" help:"Currency exchanges, each one with its rate lock."`
	SEPA     benchSEPA     `cmd:"" name:"sepa" help:"SEPA transfers that are accepted, and a bank's statement that is booked."`
	Read     benchRead     `cmd:"" help:"Balances and details of transfers."`
	Webhooks benchWebhooks `cmd:"" help:"Deliveries to live receivers: from a backlog, under load, and when little happens."`
	Idle     benchIdle     `cmd:"" help:"The start of a sandbox on an empty database, and what it uses while it idles."`
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
	if f.Seconds <= 0 {
		err = errors.Join(err, errors.New("--seconds must be above 0"))
	}
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

// clientFlags are those of benchmarks with several clients.
type clientFlags struct {
	Clients  []int `help:"Numbers of clients." default:"1,16,64"`
	Accounts int   `help:"How many accounts there are." default:"1000"`
}

func (f clientFlags) apply(cfg *bench.Config) error {
	cfg.Clients, cfg.Accounts = f.Clients, f.Accounts
	if f.Accounts < 2 {
		return errors.New("--accounts must be at least 2")
	}
	return positive("--clients", f.Clients...)
}

// positive refuses numbers of things of which there must be one.
func positive(flag string, numbers ...int) error {
	for _, n := range numbers {
		if n < 1 {
			return fmt.Errorf("%s must be at least 1", flag)
		}
	}
	return nil
}

// benchTransfer is kontor bench transfer.
type benchTransfer struct {
	benchFlags
	clientFlags
	Scenario []string `help:"spread: between two accounts chosen at random; hot: to a single one; overdrawn: as spread, while 8 more clients race for money that is gone." enum:"spread,hot,overdrawn" default:"spread,hot,overdrawn"`
}

// Run prints each cell as it is measured.
func (c benchTransfer) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config(out)
	if err := errors.Join(err, c.apply(&cfg)); err != nil {
		return err
	}
	return bench.Transfer(ctx, cfg, c.Scenario)
}

// benchExchange is kontor bench exchange.
type benchExchange struct {
	benchFlags
	clientFlags
}

// Run prints each cell as it is measured.
func (c benchExchange) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config(out)
	if err := errors.Join(err, c.apply(&cfg)); err != nil {
		return err
	}
	return bench.Exchange(ctx, cfg)
}

// benchSEPA is kontor bench sepa.
type benchSEPA struct {
	benchFlags
	clientFlags
	Scenario []string `help:"accept: orders over HTTP; book: a statement into the operator's book; through: into all partners' books." enum:"accept,book,through" default:"accept,book,through"`
	Lines    int      `help:"How many lines the statement has." default:"50000"`
	Of       []string `help:"What the lines are: transfers' debits, users' deposits, or mixed: both, with some that cannot be credited." enum:"mixed,transfers,deposits" default:"mixed,transfers,deposits"`
}

// Run prints each cell as it is measured.
func (c benchSEPA) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config(out)
	if err := errors.Join(err, c.apply(&cfg), positive("--lines", c.Lines)); err != nil {
		return err
	}
	return bench.SEPA(ctx, cfg, c.Scenario, c.Of, c.Lines)
}

// benchRead is kontor bench read.
type benchRead struct {
	benchFlags
	clientFlags
	Scenario []string `help:"balances of users, details of transfers, or mixed: both by turns." enum:"balances,details,mixed" default:"balances,details,mixed"`
}

// Run prints each cell as it is measured.
func (c benchRead) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config(out)
	if err := errors.Join(err, c.apply(&cfg)); err != nil {
		return err
	}
	return bench.Read(ctx, cfg, c.Scenario)
}

// benchWebhooks is kontor bench webhooks.
type benchWebhooks struct {
	benchFlags
	Clients  int      `help:"Number of clients that make transfers in the scenario load." default:"16"`
	Scenario []string `help:"backlog: events wait at the start; load: transfers as fast as possible; idle: a few transfers a second." enum:"backlog,load,idle" default:"backlog,load,idle"`
	Partners []int    `help:"Numbers of partners; of ten of them, one has a dead receiver." default:"1,100"`
	Backlog  int      `help:"How many events wait in the scenario backlog." default:"20000"`
}

// Run prints each cell as it is measured.
func (c benchWebhooks) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config(out)
	err = errors.Join(err, positive("--clients", c.Clients), positive("--partners", c.Partners...), positive("--backlog", c.Backlog))
	if err != nil {
		return err
	}
	cfg.Clients = []int{c.Clients}
	return bench.Webhooks(ctx, cfg, c.Scenario, c.Partners, c.Backlog)
}

// benchIdle is kontor bench idle.
type benchIdle struct{ benchFlags }

// Run prints what it measured for each engine.
func (c benchIdle) Run(ctx context.Context, out io.Writer) error {
	cfg, err := c.config(out)
	if err != nil {
		return err
	}
	return bench.Idle(ctx, cfg)
}
