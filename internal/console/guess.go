package console

import (
	"context"
	"time"

	"kontor/internal/db"
)

// After so many failures in a row each further one blocks a name, twice as long each time. A success, or a
// day without a failure, forgets them.
const (
	freeGuesses  = 5
	firstBlock   = 30 * time.Second
	longestBlock = 15 * time.Minute
	forgetAfter  = 24 * time.Hour
)

var (
	lockGuess = db.NewQuery(`SELECT failures, blocked_until FROM console_guess WHERE name = $1 FOR UPDATE`)
	noteName  = db.NewCommand(`
		INSERT INTO console_guess (name, failures, blocked_until, failed_at) VALUES ($1, 0, 0, $2) ON CONFLICT (name) DO NOTHING`)
	noteGuess     = db.NewCommand(`UPDATE console_guess SET failures = $2, blocked_until = $3, failed_at = $4 WHERE name = $1`)
	forgetGuesses = db.NewCommand(`DELETE FROM console_guess WHERE name = $1`)
	sweepGuesses  = db.NewCommand(`DELETE FROM console_guess WHERE failed_at <= $1`)
)

// countGuess counts an attempt as failed before it is made, so that many at once get no more tries than
// one after another; a success takes it back.
func (s *Accounts) countGuess(ctx context.Context, name []byte) error {
	now := s.clock.Now()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		tx.Write(sweepGuesses, now.Add(-forgetAfter))
		tx.Write(noteName, name, now) // so that there is a row to lock
		var failures int64
		var blocked time.Time
		if err := tx.Row(lockGuess, name).Scan(&failures, &blocked); err != nil {
			return err
		}
		if now.Before(blocked) {
			return blockedError{blocked.Sub(now)}
		}
		failures++
		tx.Write(noteGuess, name, failures, now.Add(block(failures)), now)
		return nil
	})
}

// block is how long a name is blocked after so many failures.
func block(failures int64) time.Duration {
	if failures < freeGuesses {
		return 0
	}
	const doublings = 5 // reach the longest
	return min(firstBlock<<min(failures-freeGuesses, doublings), longestBlock)
}
