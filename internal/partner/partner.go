// Package partner knows the companies that build on the platform: their settings, API keys, webhook
// credentials, and the books that are opened for them. Every change is in the audit log, with the actor that
// the context names (audit.As).
package partner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"kontor/internal/audit"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/vault"
)

// Environment tells whether a deployment moves real money. One deployment serves one environment.
type Environment string

// The environments.
const (
	Staging    Environment = "staging"
	Production Environment = "production"
)

// Partner is a company with what it has chosen. It is never changed after it was read.
type Partner struct {
	ID        int64
	Settings  Settings
	CreatedAt time.Time
	ClosedAt  time.Time // zero while open
	KeyID     string    // of the API key that Authenticate was given; empty elsewhere

	allowed []netip.Prefix // ipAllowlist
	proxies []netip.Prefix // trustedProxies
}

// TrustedProxies are the networks whose word on a caller's address counts for this partner.
func (p Partner) TrustedProxies() []netip.Prefix { return p.proxies }

// Admits tells whether the partner's programs may call from an address: all may unless there is an allowlist.
// What is no address is on no list.
func (p Partner) Admits(from netip.Addr) bool {
	if len(p.allowed) == 0 {
		return true
	}
	for _, network := range p.allowed {
		if network.Contains(from) {
			return true
		}
	}
	return false
}

// Opener opens what another feature keeps for every partner, in the transaction that creates it.
type Opener interface {
	OpenPartner(tx *db.Tx, partner int64, at time.Time) error
}

// Service creates, finds and authenticates partners.
type Service struct {
	db      *db.DB
	vault   *vault.Vault
	clock   clock.Clock
	rules   Rules
	events  *event.Log
	openers []Opener

	mu    sync.Mutex
	known map[string]known     // authenticated keys, by their hash
	used  map[keyRef]time.Time // uses of keys that are to be stored

	plausible keyring
}

// NewService makes the service. The catalog has the currencies of the books that it opens.
func NewService(d *db.DB, v *vault.Vault, c clock.Clock, env Environment, cat *catalog.Catalog, events *event.Log, openers ...Opener) *Service {
	return &Service{
		db: d, vault: v, clock: c, rules: Rules{Catalog: cat, Environment: env}, events: events, openers: openers,
		known: map[string]known{}, used: map[keyRef]time.Time{},
	}
}

var (
	insertPartner = db.NewInsert("partner", "partner_id bigint, settings text, created_at bigint, closed_at bigint")
	nextPartner   = db.NewQuery(`SELECT COALESCE(MAX(partner_id), -1) + 1 FROM partner`)
	selectPartner = db.NewQuery(`SELECT partner_id, settings, created_at, closed_at FROM partner WHERE partner_id = $1`)
	lockPartner   = db.NewQuery(`SELECT partner_id, settings, created_at, closed_at FROM partner WHERE partner_id = $1 FOR UPDATE`)
	selectAll     = db.NewQuery(`SELECT partner_id, settings, created_at, closed_at FROM partner ORDER BY partner_id`)
	updateSetting = db.NewCommand(`UPDATE partner SET settings = $2 WHERE partner_id = $1`)
	closePartner  = db.NewCommand(`UPDATE partner SET closed_at = $2 WHERE partner_id = $1`)
)

var (
	selectEnvironment = db.NewQuery(`SELECT environment FROM deployment`)
	insertEnvironment = db.NewInsert("deployment", "environment text, created_at bigint")
)

// EnsureOperator creates the operator, the partner of its own with id 0, in a new database, and notes there
// which environment it is. It refuses a database of the other environment: a staging key must never be made
// for real money.
func (s *Service) EnsureOperator(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var environment string
		err := tx.Row(selectEnvironment).Scan(&environment)
		if err == nil && environment != string(s.rules.Environment) {
			return fmt.Errorf("this database is for %s: set KONTOR_ENVIRONMENT=%s", environment, environment)
		}
		fresh := errors.Is(err, db.ErrNoRows)
		if err != nil && !fresh {
			return err
		}
		_, err = s.Find(tx, ledger.Operator)
		if fresh {
			tx.Write(insertEnvironment, string(s.rules.Environment), s.clock.Now())
		}
		if !errors.Is(err, db.ErrNoRows) {
			return err
		}
		return s.create(tx, audit.Actor(ctx), ledger.Operator, Settings{"legalName": "Operator"}, nil)
	})
}

// Create opens a partner with its books and webhook credentials. P403 when a setting is not valid.
func (s *Service) Create(ctx context.Context, settings map[string]string) (Partner, error) {
	valid, err := s.rules.Apply(nil, settings)
	if err != nil {
		return Partner{}, err
	}
	secrets, err := s.makeSecrets()
	if err != nil {
		return Partner{}, err
	}
	var id int64
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.Row(nextPartner).Scan(&id); err != nil {
			return err
		}
		if id == ledger.Operator {
			return errors.New("partner: the operator must be created first")
		}
		return s.create(tx, audit.Actor(ctx), id, valid, secrets)
	})
	if err != nil {
		return Partner{}, err
	}
	return s.Get(ctx, id)
}

