package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/file"
	"kontor/internal/iban"
	"kontor/internal/money"
	"kontor/internal/rail/bank"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

// sandboxBankCommand is the sandbox's bank as a program of its own, on the other side of the folder that kontor serve
// exchanges files over.
type sandboxBankCommand struct {
	Serve     sandboxBankServe     `cmd:"" default:"withargs" help:"Run the bank: it takes what Kontor puts into the outbox, and answers into the inbox."`
	Deposit   sandboxBankDeposit   `cmd:"" help:"Let a payment arrive at the bank."`
	Statement sandboxBankStatement `cmd:"" help:"Let the bank make its statement now, instead of at midnight (UTC)."`
	List      sandboxBankList      `cmd:"" help:"Show the balance of the account at the bank, and what was booked on it."`
}

// bankPlace says where the bank has its own data.
type bankPlace struct {
	Data string `help:"Folder of the bank's own data." default:"./kontor-bank" env:"KONTOR_SANDBOX_BANK_DATA" type:"path"`
}

// bankSettings are what a bank was started with. Its other commands find them in its folder.
type bankSettings struct {
	Folder  string    `json:"folder"`
	Account iban.IBAN `json:"account"`
	Holder  string    `json:"holder"`
	BIC     string    `json:"bic"`
	Delay   string    `json:"delay"`
}

func (p bankPlace) settingsPath() string { return filepath.Join(p.Data, "bank.json") }

// settings reads what the bank was started with last; fs.ErrNotExist when it never was.
func (p bankPlace) settings() (s bankSettings, err error) {
	text, err := os.ReadFile(p.settingsPath())
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

func (p bankPlace) open(ctx context.Context, log *slog.Logger, s bankSettings, poll time.Duration) (*app.SandboxBank, error) {
	delay, err := time.ParseDuration(s.Delay)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.settingsPath(), err)
	}
	return app.OpenSandboxBank(ctx, app.SandboxBankConfig{
		Data: p.Data, Folder: s.Folder, Account: bank.Account{Holder: s.Holder, IBAN: s.Account, BIC: s.BIC},
		Delay: delay, Poll: poll, Clock: clock.System(), Log: log,
	})
}

// with runs something at a bank that was started before.
func (p bankPlace) with(ctx context.Context, log *slog.Logger, do func(b *app.SandboxBank) error) error {
	s, err := p.settings()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no sandbox bank in %s: start one with kontor sandbox-bank, or name its folder with --data", p.Data)
	}
	if err != nil {
		return err
	}
	b, err := p.open(ctx, log, s, 0)
	if err != nil {
		return err
	}
	return errors.Join(do(b), b.Close())
}

// sandboxBankServe runs the bank. The flags that kontor serve has too are set by the same variables.
type sandboxBankServe struct {
	bankPlace
	Folder  string        `help:"Folder shared with kontor serve (its --bank-folder)." env:"KONTOR_BANK_FOLDER" type:"path"`
	Account string        `help:"IBAN of the collective account that the bank keeps; without it that of the sandbox." env:"KONTOR_BANK_ACCOUNT"`
	Holder  string        `help:"Holder of that account." default:"Kontor Sandbox" env:"KONTOR_BANK_HOLDER"`
	BIC     string        `name:"bic" help:"BIC of the bank; without it that of the sandbox." env:"KONTOR_BANK_BIC"`
	Delay   time.Duration `help:"How long the bank takes to answer, and again until money comes back." default:"200ms"`
	Poll    time.Duration `help:"How often the outbox is looked at." default:"200ms"`
}

// Run runs the bank until it is told to stop.
func (c sandboxBankServe) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	s, err := c.decide()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := file.Replace(c.settingsPath(), append(text, '\n'), 0o600); err != nil {
		return err
	}
	b, err := c.open(ctx, log, s, c.Poll)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `Sandbox bank. No real money.

  account   %s (%s)
  takes     %s
  answers   %s
  own data  %s

Let a payment arrive:
  kontor sandbox-bank deposit --data %s --iban IBAN --amount 100 --sender-name 'Test User'

`, s.Account, s.Holder, filepath.Join(s.Folder, "outbox"), filepath.Join(s.Folder, "inbox"), c.Data, c.Data)
	return errors.Join(b.Serve(ctx), b.Close())
}

// decide makes the settings of flags, and of what an earlier start has left. It tells all that is wrong at once.
func (c sandboxBankServe) decide() (s bankSettings, err error) {
	before, err := c.settings()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	s = bankSettings{Folder: cmp.Or(c.Folder, before.Folder), Holder: c.Holder, BIC: cmp.Or(c.BIC, sepa.SandboxBank.BIC), Delay: c.Delay.String()}
	var wrong []error
	if info, err := os.Stat(s.Folder); s.Folder == "" {
		wrong = append(wrong, errors.New("--folder: name the folder that is shared with kontor serve (its --bank-folder)"))
	} else if err != nil || !info.IsDir() {
		wrong = append(wrong, fmt.Errorf("--folder: there is no folder %s", s.Folder))
	}
	switch s.Account, err = c.account(before); {
	case err != nil:
		wrong = append(wrong, fmt.Errorf("--account: %w", err))
	case before.Account != "" && before.Account != s.Account:
		wrong = append(wrong, fmt.Errorf("--account: this bank keeps %s; one with another account needs another --data", before.Account))
	}
	if _, err := iban.ParseBIC(s.BIC); err != nil {
		wrong = append(wrong, fmt.Errorf("--bic: %q is not a BIC (ISO 9362)", s.BIC))
	}
	if c.Poll < minPoll {
		wrong = append(wrong, fmt.Errorf("--poll must be at least %s", minPoll))
	}
	if c.Delay < 0 {
		wrong = append(wrong, errors.New("--delay must not be below zero"))
	}
	return s, errors.Join(wrong...)
}

