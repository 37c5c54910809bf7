package partner_test

import (
	"strings"
	"testing"
	"time"

	"kontor/internal/audit"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
	"kontor/internal/partner"
)

// issue makes a key of a partner.
func issue(t *testing.T, s *partner.Service, p int64, terms partner.KeyTerms) (id, key string) {
	t.Helper()
	id, key, err := s.IssueKeyWith(t.Context(), p, terms)
	if err != nil {
		t.Fatal(err)
	}
	return id, key
}

func wantCode(t *testing.T, what string, err error, code fault.Code, says string) {
	t.Helper()
	if f := fault.From(err); f == nil || f.Code != code || !strings.Contains(f.Message, says) {
		t.Errorf("%s: %v; want %s %q", what, err, code, says)
	}
}

func listKeys(t *testing.T, s *partner.Service, p int64) []partner.Key {
	t.Helper()
	keys, err := s.Keys(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeysAreManaged(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := service(t, d, partner.Staging)
		p, other := create(t, s).ID, create(t, s).ID
		ends := time.Now().Add(time.Hour).Truncate(time.Microsecond)
		first, firstKey := issue(t, s, p, partner.KeyTerms{Label: " billing server ", ExpiresAt: ends})
		second, secondKey := issue(t, s, p, partner.KeyTerms{})
		keys := listKeys(t, s, p)
		if len(keys) != 2 || keys[0].ID != first || keys[0].Label != "billing server" || !keys[0].ExpiresAt.Equal(ends) ||
			!keys[0].LastUsedAt.IsZero() || keys[1].ID != second || !keys[1].ExpiresAt.IsZero() || keys[1].Ended(time.Now()) {
			t.Errorf("the keys are %+v", keys)
		}
		if keys := listKeys(t, s, other); keys != nil {
			t.Errorf("another partner's keys are %+v", keys)
		}

		if _, err := s.RevokeKey(t.Context(), other, first); err == nil || !strings.Contains(err.Error(), "kontor key list") {
			t.Errorf("revoked by another partner's id: %v", err)
		}
		revoked, err := s.RevokeKey(audit.As(t.Context(), audit.Operator("test")), p, first)
		if err != nil || !revoked.Ended(time.Now()) {
			t.Errorf("revoked: %+v, %v", revoked, err)
		}
		if again, err := s.RevokeKey(t.Context(), p, first); err != nil || !again.RevokedAt.Equal(revoked.RevokedAt) {
			t.Errorf("revoked again: %+v, %v; want no change", again, err)
		}
		_, err = s.Authenticate(t.Context(), firstKey)
		wantCode(t, "a revoked key", err, fault.AccessDenied, "xo2")
		if _, err := s.Authenticate(t.Context(), secondKey); err != nil {
			t.Errorf("the other key: %v", err)
		}
		wantAudit(t, d, p,
			`system partner.create  {"settings":{"legalName":"Test Partner"}}`,
			`system key.issue `+first+` {"expiresAt":"`+ends.UTC().Format("2006-01-02T15:04:05.000Z")+`","label":"billing server"}`,
			`system key.issue `+second+` {"label":""}`,
			`operator:test key.revoke `+first+` {}`,
		)
	})
}

func TestBadKeyTermsAreNamed(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Open(t, db.SQLite), partner.Staging)
	p := create(t, s).ID
	_, _, err := s.IssueKeyWith(t.Context(), p, partner.KeyTerms{Label: "a\nb", ExpiresAt: time.Now().Add(-time.Second)})
	wantCode(t, "two problems", err, fault.Validation, "the label must be one line of at most 100 characters. the key must expire in the future.")
	if err := s.AddKey(t.Context(), p, "a-key-from-before"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "the same key again", s.AddKey(t.Context(), create(t, s).ID, "a-key-from-before"), fault.Validation, "choose another")
	if _, _, err := s.IssueKey(t.Context(), 4711); err == nil || !strings.Contains(err.Error(), "there is no partner 4711") {
		t.Errorf("a key for nobody: %v", err)
	}
}

func TestKeysOfTheOtherEnvironmentAreWrong(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	staging, production := service(t, d, partner.Staging), unchecked(t, d, partner.Production)
	p := create(t, staging).ID
	_, forStaging := issue(t, staging, p, partner.KeyTerms{})
	_, forProduction := issue(t, production, p, partner.KeyTerms{})
	for _, c := range []struct {
		s       *partner.Service
		key     string
		refused bool
	}{{staging, forStaging, false}, {staging, forProduction, true}, {production, forStaging, true}, {production, forProduction, false}} {
		_, err := c.s.Authenticate(t.Context(), c.key)
		if c.refused {
			wantCode(t, c.key[:3], err, fault.AccessDenied, "xo2")
			wantCode(t, c.key[:3], c.s.AddKey(t.Context(), p, c.key), fault.Validation, "another environment")
		} else if err != nil {
			t.Errorf("%s: %v", c.key[:3], err)
		}
	}
}

func TestARevokedKeyIsDeadWithinASecondOnEveryNode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		here, elsewhere := service(t, d, partner.Staging), service(t, d, partner.Staging)
		p := create(t, here).ID
		id, key := issue(t, here, p, partner.KeyTerms{})
		for _, s := range []*partner.Service{here, elsewhere} {
			if _, err := s.Authenticate(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := here.RevokeKey(t.Context(), p, id); err != nil {
			t.Fatal(err)
		}
		revoked := time.Now()
		_, err := here.Authenticate(t.Context(), key)
		wantCode(t, "on the node that revoked it, at once", err, fault.AccessDenied, "xo2")
		wantCode(t, "on another node", deadWithinASecond(t, elsewhere, key, revoked), fault.AccessDenied, "xo2")
	})
}

