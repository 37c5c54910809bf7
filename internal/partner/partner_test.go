package partner_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/vault"
)

var eur = money.Currency{Code: "eur", Scale: 2}

func builtIn(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func service(t *testing.T, d *db.DB, env partner.Environment) *partner.Service {
	t.Helper()
	s := unchecked(t, d, env)
	if err := s.EnsureOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// unchecked is a service that may be of another environment than the database.
func unchecked(t *testing.T, d *db.DB, env partner.Environment) *partner.Service {
	t.Helper()
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return partner.NewService(d, v, clock.System(), env, builtIn(t), event.NewLog(v, func(int64) {}))
}

func create(t *testing.T, s *partner.Service) partner.Partner {
	t.Helper()
	p, err := s.Create(t.Context(), map[string]string{"legalName": "Test Partner"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPartnersGetBooksOfTheirOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d, partner.Staging)
		a, b := create(t, s), create(t, s)
		if a.ID == b.ID || a.ID == ledger.Operator {
			t.Errorf("ids %d and %d", a.ID, b.ID)
		}
		for _, p := range []partner.Partner{a, b} {
			err := d.View(t.Context(), func(r db.Reader) error {
				_, err := ledger.FindCustomer(r, p.ID, ledger.PartnerItself, eur)
				return err
			})
			if err != nil {
				t.Errorf("partner %d has no balance: %v", p.ID, err)
			}
		}
		if all, err := s.List(t.Context()); err != nil || len(all) != 3 {
			t.Errorf("%d partners, %v", len(all), err)
		}
		if _, err := s.Create(t.Context(), nil); fault.From(err).Code != fault.Validation {
			t.Errorf("a partner without a name: %v", err)
		}
		ca, err := s.WebhookCredentials(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		cb, err := s.WebhookCredentials(t.Context(), b.ID)
		if err != nil || ca == cb || ca.Token == "" || !strings.HasPrefix(ca.Secret, "whsec_") {
			t.Errorf("credentials %v and %v, %v", ca, cb, err)
		}
	})
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d, partner.Staging)
		p, other := create(t, s), create(t, s)
		_, key, err := s.IssueKey(t.Context(), p.ID)
		if err != nil || !strings.HasPrefix(key, "ks_") {
			t.Fatalf("issued %q, %v", key, err)
		}
		if err := s.AddKey(t.Context(), other.ID, "a-key-from-before"); err != nil {
			t.Fatal(err)
		}
		for given, want := range map[string]int64{key: p.ID, "a-key-from-before": other.ID} {
			for range 2 { // the second time from memory
				if got, err := s.Authenticate(t.Context(), given); err != nil || got.ID != want {
					t.Errorf("%q authenticates %d, %v; want %d", given, got.ID, err, want)
				}
			}
		}
		for given, want := range map[string]string{
			"": "Access Denied. xo1", "x": "Access Denied. xo2", key + "x": "Access Denied. xo2",
			key[:len(key)-1] + flip(key[len(key)-1]): "Access Denied. xo2", strings.Repeat("k", 10_000): "Access Denied. xo2",
		} {
			if _, err := s.Authenticate(t.Context(), given); fault.From(err).Code != fault.AccessDenied || fault.From(err).Message != want {
				t.Errorf("%.40q: %v; want P401 %s", given, err, want)
			}
		}
		if err := s.AddKey(t.Context(), other.ID, "short"); fault.From(err).Code != fault.Validation {
			t.Errorf("a short key: %v", err)
		}
		if _, _, err := s.IssueKey(t.Context(), 4711); err == nil {
			t.Error("a key for nobody was issued")
		}
	})
}

// flip answers another character of a secret's alphabet.
func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestProductionKeysSaySo(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Open(t, db.SQLite), partner.Production)
	p := create(t, s)
	if _, key, err := s.IssueKey(t.Context(), p.ID); err != nil || !strings.HasPrefix(key, "kp_") {
		t.Errorf("issued %q, %v", key, err)
	}
}

func TestKeysAndSecretsAreNotReadableInTheDatabase(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	s := service(t, d, partner.Staging)
	p := create(t, s)
	_, key, err := s.IssueKey(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.WebhookCredentials(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	var stored []byte
	err = d.View(t.Context(), func(r db.Reader) error {
		for _, q := range []string{`SELECT hash FROM api_key WHERE partner_id = $1`, `SELECT sealed FROM partner_secret WHERE partner_id = $1`} {
			rows := r.Rows(db.NewQuery(q), p.ID)
			for rows.Next() {
				var b []byte
				if err := rows.Scan(&b); err != nil {
					return err
				}
				stored = append(stored, b...)
			}
			if rows.Err() != nil {
				return rows.Err()
			}
		}
		return nil
	})
	if err != nil || len(stored) == 0 {
		t.Fatal(err)
	}
	for _, secret := range []string{key, key[16:], c.Token, c.Secret} {
		if bytes.Contains(stored, []byte(secret)) {
			t.Errorf("%q stands in the database", secret)
		}
	}
}

func TestChangedSettingsCountAtOnceOnThisNodeAndSoonOnOthers(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	here, elsewhere := service(t, d, partner.Staging), service(t, d, partner.Staging)
	p := create(t, here)
	_, key, err := here.IssueKey(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	level := func(s *partner.Service) string {
		found, err := s.Authenticate(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return found.Settings.Text("sepaLevel")
	}
	if level(here) != "1" || level(elsewhere) != "1" {
		t.Error("the default is not 1")
	}
	if _, err := here.Set(t.Context(), p.ID, map[string]string{"sepaLevel": "2"}); err != nil {
		t.Fatal(err)
	}
	if level(here) != "2" {
		t.Error("the change does not count here")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	for level(elsewhere) != "2" {
		if ctx.Err() != nil {
			t.Fatal("the change does not count on another node")
		}
	}
	if _, err := here.Set(t.Context(), p.ID, map[string]string{"sepaLevel": ""}); err != nil || level(here) != "1" {
		t.Errorf("the default did not come back: %v", err)
	}
	if _, err := here.Set(t.Context(), p.ID, map[string]string{"sepaLevel": "7"}); fault.From(err).Code != fault.Validation || level(here) != "1" {
		t.Errorf("a bad value: %v", err)
	}
}

func TestDatabaseOfTheOtherEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		service(t, d, partner.Production)
		for environment, wanted := range map[partner.Environment]bool{partner.Staging: false, partner.Production: true} {
			if err := unchecked(t, d, environment).EnsureOperator(t.Context()); (err == nil) != wanted {
				t.Errorf("production's database opened for %s: %v", environment, err)
			}
		}
	})
}
