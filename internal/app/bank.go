package app

import (
	"kontor/internal/event"
	"kontor/internal/partner"
	"kontor/internal/rail/bank"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// collectiveHolder is whose name stands in transfers of the sandbox.
const collectiveHolder = "Kontor Sandbox"

// openSEPA makes the payments and, in staging, joins them to the sandbox's bank.
func openSEPA(cfg Config, a *App, v *vault.Vault, events *event.Log, users *user.Service) (*sepa.Service, error) {
	payments, err := sepa.NewService(sepa.Config{
		DB: a.DB, Vault: v, Clock: cfg.Clock, Catalog: a.Catalog, Bank: cfg.Bank, Delay: cfg.SandboxDelay,
		Events: events, Users: users, Jobs: a.jobs,
	})
	if err != nil || cfg.Environment != partner.Staging {
		return payments, err
	}
	number, err := cfg.Bank.Collective()
	if err != nil {
		return nil, err
	}
	payments.Join(bank.NewSandbox(bank.SandboxConfig{
		Account: bank.Account{Holder: collectiveHolder, IBAN: number, BIC: cfg.Bank.BIC},
		DB:      a.DB, Vault: v, Clock: cfg.Clock, Delay: cfg.SandboxDelay, Jobs: a.jobs, Receiver: payments,
	}))
	return payments, nil
}
