package partner_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
	"kontor/internal/page"
	"kontor/internal/partner"
	"kontor/internal/vault"
)

// notices answers what old URLs are told, in any order.
func notices(t *testing.T, d *db.DB, p int64) (told []string) {
	t.Helper()
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	log := event.NewLog(v, func(int64) {})
	err = d.View(t.Context(), func(r db.Reader) error {
		told = nil
		entries, err := event.List(r, p, event.Filter{Type: event.URLChanged, Range: page.Range{Limit: 100}})
		for _, e := range entries {
			found, err := log.Find(r, p, e.ID)
			if err != nil {
				return err
			}
			var n event.Notice
			if err := json.Unmarshal(found.Body, &n); err != nil {
				return err
			}
			if n.ChangedAt != clock.Format(e.CreatedAt) {
				t.Errorf("the notice of %v is dated %s", e.CreatedAt, n.ChangedAt)
			}
			told = append(told, fmt.Sprintf("%s %s %s", n.Setting, n.OldURL, n.Reason))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	return told
}

func TestOldURLsAreToldOfChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d, partner.Staging)
		var want []string
		p, other := create(t, s), create(t, s)
		for _, step := range []struct {
			changes map[string]string
			told    []string
		}{
			{map[string]string{"webhook.baseUrl": "https://one.example/a?k=1"}, nil}, // there was no old URL
			{map[string]string{"webhook.baseUrl": "https://one.example/a?k=1", "rateLimit": "5", "webhook.disabled": "exchange"}, nil},
			{map[string]string{"webhook.baseUrl": "https://two.example", "rateLimit": "6"}, []string{
				"webhook.baseUrl https://one.example/a/webhook/url-changed?k=1 URL_CHANGED",
			}},
			{map[string]string{"webhook.url.exchange": "https://three.example/x"}, []string{
				"webhook.url.exchange https://two.example/webhook/url-changed URL_CHANGED",
			}},
			{map[string]string{"webhook.baseUrl": "", "webhook.url.exchange": "", "webhook.url.sepa-deposit": "https://four.example"}, []string{
				"webhook.baseUrl https://two.example/webhook/url-changed URL_REMOVED",
				"webhook.url.exchange https://three.example/x URL_REMOVED",
				"webhook.url.sepa-deposit https://two.example/webhook/url-changed URL_CHANGED",
			}},
			{map[string]string{"webhook.url.exchange": "https://three.example/y"}, nil},
		} {
			if _, err := s.Set(t.Context(), p.ID, step.changes); err != nil {
				t.Fatal(err)
			}
			want = append(want, step.told...)
			slices.Sort(want)
			if got := notices(t, d, p.ID); !slices.Equal(got, want) {
				t.Errorf("after %v the notices are %q, want %q", step.changes, got, want)
			}
		}
		for range 2 { // closing it again changes nothing
			if _, err := s.Close(t.Context(), p.ID); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, "webhook.url.exchange https://three.example/y PARTNER_CLOSED",
			"webhook.url.sepa-deposit https://four.example PARTNER_CLOSED")
		slices.Sort(want)
		if got := notices(t, d, p.ID); !slices.Equal(got, want) {
			t.Errorf("after the end the notices are %q, want %q", got, want)
		}
		if got := notices(t, d, other.ID); len(got) > 0 {
			t.Errorf("another partner is told %q", got)
		}
	})
}
