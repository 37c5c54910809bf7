package adjustment

import (
	"context"
	"errors"
	"fmt"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
)

// Service proposes and decides corrections.
type Service struct {
	db       *db.DB
	clock    clock.Clock
	currency func(slug string) (money.Currency, bool)
}

// NewService makes the service. currency finds a currency by its slug.
func NewService(d *db.DB, c clock.Clock, currency func(slug string) (money.Currency, bool)) *Service {
	return &Service{db: d, clock: c, currency: currency}
}

// Propose notes a correction for another person to decide. It is refused when the customer has no balance in
// the currency. P412 when the partner has no such user.
func (s *Service) Propose(ctx context.Context, p Proposal) (a Adjustment, err error) {
	if err := p.check(); err != nil {
		return Adjustment{}, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if a, err = s.propose(tx, p); err != nil {
			return err
		}
		return a.record(ctx, tx, "adjustment.propose", p.By)
	})
	return a, err
}

func (s *Service) propose(tx *db.Tx, p Proposal) (Adjustment, error) {
	a := Adjustment{
		Partner: p.Partner, ID: clock.NewID(), Owner: ledger.PartnerItself, Amount: p.Amount, Reason: p.Reason,
		State: Pending, ProposedBy: p.By, ProposedAt: s.clock.Now(),
	}
	if p.User != "" {
		u, err := user.Find(tx, p.Partner, p.User)
		if err != nil {
			return Adjustment{}, err
		}
		a.Owner = u.ID
	}
	_, err := ledger.FindCustomer(tx, a.Partner, a.Owner, a.Amount.Currency())
	if errors.Is(err, db.ErrNoRows) {
		return Adjustment{}, fmt.Errorf("partner %d has no such balance in %s", a.Partner, a.Amount.Currency().Code)
	}
	if err != nil {
		return Adjustment{}, err
	}
	tx.Write(insertProposal, a.Partner, a.ID, a.Owner, a.Amount.Currency().Code, a.Amount.Units(), a.Reason,
		a.ProposedBy, a.ProposedAt)
	tx.Write(insertDirectory, "adjustment", a.ID.String(), a.Partner, a.ID)
	return a, nil
}

// Approve decides that a correction is right, and executes it in the same transaction.
func (s *Service) Approve(ctx context.Context, id clock.ID, by string) (Adjustment, error) {
	return s.decide(ctx, id, by, Approved)
}

// Reject decides that a correction is not to be made.
func (s *Service) Reject(ctx context.Context, id clock.ID, by string) (Adjustment, error) {
	return s.decide(ctx, id, by, Rejected)
}

func (s *Service) decide(ctx context.Context, id clock.ID, by string, verdict State) (a Adjustment, err error) {
	if by, err = person(by); err != nil {
		return Adjustment{}, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if a, err = s.find(tx, id); err != nil {
			return err
		}
		if err := a.mayBeDecided(by); err != nil {
			return err
		}
		a.State, a.DecidedBy, a.DecidedAt = verdict, by, s.clock.Now()
		if err := s.write(tx, a); err != nil {
			return err
		}
		return a.record(ctx, tx, actions[verdict], by)
	})
	return a, err
}

// actions name the verdicts in the audit log.
var actions = map[State]string{Approved: "adjustment.approve", Rejected: "adjustment.reject"}

// record writes the step into the audit log: who was logged in, and under which name they acted. It is the
// last thing in a transaction.
func (a Adjustment) record(ctx context.Context, tx *db.Tx, action, by string) error {
	return audit.Write(tx, audit.Entry{
		Actor: audit.Actor(ctx), Action: action, Partner: a.Partner, Object: a.ID.String(), Details: map[string]string{
			"by": by, "owner": a.Owner.String(), "amount": a.Amount.String(), "currency": a.Amount.Currency().Code,
		},
	})
}

// mayBeDecided says why a person may not decide. What is decided meanwhile by somebody else collides with the
// key of the decision, and is then seen here.
func (a Adjustment) mayBeDecided(by string) error {
	switch {
	case a.State != Pending:
		return fmt.Errorf("adjustment %s was decided already: %s by %s at %s", a.ID, a.State, a.DecidedBy, clock.Format(a.DecidedAt))
	case a.ProposedBy == by:
		return fmt.Errorf("adjustment %s was proposed by %s: another person must decide it", a.ID, by)
	}
	return nil
}

