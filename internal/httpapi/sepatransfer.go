package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/iban"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/user"
)

// CreatePartnerSepaTransfer sends euros of the partner's own.
func (a *api) CreatePartnerSepaTransfer(w http.ResponseWriter, r *http.Request, _ oas.CreatePartnerSepaTransferParams) {
	short := false
	changeUnless(a, w, r, "createPartnerSepaTransfer", notCovered(&short), func(tx *db.Tx, p partner.Partner, body oas.NewPartnerSepaTransfer) (result, error) {
		return a.createSepaTransfer(tx, p, "", oas.NewSepaTransfer{
			Amount: body.Amount, Currency: oas.NewSepaTransferCurrency(body.Currency), DestinationIban: body.DestinationIban, TransferTitle: body.TransferTitle,
			ReceiverType: (*oas.NewSepaTransferReceiverType)(body.ReceiverType), ReceiverFirstName: body.ReceiverFirstName, ReceiverLastName: body.ReceiverLastName,
			CompanyName: body.CompanyName, Reference: body.Reference, Metadata: body.Metadata,
		}, short)
	})
}

// CreateSepaTransfer sends euros of a user.
func (a *api) CreateSepaTransfer(w http.ResponseWriter, r *http.Request, _ oas.CreateSepaTransferParams) {
	short := false
	changeUnless(a, w, r, "createSepaTransfer", notCovered(&short), func(tx *db.Tx, p partner.Partner, body oas.NewSepaTransfer) (result, error) {
		id, older := value(body.SourceExternalUserId), value(body.ExternalUserId) // as an older example calls it
		switch {
		case id == "" && older == "":
			return result{}, fault.Invalid("sourceExternalUserId must be provided")
		case id == "":
			id = older
		case older != "" && older != id:
			return result{}, fault.Invalid("externalUserId must be the same as sourceExternalUserId, or not be sent")
		}
		return a.createSepaTransfer(tx, p, id, body, short)
	})
}

// notCovered says, once, that a transfer which the balance did not cover at the commit is to be stored as failed.
func notCovered(short *bool) func(error) bool {
	return func(err error) bool {
		if *short || fault.From(err).Code != fault.InsufficientFunds {
			return false
		}
		*short = true
		return true
	}
}

func (a *api) createSepaTransfer(tx *db.Tx, p partner.Partner, payer string, body oas.NewSepaTransfer, short bool) (result, error) {
	amount, _, err := a.amount(body.Amount, string(body.Currency))
	if err != nil {
		return result{}, err
	}
	destination, err := iban.Parse(body.DestinationIban)
	if err != nil {
		return result{}, fault.Newf(fault.InvalidIban, "destinationIban is not a valid IBAN.").Wrap(err)
	}
	terms, err := a.sepaTerms(p)
	if err != nil {
		return result{}, err
	}
	t, err := a.SEPA.CreateTransfer(tx, p.ID, sepa.Order{
		User: payer, Amount: amount, Destination: destination, Title: body.TransferTitle, Terms: terms, Short: short,
		Receiver: sepa.Receiver{
			Type: string(value(body.ReceiverType)), FirstName: value(body.ReceiverFirstName), LastName: value(body.ReceiverLastName),
			Company: value(body.CompanyName),
		},
		Reference: value(body.Reference), Metadata: body.Metadata,
	})
	return result{status: http.StatusOK, body: oas.SepaTransferCreated{TransferId: t.ID.String()}, object: t.ID, lasting: true}, err
}

// sepaTerms are the partner's settings for SEPA transfers.
func (a *api) sepaTerms(p partner.Partner) (sepa.Terms, error) {
	fees, err := a.Catalog.FeesWith(p.Settings.Family("fees."))
	if err != nil {
		return sepa.Terms{}, err
	}
	markup, err := money.ParsePercent(p.Settings.Text("markup.sepa"))
	if err != nil {
		return sepa.Terms{}, err
	}
	terms := sepa.Terms{OpenLoop: p.Settings.Text("sepaLevel") == "2", Share: fees.SepaTransfer, Least: fees.SepaTransferMin, Markup: markup}
	for _, e := range a.Catalog.Currencies() {
		if e.Code != "eur" {
			continue
		}
		terms.Largest = e.MaxEUR
		for name, limit := range map[string]*money.Amount{
			"sepa.max": &terms.Largest, "sepa.maxPerDay": &terms.PerDay, "sepa.maxPerDayTotal": &terms.PerDayTotal,
		} {
			if own := p.Settings.Text(name); own != "" {
				if *limit, err = money.Parse(own, e.Currency); err != nil {
					return sepa.Terms{}, err
				}
			}
		}
	}
	return terms, nil
}

