package compliance

import (
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
)

var selectSince = db.NewQuery(`SELECT opened_at FROM compliance_case WHERE partner_id = $1 AND user_id = $2 AND state = 'OPEN'`)

// UnderReview tells whether a user has an open case, and since when.
func UnderReview(r db.Reader, partner int64, user clock.ID) (since time.Time, open bool, err error) {
	err = r.Row(selectSince, partner, user).Scan(&since)
	if errors.Is(err, db.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return since, err == nil, err
}