func (c sandboxBankServe) account(before bankSettings) (iban.IBAN, error) {
	switch {
	case c.Account != "":
		return iban.Parse(c.Account)
	case before.Account != "":
		return before.Account, nil
	}
	return sepa.SandboxBank.Collective()
}

// sandboxBankDeposit lets a payment arrive.
type sandboxBankDeposit struct {
	bankPlace
	IBAN       string `name:"iban" help:"Where it goes, such as a user's virtual IBAN (GET /v1/sepa-deposit/info/{externalUserId}); without it to the collective account, with the reference in the title."`
	Amount     string `help:"Euros, such as 12.50." required:""`
	Title      string `help:"Remittance information."`
	SenderName string `help:"Who pays." required:""`
	SenderIBAN string `name:"sender-iban" help:"From which account." default:"DE89370400440532013000"`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// Run has the bank note the payment; it will be told of when the bank runs.
func (c sandboxBankDeposit) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	in, err := c.payment()
	if err != nil {
		return err
	}
	return c.with(ctx, log, func(b *app.SandboxBank) error {
		reference, deposit, err := b.Deposit(ctx, in)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"reference": reference, "depositId": deposit.String()})
		}
		_, err = fmt.Fprintf(out, "the bank has %s EUR from %s, under its reference %s, and tells of it while it runs; if it is an owner's it becomes the deposit %s\n",
			in.Amount, in.SenderName, reference, deposit)
		return err
	})
}

// payment reads the flags. It tells all that is wrong at once.
func (c sandboxBankDeposit) payment() (in sepa.Incoming, err error) {
	in = sepa.Incoming{Title: c.Title, SenderName: c.SenderName}
	var wrong []error
	if in.Amount, err = money.Parse(c.Amount, iso20022.Euro); err != nil || in.Amount.Sign() <= 0 {
		wrong = append(wrong, fmt.Errorf("--amount: %q is not an amount in euros such as 12.50", c.Amount))
	}
	if c.IBAN != "" {
		if in.IBAN, err = iban.Parse(c.IBAN); err != nil {
			wrong = append(wrong, fmt.Errorf("--iban: %w", err))
		}
	}
	if in.SenderIBAN, err = iban.Parse(c.SenderIBAN); err != nil {
		wrong = append(wrong, fmt.Errorf("--sender-iban: %w", err))
	}
	return in, errors.Join(wrong...)
}

// sandboxBankStatement makes a statement.
type sandboxBankStatement struct {
	bankPlace
	JSON bool `name:"json" help:"Print JSON."`
}

// Run has the bank make its statement; it will be sent when the bank runs.
func (c sandboxBankStatement) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(b *app.SandboxBank) error {
		made, err := b.CloseNow(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]any{"sequence": made.Sequence, "entries": made.Entries, "closing": made.Closing.String()})
		}
		_, err = fmt.Fprintf(out, "statement %d with %d entries; the balance is %s EUR\n", made.Sequence, made.Entries, made.Closing)
		return err
	})
}

// sandboxBankList shows what the bank has booked.
type sandboxBankList struct {
	bankPlace
	Last int  `help:"How many entries are shown at most." default:"20"`
	JSON bool `name:"json" help:"Print JSON."`
}

type shownBooking struct {
	Reference  string `json:"reference"`
	Day        string `json:"day"`
	Amount     string `json:"amount"`
	EndToEndID string `json:"endToEndId"`
	Debtor     string `json:"debtor"`
	Creditor   string `json:"creditor"`
	Title      string `json:"title"`
	Returned   string `json:"returned"` // why the payment came back or went back; empty: it did not
	Statement  int64  `json:"statement"`
}

// Run prints the newest entries.
func (c sandboxBankList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.with(ctx, log, func(b *app.SandboxBank) error {
		found, err := b.Bookings(ctx, max(c.Last, 0))
		if err != nil {
			return err
		}
		all := []shownBooking{}
		rows := [][]string{{"DAY", "AMOUNT", "FROM", "TO", "TITLE", "RETURNED", "STATEMENT", "REFERENCE"}}
		for _, e := range found.Entries {
			s := shownBooking{Reference: e.Reference, Day: e.Day.Format(time.DateOnly), Amount: e.Amount.String(), Statement: e.Statement}
			for _, d := range e.Details {
				s.EndToEndID, s.Debtor, s.Creditor, s.Title, s.Returned = d.EndToEndID, d.Debtor.Name, d.Creditor.Name, d.Remittance, d.ReturnReason
			}
			all = append(all, s)
			statement := ""
			if s.Statement > 0 {
				statement = strconv.FormatInt(s.Statement, 10)
			}
			rows = append(rows, []string{s.Day, s.Amount, orDash(s.Debtor), orDash(s.Creditor), orDash(s.Title), orDash(s.Returned), orDash(statement), s.Reference})
		}
		if c.JSON {
			return printJSON(out, map[string]any{"balance": found.Balance.String(), "entries": all})
		}
		if len(found.Entries) > 0 {
			if err := printTable(out, rows...); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(out, "balance %s EUR\n", found.Balance)
		return err
	})
}
