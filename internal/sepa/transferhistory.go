package sepa

import (
	"errors"

	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/page"
)

// transferStates are all states of transfers; the indexes have a stretch for each.
var transferStates = []string{TransferPending, TransferProcessing, TransferSuccessful, TransferFailed, TransferReturned}

var (
	selectEveryonesTransfers = db.NewQuery(page.Merged("id", len(transferStates),
		`SELECT `+transferColumns+` FROM sepa_transfer WHERE partner_id = $1 AND status = KEY AND ($11 = '' OR reference = $11)`))
	selectOwnersTransfers = db.NewQuery(page.Merged("id", len(transferStates),
		`SELECT `+transferColumns+` FROM sepa_transfer
			WHERE partner_id = $1 AND owner_id = $12 AND status = KEY AND ($11 = '' OR reference = $11)`))
)

// transfersOf answers the entries of transfers that a query asks for, in no order.
func (s *Service) transfersOf(r db.Reader, q entry.Query) ([]entry.Entry, error) {
	if _, euros := q.Currency(s.euro.Code); !q.Wants(TransferOperation) || !euros {
		return nil, nil
	}
	transfers, err := s.searchTransfers(r, q)
	if err != nil {
		return nil, err
	}
	var found []entry.Entry
	for _, t := range transfers {
		e := entry.Entry{
			Position: page.Position{At: t.CreatedAt, ID: t.ID, Part: entry.Out}, Owner: t.Owner,
			Type: TransferOperation, Status: t.Status, Amount: t.Amount, Fee: t.Fee, Object: t,
		}
		if q.Matches(e) {
			found = append(found, e)
		}
	}
	return found, nil
}

func (s *Service) searchTransfers(r db.Reader, q entry.Query) ([]Transfer, error) {
	if !q.Operation.IsZero() {
		t, err := s.scanTransfer(r.Row(selectTransfer, q.Partner, q.Operation))
		if errors.Is(err, db.ErrNoRows) || err == nil && q.Reference != "" && q.Reference != t.Reference {
			return nil, nil
		}
		return []Transfer{t}, err
	}
	args := append([]any{q.Partner}, q.Args()...)
	for _, state := range transferStates {
		if q.Status != "" && q.Status != state {
			state = "" // no transfer's
		}
		args = append(args, state)
	}
	args = append(args, q.Reference)
	query := selectEveryonesTransfers
	if !q.Everyone {
		query, args = selectOwnersTransfers, append(args, q.Owner)
	}
	rows := r.Rows(query, args...)
	defer rows.Close()
	var all []Transfer
	for rows.Next() {
		t, err := s.scanTransfer(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// selectOdd finds the transfers whose state, hold, postings and event do not belong together.
var selectOdd = db.NewQuery(`
	SELECT t.partner_id, t.id FROM sepa_transfer t
	WHERE (SELECT COUNT(*) FROM ledger_transfer l
			WHERE l.partner_id = t.partner_id AND l.operation_id = t.id AND l.leg = 'amount-1' AND l.amount = t.amount)
		<> CASE WHEN t.status IN ('SUCCESSFUL', 'RETURNED') THEN 1 ELSE 0 END
	OR (SELECT COUNT(*) FROM ledger_transfer l
			WHERE l.partner_id = t.partner_id AND l.operation_id = t.id AND l.leg = 'return' AND l.amount = t.returned)
		<> CASE WHEN t.status = 'RETURNED' THEN 1 ELSE 0 END
	OR (SELECT COUNT(*) FROM hold_step h WHERE h.partner_id = t.partner_id AND h.hold_id = t.hold_id AND h.ended)
		<> CASE WHEN t.status IN ('PENDING', 'PROCESSING') OR t.reason = 'AM04' AND t.version = 1 AND NOT EXISTS (
				SELECT 1 FROM hold o WHERE o.partner_id = t.partner_id AND o.id = t.hold_id) THEN 0 ELSE 1 END
	OR t.status NOT IN ('PENDING', 'PROCESSING')
		AND NOT EXISTS (
			SELECT 1 FROM event e WHERE e.partner_id = t.partner_id AND e.object_id = t.id AND e.version = t.version)
		AND NOT EXISTS (
			SELECT 1 FROM event_lane n WHERE n.partner_id = t.partner_id AND n.removed_until >= t.created_at)`)
