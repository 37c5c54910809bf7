// Package adjustment is the operator's corrections of customers' balances. One person proposes, another one
// approves or rejects; an approval executes at once. Both persons and the reason are kept for ever, and
// nothing of it can be changed: a wrong correction is mended by another one.
//
// A correction moves money between the balance of a customer, a user or the partner itself, and the equity
// account of the partner's book. What a customer gets repays first what the customer owes; what is taken
// beyond the available balance becomes the customer's receivable (see ledger.Collect).
package adjustment

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/money"
)

// OperationType names corrections in the ledger and in histories.
const OperationType = "ADJUSTMENT"

// Limits of what people write, in characters.
const (
	maxReason = 500
	maxName   = 100
)

// State is how far a correction has come.
type State string

// The states of corrections.
const (
	Pending  State = "PENDING"
	Approved State = "APPROVED" // and executed, in the same moment
	Rejected State = "REJECTED"
)

// Adjustment is a correction with what was decided about it.
type Adjustment struct {
	Partner    int64
	ID         clock.ID
	Owner      clock.ID     // a user; none: the partner itself
	Amount     money.Amount // above zero is given to the customer, below zero is taken
	Reason     string
	State      State
	ProposedBy string
	ProposedAt time.Time
	DecidedBy  string    // empty while pending
	DecidedAt  time.Time // zero while pending
}

// Proposal is what a person asks for.
type Proposal struct {
	Partner int64
	User    string       // externalUserId; empty: the partner itself
	Amount  money.Amount // above zero is given to the customer, below zero is taken
	Reason  string
	By      string
}

// ParseAmount reads an amount with its sign: "12.50", "+12.50", "-12.50".
func ParseAmount(text string, c money.Currency) (money.Amount, error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+")
	amount, err := money.Parse(digits, c)
	if err != nil || len(text)-len(digits) > 1 || amount.IsZero() {
		return money.Amount{}, fmt.Errorf("%q is not an amount in %s other than zero, with at most %d decimals, such as -12.50", text, c.Code, c.Scale)
	}
	if strings.HasPrefix(text, "-") {
		amount = amount.Neg()
	}
	return amount, nil
}

// check makes the texts of a proposal what is stored, or says what is wrong with them.
func (p *Proposal) check() (err error) {
	if p.Amount.IsZero() {
		return errors.New("the amount must not be zero")
	}
	p.Reason = strings.TrimSpace(p.Reason)
	if !printable(p.Reason, maxReason) {
		return fmt.Errorf("the reason must be between 1 and %d characters on one line", maxReason)
	}
	p.By, err = person(p.By)
	return err
}

// person is a name as persons are told apart by it: Test and test are the same.
func person(name string) (string, error) {
	name = strings.ToLower(strings.Join(strings.Fields(name), " "))
	if !printable(name, maxName) {
		return "", fmt.Errorf("the name of the person who acts must be between 1 and %d characters", maxName)
	}
	return name, nil
}

func printable(text string, limit int) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		strings.IndexFunc(text, unicode.IsControl) < 0
}

const columns = `p.partner_id, p.id, p.owner_id, p.currency, p.amount, p.reason, p.proposed_by, p.created_at,
	CASE WHEN d.id IS NULL THEN 'PENDING' WHEN d.approved THEN 'APPROVED' ELSE 'REJECTED' END,
	COALESCE(d.decided_by, ''), COALESCE(d.created_at, 0)`

const proposals = ` FROM adjustment_proposal p
	LEFT JOIN adjustment_decision d ON d.partner_id = p.partner_id AND d.id = p.id `

var (
	insertProposal = db.NewInsert("adjustment_proposal", `partner_id bigint, id uuid, owner_id uuid, currency text,
		amount bigint, reason text, proposed_by text, created_at bigint`)
	insertDecision = db.NewInsert("adjustment_decision", `partner_id bigint, id uuid, approved boolean,
		proposed_by text, decided_by text, created_at bigint`)
	insertAdjustment = db.NewInsert("adjustment", `partner_id bigint, id uuid, owner_id uuid, currency text,
		amount bigint, reason text, created_at bigint`)
	insertDirectory = db.NewInsert("directory", "kind text, key text, partner_id bigint, object_id uuid")
	selectPartner   = db.NewQuery(`SELECT partner_id FROM directory WHERE kind = 'adjustment' AND key = $1`)
	selectOne       = db.NewQuery(`SELECT ` + columns + proposals + `WHERE p.partner_id = $1 AND p.id = $2`)
	selectNewest    = db.NewQuery(`
		SELECT ` + columns + proposals + `
		WHERE (CAST($1 AS BIGINT) < 0 OR p.partner_id = $1) AND (NOT $2 OR d.id IS NULL)
		ORDER BY p.created_at DESC, p.id DESC LIMIT $3`)
)

// Filter says which corrections to list.
type Filter struct {
	Partner int64 // below zero: all
	Pending bool  // only those that wait for a decision
	Limit   int
}

// List reads corrections, the newest first.
func (s *Service) List(r db.Reader, f Filter) ([]Adjustment, error) {
	rows := r.Rows(selectNewest, f.Partner, f.Pending, f.Limit)
	defer rows.Close()
	var all []Adjustment
	for rows.Next() {
		a, err := s.scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// find reads a correction by its id alone: the operator's people do not say whose it is.
func (s *Service) find(r db.Reader, id clock.ID) (Adjustment, error) {
	var partner int64
	err := r.Row(selectPartner, id.String()).Scan(&partner)
	if errors.Is(err, db.ErrNoRows) {
		return Adjustment{}, fault.Newf(fault.NotFound, "There is no adjustment %s.", id)
	}
	if err != nil {
		return Adjustment{}, err
	}
	return s.scan(r.Row(selectOne, partner, id))
}

func (s *Service) scan(row interface{ Scan(dest ...any) error }) (Adjustment, error) {
	var a Adjustment
	var slug, state string
	var units int64
	err := row.Scan(&a.Partner, &a.ID, &a.Owner, &slug, &units, &a.Reason, &a.ProposedBy, &a.ProposedAt,
		&state, &a.DecidedBy, &a.DecidedAt)
	if err != nil {
		return Adjustment{}, err
	}
	c, ok := s.currency(slug)
	if !ok {
		return Adjustment{}, fmt.Errorf("adjustment %s has the unknown currency %q", a.ID, slug)
	}
	a.Amount, a.State = money.New(units, c), State(state)
	return a, nil
}
