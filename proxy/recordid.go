package proxy

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// newRecordID is unique and sorts by time: 48 bits of milliseconds, 80 random ones. It names a row and opens nothing, so
// the runtime's generator (ChaCha8, seeded by the system) is enough.
func newRecordID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16|rand.Uint64()>>48) //nolint:gosec // after 1970; a row's name
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())                                 //nolint:gosec // a row's name
	return hex.EncodeToString(b[:])
}
