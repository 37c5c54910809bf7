package console

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
)

// A session ends after so long without a request, and after so long however much it is used.
const (
	idleTime     = 30 * time.Minute
	sessionTime  = 12 * time.Hour
	noteUseAfter = time.Minute // so much a stored use is behind
)

// tokenSize is in bytes: 256 bits cannot be guessed, so a token needs no slow hash.
const tokenSize = 32

// What tokens are hashed for.
const (
	setupPurpose   = "console setup"
	sessionPurpose = "console session"
	guessPurpose   = "console guess"
)

var (
	insertSession = db.NewInsert("console_session", "token bytes, account_id uuid, created_at bigint, used_at bigint, ends_at bigint")
	selectSession = db.NewQuery(`
		SELECT ` + accountColumns + `, s.used_at, s.ends_at FROM console_session s
		JOIN console_account a ON a.id = s.account_id WHERE s.token = $1`)
	useSession       = db.NewCommand(`UPDATE console_session SET used_at = $2 WHERE token = $1 AND used_at < $2`)
	deleteSession    = db.NewCommand(`DELETE FROM console_session WHERE token = $1`)
	deleteSessionsOf = db.NewCommand(`DELETE FROM console_session WHERE account_id = $1`)
	sweepSessions    = db.NewCommand(`DELETE FROM console_session WHERE ends_at <= $1 OR used_at <= $2`)
)

func (s *Accounts) newToken(purpose string) (token string, hash []byte, err error) {
	raw := make([]byte, tokenSize)
	_, _ = rand.Read(raw) // never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	hash, err = s.hash(purpose, token)
	return token, hash, err
}

func (s *Accounts) hash(purpose, token string) ([]byte, error) {
	return s.vault.Hash(purpose, []byte(token))
}

// begin opens a session and removes those that have ended.
func (s *Accounts) begin(tx *db.Tx, hash []byte, account clock.ID, now time.Time) {
	tx.Write(sweepSessions, now, now.Add(-idleTime))
	tx.Write(insertSession, hash, account, now, now, now.Add(sessionTime))
}

// errRefused says that a sign-in failed. It does not say what was wrong.
var errRefused = errors.New("name, password or code is wrong; a code works once")

// errCode says that the code that proves a second factor is wrong.
const errCode = setupError("the code is not right: it must be the one that your authenticator app shows now")

// blockedError says how long nobody can sign in under a name.
type blockedError struct{ wait time.Duration }

func (e blockedError) Error() string {
	return fmt.Sprintf("too many failed attempts under this name: try again in %s", e.wait.Round(time.Second))
}

// SignIn opens a session for an officer who knows the password and has the second factor. errRefused; or a
// blockedError after too many failures under a name, whether it exists or not.
func (s *Accounts) SignIn(ctx context.Context, name, password, code string) (session string, err error) {
	name = strings.ToLower(strings.TrimSpace(name))
	guess, err := s.hash(guessPurpose, name)
	if err != nil {
		return "", err
	}
	if err := s.countGuess(ctx, guess); err != nil {
		return "", err
	}
	a, step, err := s.prove(ctx, name, password, code)
	if err != nil {
		return "", err
	}
	session, hash, err := s.newToken(sessionPurpose)
	if err != nil {
		return "", err
	}
	now := s.clock.Now()
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		current, err := scanAccount(tx.Row(lockByName, name))
		if err != nil {
			return err
		}
		if !current.DisabledAt.IsZero() || current.password != a.password || current.step >= step {
			return errRefused // it was changed meanwhile, or somebody else used the code
		}
		tx.Write(signedIn, a.ID, step, now)
		tx.Write(forgetGuesses, guess)
		s.begin(tx, hash, a.ID, now)
		return audit.Write(tx, audit.Entry{Actor: a.Actor(), Action: "console.signin", Object: a.Name})
	})
	return session, err
}

// prove tries password and code. It takes the same time whether there is such an account or not.
func (s *Accounts) prove(ctx context.Context, name, password, code string) (a Account, step int64, err error) {
	err = s.db.View(ctx, func(r db.Reader) (err error) {
		a, err = scanAccount(r.Row(selectByName, name))
		return err
	})
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return a, 0, err
	}
	known := err == nil && a.Ready && a.DisabledAt.IsZero()
	right := false
	err = s.inTurn(ctx, func() (err error) {
		if !known {
			derive(password, make([]byte, saltSize), s.cost)
			return nil
		}
		right, err = isPassword(a.password, password)
		return err
	})
	if err != nil {
		return a, 0, err
	}
	if !right {
		return a, 0, errRefused
	}
	secret, err := s.vault.Open(secretPlace(a.ID), a.secret)
	if err != nil {
		return a, 0, err
	}
	step, ok := matchCode(string(secret), code, s.clock.Now(), a.step)
	if !ok {
		return a, 0, errRefused
	}
	return a, step, nil
}

// Officer finds whose session a token is. ok is false when there is none, or it has ended.
func (s *Accounts) Officer(ctx context.Context, token string) (a Account, ok bool, err error) {
	if token == "" {
		return a, false, nil
	}
	hash, err := s.hash(sessionPurpose, token)
	if err != nil {
		return a, false, err
	}
	var used, ends time.Time
	err = s.db.View(ctx, func(r db.Reader) (err error) {
		a, err = scanAccount(r.Row(selectSession, hash), &used, &ends)
		return err
	})
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, false, nil
	}
	if err != nil {
		return Account{}, false, err
	}
	now := s.clock.Now()
	if !a.DisabledAt.IsZero() || !now.Before(ends) || !now.Before(used.Add(idleTime)) {
		return Account{}, false, nil
	}
	if now.Sub(used) >= noteUseAfter {
		err = s.db.Update(ctx, func(tx *db.Tx) error { tx.Write(useSession, hash, now); return nil })
	}
	return a, true, err
}

// SignOut ends a session.
func (s *Accounts) SignOut(ctx context.Context, token string) error {
	hash, err := s.hash(sessionPurpose, token)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { tx.Write(deleteSession, hash); return nil })
}
