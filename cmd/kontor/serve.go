package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"

	"kontor/internal/app"
	"kontor/internal/sepa"
)

// serveCommand runs a node.
type serveCommand struct {
	store
	Listen string    `help:"Address of the API." default:"127.0.0.1:8080" env:"KONTOR_LISTEN"`
	Roles  []string  `help:"What this node does: api, worker." default:"api,worker" enum:"api,worker" env:"KONTOR_ROLES"`
	Bank   bankFlags `embed:"" prefix:"bank-"`
}

// bankFlags name the bank of the collective account.
type bankFlags struct {
	Country string `help:"Country of the virtual IBANs (ISO 3166 alpha-2)." env:"KONTOR_BANK_COUNTRY"`
	Code    string `help:"The bank's part of the BBAN." env:"KONTOR_BANK_CODE"`
	Digits  int    `help:"Digits of the account's part of the BBAN." env:"KONTOR_BANK_DIGITS"`
	BIC     string `help:"BIC of the bank (ISO 9362)." env:"KONTOR_BANK_BIC"`
	Address string `help:"Name and address of the bank, as payers are told." env:"KONTOR_BANK_ADDRESS"`
}

func (b bankFlags) bank(environment string) (sepa.Bank, error) {
	if b == (bankFlags{}) {
		if environment == "production" {
			return sepa.Bank{}, errors.New("production needs the bank of its IBANs: --bank-country, --bank-code, --bank-digits, --bank-bic, --bank-address")
		}
		return sepa.SandboxBank, nil
	}
	bank := sepa.Bank{Country: b.Country, Code: b.Code, AccountDigits: b.Digits, BIC: b.BIC, Address: b.Address}
	return bank, bank.Check()
}

// Run serves until it is told to stop.
func (c serveCommand) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	bank, err := c.Bank.bank(c.Environment)
	if err != nil {
		return err
	}
	a, err := c.open(ctx, log, false, sandboxDelay, bank)
	if err != nil {
		return err
	}
	roles := app.Roles{API: slices.Contains(c.Roles, "api"), Worker: slices.Contains(c.Roles, "worker")}
	var listener net.Listener
	if roles.API {
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen); err != nil {
			return errors.Join(err, a.Close())
		}
		fmt.Fprintf(out, "Kontor (%s) serves http://%s on %s\n", c.Environment, listener.Addr(), a.DB.Engine())
	}
	return errors.Join(a.Serve(ctx, listener, roles), a.Close())
}
