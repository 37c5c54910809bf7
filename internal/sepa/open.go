package sepa

import (
	"kontor/internal/clock"
	"kontor/internal/db"
)

var selectOpen = db.NewQuery(`
	SELECT CAST(SUM(n) AS BIGINT) FROM (SELECT COUNT(*) AS n FROM sepa_deposit
	WHERE partner_id = $1 AND owner_id = $2 AND status IN ('` + DepositPending + `', '` + DepositSuspended + `', '` + DepositReturning + `')
	UNION ALL SELECT COUNT(*) FROM sepa_transfer
	WHERE partner_id = $1 AND owner_id = $2 AND status IN ('` + TransferPending + `', '` + TransferProcessing + `')) AS open`)

// HasOpenOperations tells whether a deposit of a user's is not credited yet, or waits on suspense for a decision, or
// a transfer is under way.
func (s *Service) HasOpenOperations(r db.Reader, partner int64, user clock.ID) (bool, error) {
	var open int64
	err := r.Row(selectOpen, partner, user).Scan(&open)
	return open > 0, err
}
