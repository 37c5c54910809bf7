package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"kontor/internal/adjustment"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/idempotency"
	"kontor/internal/identity"
	"kontor/internal/ledger"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/transfer"
	"kontor/internal/user"
)

// GetPartnerTransactions answers a page of the partner's history.
func (a *api) GetPartnerTransactions(w http.ResponseWriter, r *http.Request, _ oas.GetPartnerTransactionsParams) {
	read(a, w, r, "getPartnerTransactions", func(rd db.Reader, p partner.Partner) (oas.TransactionPage, error) {
		scope := cmp.Or(r.URL.Query().Get("scope"), "own")
		return a.transactions(rd, r, p, "partner "+scope, func(q *entry.Query) error {
			q.Everyone = scope == "all"
			return nil
		})
	})
}

// GetUserTransactions answers a page of a user's history.
func (a *api) GetUserTransactions(w http.ResponseWriter, r *http.Request, externalUserID string, _ oas.GetUserTransactionsParams) {
	read(a, w, r, "getUserTransactions", func(rd db.Reader, p partner.Partner) (oas.TransactionPage, error) {
		return a.transactions(rd, r, p, "user "+externalUserID, func(q *entry.Query) error {
			u, err := user.Find(rd, p.ID, externalUserID)
			q.Owner = u.ID
			return err
		})
	})
}

// transactions answers a page of a history; whose sets the owner.
func (a *api) transactions(rd db.Reader, r *http.Request, p partner.Partner, name string, whose func(*entry.Query) error) (oas.TransactionPage, error) {
	query := r.URL.Query()
	currency, key := strings.ToLower(query.Get("currency")), query.Get("idempotencyKey")
	q := entry.Query{
		Partner: p.ID, Type: query.Get("type"), Status: query.Get("status"), Reference: query.Get("reference"),
	}
	l, err := a.listing(r, "transactions of "+name, q.Type, q.Status, q.Reference, currency, key)
	if err != nil {
		return oas.TransactionPage{}, err
	}
	q.Range = l.Range
	if err := whose(&q); err != nil {
		return oas.TransactionPage{}, err
	}
	for _, e := range a.Catalog.Currencies() {
		if e.Code == currency || !query.Has("currency") {
			q.Currencies = append(q.Currencies, e.Currency)
		}
	}
	if len(q.Currencies) == 0 {
		return oas.TransactionPage{}, fault.New(fault.InvalidCurrency)
	}
	out := oas.TransactionPage{Transactions: []oas.Transaction{}}
	if key != "" {
		if q.Operation, err = idempotency.Object(rd, p.ID, key); err != nil || q.Operation.IsZero() {
			return out, err
		}
	}
	entries, more, err := a.History.List(rd, q)
	if err != nil || len(entries) == 0 {
		return out, err
	}
	if out.NextCursor, err = a.next(l, entries[len(entries)-1].Position, more); err != nil {
		return out, err
	}
	out.Transactions, err = showEntries(rd, p.ID, entries)
	return out, err
}

// showEntries shows entries with the details of their operations, and the users by the partner's own ids.
func showEntries(rd db.Reader, partnerID int64, entries []entry.Entry) ([]oas.Transaction, error) {
	contacts, err := user.Contacts(rd, partnerID, people(entries)...)
	if err != nil {
		return nil, err
	}
	var all []oas.Transaction
	for _, e := range entries {
		t := oas.Transaction{
			Id: e.ID.String(), Type: oas.TransactionType(e.Type), Direction: oas.TransactionDirection(e.Part),
			Status: oas.TransactionStatus(e.Status), Amount: e.Amount.String(),
			Currency: oas.Currency(e.Amount.Currency().Code), Fee: e.Fee.String(), CreatedAt: clock.Format(e.At),
		}
		if c, ok := contacts[e.Owner]; ok {
			t.ExternalUserId = &c.ExternalID
		}
		switch object := e.Object.(type) {
		case transfer.Transfer:
			err = t.Details.FromTransfer(showTransfer(object, contacts))
		case exchange.Exchange:
			err = t.Details.FromExchange(showExchange(object, contacts))
		case sepa.Deposit:
			err = t.Details.FromSepaDeposit(showDeposit(object, contacts))
		case sepa.Transfer:
			err = t.Details.FromSepaTransfer(showSepaTransfer(object))
		case adjustment.Executed:
			err = t.Details.FromAdjustment(oas.Adjustment{
				Id: t.Id, ExternalUserId: t.ExternalUserId, Amount: t.Amount, Currency: t.Currency,
				Reason: object.Reason, CreatedAt: t.CreatedAt,
			})
		case identity.Fee:
			err = t.Details.FromKycFee(oas.KycFee{
				Id: t.Id, ExternalUserId: optional(contacts[object.User].ExternalID), Amount: t.Amount, Currency: t.Currency,
				CreatedAt: t.CreatedAt,
			})
		default:
			err = fmt.Errorf("httpapi: no details of a %T are known", object)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// people are the users whom entries and their details speak of, each once.
func people(entries []entry.Entry) []clock.ID {
	seen := map[clock.ID]bool{ledger.PartnerItself: true}
	var all []clock.ID
	add := func(ids ...clock.ID) {
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				all = append(all, id)
			}
		}
	}
	for _, e := range entries {
		add(e.Owner)
		switch object := e.Object.(type) {
		case transfer.Transfer:
			add(object.Source, object.Destination)
		case identity.Fee:
			add(object.User)
		}
	}
	return all
}

// GetPartnerStatement answers the statement of one day.
func (a *api) GetPartnerStatement(w http.ResponseWriter, r *http.Request, params oas.GetPartnerStatementParams) {
	readFrom(a, w, r, a.DB.Snapshot, "getPartnerStatement", func(rd db.Reader, p partner.Partner) (oas.Statement, error) {
		day, err := time.Parse(time.DateOnly, params.Date)
		if err != nil {
			return oas.Statement{}, err
		}
		c, known := a.Catalog.Currency(params.Currency)
		if !known {
			return oas.Statement{}, fault.New(fault.InvalidCurrency)
		}
		s, err := a.History.Statement(rd, p.ID, c, day)
		if err != nil {
			return oas.Statement{}, err
		}
		out := oas.Statement{
			Date: params.Date, Currency: oas.Currency(c.Code), Entries: make([]oas.StatementEntry, len(s.Entries)),
			OpeningBalance: s.Opening.String(), ClosingBalance: s.Closing.String(),
		}
		for i, e := range s.Entries {
			out.Entries[i] = showPosting(e)
		}
		return out, nil
	})
}

func showPosting(e ledger.Entry) oas.StatementEntry {
	direction, amount := oas.StatementEntryDirection(entry.In), e.Amount
	if amount.Sign() < 0 {
		direction, amount = oas.StatementEntryDirection(entry.Out), amount.Neg()
	}
	return oas.StatementEntry{
		Id: e.Operation.ID.String(), Type: e.Operation.Type, Posting: e.Leg, Direction: direction,
		Amount: amount.String(), Balance: e.Balance.String(), CreatedAt: clock.Format(e.At),
	}
}
