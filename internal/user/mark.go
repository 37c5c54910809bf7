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

// ForReview is the reason of a freeze by a screening. By it such a freeze is told from a person's, who cannot give it.
const ForReview = "A screening found something that an officer must judge: see the user's case."

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

// Freeze marks a user as frozen by a person of the operator, for a reason that only the operator sees: nothing goes out,
// and what comes in waits on suspense. actor is who does it, for the audit log. A user who is frozen stays so, for this
// reason from now on: a screening's freeze becomes this person's, which no decision about a case lifts. P412, also for
// a user who was deleted. Call it last: it writes to the audit log.
func (s *Service) Freeze(tx *db.Tx, partner int64, id clock.ID, actor, reason string) (User, error) {
	reason, err := line(reason)
	if err != nil {
		return User{}, err
	}
	u, err := LockByID(tx, partner, id)
	if err != nil {
		return u, err
	}
	before, err := FreezeReason(tx, u)
	if err != nil || before == reason {
		return u, err
	}
	return s.freeze(tx, u, actor, reason)
}

// FreezeForReview is Freeze by a screening. Of a user who is frozen already it changes nothing, which the answer tells.
func (s *Service) FreezeForReview(tx *db.Tx, partner int64, id clock.ID) (changed bool, err error) {
	u, err := LockByID(tx, partner, id)
	if err != nil || !u.FrozenAt.IsZero() {
		return false, err
	}
	_, err = s.freeze(tx, u, audit.System, ForReview)
	return err == nil, err
}

// freeze marks a locked user, who stays frozen since the first mark.
func (s *Service) freeze(tx *db.Tx, u User, actor, reason string) (User, error) {
	if u.FrozenAt.IsZero() {
		u.FrozenAt = s.clock.Now()
		ledger.Revise(tx, u.Partner, u.ID)
	}
	tx.Write(updateFrozen, u.Partner, u.ID, u.FrozenAt, reason)
	return u, record(tx, u, "user.freeze", actor, reason)
}

// Unfreeze takes the operator's mark away, whoever set it, for a reason; the partner's stays. P412 and the rest as Freeze.
func (s *Service) Unfreeze(tx *db.Tx, partner int64, id clock.ID, actor, reason string) (User, error) {
	reason, err := line(reason)
	if err != nil {
		return User{}, err
	}
	u, err := LockByID(tx, partner, id)
	if err != nil || u.FrozenAt.IsZero() {
		return u, err
	}
	return unfreeze(tx, u, actor, reason)
}

// UnfreezeReviewed takes a screening's mark away after an officer's OK. A person's mark stays.
func (s *Service) UnfreezeReviewed(tx *db.Tx, partner int64, id clock.ID) error {
	u, err := LockByID(tx, partner, id)
	if err != nil {
		return err
	}
	reason, err := FreezeReason(tx, u)
	if err != nil || reason != ForReview {
		return err
	}
	_, err = unfreeze(tx, u, audit.System, "An officer decided the case with OK.")
	return err
}

func unfreeze(tx *db.Tx, u User, actor, reason string) (User, error) {
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
	return fmt.Sprintf("the reason must be between 1 and %d characters on one line, and your own", maxReason)
}

// line is a reason as it is kept.
func line(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" || reason == ForReview || !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason ||
		strings.ContainsFunc(reason, unicode.IsControl) {
		return "", ReasonError{}
	}
	return reason, nil
}
