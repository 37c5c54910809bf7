package httpapi

import (
	"net/http"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/iban"
	"kontor/internal/ledger"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/user"
)

// GetPartnerSepaDepositInfo tells how to pay euros to the partner's own balance.
func (a *api) GetPartnerSepaDepositInfo(w http.ResponseWriter, r *http.Request) {
	read(a, w, r, "getPartnerSepaDepositInfo", func(rd db.Reader, p partner.Partner) (oas.SepaDepositInfo, error) {
		return a.depositInfo(rd, p, ledger.PartnerItself, p.Settings.Text("legalName"))
	})
}

// GetUserSepaDepositInfo tells how to pay euros to a user's balance.
func (a *api) GetUserSepaDepositInfo(w http.ResponseWriter, r *http.Request, externalUserID string) {
	read(a, w, r, "getUserSepaDepositInfo", func(rd db.Reader, p partner.Partner) (oas.SepaDepositInfo, error) {
		u, err := user.Find(rd, p.ID, externalUserID)
		if err != nil {
			return oas.SepaDepositInfo{}, err
		}
		switch {
		case u.Model != user.KYC:
			return oas.SepaDepositInfo{}, fault.New(fault.WrongUserModel)
		case u.Verification == user.NotVerified && !u.Active():
			return oas.SepaDepositInfo{}, fault.New(fault.UserNotVerified)
		}
		known, _, err := a.Users.FindEstablished(rd, u)
		if err != nil {
			return oas.SepaDepositInfo{}, err
		}
		return a.depositInfo(rd, p, u.ID, known.FirstName+" "+known.LastName)
	})
}

func (a *api) depositInfo(rd db.Reader, p partner.Partner, owner clock.ID, holder string) (oas.SepaDepositInfo, error) {
	account, err := a.SEPA.FindAccount(rd, p.ID, owner)
	bank := a.SEPA.Bank()
	return oas.SepaDepositInfo{
		Title: account.Title, Iban: string(account.IBAN), Swift: bank.BIC, AccountHolder: holder, Address: bank.Address,
	}, err
}

// GetSepaDeposit answers the details of a deposit.
func (a *api) GetSepaDeposit(w http.ResponseWriter, r *http.Request, depositID string) {
	read(a, w, r, "getSepaDeposit", func(rd db.Reader, p partner.Partner) (oas.SepaDeposit, error) {
		id, err := clock.ParseID(depositID)
		if err != nil {
			id = clock.ID{} // no deposit's
		}
		d, err := a.SEPA.FindDeposit(rd, p.ID, id)
		if err != nil {
			return oas.SepaDeposit{}, err
		}
		contacts, err := user.Contacts(rd, p.ID, d.Owner)
		return showDeposit(d, contacts), err
	})
}

// showDeposit shows a deposit to its partner, who knows the users by their contacts.
func showDeposit(d sepa.Deposit, contacts map[clock.ID]user.Contact) oas.SepaDeposit {
	out := oas.SepaDeposit{
		Id: d.ID.String(), Amount: d.Amount.String(), Currency: oas.SepaDepositCurrency(d.Amount.Currency().Code),
		SenderName: d.SenderName, SenderIban: d.SenderIBAN, Title: d.Title,
		Status: oas.SepaDepositStatus(d.Told()), CreatedAt: clock.Format(d.CreatedAt),
	}
	if c, ok := contacts[d.Owner]; ok {
		out.ExternalUserId = &c.ExternalID
	}
	return out
}

// SandboxSepaDeposit makes a bank transfer arrive.
func (a *api) SandboxSepaDeposit(w http.ResponseWriter, r *http.Request, _ oas.SandboxSepaDepositParams) {
	change(a, w, r, "sandboxSepaDeposit", func(tx *db.Tx, p partner.Partner, body oas.SandboxSepaDeposit) (result, error) {
		in, err := a.incoming(body)
		if err != nil {
			return result{}, err
		}
		d, err := a.SEPA.Receive(tx, p.ID, in)
		return result{status: http.StatusCreated, object: d.ID, lasting: true, body: oas.SandboxSepaDeposited{
			DepositId: d.ID.String(), Status: oas.SandboxSepaDepositedStatus(d.Status),
		}}, err
	})
}

// maxSandboxDeposit, in cents, keeps the imagined bank's books far from their bounds.
const maxSandboxDeposit = 100_000_000_00

func (a *api) incoming(body oas.SandboxSepaDeposit) (sepa.Incoming, error) {
	in := sepa.Incoming{Title: value(body.Title), SenderName: body.SenderName}
	if body.Iban == nil && body.Title == nil {
		return in, fault.Invalid("iban or title must be provided")
	}
	var err error
	if in.Amount, _, err = a.amount(body.Amount, "eur"); err != nil {
		return in, err
	}
	if in.Amount.Units() > maxSandboxDeposit {
		return in, fault.Newf(fault.AmountOutOfRange, "amount must be at most 100000000.00 in the sandbox.")
	}
	if in.SenderIBAN, err = iban.Parse(body.SenderIban); err != nil {
		return in, fault.Newf(fault.InvalidIban, "senderIban is not a valid IBAN.").Wrap(err)
	}
	if body.Iban != nil {
		if in.IBAN, err = iban.Parse(*body.Iban); err != nil {
			return in, fault.Newf(fault.InvalidIban, "iban is not a valid IBAN.").Wrap(err)
		}
	}
	return in, nil
}
