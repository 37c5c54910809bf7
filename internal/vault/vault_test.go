package vault_test

import (
	"bytes"
	"encoding/base64"
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
