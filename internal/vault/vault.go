// Package vault keeps secrets at rest. A master key, which lives outside the database, seals three keysets
// inside it: one encrypts fields (AES-256-GCM, Tink), one encrypts content too large for a field as a stream
// (AES-256-GCM-HKDF, Tink), the last derives keyed hashes (HMAC-SHA-256), such as the hash of an API key. Losing the master key loses every sealed field; stealing the database alone
// reveals none.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"

	"kontor/internal/db"
	"kontor/internal/file"
)

// KeySize is the length of a master key in bytes, before base64.
const KeySize = 32

// Vault seals and opens fields and computes keyed hashes. It is safe for concurrent use.
type Vault struct {
	fields  tink.AEAD
	streams tink.StreamingAEAD
	hashes  *prf.Set
}

// Place is where a sealed field stands. It is bound to the ciphertext, so that a value copied to another
// row or column does not open there.
type Place struct {
	Table, Column string
	Row           string
}

func (p Place) bytes() []byte { return []byte(p.Table + "\x00" + p.Column + "\x00" + p.Row) }

var (
	selectKeyset = db.NewQuery(`SELECT sealed FROM keyset WHERE name = $1`)
	insertKeyset = db.NewInsert("keyset", "name text, sealed bytes, created_at bigint")
)

// Open loads the keysets, or makes them in a new database.
func Open(ctx context.Context, d *db.DB, master []byte) (*Vault, error) {
	if len(master) != KeySize {
		return nil, fmt.Errorf("master key has %d bytes, want %d", len(master), KeySize)
	}
	seal, err := subtle.NewAESGCM(master)
	if err != nil {
		return nil, err
	}
	fields, err := load(ctx, d, seal, "fields", aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	hashes, err := load(ctx, d, seal, "hashes", prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return nil, err
	}
	streams, err := load(ctx, d, seal, "streams", streamingaead.AES256GCMHKDF4KBKeyTemplate())
	if err != nil {
		return nil, err
	}
	v := &Vault{}
	if v.streams, err = streamingaead.New(streams); err != nil {
		return nil, err
	}
	if v.fields, err = aead.New(fields); err != nil {
		return nil, err
	}
	if v.hashes, err = prf.NewPRFSet(hashes); err != nil {
		return nil, err
	}
	return v, nil
}

// load reads a sealed keyset. Of two nodes that make one at the same time the first to commit wins.
func load(ctx context.Context, d *db.DB, seal tink.AEAD, name string, template *tinkpb.KeyTemplate) (*keyset.Handle, error) {
	fresh, err := keyset.NewHandle(template)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := fresh.WriteWithAssociatedData(keyset.NewBinaryWriter(&buf), seal, []byte(name)); err != nil {
		return nil, err
	}
	var sealed []byte
	err = d.Update(ctx, func(tx *db.Tx) error {
		err := tx.Row(selectKeyset, name).Scan(&sealed)
		if errors.Is(err, db.ErrNoRows) {
			sealed = buf.Bytes()
			tx.Write(insertKeyset, name, sealed, time.Now())
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return unseal(seal, name, sealed)
}

func unseal(seal tink.AEAD, name string, sealed []byte) (*keyset.Handle, error) {
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(sealed)), seal, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("the master key does not open this database's keyset %q: %w", name, err)
	}
	return h, nil
}

// Seal encrypts a field for its place. An empty field stays empty.
func (v *Vault) Seal(p Place, plain []byte) ([]byte, error) {
	if len(plain) == 0 {
		return []byte{}, nil
	}
	return v.fields.Encrypt(plain, p.bytes())
}

// Open decrypts a field that was sealed for the same place.
func (v *Vault) Open(p Place, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := v.fields.Decrypt(sealed, p.bytes())
	if err != nil {
		return nil, fmt.Errorf("open %s.%s of %s: %w", p.Table, p.Column, p.Row, err)
	}
	return plain, nil
}

// Hash computes a keyed hash of 32 bytes for one purpose. Parts are length-prefixed, so that their borders
// count. Without the vault's key a hash can be neither computed nor tested against guesses.
func (v *Vault) Hash(purpose string, parts ...[]byte) ([]byte, error) {
	var in bytes.Buffer
	in.WriteString(purpose)
	for _, p := range parts {
		fmt.Fprintf(&in, "\x00%d\x00", len(p))
		in.Write(p)
	}
	return v.hashes.ComputePrimaryPRF(in.Bytes(), 32)
}

// ParseMasterKey reads a master key: 32 bytes in base64, standard alphabet.
func ParseMasterKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("a master key is %d bytes in base64, made for example by: openssl rand -base64 %d", KeySize, KeySize)
	}
	return key, nil
}

// LoadOrCreateFile reads the master key of a sandbox from its file (mode 0600), or makes both.
func LoadOrCreateFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return ParseMasterKey(string(text))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key := make([]byte, KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return key, file.Replace(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
}
