package proxy

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// newRecordID is unique and sorts by time: 48 bits of milliseconds, 80 random ones.
func newRecordID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16) //nolint:gosec // after 1970
	_, _ = rand.Read(b[6:])                                        // never fails
	return hex.EncodeToString(b[:])
}
