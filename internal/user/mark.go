package user

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
)

// maxReason is how long the reason of a freeze may be, in characters.
const maxReason = 500

var (
	updateSuspended = db.NewCommand(`UPDATE users SET suspended_at = $3 WHERE partner_id = $1 AND id = $2`)
	updateFrozen    = db.NewCommand(`UPDATE users SET frozen_at = $3, freeze_reason = $4 WHERE partner_id = $1 AND id = $2`)
	selectReason    = db.NewQuery(`SELECT freeze_reason FROM users WHERE partner_id = $1 AND id = $2`)
)

// Suspend marks a user as suspended by the partner: nothing goes out any more, and what comes in is credited. It
// counts for every operation that begins after it, and for internal transfers that are not committed yet; any other
// that is under way ends as it began. A user who is
// suspended stays so. P412; P454 while a card is active.
func (s *Service) Suspend(tx *db.Tx, partner int64, externalID string) (User, error) {
	u, err := Lock(tx, partner, externalID)
	if err != nil || !u.SuspendedAt.IsZero() {
		return u, err
	}
	for _, c := range s.others.Cards {
		active, err := c.HasActiveCards(tx, u.Partner, u.ID)
		if err != nil {
			return User{}, err
		}
		if active {
			return User{}, fault.New(fault.ActiveCards)
		}
	}
	u.SuspendedAt = s.clock.Now()
	tx.Write(updateSuspended, u.Partner, u.ID, u.SuspendedAt)
	ledger.Revise(tx, u.Partner, u.ID)
	return u, nil
}

// Unsuspend takes the partner's mark away; the operator's stays. P412.
func (s *Service) Unsuspend(tx *db.Tx, partner int64, externalID string) (User, error) {
	u, err := Lock(tx, partner, externalID)
	if err != nil || u.SuspendedAt.IsZero() {
		return u, err
	}
	u.SuspendedAt = time.Time{}
	tx.Write(updateSuspended, u.Partner, u.ID, u.SuspendedAt)
	return u, nil
}

// Freeze marks a user as frozen by the operator, for a reason that only the operator sees: nothing goes out, and
// what comes in waits on suspense. actor is who does it, for the audit log. A user who is frozen stays so, for the
// first reason. P412, also for a user who was deleted. Call it last: it writes to the audit log.
func (s *Service) Freeze(tx *db.Tx, partner int64, id clock.ID, actor, reason string) (User, error) {
	reason, err := line(reason)
	if err != nil {
		return User{}, err
	}
	u, err := LockByID(tx, partner, id)
	if err != nil || !u.FrozenAt.IsZero() {
		return u, err
	}
	u.FrozenAt = s.clock.Now()
	tx.Write(updateFrozen, u.Partner, u.ID, u.FrozenAt, reason)
	ledger.Revise(tx, u.Partner, u.ID)
	return u, record(tx, u, "user.freeze", actor, reason)
}

// Unfreeze takes the operator's mark away, for a reason; the partner's stays. P412 and the rest as Freeze.
func (s *Service) Unfreeze(tx *db.Tx, partner int64, id clock.ID, actor, reason string) (User, error) {
	reason, err := line(reason)
	if err != nil {
		return User{}, err
	}
	u, err := LockByID(tx, partner, id)
	if err != nil || u.FrozenAt.IsZero() {
		return u, err
	}
	u.FrozenAt = time.Time{}
	tx.Write(updateFrozen, u.Partner, u.ID, u.FrozenAt, "")
	return u, record(tx, u, "user.unfreeze", actor, reason)
}

// FreezeReason reads why a user is frozen; empty while the user is not.
func FreezeReason(r db.Reader, u User) (string, error) {
	var reason string
	err := r.Row(selectReason, u.Partner, u.ID).Scan(&reason)
	return reason, err
}

func record(tx *db.Tx, u User, action, actor, reason string) error {
	return audit.Write(tx, audit.Entry{
		Actor: actor, Action: action, Partner: u.Partner, Object: u.ID.String(), Details: map[string]string{"reason": reason},
	})
}

// ReasonError says what a reason must be; officers may see it.
type ReasonError struct{}

func (ReasonError) Error() string {
	return fmt.Sprintf("the reason must be between 1 and %d characters on one line", maxReason)
}

// line is a reason as it is kept.
func line(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" || !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason ||
		strings.ContainsFunc(reason, unicode.IsControl) {
		return "", ReasonError{}
	}
	return reason, nil
}
