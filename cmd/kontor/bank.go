package main

import (
	"errors"
	"fmt"
	"time"

	"kontor/internal/app"
	"kontor/internal/iban"
	"kontor/internal/partner"
	"kontor/internal/rail/bank"
	"kontor/internal/sepa"
)

// bankFlags name the bank of the collective account.
type bankFlags struct {
	Country string `help:"Country of the virtual IBANs (ISO 3166 alpha-2)." env:"KONTOR_BANK_COUNTRY"`
	Code    string `help:"The bank's part of the BBAN." env:"KONTOR_BANK_CODE"`
	Digits  int    `help:"Digits of the account's part of the BBAN, without national check digits, which are computed." env:"KONTOR_BANK_DIGITS"`
	BIC     string `help:"BIC of the bank (ISO 9362)." env:"KONTOR_BANK_BIC"`
	Address string `help:"Name and address of the bank, as payers are told." env:"KONTOR_BANK_ADDRESS"`
}

func (b bankFlags) bank(environment string) (sepa.Bank, error) {
	if b == (bankFlags{}) {
		if environment == string(partner.Production) {
			return sepa.Bank{}, errors.New("production needs the bank of its IBANs: --bank-country, --bank-code, --bank-digits, --bank-bic, --bank-address")
		}
		return sepa.SandboxBank, nil
	}
	of := sepa.Bank{Country: b.Country, Code: b.Code, AccountDigits: b.Digits, BIC: b.BIC, Address: b.Address}
	return of, of.Check()
}

// exchangeFlags connect that bank by files.
type exchangeFlags struct {
	Folder  string        `help:"Folder shared with the bank's side, over which files are exchanged (docs/operating.md). Without it no bank is connected in production, and the sandbox's in staging." env:"KONTOR_BANK_FOLDER" type:"path"`
	Account string        `help:"IBAN of the collective account." env:"KONTOR_BANK_ACCOUNT"`
	Holder  string        `help:"Holder of the collective account, as transfers name it." env:"KONTOR_BANK_HOLDER"`
	CutOff  string        `help:"Until when the bank executes on the same day, such as 15:30, time of Frankfurt: transfers leave on business days of TARGET before it. Without it they leave at any time." env:"KONTOR_BANK_CUT_OFF"`
	Instant bool          `help:"Transfers are instant (SCT Inst), at any time of any day." env:"KONTOR_BANK_INSTANT"`
	Poll    time.Duration `help:"How often the inbox is looked at. A file is taken when it did not change from one look to the next." default:"5s" env:"KONTOR_BANK_POLL"`
}

// files are the settings of the exchange of files; nil without a folder. It tells all that is wrong at once.
func (e exchangeFlags) files(environment string, of sepa.Bank) (*app.BankFiles, error) {
	if e.Folder == "" {
		if e.Account != "" || e.Holder != "" || e.CutOff != "" || e.Instant {
			return nil, errors.New("the account, its holder, the cut-off and instant transfers need the folder that is shared with the bank: --bank-folder")
		}
		return nil, nil
	}
	var wrong []error
	account, err := e.account(of)
	if err != nil {
		wrong = append(wrong, fmt.Errorf("--bank-account: %w", err))
	}
	if e.Holder == "" {
		wrong = append(wrong, errors.New("--bank-holder: transfers name the holder of the account"))
	}
	switch {
	case e.CutOff != "" && e.Instant:
		wrong = append(wrong, errors.New("--bank-cut-off: instant transfers have none"))
	case e.CutOff != "":
		if _, err := bank.BusinessDays(e.CutOff); err != nil {
			wrong = append(wrong, fmt.Errorf("--bank-cut-off: %w", err))
		}
	case !e.Instant && environment == string(partner.Production):
		wrong = append(wrong, errors.New("--bank-cut-off: production needs it, unless transfers are instant (--bank-instant)"))
	}
	if e.Poll < minPoll {
		wrong = append(wrong, fmt.Errorf("--bank-poll must be at least %s", minPoll))
	}
	return &app.BankFiles{
		Folder: e.Folder, Account: account, Holder: e.Holder, Poll: e.Poll, CutOff: e.CutOff, Instant: e.Instant,
	}, errors.Join(wrong...)
}

// minPoll keeps a mistyped number from busying a machine.
const minPoll = 50 * time.Millisecond

// account is the collective account; that of the sandbox's bank is known.
func (e exchangeFlags) account(of sepa.Bank) (iban.IBAN, error) {
	if e.Account == "" && of == sepa.SandboxBank {
		return of.Collective()
	}
	return iban.Parse(e.Account)
}
