package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/rail/bank"
	"kontor/internal/sepa"
	"kontor/internal/vault"
)

// SandboxBankConfig says where the sandbox's bank is when it is a program of its own.
type SandboxBankConfig struct {
	Data    string // its own folder, which exists
	Folder  string // shared with Kontor, which exchanges files over it
	Account bank.Account
	Delay   time.Duration // before it answers
	Poll    time.Duration // between two looks at the outbox
	Clock   clock.Clock
	Log     *slog.Logger
}

// SandboxBank is the sandbox's bank as a program of its own: it shares nothing with Kontor but a folder. All it knows is
// in a database of its own.
type SandboxBank struct {
	bank   *bank.Sandbox
	folder string
	data   string
	poll   time.Duration
	db     *db.DB
	jobs   *job.Runner
	log    *slog.Logger
}

// OpenSandboxBank opens the bank's own data, or makes them. Several processes may have them open; the caller closes them.
func OpenSandboxBank(ctx context.Context, c SandboxBankConfig) (*SandboxBank, error) {
	key, err := vault.LoadOrCreateFile(filepath.Join(c.Data, "master.key"))
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, filepath.Join(c.Data, "bank.db"))
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(ctx, d, key)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	b := &SandboxBank{folder: c.Folder, data: c.Data, poll: c.Poll, db: d, log: c.Log}
	b.jobs = job.NewRunner(job.Config{
		DB: d, Clock: c.Clock, Node: fmt.Sprintf("%s-%d-%s", hostname(), os.Getpid(), clock.NewID()), Log: c.Log,
	})
	b.bank = bank.NewSandbox(bank.SandboxConfig{
		Account: c.Account, DB: d, Vault: v, Clock: c.Clock, Delay: c.Delay, Jobs: b.jobs, Send: bank.SendFiles(c.Folder, c.Log),
	})
	return b, nil
}

// Serve takes what Kontor puts into the outbox, and answers into the inbox, until the context ends.
func (b *SandboxBank) Serve(ctx context.Context) error {
	files, err := bank.NewSandboxFiles(b.bank, b.folder, b.data, b.log)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.jobs.Run(ctx)
	}()
	files.Run(ctx, b.poll)
	<-ended
	return nil
}

// Deposit lets a payment arrive on the account. Once it is answered it will reach Kontor, when the bank serves; the id is
// that of the deposit which it will be there, if it is an owner's.
func (b *SandboxBank) Deposit(ctx context.Context, in sepa.Incoming) (reference string, deposit clock.ID, err error) {
	var e sepa.Entry
	err = b.db.Update(ctx, func(tx *db.Tx) (err error) {
		e, err = b.bank.Pay(tx, in)
		return err
	})
	return e.Reference, sepa.DepositID(e), err
}

// CloseNow makes a statement of what has been booked so far, which is sent when the bank serves.
func (b *SandboxBank) CloseNow(ctx context.Context) (bank.Closed, error) { return b.bank.CloseNow(ctx) }

// Bookings answers the balance of the account, and what was booked on it last, the newest first.
func (b *SandboxBank) Bookings(ctx context.Context, last int) (bank.Bookings, error) {
	return b.bank.Bookings(ctx, last)
}

// Close closes the bank's data.
func (b *SandboxBank) Close() error { return b.db.Close() }
