package console

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// The roles of officers.
const (
	Admin      = "admin"      // everything
	Compliance = "compliance" // decides cases and proofs of address, sees documents, freezes users
	Support    = "support"    // reads, without documents and the audit log
)

// Roles are all roles.
var Roles = []string{Admin, Compliance, Support}

// setupTime is how long a set-up link works.
const setupTime = 24 * time.Hour

// Account is an officer's.
type Account struct {
	ID         clock.ID
	Name       string // lower case; the officer's name in the audit log, and never another one's
	Role       string
	Ready      bool      // set up: it has a password and a second factor
	DisabledAt time.Time // zero: may sign in
	SignedInAt time.Time // the last time; zero: never
	CreatedAt  time.Time

	password string
	secret   []byte // sealed
	step     int64
}

// Actor is the officer as the audit log names it.
func (a Account) Actor() string { return "console:" + a.Name }

// Accounts are the officers' accounts and sessions. It is safe for concurrent use.
type Accounts struct {
	db    *db.DB
	vault *vault.Vault
	clock clock.Clock // the machine's: codes and sessions concern the outside
	cost  Cost
	tries chan struct{} // each holds the memory of one password
}

// atOnce is how many passwords are tried at a time: each takes the memory of its cost.
const atOnce = 2

// NewAccounts makes the service. The clock is the machine's.
func NewAccounts(d *db.DB, v *vault.Vault, c clock.Clock, cost Cost) *Accounts {
	return &Accounts{db: d, vault: v, clock: c, cost: cost, tries: make(chan struct{}, atOnce)}
}

const accountColumns = `a.id, a.name, a.role, a.password, a.totp_secret, a.totp_step, a.disabled_at, a.signed_in_at, a.created_at`

var (
	insertAccount = db.NewInsert("console_account", `id uuid, name text, role text, password text, totp_secret bytes,
		totp_step bigint, setup_token bytes, setup_ends_at bigint, disabled_at bigint, signed_in_at bigint, created_at bigint`)
	selectAccounts  = db.NewQuery(`SELECT ` + accountColumns + ` FROM console_account a ORDER BY a.name`)
	selectByName    = db.NewQuery(`SELECT ` + accountColumns + ` FROM console_account a WHERE a.name = $1`)
	lockByName      = db.NewQuery(`SELECT ` + accountColumns + ` FROM console_account a WHERE a.name = $1 FOR UPDATE`)
	selectBySetup   = db.NewQuery(`SELECT ` + accountColumns + ` FROM console_account a WHERE a.setup_token = $1 AND a.setup_ends_at > $2`)
	lockBySetup     = db.NewQuery(`SELECT ` + accountColumns + ` FROM console_account a WHERE a.setup_token = $1 AND a.setup_ends_at > $2 FOR UPDATE`)
	selectUsedSetup = db.NewQuery(`SELECT 1 FROM console_account WHERE setup_token = $1 AND setup_ends_at = 0 AND password <> ''`)

	resetAccount = db.NewCommand(`UPDATE console_account SET role = $2, password = '', totp_secret = $3, totp_step = 0,
		setup_token = $4, setup_ends_at = $5, disabled_at = 0 WHERE id = $1`)
	disableAccount = db.NewCommand(`UPDATE console_account SET disabled_at = $2, setup_token = $3, setup_ends_at = 0 WHERE id = $1`)
	setUpAccount   = db.NewCommand(`UPDATE console_account SET password = $2, totp_step = $3, setup_ends_at = 0,
		signed_in_at = $4 WHERE id = $1`)
	signedIn = db.NewCommand(`UPDATE console_account SET totp_step = $2, signed_in_at = $3 WHERE id = $1`)
)

func scanAccount(row db.Scanner, more ...any) (a Account, err error) {
	err = row.Scan(append([]any{
		&a.ID, &a.Name, &a.Role, &a.password, &a.secret, &a.step, &a.DisabledAt, &a.SignedInAt, &a.CreatedAt,
	}, more...)...)
	a.Ready = a.password != ""
	return a, err
}

