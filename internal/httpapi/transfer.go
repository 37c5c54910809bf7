package httpapi

import (
	"net/http"
	"strings"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/transfer"
	"kontor/internal/user"
)

// CreateTransfer moves money between a partner and its users.
func (a *api) CreateTransfer(w http.ResponseWriter, r *http.Request, _ oas.CreateTransferParams) {
	change(a, w, r, "createTransfer", func(tx *db.Tx, p partner.Partner, body oas.NewTransfer) (result, error) {
		amount, fiat, err := a.amount(body.Amount, string(body.Currency))
		if err != nil {
			return result{}, err
		}
		t, err := a.Transfers.Create(tx, p.ID, transfer.Create{
			Source: value(body.SourceExternalUserId), Destination: value(body.DestinationExternalUserId),
			Amount: amount, Fiat: fiat, Reference: value(body.Reference), Metadata: body.Metadata,
		})
		return result{
			status: http.StatusCreated, body: oas.TransferCreated{TransferId: t.ID.String()}, object: t.ID, lasting: true,
		}, err
	})
}

// amount reads an amount that the contract's validation has let pass. P430 beyond what any account may hold.
func (a *api) amount(d contract.Decimal, slug string) (amount money.Amount, fiat bool, err error) {
	c, ok := a.Catalog.Currency(slug)
	if !ok {
		return money.Amount{}, false, fault.New(fault.InvalidCurrency)
	}
	amount, err = d.Amount(c)
	if err != nil {
		return money.Amount{}, false, fault.Invalid("amount must be a decimal number, such as \"10.50\"").Wrap(err)
	}
	if amount.Units() > ledger.MaxUnits {
		return money.Amount{}, false, fault.New(fault.AmountOutOfRange)
	}
	return amount, a.Catalog.Kind(c) == catalog.Fiat, nil
}

// GetTransfer answers the details of a transfer.
func (a *api) GetTransfer(w http.ResponseWriter, r *http.Request, transferID string) {
	read(a, w, r, "getTransfer", func(rd db.Reader, p partner.Partner) (oas.Transfer, error) {
		id, err := clock.ParseID(transferID)
		if err != nil {
			return oas.Transfer{}, fault.New(fault.TransferNotFound)
		}
		t, err := a.Transfers.Find(rd, p.ID, id, a.Catalog.Currency)
		if err != nil {
			return oas.Transfer{}, err
		}
		contacts, err := user.Contacts(rd, p.ID, t.Source, t.Destination)
		return showTransfer(t, contacts), err
	})
}

// showTransfer shows a transfer to its partner, who knows the users by their contacts.
func showTransfer(t transfer.Transfer, contacts map[clock.ID]user.Contact) oas.Transfer {
	out := oas.Transfer{
		Id: t.ID.String(), Status: transfer.Successful, Amount: contract.Number(t.Amount.Number()),
		Currency:  oas.TransferCurrency(strings.ToUpper(t.Amount.Currency().Code)),
		CreatedAt: clock.Format(t.CreatedAt), Reference: optional(t.Reference), Metadata: t.Metadata,
	}
	if c, ok := contacts[t.Source]; ok {
		out.SourceExternalUserId, out.SourceEmail = &c.ExternalID, optional(c.Email)
	}
	if c, ok := contacts[t.Destination]; ok {
		out.DestinationExternalUserId, out.DestinationEmail = &c.ExternalID, optional(c.Email)
	}
	return out
}

// value is what a member of a request holds, or nothing.
func value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

// optional is a member of an answer that is left out, or null, when it is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