func (s *Service) create(tx *db.Tx, actor string, id int64, settings Settings, secrets []secret) error {
	at := s.clock.Now()
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	tx.Write(insertPartner, id, string(text), at, time.Time{})
	ledger.OpenBook(tx, id, s.currencies(), at)
	storeSecrets(tx, id, secrets, at)
	if id != ledger.Operator {
		for _, o := range s.openers {
			if err := o.OpenPartner(tx, id, at); err != nil {
				return err
			}
		}
	}
	return audit.Write(tx, audit.Entry{
		Actor: actor, Action: "partner.create", Partner: id, Details: map[string]any{"settings": settings},
	})
}

func (s *Service) currencies() []money.Currency {
	var all []money.Currency
	for _, e := range s.rules.Catalog.Currencies() {
		all = append(all, e.Currency)
	}
	return all
}

// Defaults answers what settings are that a partner has not chosen; see Rules.Defaults.
func (s *Service) Defaults() Settings { return s.rules.Defaults() }

// Find reads a partner; db.ErrNoRows when there is none.
func (s *Service) Find(r db.Reader, id int64) (Partner, error) {
	return scanPartner(r.Row(selectPartner, id))
}

// Get reads a partner; db.ErrNoRows, in words for people, when there is none.
func (s *Service) Get(ctx context.Context, id int64) (Partner, error) {
	var p Partner
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		p, err = s.Find(r, id)
		return err
	})
	return p, named(err, id)
}

// noPartner is db.ErrNoRows in words for people.
type noPartner int64

func (id noPartner) Error() string {
	return fmt.Sprintf("there is no partner %d (kontor partner list shows them all)", int64(id))
}

func (noPartner) Unwrap() error { return db.ErrNoRows }

// named says which partner there is not.
func named(err error, id int64) error {
	if errors.Is(err, db.ErrNoRows) {
		return noPartner(id)
	}
	return err
}

// List reads all partners, the operator first.
func (s *Service) List(ctx context.Context) ([]Partner, error) {
	var all []Partner
	err := s.db.View(ctx, func(r db.Reader) error {
		rows := r.Rows(selectAll)
		defer rows.Close()
		for rows.Next() {
			p, err := scanPartner(rows)
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		return rows.Err()
	})
	return all, err
}

// Set changes settings of a partner, all or none; an empty value goes back to the default. P403 names
// everything that is wrong; db.ErrNoRows, in words for people, when there is no such partner.
func (s *Service) Set(ctx context.Context, id int64, changes map[string]string) (Partner, error) {
	var p Partner
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		before, err := scanPartner(tx.Row(lockPartner, id))
		if err != nil {
			return err
		}
		after, err := s.rules.Apply(before.Settings, changes)
		if err != nil {
			return err
		}
		p = before
		different := difference(before.Settings, after)
		if len(different) == 0 {
			return nil
		}
		if p, err = newPartner(id, after, before.CreatedAt, before.ClosedAt); err != nil {
			return err
		}
		text, err := json.Marshal(after)
		if err != nil {
			return err
		}
		tx.Write(updateSetting, id, string(text))
		if err := s.tellOldURLs(tx, before, after, s.clock.Now()); err != nil {
			return err
		}
		return audit.Write(tx, audit.Entry{
			Actor: audit.Actor(ctx), Action: "partner.set", Partner: id, Details: map[string]any{"settings": different},
		})
	})
	if err == nil {
		s.forget(id)
	}
	return p, named(err, id)
}

// Close ends the access of a partner: its keys get P418 within a second, on every node. Its users, balances
// and history stay as they are. Closing it again changes nothing. The operator cannot be closed.
func (s *Service) Close(ctx context.Context, id int64) (Partner, error) {
	if id == ledger.Operator {
		return Partner{}, fault.Invalid("partner 0 is the operator, who cannot be closed")
	}
	var p Partner
	err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
		tx.Locked()
		if p, err = scanPartner(tx.Row(lockPartner, id)); err != nil || !p.ClosedAt.IsZero() {
			return err
		}
		p.ClosedAt = s.clock.Now()
		tx.Write(closePartner, id, p.ClosedAt)
		if err := s.tellOfEnd(tx, p); err != nil {
			return err
		}
		return audit.Write(tx, audit.Entry{Actor: audit.Actor(ctx), Action: "partner.close", Partner: id})
	})
	if err == nil {
		s.forget(id)
	}
	return p, named(err, id)
}

func scanPartner(row interface{ Scan(dest ...any) error }) (Partner, error) {
	var id int64
	var text string
	var createdAt, closedAt time.Time
	if err := row.Scan(&id, &text, &createdAt, &closedAt); err != nil {
		return Partner{}, err
	}
	var settings Settings
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return Partner{}, fmt.Errorf("settings of partner %d: %w", id, err)
	}
	return newPartner(id, settings, createdAt, closedAt)
}

func newPartner(id int64, settings Settings, createdAt, closedAt time.Time) (p Partner, err error) {
	p = Partner{ID: id, Settings: settings, CreatedAt: createdAt, ClosedAt: closedAt}
	if p.allowed, err = prefixes(settings.List("ipAllowlist")); err == nil {
		p.proxies, err = prefixes(settings.List("trustedProxies"))
	}
	if err != nil {
		return Partner{}, fmt.Errorf("settings of partner %d: %w", id, err)
	}
	return p, nil
}

func prefixes(items []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, item := range items {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
