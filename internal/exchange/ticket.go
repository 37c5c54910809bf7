package exchange

import (
	"crypto/subtle"
	"encoding/binary"
	"time"

	"kontor/internal/clock"
	"kontor/internal/vault"
)

// ticket is what the id of a lock says. The id is a UUID of version 7 (RFC 9562, section 5.7), whose bits are
//
//	48  when it was locked, in milliseconds of business time
//	 4  the version
//	12  which of its owner's locks of this node it is: it tells those of one moment apart
//	 2  the variant
//	20  the number of the offer
//	42  the proof: of HMAC-SHA-256 over partner, owner and all the other bits
//
// Who cannot compute the proof has one chance in 2^42 with each request. What could be won by it is an exchange, of the
// forger's own partner, at rates that were offered to the same partner less than 40 seconds ago.
type ticket struct {
	holding
	at    time.Time // whole milliseconds
	take  uint64    // its last 12 bits count
	offer int64
}

// holding names who holds locks: a user of a partner, or the partner itself.
type holding struct {
	partner int64
	owner   clock.ID
}

// Widths of the parts of an id, in bits.
const (
	takeBits   = 12
	offerBits  = 20
	proofBits  = 42
	version7   = 7 << takeBits
	variant    = 2 << (offerBits + proofBits)
	timeShift  = 4 + takeBits
	takeMask   = 1<<takeBits - 1
	offerMask  = 1<<offerBits - 1
	proofMask  = 1<<proofBits - 1
	hashLength = 64
)

// seal makes the id.
func (t ticket) seal(v *vault.Vault) (clock.ID, error) {
	var id clock.ID
	high := uint64(max(t.at.UnixMilli(), 0))<<timeShift | version7 | t.take&takeMask
	low := variant | uint64(t.offer&offerMask)<<proofBits //nolint:gosec // masked
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], low)
	proof, err := t.holding.prove(v, id)
	binary.BigEndian.PutUint64(id[8:], low|proof)
	return id, err
}

// openTicket reads an id. ok is false when it is not one that was made for this holder.
func openTicket(v *vault.Vault, h holding, id clock.ID) (t ticket, ok bool, err error) {
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	bare := id
	binary.BigEndian.PutUint64(bare[8:], low&^proofMask)
	proof, err := h.prove(v, bare)
	if err != nil || subtle.ConstantTimeCompare(binary.BigEndian.AppendUint64(nil, low&proofMask), binary.BigEndian.AppendUint64(nil, proof)) != 1 {
		return ticket{}, false, err
	}
	return ticket{
		holding: h, at: time.UnixMilli(int64(high >> timeShift)).UTC(), //nolint:gosec // 48 bits
		take: high & takeMask, offer: int64(low >> proofBits & offerMask), //nolint:gosec // 20 bits
	}, true, nil
}

// prove computes the proof of an id that has none yet.
func (h holding) prove(v *vault.Vault, bare clock.ID) (uint64, error) {
	hash, err := v.Hash("rate lock", binary.BigEndian.AppendUint64(nil, uint64(h.partner)), h.owner[:], bare[:]) //nolint:gosec // the bits of the number
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(hash) >> (hashLength - proofBits), nil
}
