package telemetry

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newRequestID returns a ULID: 48 bits of milliseconds and 80 random ones, 26 characters. It names a request and opens
// nothing, so that the runtime's generator will do, which asks the system for nothing.
func newRequestID(now time.Time) string {
	var b [16]byte
	ms := uint64(now.UnixMilli()) // #nosec: after 1970
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	binary.LittleEndian.PutUint64(b[6:], rand.Uint64())
	binary.LittleEndian.PutUint16(b[14:], uint16(rand.Uint32()))
	var out [26]byte
	var acc uint32
	bits, n := 2, 0 // 128 bits in 26 characters of 5: two leading zero bits
	for _, v := range b {
		acc = acc<<8 | uint32(v)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out[n] = crockford[acc>>bits&31]
			n++
		}
	}
	return string(out[:])
}

// wellFormed reports whether an incoming x-request-id may be kept: 1 to limit of A-Z a-z 0-9 . _ -
func wellFormed(id string, limit int) bool {
	if id == "" || len(id) > limit {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
