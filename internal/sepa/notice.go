package sepa

import (
	"encoding/json"
	"strings"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/user"
)

// TransferNotice is the body of the webhooks Partner SEPA Transfer and User SEPA Transfer. One that failed has only
// id, status and error, and a user's its externalUserId.
type TransferNotice struct {
	ID                string            `json:"id"`
	Type              string            `json:"type,omitempty"`
	Amount            string            `json:"amount,omitempty"`
	TransferTitle     string            `json:"transferTitle,omitempty"`
	DestinationIBAN   string            `json:"destinationIban,omitempty"`
	ReceiverFirstName *string           `json:"receiverFirstName"`
	ReceiverLastName  *string           `json:"receiverLastName"`
	Status            string            `json:"status"`
	Currency          string            `json:"currency,omitempty"`
	Fee               json.Number       `json:"fee,omitempty"`
	CreatedAt         string            `json:"createdAt,omitempty"`
	User              *TransferUser     `json:"user,omitempty"`
	Error             *TransferError    `json:"error,omitempty"`
	ReturnedAmount    string            `json:"returnedAmount,omitempty"`
	Reference         string            `json:"reference,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

// FailedNotice is the body of a transfer that failed.
type FailedNotice struct {
	ID             string            `json:"id"`
	ExternalUserID string            `json:"externalUserId,omitempty"`
	Status         string            `json:"status"`
	Error          *TransferError    `json:"error"`
	Reference      string            `json:"reference,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
}

// TransferError says why a transfer failed or came back: in words, and as a code of ISO 20022.
type TransferError struct {
	Description string `json:"description"`
	Status      string `json:"status"`
}

// TransferUser is the user who paid.
type TransferUser struct {
	ExternalUserID string  `json:"externalUserId"`
	Email          string  `json:"email"`
	FirstName      string  `json:"firstName"`
	LastName       string  `json:"lastName"`
	Address        string  `json:"address"`
	City           string  `json:"city"`
	Country        string  `json:"country"`
	DocumentType   *string `json:"documentType"`
	DocumentNumber *string `json:"documentNumber"`
	PESEL          *string `json:"pesel"`
	BirthCountry   string  `json:"birthCountry"`
	BirthDate      *string `json:"birthDate"`
}

// peselDigits is the length of a Polish national number.
const peselDigits = 11

// NewTransferUser shows the user who paid.
func NewTransferUser(externalID string, p user.Person) TransferUser {
	u := TransferUser{
		ExternalUserID: externalID, Email: p.Email, FirstName: p.FirstName, LastName: p.LastName,
		Address: strings.TrimSpace(p.Street + " " + p.StreetNumber), City: p.City, Country: p.Country,
		DocumentType: orNull(p.DocumentType), DocumentNumber: orNull(p.DocumentNumber), BirthCountry: p.BirthCountry, BirthDate: orNull(p.BirthDate),
	}
	if len(p.NationalNumber) == peselDigits && p.Country == "PL" {
		u.PESEL = &p.NationalNumber
	}
	return u
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Failure is why the transfer failed or came back; nil when it did neither.
func (t Transfer) Failure() *TransferError {
	if t.Reason == "" {
		return nil
	}
	return &TransferError{Description: Reason(t.Reason), Status: t.Reason}
}

// tellTransfer writes the event of a transfer's end. payer is nil for the partner's own.
func (s *Service) tellTransfer(tx *db.Tx, t Transfer, payer *user.User, person *user.Person) error {
	kind, externalID := event.PartnerSEPATransfer, ""
	if payer != nil {
		kind, externalID = event.SEPATransfer, payer.ExternalID
	}
	var body any = FailedNotice{
		ID: t.ID.String(), ExternalUserID: externalID, Status: t.Status, Error: t.Failure(), Reference: t.Reference, Metadata: t.Metadata,
	}
	if t.Status != TransferFailed {
		n := TransferNotice{
			ID: t.ID.String(), Type: "external", Amount: t.Amount.String(), TransferTitle: t.Title, DestinationIBAN: string(t.Destination),
			ReceiverFirstName: orNull(t.Receiver.FirstName), ReceiverLastName: orNull(t.Receiver.LastName), Status: t.Status,
			Currency: t.Amount.Currency().Code, Fee: json.Number(t.Fee.Number()), CreatedAt: clock.Format(t.CreatedAt),
			Error: t.Failure(), Reference: t.Reference, Metadata: t.Metadata,
		}
		if t.Status == TransferReturned {
			n.ReturnedAmount = t.Returned.String()
		}
		if person != nil {
			u := NewTransferUser(externalID, *person)
			n.User = &u
		}
		body = n
	}
	return s.events.Write(tx, event.Event{
		Partner: t.Partner, Object: t.ID, Version: t.Version, Type: kind, At: s.clock.Now(), Body: body,
	})
}