// List reads all accounts, by name.
func (s *Accounts) List(ctx context.Context) (all []Account, err error) {
	err = s.db.View(ctx, func(r db.Reader) error {
		all = nil
		rows := r.Rows(selectAccounts)
		defer rows.Close()
		for rows.Next() {
			a, err := scanAccount(rows)
			if err != nil {
				return err
			}
			all = append(all, a)
		}
		return rows.Err()
	})
	return all, err
}

var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

func checkAccount(name, role string) error {
	if !accountName.MatchString(name) {
		return fmt.Errorf("%q cannot be a name: letters a to z, digits and . _ @ -, at most 64", name)
	}
	return checkRole(role)
}

func checkRole(role string) error {
	if !slices.Contains(Roles, role) {
		return fmt.Errorf("%q is not a role: %s", role, strings.Join(Roles, ", "))
	}
	return nil
}

// Add makes an account and answers the token of its set-up link, which is shown once and works for a day.
func (s *Accounts) Add(ctx context.Context, name, role string) (setup string, err error) {
	name = strings.ToLower(name)
	if err := checkAccount(name, role); err != nil {
		return "", err
	}
	a := Account{ID: clock.NewID(), Name: name, Role: role}
	l, err := s.newLink(a)
	if err != nil {
		return "", err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		if _, err := scanAccount(tx.Row(selectByName, name)); !errors.Is(err, db.ErrNoRows) {
			return errors.Join(err, fmt.Errorf("there is an account %q already", name))
		}
		tx.Write(insertAccount, a.ID, name, role, "", l.secret, 0, l.hash, l.ends, time.Time{}, time.Time{}, s.clock.Now())
		return audit.Write(tx, audit.Entry{
			Actor: audit.Actor(ctx), Action: "console.user.add", Object: name, Details: map[string]string{"role": role},
		})
	})
	return l.token, err
}

// Reset takes an account's password, second factor and sessions away and answers the token of a new set-up link.
// A disabled account may sign in again after that. An empty role leaves the role as it is.
func (s *Accounts) Reset(ctx context.Context, name, role string) (setup string, err error) {
	if role != "" {
		if err := checkRole(role); err != nil {
			return "", err
		}
	}
	var token string
	err = s.change(ctx, name, func(tx *db.Tx, a Account) (audit.Entry, error) {
		l, err := s.newLink(a)
		if err != nil {
			return audit.Entry{}, err
		}
		token = l.token
		if role == "" {
			role = a.Role
		}
		tx.Write(resetAccount, a.ID, role, l.secret, l.hash, l.ends)
		return audit.Entry{Action: "console.user.reset", Details: map[string]string{"role": role}}, nil
	})
	return token, err
}

// Disable keeps an officer out from now on: its sessions end.
func (s *Accounts) Disable(ctx context.Context, name string) error {
	return s.change(ctx, name, func(tx *db.Tx, a Account) (audit.Entry, error) {
		if !a.DisabledAt.IsZero() {
			return audit.Entry{}, fmt.Errorf("the account %q is disabled already", name)
		}
		tx.Write(disableAccount, a.ID, s.clock.Now(), []byte{})
		return audit.Entry{Action: "console.user.disable"}, nil
	})
}

// change changes an account, ends its sessions and records what fn did.
func (s *Accounts) change(ctx context.Context, name string, fn func(tx *db.Tx, a Account) (audit.Entry, error)) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		a, err := scanAccount(tx.Row(lockByName, strings.ToLower(name)))
		if errors.Is(err, db.ErrNoRows) {
			return fmt.Errorf("there is no account %q", name)
		}
		if err != nil {
			return err
		}
		entry, err := fn(tx, a)
		if err != nil {
			return err
		}
		tx.Write(deleteSessionsOf, a.ID)
		entry.Actor, entry.Object = audit.Actor(ctx), a.Name
		return audit.Write(tx, entry)
	})
}

