package clock

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID identifies an object: a UUID (RFC 9562). It is comparable with ==. The zero value is no object.
type ID [16]byte

// NewID returns a new UUID of version 7, made from the machine's time. It panics only when the machine has
// no source of randomness, without which nothing here is safe.
//
// Ids made one after another in one process ascend. Ids of different processes give no order.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// FirstID is not above any id of version 7 that was made at the given time of the machine or later, to the
// millisecond.
func FirstID(made time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(max(made.UnixMilli(), 0))<<16)
	return id
}

// Time tells when an id of version 7 was made, by the machine's time, in milliseconds.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// ParseID reads the canonical form of 36 characters, with hyphens, in any case. Other spellings of a UUID
// (braces, urn:uuid:, no hyphens) are errors, so that one object has one address.
func ParseID(s string) (ID, error) {
	const canonical = 36
	if len(s) != canonical {
		return ID{}, fmt.Errorf("clock: an id has %d characters, not %d", canonical, len(s))
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return ID{}, fmt.Errorf("clock: not an id: %w", err)
	}
	return ID(u), nil
}

// String returns the canonical form, in lower case.
func (id ID) String() string { return uuid.UUID(id).String() }

// IsZero reports whether id is that of no object.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText returns the canonical form, in lower case.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what ParseID reads.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
