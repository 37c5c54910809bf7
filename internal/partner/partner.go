// Package partner knows the companies that build on the platform: their settings, API keys, webhook
// credentials, and the books that are opened for them.
package partner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
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
}

// Opener opens what another feature keeps for every partner, in the transaction that creates it.
type Opener interface {
	OpenPartner(tx *db.Tx, partner int64, at time.Time) error
}

// Service creates, finds and authenticates partners.
type Service struct {
	db          *db.DB
	vault       *vault.Vault
	clock       clock.Clock
	environment Environment
	currencies  []money.Currency
	openers     []Opener

	mu    sync.Mutex
	known map[string]known // authenticated keys, by their hash
}

// NewService makes the service. currencies are those of the books it opens.
func NewService(d *db.DB, v *vault.Vault, c clock.Clock, env Environment, currencies []money.Currency, openers ...Opener) *Service {
	return &Service{
		db: d, vault: v, clock: c, environment: env, currencies: currencies, openers: openers,
		known: map[string]known{},
	}
}

var (
	insertPartner = db.NewInsert("partner", "partner_id bigint, settings text, created_at bigint, closed_at bigint")
	nextPartner   = db.NewQuery(`SELECT COALESCE(MAX(partner_id), -1) + 1 FROM partner`)
	selectPartner = db.NewQuery(`SELECT partner_id, settings, created_at, closed_at FROM partner WHERE partner_id = $1`)
	selectAll     = db.NewQuery(`SELECT partner_id, settings, created_at, closed_at FROM partner ORDER BY partner_id`)
	updateSetting = db.NewCommand(`UPDATE partner SET settings = $2 WHERE partner_id = $1`)
)

// EnsureOperator creates the operator, the partner of its own with id 0, in a new database.
func (s *Service) EnsureOperator(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		_, err := s.Find(tx, ledger.Operator)
		if !errors.Is(err, db.ErrNoRows) {
			return err
		}
		return s.create(tx, ledger.Operator, Settings{"legalName": "Operator"})
	})
}

// Create opens a partner with its books and webhook credentials. P403 when a setting is not valid.
func (s *Service) Create(ctx context.Context, settings map[string]string) (Partner, error) {
	valid, err := ParseSettings(settings)
	if err != nil {
		return Partner{}, err
	}
	if valid["legalName"] == "" {
		return Partner{}, fault.Invalid("legalName must be provided")
	}
	var id int64
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.Row(nextPartner).Scan(&id); err != nil {
			return err
		}
		if id == ledger.Operator {
			return errors.New("partner: the operator must be created first")
		}
		return s.create(tx, id, valid)
	})
	if err != nil {
		return Partner{}, err
	}
	var p Partner
	err = s.db.View(ctx, func(r db.Reader) (err error) {
		p, err = s.Find(r, id)
		return err
	})
	return p, err
}

func (s *Service) create(tx *db.Tx, id int64, settings Settings) error {
	at := s.clock.Now()
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	tx.Write(insertPartner, id, string(text), at, time.Time{})
	ledger.OpenBook(tx, id, s.currencies, at)
	if id == ledger.Operator {
		return nil
	}
	if err := s.newSecrets(tx, id, at); err != nil {
		return err
	}
	for _, o := range s.openers {
		if err := o.OpenPartner(tx, id, at); err != nil {
			return err
		}
	}
	return nil
}

// Find reads a partner; db.ErrNoRows when there is none.
func (s *Service) Find(r db.Reader, id int64) (Partner, error) {
	return scanPartner(r.Row(selectPartner, id))
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

// Set changes settings of a partner, all or none; an empty value goes back to the default. P403 names what
// is wrong; db.ErrNoRows when there is no such partner.
func (s *Service) Set(ctx context.Context, id int64, changes map[string]string) (Partner, error) {
	valid, err := ParseSettings(changes)
	if err != nil {
		return Partner{}, err
	}
	var p Partner
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		if p, err = scanPartner(tx.Row(lockPartner, id)); err != nil {
			return err
		}
		for name, value := range valid {
			if value == "" {
				delete(p.Settings, name)
			} else {
				p.Settings[name] = value
			}
		}
		text, err := json.Marshal(p.Settings)
		tx.Write(updateSetting, id, string(text))
		return err
	})
	if err == nil {
		s.forget(id)
	}
	return p, err
}

var lockPartner = db.NewQuery(`SELECT partner_id, settings, created_at, closed_at FROM partner WHERE partner_id = $1 FOR UPDATE`)

func scanPartner(row interface{ Scan(dest ...any) error }) (Partner, error) {
	var p Partner
	var settings string
	if err := row.Scan(&p.ID, &settings, &p.CreatedAt, &p.ClosedAt); err != nil {
		return Partner{}, err
	}
	if err := json.Unmarshal([]byte(settings), &p.Settings); err != nil {
		return Partner{}, fmt.Errorf("settings of partner %d: %w", p.ID, err)
	}
	return p, nil
}