// deadWithinASecond uses a key until it is refused, and answers how. A use that began more than a second after
// the key's end must not succeed.
func deadWithinASecond(t *testing.T, s *partner.Service, key string, end time.Time) error {
	t.Helper()
	for {
		asked := time.Now()
		if _, err := s.Authenticate(t.Context(), key); err != nil {
			return err
		}
		if asked.Sub(end) > time.Second {
			t.Fatal("another node takes the key after a second")
		}
	}
}

func TestAnExpiredKeyIsWrongFromThatMoment(t *testing.T) {
	t.Parallel()
	s := service(t, dbtest.Open(t, db.SQLite), partner.Staging)
	ends := time.Now().Add(300 * time.Millisecond)
	p := create(t, s).ID
	_, key := issue(t, s, p, partner.KeyTerms{ExpiresAt: ends})
	for {
		asked := time.Now()
		if _, err := s.Authenticate(t.Context(), key); err != nil {
			wantCode(t, "an expired key", err, fault.AccessDenied, "xo2")
			break
		}
		if asked.After(ends) {
			t.Fatal("a key was taken after its end")
		}
	}
	if k := listKeys(t, s, p)[0]; !k.Ended(ends) || k.Ended(ends.Add(-time.Millisecond)) {
		t.Errorf("the key ends at %v, not at %v", k.ExpiresAt, ends)
	}
}

func TestTheLastUseOfAKeyIsStoredOnceAMinute(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		here, elsewhere := service(t, d, partner.Staging), service(t, d, partner.Staging)
		p := create(t, here).ID
		id, key := issue(t, here, p, partner.KeyTerms{})
		use := func(s *partner.Service) {
			t.Helper()
			if _, err := s.Authenticate(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		store := func(s *partner.Service) time.Time {
			t.Helper()
			if err := s.StoreUses(t.Context()); err != nil {
				t.Fatal(err)
			}
			return listKeys(t, s, p)[0].LastUsedAt
		}
		if at := store(here); !at.IsZero() {
			t.Errorf("used at %v before it was used", at)
		}
		before := time.Now().Truncate(time.Microsecond)
		use(here)
		use(elsewhere)
		if keys := listKeys(t, here, p); !keys[0].LastUsedAt.IsZero() {
			t.Error("the request itself stored the use")
		}
		first := store(here)
		if first.Before(before) || first.After(time.Now()) {
			t.Errorf("used at %v, want about %v", first, before)
		}
		if again := store(elsewhere); !again.Equal(first) {
			t.Errorf("another node stored the use at %v again, at %v", first, again)
		}

		exec := func(text string, args ...any) {
			t.Helper()
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				tx.Locked()
				tx.Write(db.NewCommand(text), args...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		exec(`UPDATE api_key SET last_used_at = $3 WHERE partner_id = $1 AND id = $2`, p, id, time.Now().Add(-time.Hour))
		later := service(t, d, partner.Staging)
		use(later)
		exec(`ALTER TABLE api_key RENAME TO away`)
		if err := later.StoreUses(t.Context()); err == nil {
			t.Error("stored while the table was away")
		}
		exec(`ALTER TABLE away RENAME TO api_key`)
		if last := store(later); !last.After(first) {
			t.Errorf("the use after an hour is not stored, or lost with the attempt that failed: %v", last)
		}
	})
}

func TestAClosedPartner(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		here, elsewhere := service(t, d, partner.Staging), service(t, d, partner.Staging)
		p := create(t, here).ID
		id, key := issue(t, here, p, partner.KeyTerms{})
		revokedID, revokedKey := issue(t, here, p, partner.KeyTerms{})
		if _, err := here.RevokeKey(t.Context(), p, revokedID); err != nil {
			t.Fatal(err)
		}
		if _, err := elsewhere.Authenticate(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		closed, err := here.Close(t.Context(), p)
		if err != nil || closed.ClosedAt.IsZero() {
			t.Fatalf("closed: %+v, %v", closed, err)
		}
		at := time.Now()
		got, err := here.Authenticate(t.Context(), key)
		wantCode(t, "its key", err, fault.PartnerNotFound, "closed")
		if got.ID != p {
			t.Errorf("P418 comes with partner %d", got.ID)
		}
		wantCode(t, "its key on another node", deadWithinASecond(t, elsewhere, key, at), fault.PartnerNotFound, "closed")
		_, err = here.Authenticate(t.Context(), revokedKey)
		wantCode(t, "its revoked key", err, fault.AccessDenied, "xo2")
		_, _, err = here.IssueKey(t.Context(), p)
		wantCode(t, "a new key", err, fault.Validation, "was closed")
		if again, err := here.Close(t.Context(), p); err != nil || !again.ClosedAt.Equal(closed.ClosedAt) {
			t.Errorf("closed again: %+v, %v; want no change", again, err)
		}
		_, _, err = here.IssueKey(t.Context(), 0)
		wantCode(t, "a key of the operator", err, fault.Validation, "no API keys")
		wantCode(t, "a given key of the operator", here.AddKey(t.Context(), 0, "a-key-of-the-operator"), fault.Validation, "no API keys")
		_, err = here.Close(t.Context(), 0)
		wantCode(t, "the operator", err, fault.Validation, "cannot be closed")
		wantAudit(t, d, p,
			`system partner.create  {"settings":{"legalName":"Test Partner"}}`,
			`system key.issue `+id+` {"label":""}`, `system key.issue `+revokedID+` {"label":""}`,
			`system key.revoke `+revokedID+` {}`, `system partner.close  {}`,
		)
	})
}
