package sepa

import (
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/user"
)

// Notice is the body of the SEPA Deposit webhook.
type Notice struct {
	ID             string `json:"id"`
	ExternalUserID string `json:"externalUserId,omitempty"`
	Amount         string `json:"amount"`
	Currency       string `json:"currency"`
	SenderName     string `json:"senderName"`
	SenderIBAN     string `json:"senderIban"`
	Title          string `json:"title"`
	Status         string `json:"status"`
	CreatedAt      string `json:"createdAt"`
}

func notice(d Deposit, recipient *user.User) Notice {
	n := Notice{
		ID: d.ID.String(), Amount: d.Amount.String(), Currency: d.Amount.Currency().Code, SenderName: d.SenderName,
		SenderIBAN: d.SenderIBAN, Title: d.Title, Status: d.Status, CreatedAt: clock.Format(d.CreatedAt),
	}
	if recipient != nil {
		n.ExternalUserID = recipient.ExternalID
	}
	return n
}

// How the first-party check of a deposit stands.
const (
	checkPending  = "PENDING"
	checkApproved = "APPROVED"
	checkRejected = "REJECTED"
)

// CheckNotice is the body of the IBAN Status webhook: how the first-party check of a deposit stands.
type CheckNotice struct {
	ExternalUserID string `json:"externalUserId,omitempty"`
	IBAN           string `json:"iban"` // the sender's
	Name           string `json:"name"`
	Amount         string `json:"amount"`
	Currency       string `json:"currency"`
	Status         string `json:"status"`
	CreatedAt      string `json:"createdAt"`
}

// tellCheck writes the event of a step of the check. The deposit has the event's version.
func (s *Service) tellCheck(tx *db.Tx, d Deposit, status string, at time.Time, recipient *user.User) error {
	n := CheckNotice{
		IBAN: d.SenderIBAN, Name: d.SenderName, Amount: d.Amount.String(), Currency: d.Amount.Currency().Code, Status: status,
		CreatedAt: clock.Format(d.CreatedAt),
	}
	if recipient != nil {
		n.ExternalUserID = recipient.ExternalID
	}
	return s.events.Write(tx, event.Event{
		Partner: d.Partner, Object: d.ID, Version: d.Version, Type: event.IBANStatus, At: at, Body: n,
	})
}
