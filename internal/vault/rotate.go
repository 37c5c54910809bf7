package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"kontor/internal/db"
)

var (
	lockKeysets  = db.NewQuery(`SELECT name, sealed FROM keyset ORDER BY name FOR UPDATE`)
	updateKeyset = db.NewCommand(`UPDATE keyset SET sealed = $2 WHERE name = $1`)
)

// Rotate seals the keysets under a new master key, all in one transaction, in which also runs: it records the
// change. Fields are not touched, since the keysets stay the same; a running node, which has them in memory,
// goes on, and needs the new master key when it is started the next time.
func Rotate(ctx context.Context, d *db.DB, old, fresh []byte, also func(tx *db.Tx) error) error {
	if len(old) != KeySize || len(fresh) != KeySize {
		return fmt.Errorf("a master key has %d bytes", KeySize)
	}
	if hmac.Equal(old, fresh) {
		return errors.New("the new master key is the old one")
	}
	open, err := subtle.NewAESGCM(old)
	if err != nil {
		return err
	}
	seal, err := subtle.NewAESGCM(fresh)
	if err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		sealed, err := readKeysets(tx)
		if err != nil {
			return err
		}
		// Three keysets of a hundred bytes: the time that they take under the lock is nothing.
		for name, text := range sealed {
			h, err := unseal(open, name, text)
			if err != nil {
				return err
			}
			var buf bytes.Buffer
			if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&buf), seal, []byte(name)); err != nil {
				return err
			}
			tx.Write(updateKeyset, name, buf.Bytes())
		}
		return also(tx)
	})
}

func readKeysets(tx *db.Tx) (map[string][]byte, error) {
	rows := tx.Rows(lockKeysets)
	defer rows.Close()
	sealed := map[string][]byte{}
	for rows.Next() {
		var name string
		var text []byte
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		sealed[name] = text
	}
	return sealed, rows.Err()
}
