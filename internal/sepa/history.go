package sepa

import (
	"errors"

	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/money"
	"kontor/internal/page"
)

// depositStates are all states of deposits. The indexes have a stretch for each, so that the few deposits in
// a rare state are found without reading all the others.
var depositStates = []string{DepositPending, DepositSuccessful, DepositSuspended, DepositReturning, DepositReturned}

// Rejected is the state, in the words of partners, of a deposit that goes back to its sender.
const Rejected = "REJECTED"

// Told is the deposit's state in the words of partners: to them one that waits for a decision is pending.
func (d Deposit) Told() string { return told(d.Status) }

func told(state string) string {
	switch state {
	case DepositSuspended:
		return DepositPending
	case DepositReturning, DepositReturned:
		return Rejected
	}
	return state
}

var (
	selectEveryones = db.NewQuery(page.Merged("id", len(depositStates),
		`SELECT `+columns+` FROM sepa_deposit WHERE partner_id = $1 AND status = KEY`))
	selectOwners = db.NewQuery(page.Merged("id", len(depositStates),
		`SELECT `+columns+` FROM sepa_deposit WHERE partner_id = $1 AND owner_id = $11 AND status = KEY`))
)

// History answers the entries of deposits and transfers that a query asks for, in no order: at least the newest, as
// many of each as its limit says.
func (s *Service) History(r db.Reader, q entry.Query) ([]entry.Entry, error) {
	deposits, err := s.depositsOf(r, q)
	if err != nil {
		return nil, err
	}
	transfers, err := s.transfersOf(r, q)
	return append(deposits, transfers...), err
}

// depositsOf answers the entries of deposits. One is there from the moment in which it was seen at the bank.
func (s *Service) depositsOf(r db.Reader, q entry.Query) ([]entry.Entry, error) {
	_, euros := q.Currency(s.euro.Code)
	if !q.Wants(DepositOperation) || !euros || q.Reference != "" {
		return nil, nil // nobody gives a deposit a reference: its title is the payer's
	}
	deposits, err := s.search(r, q)
	if err != nil {
		return nil, err
	}
	var found []entry.Entry
	for _, d := range deposits {
		e := entry.Entry{
			Position: page.Position{At: d.CreatedAt, ID: d.ID, Part: entry.In}, Owner: d.Owner,
			Type: DepositOperation, Status: d.Told(), Amount: d.Amount, Fee: money.New(0, s.euro), Object: d,
		}
		if q.Matches(e) {
			found = append(found, e)
		}
	}
	return found, nil
}

func (s *Service) search(r db.Reader, q entry.Query) ([]Deposit, error) {
	if !q.Operation.IsZero() {
		d, err := s.scanDeposit(r.Row(selectDeposit, q.Partner, q.Operation), q.Partner)
		if errors.Is(err, db.ErrNoRows) {
			return nil, nil
		}
		return []Deposit{d}, err
	}
	args := append([]any{q.Partner}, q.Args()...)
	for _, state := range depositStates {
		if q.Status != "" && q.Status != told(state) {
			state = "" // no deposit's
		}
		args = append(args, state)
	}
	query := selectEveryones
	if !q.Everyone {
		query, args = selectOwners, append(args, q.Owner)
	}
	rows := r.Rows(query, args...)
	defer rows.Close()
	var all []Deposit
	for rows.Next() {
		d, err := s.scanDeposit(rows, q.Partner)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}