// write records a decision, and executes it when it approves.
func (s *Service) write(tx *db.Tx, a Adjustment) error {
	if a.State == Rejected {
		writeDecision(tx, a)
		return nil
	}
	equity, err := ledger.FindOrOpenAccount(tx, a.Partner, ledger.PartnerItself, ledger.Equity, a.Amount.Currency(), a.DecidedAt)
	if err != nil {
		return err
	}
	writeDecision(tx, a)
	tx.Write(insertAdjustment, a.Partner, a.ID, a.Owner, a.Amount.Currency().Code, a.Amount.Units(), a.Reason, a.DecidedAt)
	op := ledger.Operation{Type: OperationType, ID: a.ID}
	if a.Amount.Sign() < 0 {
		return ledger.Collect(tx, a.Partner, op, a.DecidedAt, a.Owner, "amount", equity, a.Amount.Neg())
	}
	to, err := ledger.LockCustomer(tx, a.Partner, a.Owner, a.Amount.Currency())
	if err != nil {
		return err
	}
	ledger.Post(tx, a.Partner, op, a.DecidedAt, ledger.Credit("amount", equity, to, a.Amount)...)
	return nil
}

func writeDecision(tx *db.Tx, a Adjustment) {
	tx.Write(insertDecision, a.Partner, a.ID, a.State == Approved, a.ProposedBy, a.DecidedBy, a.DecidedAt)
}

// check is a query for violations; each answers partner and id.
type check struct {
	text  string
	query *db.Query
}

var checks = []check{
	{
		"I4: adjustment %s of partner %d does not agree with its postings",
		db.NewQuery(`
			SELECT a.partner_id, a.id FROM adjustment a
			LEFT JOIN (
				SELECT l.partner_id, l.operation_id, l.currency,
					SUM(CASE WHEN l.debit_id = e.id THEN l.amount WHEN l.credit_id = e.id THEN -l.amount ELSE 0 END) AS total
				FROM ledger_transfer l
				JOIN account e ON e.partner_id = l.partner_id AND e.purpose = 'equity' AND e.currency = l.currency
				WHERE l.operation_type = 'ADJUSTMENT'
				GROUP BY l.partner_id, l.operation_id, l.currency
			) posted ON posted.partner_id = a.partner_id AND posted.operation_id = a.id AND posted.currency = a.currency
			WHERE posted.total IS NULL OR posted.total <> a.amount`),
	},
	{
		"I4: adjustment %s of partner %d was executed without an approval by another person, or otherwise than proposed",
		db.NewQuery(`
			SELECT a.partner_id, a.id FROM adjustment a
			LEFT JOIN adjustment_proposal p ON p.partner_id = a.partner_id AND p.id = a.id
			LEFT JOIN adjustment_decision d ON d.partner_id = a.partner_id AND d.id = a.id AND d.approved
			WHERE p.id IS NULL OR d.id IS NULL OR d.decided_by = p.proposed_by OR d.proposed_by <> p.proposed_by
				OR a.owner_id <> p.owner_id OR a.currency <> p.currency OR a.amount <> p.amount`),
	},
	{
		"I4: adjustment %s of partner %d was approved and not executed",
		db.NewQuery(`
			SELECT d.partner_id, d.id FROM adjustment_decision d
			LEFT JOIN adjustment a ON a.partner_id = d.partner_id AND a.id = d.id
			WHERE d.approved AND a.id IS NULL`),
	},
	{
		"I4: the postings of adjustment %s of partner %d have no adjustment",
		db.NewQuery(`
			SELECT DISTINCT l.partner_id, l.operation_id FROM ledger_transfer l
			LEFT JOIN adjustment a ON a.partner_id = l.partner_id AND a.id = l.operation_id
			WHERE l.operation_type = 'ADJUSTMENT' AND a.id IS NULL`),
	},
}

// Verify names the corrections whose parts do not agree (I4). It is for a quiet hour: it reads everything.
func Verify(_ context.Context, r db.Reader) ([]string, error) {
	var violations []string
	for _, c := range checks {
		found, err := c.run(r)
		if err != nil {
			return nil, err
		}
		violations = append(violations, found...)
	}
	return violations, nil
}

func (c check) run(r db.Reader) ([]string, error) {
	rows := r.Rows(c.query)
	defer rows.Close()
	var violations []string
	for rows.Next() {
		var partner int64
		var id clock.ID
		if err := rows.Scan(&partner, &id); err != nil {
			return nil, err
		}
		violations = append(violations, fmt.Sprintf(c.text, id, partner))
	}
	return violations, rows.Err()
}
