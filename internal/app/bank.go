package app

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/iban"
	"kontor/internal/metrics"
	"kontor/internal/partner"
	"kontor/internal/rail/bank"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// SandboxHolder is whose name stands in transfers of the sandbox.
const SandboxHolder = "Kontor Sandbox"

// BankFiles is the exchange of files with a real bank.
type BankFiles struct {
	Folder  string // shared with the bank's side
	Account iban.IBAN
	Holder  string
	Poll    time.Duration // between two looks at the inbox
	CutOff  string        // of the bank: until when it executes on the same business day, Frankfurt time; empty: there is none
	Instant bool          // transfers are SCT Inst
}

// calendar tells when the bank takes batches; nil: at any time.
func (b *BankFiles) calendar() (sepa.Calendar, error) {
	switch {
	case b == nil:
		return nil, nil
	case b.CutOff != "":
		return bank.BusinessDays(b.CutOff)
	}
	return bank.AnyTime()
}

// openSEPA makes the payments and joins them to the bank: a real one over files, or in staging the sandbox's.
func openSEPA(ctx context.Context, cfg Config, a *App, v *vault.Vault, events *event.Log, users *user.Service) (*sepa.Service, error) {
	calendar, err := cfg.BankFiles.calendar()
	if err != nil {
		return nil, err
	}
	payments, err := sepa.NewService(sepa.Config{
		DB: a.DB, Vault: v, Clock: cfg.Clock, Catalog: a.Catalog, Bank: cfg.Bank, Owners: nameRules{a},
		Events: events, Users: users, Jobs: a.jobs, Log: cfg.Log, Calendar: calendar, FourEyes: a.fourEyes,
	})
	if err != nil {
		return nil, err
	}
	if cfg.BankFiles != nil {
		return payments, a.openBankFiles(ctx, cfg, payments)
	}
	if cfg.Environment != partner.Staging {
		return payments, nil
	}
	number, err := cfg.Bank.Collective()
	if err != nil {
		return nil, err
	}
	account := bank.Account{Holder: SandboxHolder, IBAN: number, BIC: cfg.Bank.BIC}
	a.SandboxBank = bank.NewSandbox(bank.SandboxConfig{
		Account: account, DB: a.DB, Vault: v, Clock: cfg.Clock, Delay: cfg.SandboxDelay, Jobs: a.jobs, Send: account.SendTo(payments),
	})
	payments.Join(a.SandboxBank)
	payments.Simulate(a.SandboxBank)
	return payments, nil
}

// openBankFiles joins the payments to the bank over files.
func (a *App) openBankFiles(ctx context.Context, cfg Config, payments *sepa.Service) error {
	b := cfg.BankFiles
	files, err := bank.NewFiles(ctx, bank.FilesConfig{
		Account: bank.Account{Holder: b.Holder, IBAN: b.Account, BIC: cfg.Bank.BIC, Instant: b.Instant},
		Folder:  b.Folder, Poll: b.Poll, DB: a.DB, Clock: cfg.Clock, Jobs: a.jobs, Log: cfg.Log, Receiver: payments,
		Observer: cfg.Metrics,
	})
	if err != nil {
		return err
	}
	payments.Join(files)
	a.files = files
	return nil
}

// sealEarlier seals what earlier versions kept in plain text.
func (a *App) sealEarlier(ctx context.Context) {
	if err := a.API.SEPA.SealEarlier(ctx); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "deposits of an earlier version could not be sealed; the next start goes on", "error", err)
	}
}

// bankFolders tells what waits in the bank's folders.
func (a *App) bankFolders() (map[string]metrics.Folder, error) {
	s, err := a.files.State()
	folder := func(of bank.FolderState) metrics.Folder { return metrics.Folder{Files: of.Files, Oldest: of.Oldest} }
	return map[string]metrics.Folder{
		"inbox": folder(s.Inbox), "outbox": folder(s.Outbox), "quarantine": folder(s.Quarantine),
	}, err
}

// nameRules tells sepa how a partner's deposits are judged.
type nameRules struct{ app *App }

func (n nameRules) NameRule(r db.Reader, id int64) (sepa.NameRule, error) {
	found, err := n.app.Partners.Find(r, id)
	if err != nil {
		return sepa.NameRule{}, err
	}
	rule := sepa.NameRule{Company: found.Settings.Text("legalName")}
	if rule.Accept, err = thousandths(found.Settings.Text("nameMatch.accept")); err == nil {
		rule.Reject, err = thousandths(found.Settings.Text("nameMatch.reject"))
	}
	return rule, err
}

// thousandths reads a likeness between 0 and 1. What is finer is cut.
func thousandths(text string) (int64, error) {
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, fmt.Errorf("%q is no number", text)
	}
	exact.Mul(exact, big.NewRat(1000, 1))
	return new(big.Int).Quo(exact.Num(), exact.Denom()).Int64(), nil
}