// GetSepaTransfer answers the details of a partner's or a user's transfer.
func (a *api) GetSepaTransfer(w http.ResponseWriter, r *http.Request, transferID string) {
	read(a, w, r, "getSepaTransfer", func(rd db.Reader, p partner.Partner) (oas.SepaTransfer, error) {
		id, err := clock.ParseID(transferID)
		if err != nil {
			id = clock.ID{} // no transfer's
		}
		t, err := a.SEPA.FindTransfer(rd, p.ID, id)
		if err != nil {
			return oas.SepaTransfer{}, err
		}
		out := showSepaTransfer(t)
		if t.Owner == ledger.PartnerItself {
			return out, nil
		}
		u, err := user.FindByID(rd, p.ID, t.Owner)
		if err != nil {
			return out, err
		}
		person, err := a.Users.FindPerson(rd, u)
		if err != nil && !errors.Is(err, db.ErrNoRows) { // of a deleted user nothing but the id is left
			return out, err
		}
		return out, shown(sepa.NewTransferUser(u.ExternalID, person), &out.User)
	})
}

// showSepaTransfer shows a transfer without its payer.
func showSepaTransfer(t sepa.Transfer) oas.SepaTransfer {
	out := oas.SepaTransfer{
		Id: t.ID.String(), Type: "external", Amount: t.Amount.String(), TransferTitle: t.Title, DestinationIban: string(t.Destination),
		ReceiverFirstName: optional(t.Receiver.FirstName), ReceiverLastName: optional(t.Receiver.LastName), CompanyName: optional(t.Receiver.Company),
		Status: oas.SepaTransferStatus(t.Status), Currency: "eur", Fee: contract.Number(t.Fee.Number()), CreatedAt: clock.Format(t.CreatedAt),
		Reference: optional(t.Reference), Metadata: t.Metadata, ReceiverType: optional(t.Receiver.Type),
	}
	if failure := t.Failure(); failure != nil {
		out.Error = &oas.EventError{Description: failure.Description, Status: failure.Status}
	}
	if t.Status == sepa.TransferReturned {
		out.ReturnedAmount = optional(t.Returned.String())
	}
	return out
}

// shown copies what has the form of the contract into its generated type.
func shown[T any](from any, to **T) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	*to = new(T)
	return json.Unmarshal(text, *to)
}

// GetPartnerSepaContacts lists the accounts that the partner has paid in from.
func (a *api) GetPartnerSepaContacts(w http.ResponseWriter, r *http.Request) {
	read(a, w, r, "getPartnerSepaContacts", func(rd db.Reader, p partner.Partner) (oas.SepaContacts, error) {
		return a.sepaContacts(rd, p, ledger.PartnerItself)
	})
}

// GetUserSepaContacts lists the accounts that a user has paid in from.
func (a *api) GetUserSepaContacts(w http.ResponseWriter, r *http.Request, externalUserID string) {
	read(a, w, r, "getUserSepaContacts", func(rd db.Reader, p partner.Partner) (oas.SepaContacts, error) {
		u, err := user.Find(rd, p.ID, externalUserID)
		if err != nil {
			return oas.SepaContacts{}, err
		}
		if u.Model == user.NoKYC {
			return oas.SepaContacts{}, fault.New(fault.WrongUserModel)
		}
		return a.sepaContacts(rd, p, u.ID)
	})
}

func (a *api) sepaContacts(rd db.Reader, p partner.Partner, owner clock.ID) (oas.SepaContacts, error) {
	out := oas.SepaContacts{Contacts: []oas.SepaContact{}}
	contacts, err := a.SEPA.Contacts(rd, p.ID, owner)
	for _, c := range contacts {
		out.Contacts = append(out.Contacts, oas.SepaContact{
			Id: c.ID.String(), Iban: string(c.IBAN), Name: c.Name, Status: "APPROVED",
			CreatedAt: clock.Format(c.CreatedAt), LastUsedAt: clock.Format(c.LastUsedAt),
		})
	}
	return out, err
}
