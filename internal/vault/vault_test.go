package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/vault"
)

var master = bytes.Repeat([]byte{7}, vault.KeySize)

func TestSealedFieldsOpenOnlyInTheirPlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		v, err := vault.Open(t.Context(), d, master)
		if err != nil {
			t.Fatal(err)
		}
		home := vault.Place{Table: "person", Column: "document_number", Row: "1"}
		sealed, err := v.Seal(home, []byte("TEST123"))
		if err != nil || bytes.Contains(sealed, []byte("TEST123")) {
			t.Fatalf("sealed to %q, %v", sealed, err)
		}
		if plain, err := v.Open(home, sealed); err != nil || string(plain) != "TEST123" {
			t.Errorf("opened %q, %v", plain, err)
		}
		for _, elsewhere := range []vault.Place{
			{Table: "person", Column: "document_number", Row: "2"},
			{Table: "person", Column: "national_number", Row: "1"},
			{Table: "event", Column: "document_number", Row: "1"},
		} {
			if _, err := v.Open(elsewhere, sealed); err == nil {
				t.Errorf("a value moved to %v opens there", elsewhere)
			}
		}
		// Another node with the same master key reads what this one wrote.
		other, err := vault.Open(t.Context(), d, master)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := other.Open(home, sealed); err != nil || string(plain) != "TEST123" {
			t.Errorf("the other node opened %q, %v", plain, err)
		}
	})
}

func TestWrongMasterKeyOpensNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if _, err := vault.Open(t.Context(), d, master); err != nil {
			t.Fatal(err)
		}
		_, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{8}, vault.KeySize))
		if err == nil || !strings.Contains(err.Error(), "master key does not open") {
			t.Errorf("a wrong master key: %v", err)
		}
	})
}

func TestHashesTellPartsAndPurposesApart(t *testing.T) {
	t.Parallel()
	v, err := vault.Open(t.Context(), dbtest.Open(t, db.SQLite), master)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(purpose string, parts ...string) string {
		var in [][]byte
		for _, p := range parts {
			in = append(in, []byte(p))
		}
		h, err := v.Hash(purpose, in...)
		if err != nil || len(h) != 32 {
			t.Fatalf("%x, %v", h, err)
		}
		return string(h)
	}
	if first, second := hash("a", "x", "yz"), hash("a", "x", "yz"); first != second {
		t.Error("a hash is not repeatable")
	}
	seen := map[string]bool{}
	for _, h := range []string{hash("a", "x", "yz"), hash("a", "xy", "z"), hash("b", "x", "yz"), hash("a", "xyz"), hash("a", "x", "y", "z")} {
		if seen[h] {
			t.Error("different inputs have the same hash")
		}
		seen[h] = true
	}
}

func TestMasterKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", "master.key")
	made, err := vault.LoadOrCreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; only its owner may read the key", info.Mode(), err)
	}
	if again, err := vault.LoadOrCreateFile(path); err != nil || !bytes.Equal(again, made) {
		t.Errorf("the second start found another key: %v", err)
	}
	for _, bad := range []string{"", "x", base64.StdEncoding.EncodeToString([]byte("short"))} {
		if _, err := vault.ParseMasterKey(bad); err == nil {
			t.Errorf("%q is taken for a master key", bad)
		}
	}
}

func TestANewMasterKeyTakesTheOldOnesPlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		running, err := vault.Open(t.Context(), d, master)
		if err != nil {
			t.Fatal(err)
		}
		home := vault.Place{Table: "person", Column: "document_number", Row: "1"}
		earlier, err := running.Seal(home, []byte("TEST123"))
		if err != nil {
			t.Fatal(err)
		}
		before, err := running.Hash("api-key", []byte("key"))
		if err != nil {
			t.Fatal(err)
		}
		fresh := bytes.Repeat([]byte{8}, vault.KeySize)
		recorded := false
		err = vault.Rotate(t.Context(), d, master, fresh, func(*db.Tx) error { recorded = true; return nil })
		if err != nil || !recorded {
			t.Fatalf("recorded %v, %v", recorded, err)
		}
		if _, err := vault.Open(t.Context(), d, master); err == nil || !strings.Contains(err.Error(), "does not open") {
			t.Errorf("the old master key: %v", err)
		}
		restarted, err := vault.Open(t.Context(), d, fresh)
		if err != nil {
			t.Fatal(err)
		}
		if after, err := restarted.Hash("api-key", []byte("key")); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the hash is another: %v", err)
		}
		after, err := running.Seal(home, []byte("TEST456")) // it runs on as it was
		if err != nil {
			t.Fatal(err)
		}
		for plain, sealed := range map[string][]byte{"TEST123": earlier, "TEST456": after} {
			if got, err := restarted.Open(home, sealed); err != nil || string(got) != plain {
				t.Errorf("opened %q, %v; want %q", got, err, plain)
			}
		}
	})
}

func TestARefusedRotationChangesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if _, err := vault.Open(t.Context(), d, master); err != nil {
			t.Fatal(err)
		}
		fresh, wrong := bytes.Repeat([]byte{8}, vault.KeySize), bytes.Repeat([]byte{9}, vault.KeySize)
		good := func(*db.Tx) error { return nil }
		for name, c := range map[string]struct {
			old, fresh []byte
			also       func(*db.Tx) error
			want       string
		}{
			"wrong old key":         {wrong, fresh, good, "does not open"},
			"the same key":          {master, master, good, "is the old one"},
			"short key":             {master, fresh[:16], good, "32 bytes"},
			"it cannot be recorded": {master, fresh, func(*db.Tx) error { return errors.New("no audit") }, "no audit"},
			"a guard refuses recording": {master, fresh, func(tx *db.Tx) error {
				tx.Write(db.NewCommand(`INSERT INTO audit_head (id, number, hash) VALUES (2, 0, '')`))
				return nil
			}, "audit_head_one"},
		} {
			if err := vault.Rotate(t.Context(), d, c.old, c.fresh, c.also); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v; want %q", name, err, c.want)
			}
		}
		if _, err := vault.Open(t.Context(), d, master); err != nil {
			t.Errorf("the old key after refused rotations: %v", err)
		}
	})
}
