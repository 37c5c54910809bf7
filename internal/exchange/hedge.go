package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kontor/internal/audit"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

// Limits of what is noted of a hedge.
const (
	maxHedge  = 1_000_000_000_000_000_000 // minor units, as the schema has it
	maxReason = 500                       // characters
	maxName   = 100
)

// Hedge is what the operator bought or sold elsewhere against the open position.
type Hedge struct {
	ID     clock.ID
	Amount money.Amount // above zero was bought, below zero was sold
	Price  money.Rate   // EUR for one unit
	Reason string
	By     string // who noted it
	At     time.Time
}

var insertHedge = db.NewInsert("treasury_hedge", `id uuid, currency text, amount bigint, price text, reason text, noted_by text,
	created_at bigint`)

// hedgeDetails is what the audit log tells of a hedge.
type hedgeDetails struct {
	Currency string `json:"currency"`
	Amount   string `json:"amount"`
	Price    string `json:"price"`
	By       string `json:"by"`
}

// NoteHedge notes a hedge for ever, with an entry in the audit log, and answers it with its id. It moves no money. A
// wrong one is mended by noting the opposite.
func (s *Service) NoteHedge(ctx context.Context, h Hedge) (Hedge, error) {
	h.Reason, h.By = strings.TrimSpace(h.Reason), strings.ToLower(strings.Join(strings.Fields(h.By), " "))
	switch {
	case h.Amount.IsZero() || size(h.Amount).Units() > maxHedge:
		return h, errors.New("the amount of a hedge must not be zero, nor larger than what is counted")
	case s.catalog.Kind(h.Amount.Currency()) == catalog.Fiat:
		return h, fmt.Errorf("%s is what positions are counted in: it is not hedged", h.Amount.Currency().Code)
	case h.Price.IsZero():
		return h, errors.New("the price of a hedge must be above zero")
	case !printable(h.Reason, maxReason):
		return h, fmt.Errorf("the reason must be between 1 and %d characters on one line", maxReason)
	case !printable(h.By, maxName):
		return h, fmt.Errorf("the name of the person who acts must be between 1 and %d characters", maxName)
	}
	h.ID, h.At = clock.NewID(), s.clock.Now()
	return h, s.db.Update(ctx, func(tx *db.Tx) error {
		slug := h.Amount.Currency().Code
		tx.Write(insertHedge, h.ID, slug, h.Amount.Units(), h.Price.String(), h.Reason, h.By, h.At)
		return audit.Write(tx, audit.Entry{
			Actor: audit.Actor(ctx), Action: "treasury.hedge", Object: h.ID.String(),
			Details: hedgeDetails{slug, h.Amount.String(), h.Price.String(), h.By},
		})
	})
}

func printable(text string, limit int) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		strings.IndexFunc(text, unicode.IsControl) < 0
}
