package page

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"kontor/internal/clock"
	"kontor/internal/fault"
	"kontor/internal/vault"
)

// List names what a cursor belongs to: whose list it is, which, and with what filters.
type List struct {
	Partner int64
	Name    string
	Filters []string // in a fixed order; an empty one is not set
}

// Cursors turns positions into text for clients and back. The text is opaque and authenticated: only the
// list that it was made for takes it.
type Cursors struct{ vault *vault.Vault }

// NewCursors makes cursors that the keys of the vault authenticate.
func NewCursors(v *vault.Vault) *Cursors { return &Cursors{v} }

const (
	fixedSize = 8 + len(clock.ID{}) // of a position without its part
	tagSize   = 16                  // 128 bits: more than can be guessed
)

// Seal makes the cursor of a position in a list.
func (c *Cursors) Seal(l List, p Position) (string, error) {
	text := binary.BigEndian.AppendUint64(nil, uint64(clock.Micros(p.At)))
	text = append(append(text, p.ID[:]...), p.Part...)
	tag, err := c.tag(l, text)
	return base64.RawURLEncoding.EncodeToString(append(text, tag...)), err
}

// Open reads a cursor; P403 when it was not made for this list with these filters.
func (c *Cursors) Open(l List, cursor string) (Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < fixedSize+tagSize {
		return Position{}, foreign()
	}
	text, sent := raw[:len(raw)-tagSize], raw[len(raw)-tagSize:]
	tag, err := c.tag(l, text)
	if err != nil {
		return Position{}, err
	}
	if !hmac.Equal(tag, sent) {
		return Position{}, foreign()
	}
	p := Position{At: clock.FromMicros(int64(binary.BigEndian.Uint64(text))), Part: string(text[fixedSize:])}
	copy(p.ID[:], text[8:])
	return p, nil
}

func (c *Cursors) tag(l List, text []byte) ([]byte, error) {
	parts := [][]byte{strconv.AppendInt(nil, l.Partner, 10), []byte(l.Name), text}
	for _, f := range l.Filters {
		parts = append(parts, []byte(f))
	}
	tag, err := c.vault.Hash("cursor", parts...)
	if err != nil {
		return nil, err
	}
	return tag[:tagSize], nil
}

func foreign() error {
	return fault.Invalid("cursor must be the nextCursor of this list with the same filters; leave it out to begin again")
}
