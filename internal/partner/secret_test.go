package partner_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"kontor/internal/audit"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/partner"
)

// signing reads what deliveries are authenticated with at the moment.
func signing(t *testing.T, d *db.DB, s *partner.Service, p int64) (token string, secrets []string) {
	t.Helper()
	var target event.Target
	err := d.View(t.Context(), func(r db.Reader) (err error) {
		target, err = s.WebhookTarget(r, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range target.Secrets {
		secrets = append(secrets, "whsec_"+base64.StdEncoding.EncodeToString(raw))
	}
	return target.Token, secrets
}

func TestOldWebhookSecretsSignDuringTheOverlap(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d, partner.Staging)
		p, other := create(t, s).ID, create(t, s).ID
		_, othersBefore := signing(t, d, s, other)
		old, err := s.WebhookCredentials(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		want := func(what string, token string, secrets ...string) {
			t.Helper()
			gotToken, got := signing(t, d, s, p)
			if gotToken != token || strings.Join(got, " ") != strings.Join(secrets, " ") {
				t.Errorf("%s: token %s, secrets %s; want %s, %s", what, gotToken, got, token, secrets)
			}
		}
		rotate := func(overlap time.Duration) (partner.Credentials, time.Time) {
			t.Helper()
			c, until, err := s.RotateWebhook(t.Context(), p, overlap)
			if err != nil {
				t.Fatal(err)
			}
			return c, until
		}
		want("before", old.Token, old.Secret)
		first, until := rotate(time.Hour)
		if first.Token == old.Token || first.Secret == old.Secret || time.Until(until) > time.Hour || time.Until(until) < 50*time.Minute {
			t.Errorf("rotated %v to %v until %v", old, first, until)
		}
		want("in the overlap", first.Token, first.Secret, old.Secret)
		second, soon := rotate(150 * time.Millisecond)
		for time.Now().Before(soon) {
			token, secrets := signing(t, d, s, p)
			if token != second.Token || secrets[0] != second.Secret {
				t.Fatalf("in the second overlap: token %s, secrets %s", token, secrets)
			}
		}
		want("after the overlap, which a second rotation made shorter", second.Token, second.Secret)
		third, _ := rotate(0)
		want("without overlap", third.Token, third.Secret)
		if _, after := signing(t, d, s, other); strings.Join(after, "") != strings.Join(othersBefore, "") {
			t.Error("another partner's secrets changed")
		}
	})
}

func TestRotationIsRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	s := service(t, d, partner.Staging)
	p := create(t, s).ID
	c, until, err := s.RotateWebhook(audit.As(t.Context(), audit.Operator("test")), p, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	wantAudit(t, d, p,
		`system partner.create  {"settings":{"legalName":"Test Partner"}}`,
		`operator:test webhook.rotate  {"oldUntil":"`+until.Format("2006-01-02T15:04:05.000Z")+`"}`,
	)
	if c.Token == "" || !strings.HasPrefix(c.Secret, "whsec_") {
		t.Errorf("the new credentials are %v", c)
	}
	for _, bad := range []time.Duration{-time.Second, partner.MaxOverlap + 1} {
		_, _, err := s.RotateWebhook(t.Context(), p, bad)
		wantCode(t, bad.String(), err, fault.Validation, "between 0 and 720 hours")
	}
	_, _, err = s.RotateWebhook(t.Context(), 0, time.Hour)
	wantCode(t, "the operator", err, fault.Validation, "no webhooks")
	if _, _, err := s.RotateWebhook(t.Context(), 4711, time.Hour); err == nil || !strings.Contains(err.Error(), "there is no partner 4711") {
		t.Errorf("nobody: %v", err)
	}
}
