package listing

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Key is the start of a hash: enough to tell the few versions and views of one list apart.
type Key [8]byte

// KeyOf returns the start of a hash.
func KeyOf(hash []byte) (k Key) {
	copy(k[:], hash)
	return k
}

// Place is a position in one version of one view of a list.
type Place struct {
	Version, View Key
	Offset        int
}

// Cursors writes and reads the places of one list of one server.
type Cursors struct {
	Keyring *secret.Keyring
	List    string // method, such as tools/list
	Server  string
}

// Parts of a cursor, in bytes: version, view, offset, MAC. It names a place and proves nothing; the MAC only keeps
// strangers from making us look for places that are not there.
const (
	cursorOffset = 4
	cursorMAC    = 8
	cursorSize   = len(Key{}) + len(Key{}) + cursorOffset + cursorMAC
)

// Write returns the cursor of p.
func (c Cursors) Write(p Place) string {
	b := append(make([]byte, 0, cursorSize), p.Version[:]...)
	b = append(b, p.View[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(p.Offset))
	return base64.RawURLEncoding.EncodeToString(append(b, c.mac(b)...))
}

// Read returns the place that a cursor of this list names; ok is false for all other texts.
func (c Cursors) Read(text string) (p Place, ok bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(cursorSize) {
		return Place{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || subtle.ConstantTimeCompare(b[cursorSize-cursorMAC:], c.mac(b[:cursorSize-cursorMAC])) != 1 {
		return Place{}, false
	}
	p.Version, p.View = KeyOf(b), KeyOf(b[len(p.Version):])
	p.Offset = int(binary.BigEndian.Uint32(b[len(p.Version)+len(p.View):]))
	return p, true
}

func (c Cursors) mac(b []byte) []byte {
	return c.Keyring.MAC(secret.Cursor, c.List, c.Server, string(b))[:cursorMAC]
}

// After returns the place in now behind the last one that the client was shown and that is still there.
func After[T any](shown, now []T, name func(T) string) int {
	place := make(map[string]int, len(now))
	for i, one := range now {
		place[name(one)] = i + 1
	}
	for i := len(shown) - 1; i >= 0; i-- {
		if p, ok := place[name(shown[i])]; ok {
			return p
		}
	}
	return 0
}