// link is what a set-up link is made of, with the new second factor that it shows.
type link struct {
	token        string
	hash, secret []byte
	ends         time.Time
}

func (s *Accounts) newLink(a Account) (l link, err error) {
	if l.token, l.hash, err = s.newToken(setupPurpose); err != nil {
		return l, err
	}
	l.secret, err = s.vault.Seal(secretPlace(a.ID), []byte(newSecret()))
	l.ends = s.clock.Now().Add(setupTime)
	return l, err
}

func secretPlace(account clock.ID) vault.Place {
	return vault.Place{Table: "console_account", Column: "totp_secret", Row: account.String()}
}

// errNoSetup says that a set-up link leads nowhere.
var errNoSetup = errors.New("this set-up link was used, has expired, or is not complete; ask for a new one (kontor console user reset)")

// FindSetup finds the account that a set-up link is for, and the secret of its second factor in base32.
func (s *Accounts) FindSetup(ctx context.Context, token string) (a Account, secret string, err error) {
	hash, err := s.hash(setupPurpose, token)
	if err != nil {
		return a, "", err
	}
	err = s.db.View(ctx, func(r db.Reader) (err error) {
		a, err = scanAccount(r.Row(selectBySetup, hash, s.clock.Now()))
		return err
	})
	if errors.Is(err, db.ErrNoRows) {
		return a, "", errNoSetup
	}
	if err != nil {
		return a, "", err
	}
	plain, err := s.vault.Open(secretPlace(a.ID), a.secret)
	return a, string(plain), err
}

// WasSetUp tells whether a set-up link was the last one of its account, and did its work. Such a link finds nothing any
// more; that it is known spares whoever sends its form twice the word that it does not work.
func (s *Accounts) WasSetUp(ctx context.Context, token string) (was bool, err error) {
	hash, err := s.hash(setupPurpose, token)
	if err != nil {
		return false, err
	}
	err = s.db.View(ctx, func(r db.Reader) error {
		var one int
		err := r.Row(selectUsedSetup, hash).Scan(&one)
		was = err == nil
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		return err
	})
	return was, err
}

// SetUp gives an account its password, proves its second factor by a code, and signs the officer in. The link
// works once. A setupError and errNoSetup may be shown.
func (s *Accounts) SetUp(ctx context.Context, token, password, code string) (session string, err error) {
	a, secret, err := s.FindSetup(ctx, token)
	if err != nil {
		return "", err
	}
	if err := checkPassword(password, a.Name); err != nil {
		return "", err
	}
	step, ok := matchCode(secret, code, s.clock.Now(), a.step)
	if !ok {
		return "", errCode
	}
	stored, err := s.hashed(ctx, password)
	if err != nil {
		return "", err
	}
	hash, err := s.hash(setupPurpose, token)
	if err != nil {
		return "", err
	}
	session, sessionHash, err := s.newToken(sessionPurpose)
	if err != nil {
		return "", err
	}
	now := s.clock.Now()
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		if _, err := scanAccount(tx.Row(lockBySetup, hash, now)); err != nil {
			if errors.Is(err, db.ErrNoRows) {
				return errNoSetup
			}
			return err
		}
		tx.Write(setUpAccount, a.ID, stored, step, now)
		s.begin(tx, sessionHash, a.ID, now)
		return audit.Write(tx, audit.Entry{Actor: a.Actor(), Action: "console.user.setup", Object: a.Name})
	})
	return session, err
}

// hashed hashes a password when its turn comes.
func (s *Accounts) hashed(ctx context.Context, password string) (stored string, err error) {
	err = s.inTurn(ctx, func() error { stored = hashPassword(password, s.cost); return nil })
	return stored, err
}

// inTurn lets only so many passwords be tried at once.
func (s *Accounts) inTurn(ctx context.Context, try func() error) error {
	select {
	case s.tries <- struct{}{}:
		defer func() { <-s.tries }()
		return try()
	case <-ctx.Done():
		return ctx.Err()
	}
}
