// Package sepa is euros in and out by bank transfer: the virtual IBANs of partners and users, the payments
// that arrive on them, and (over a bank rail) the payments that leave.
package sepa

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/iban"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

// Bank is the bank at which the operator's collective account is, and under whose code virtual IBANs are
// made.
type Bank struct {
	Country       string // ISO 3166 alpha-2 of its IBANs
	Code          string // the bank's part of the BBAN, with the branch and the check digits that belong to it
	AccountDigits int    // length of the account's part, without the check digits that the country puts beside it
	BIC           string // ISO 9362
	Address       string
}

// SandboxBank is a bank that does not exist: its BIC has the location code of a test participant.
var SandboxBank = Bank{
	Country: "LT", Code: "99999", AccountDigits: 11, BIC: "KNTRLT20XXX", Address: "Sandbox Bank, 1 Test Street, Vilnius, LT",
}

// Account is where an owner's incoming payments go.
type Account struct {
	Owner clock.ID // a user; none: the partner
	IBAN  iban.IBAN
	Title string // the reference that a payer writes
}

var (
	insertAccount   = db.NewInsert("sepa_account", "partner_id bigint, owner_id uuid, iban text, title text, created_at bigint")
	insertDirectory = db.NewInsert("directory", "kind text, key text, partner_id bigint, object_id uuid")
	selectAccount   = db.NewQuery(`SELECT iban, title FROM sepa_account WHERE partner_id = $1 AND owner_id = $2`)
	selectOwner     = db.NewQuery(`SELECT partner_id, object_id FROM directory WHERE kind = $1 AND key = $2`)
)

// The kinds of the directory's entries that find an account.
const (
	byIBAN  = "iban"
	byTitle = "sepa_title"
)

// OpenPartner gives a new partner an account of its own.
func (s *Service) OpenPartner(tx *db.Tx, partner int64, at time.Time) error {
	return s.open(tx, partner, ledger.PartnerItself, at)
}

// Activate gives a user who becomes active an account, if those who live there get one. A user who has an account
// keeps it.
func (s *Service) Activate(tx *db.Tx, u user.User, residence catalog.Country) error {
	if !residence.IBAN {
		return nil
	}
	_, err := s.FindAccount(tx, u.Partner, u.ID)
	var known *fault.Error
	if !errors.As(err, &known) || known.Code != fault.BalanceNotActive {
		return err
	}
	return s.open(tx, u.Partner, u.ID, s.clock.Now())
}

// open makes an IBAN and a reference that were never given before: the directory's key sees to it, and a
// number that was taken is drawn anew.
func (s *Service) open(tx *db.Tx, partner int64, owner clock.ID, at time.Time) error {
	account, err := s.bank.draw()
	if err != nil {
		return err
	}
	title := titleStart + rand.Text()[:titleLength-len(titleStart)]
	tx.Write(insertAccount, partner, owner, string(account), title, at)
	tx.Write(insertDirectory, byIBAN, string(account), partner, owner)
	tx.Write(insertDirectory, byTitle, title, partner, owner)
	return nil
}

// maxDraws is how often a number is drawn: of some countries one in eleven has no check digits, or even two in
// eleven.
const maxDraws = 100

// draw makes a random IBAN of the bank.
func (b Bank) draw() (iban.IBAN, error) {
	bound := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(b.AccountDigits)), nil)
	var err error
	for range maxDraws {
		number, failed := rand.Int(rand.Reader, bound)
		if failed != nil {
			return "", failed
		}
		var account iban.IBAN
		account, err = iban.Compose(b.Country, b.Code, fmt.Sprintf("%0*d", b.AccountDigits, number))
		if err == nil {
			return account, nil
		}
		if !errors.Is(err, iban.ErrNational) {
			break
		}
	}
	return "", fmt.Errorf("the bank's settings make no IBAN: %w", err)
}

// Collective is the operator's own account at an imagined bank: the one with the lowest number.
func (b Bank) Collective() (iban.IBAN, error) {
	return iban.Compose(b.Country, b.Code, strings.Repeat("0", b.AccountDigits))
}

// FindAccount reads an owner's account; P462 when the owner has none yet.
func (s *Service) FindAccount(r db.Reader, partner int64, owner clock.ID) (Account, error) {
	a := Account{Owner: owner}
	var number string
	err := r.Row(selectAccount, partner, owner).Scan(&number, &a.Title)
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, fault.New(fault.BalanceNotActive)
	}
	a.IBAN = iban.IBAN(number)
	return a, err
}

// Bank tells at which bank the accounts are.
func (s *Service) Bank() Bank { return s.bank }

// owner finds whose a payment is that the sandbox is asked for. P412 when nobody of this partner is meant.
func owner(r db.Reader, partner int64, number iban.IBAN, title string) (clock.ID, error) {
	to, ok, err := beneficiary(r, Entry{Creditor: Party{IBAN: number}, Title: title})
	if err == nil && (!ok || to.partner != partner) {
		err = fault.New(fault.InvalidUser)
	}
	return to.id, err
}

// Check tells what is wrong with a bank's settings, by making an IBAN with them.
func (b Bank) Check() error {
	if b.AccountDigits < 1 || b.AccountDigits > 20 {
		return errors.New("the bank's account digits must be between 1 and 20")
	}
	if _, err := iban.ParseBIC(b.BIC); err != nil {
		return fmt.Errorf("%q is not a BIC (ISO 9362)", b.BIC)
	}
	_, err := b.draw()
	return err
}
