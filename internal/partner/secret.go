package partner

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/vault"
)

// The kinds of webhook credentials.
const (
	webhookToken  = "WEBHOOK_TOKEN"  // sent as the Authorization header
	webhookSecret = "WEBHOOK_SECRET" // signs deliveries (Standard Webhooks)
)

const secretSize = 24 // random bytes of a credential

// MaxOverlap is how long old webhook credentials may stay valid beside new ones.
const MaxOverlap = 30 * 24 * time.Hour

var (
	insertSecret = db.NewInsert("partner_secret",
		"partner_id bigint, kind text, id uuid, sealed bytes, created_at bigint, expires_at bigint")
	expireSecrets = db.NewCommand(`
		UPDATE partner_secret SET expires_at = $2 WHERE partner_id = $1 AND (expires_at = 0 OR expires_at > $2)`)
	selectSecrets = db.NewQuery(`
		SELECT id, kind, sealed FROM partner_secret
		WHERE partner_id = $1 AND (expires_at = 0 OR expires_at > $2)
		ORDER BY (expires_at = 0) DESC, created_at DESC, id DESC`)
)

// secret is a credential that was made and not stored yet.
type secret struct {
	id     clock.ID
	kind   string
	sealed []byte
}

// makeSecrets makes a token and a signing secret.
func (s *Service) makeSecrets() ([]secret, error) {
	var made []secret
	for _, kind := range []string{webhookToken, webhookSecret} {
		plain := make([]byte, secretSize)
		if _, err := rand.Read(plain); err != nil {
			return nil, err
		}
		id := clock.NewID()
		sealed, err := s.vault.Seal(secretPlace(id), plain)
		if err != nil {
			return nil, err
		}
		made = append(made, secret{id, kind, sealed})
	}
	return made, nil
}

func storeSecrets(tx *db.Tx, partner int64, secrets []secret, at time.Time) {
	for _, n := range secrets {
		tx.Write(insertSecret, partner, n.kind, n.id, n.sealed, at, time.Time{})
	}
}

func secretPlace(id clock.ID) vault.Place {
	return vault.Place{Table: "partner_secret", Column: "sealed", Row: id.String()}
}

// Credentials are what a receiver of webhooks checks deliveries with.
type Credentials struct {
	Token  string // compared with the Authorization header
	Secret string // whsec_… as the Standard Webhooks libraries take it
}

// WebhookCredentials answers the newest token and signing secret of a partner.
func (s *Service) WebhookCredentials(ctx context.Context, partner int64) (Credentials, error) {
	var token string
	var secrets [][]byte
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		token, secrets, err = s.secrets(r, partner)
		return err
	})
	if err != nil || len(secrets) == 0 {
		return Credentials{}, err
	}
	return Credentials{Token: token, Secret: "whsec_" + base64.StdEncoding.EncodeToString(secrets[0])}, nil
}

// RotateWebhook gives a partner a new webhook token and signing secret. For the time of overlap deliveries
// are signed with the old secrets too; they carry the new token, of which there can be one only. It answers
// the new credentials and when the old secrets end.
func (s *Service) RotateWebhook(ctx context.Context, partner int64, overlap time.Duration) (Credentials, time.Time, error) {
	if partner == ledger.Operator {
		return Credentials{}, time.Time{}, fault.Invalid("partner 0 is the operator, who has no webhooks")
	}
	if overlap < 0 || overlap > MaxOverlap {
		return Credentials{}, time.Time{}, fault.Invalid(fmt.Sprintf("the overlap must be between 0 and %d hours", int(MaxOverlap.Hours())))
	}
	made, err := s.makeSecrets()
	if err != nil {
		return Credentials{}, time.Time{}, err
	}
	var until time.Time
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		if _, err := scanPartner(tx.Row(lockPartner, partner)); err != nil {
			return err
		}
		until = clock.FromMicros(clock.Micros(time.Now().Add(overlap)))
		tx.Write(expireSecrets, partner, until)
		storeSecrets(tx, partner, made, s.clock.Now())
		return audit.Write(tx, audit.Entry{
			Actor: audit.Actor(ctx), Action: "webhook.rotate", Partner: partner,
			Details: map[string]string{"oldUntil": clock.Format(until)},
		})
	})
	if err != nil {
		return Credentials{}, time.Time{}, named(err, partner)
	}
	c, err := s.WebhookCredentials(ctx, partner)
	return c, until, err
}

// secrets reads the token and the signing secrets, newest first.
func (s *Service) secrets(r db.Reader, partner int64) (token string, signing [][]byte, err error) {
	rows := r.Rows(selectSecrets, partner, time.Now())
	defer rows.Close()
	for rows.Next() {
		var id clock.ID
		var kind string
		var sealed []byte
		if err := rows.Scan(&id, &kind, &sealed); err != nil {
			return "", nil, err
		}
		plain, err := s.vault.Open(secretPlace(id), sealed)
		if err != nil {
			return "", nil, err
		}
		switch {
		case kind == webhookSecret:
			signing = append(signing, plain)
		case token == "":
			token = base64.RawURLEncoding.EncodeToString(plain)
		}
	}
	return token, signing, rows.Err()
}

// WebhookTarget reads where a partner's events go and how they are signed.
func (s *Service) WebhookTarget(r db.Reader, partner int64) (event.Target, error) {
	p, err := s.Find(r, partner)
	if err != nil {
		return event.Target{}, err
	}
	t := event.Target{
		BaseURL:  p.Settings.Text(baseURL),
		URLs:     map[event.Type]string{},
		Disabled: map[event.Type]bool{},

		Concurrency:   p.Settings.number("webhook.concurrency"),
		RatePerSecond: p.Settings.number("webhook.ratePerSecond"),
	}
	for name, url := range p.Settings.Family(eventURLs) {
		t.URLs[event.Type(name)] = url
	}
	for _, name := range p.Settings.List("webhook.disabled") {
		t.Disabled[event.Type(name)] = true
	}
	t.Token, t.Secrets, err = s.secrets(r, partner)
	return t, err
}
