package resource

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// States of a subscription (operations.md §7).
const (
	StateActive    = "active"
	StateRequested = "requested"
	StateSuspended = "suspended"
	StateRejected  = "rejected"
	StateCancelled = "cancelled"
	StateExpired   = "expired"
)

// Subscription is what a key belongs to.
type Subscription struct {
	ID      string         // "" means ConfiguredID(Name)
	Name    string         // unique
	Product string         // its product's name
	Grants  []string       // the product's: llm:NAME, llm:*, mcp:NAME, mcp:*
	Keys    []secret.Value // one or two; both work
	State   string         // "" means active
	Expires time.Time      // zero: never
}

// Keys finds the subscription of a key. It is immutable, built with each configuration snapshot.
type Keys struct {
	ring  *secret.Keyring
	byMAC map[[sha256.Size]byte]*keyEntry
}

type keyEntry struct {
	mac          [sha256.Size]byte
	subscription Subscription
}

// NewKeys indexes subscriptions by the HMAC of their keys: the process holds no table of keys in clear, and how long a
// look-up takes tells nothing about how much of a key was right.
func NewKeys(ring *secret.Keyring, subscriptions []Subscription) (*Keys, error) {
	k := &Keys{ring: ring, byMAC: map[[sha256.Size]byte]*keyEntry{}}
	var faults []error
	for _, s := range subscriptions {
		if s.ID == "" {
			s.ID = ConfiguredID(s.Name)
		}
		if s.State == "" {
			s.State = StateActive
		}
		if len(s.Keys) > 2 {
			faults = append(faults, fmt.Errorf("subscription %s: has more than two keys", s.Name))
		}
		for i, key := range s.Keys {
			if err := k.add(key.Reveal(), s); err != nil {
				faults = append(faults, fmt.Errorf("subscription %s: key %d %w", s.Name, i+1, err))
			}
		}
	}
	return k, errors.Join(faults...)
}

func (k *Keys) add(key string, s Subscription) error {
	if !validKey(key) {
		return errors.New("must be 16 to 512 visible ASCII characters")
	}
	mac := k.mac(key)
	if other, ok := k.byMAC[mac]; ok && other.subscription.Name != s.Name {
		return fmt.Errorf("is also a key of subscription %s", other.subscription.Name)
	}
	s.Keys = nil // not needed any more
	k.byMAC[mac] = &keyEntry{mac: mac, subscription: s}
	return nil
}

func (k *Keys) mac(key string) [sha256.Size]byte {
	return [sha256.Size]byte(k.ring.MAC(secret.SubscriptionKey, key))
}

// find returns the subscription of a key. Right and wrong keys cost the same: one HMAC, one look-up, one comparison
// (llm.md KEY-9).
func (k *Keys) find(key string) (*Subscription, bool) {
	if k == nil {
		return nil, false
	}
	mac := k.mac(key[:min(len(key), maxKey)])
	entry, ok := k.byMAC[mac]
	if !ok {
		entry = &keyEntry{}
	}
	equal := hmac.Equal(mac[:], entry.mac[:])
	if !ok || !equal || len(key) > maxKey {
		return nil, false
	}
	return &entry.subscription, true
}

// state returns the state at a time.
func (s *Subscription) state(now time.Time) string {
	if s.State == StateActive && !s.Expires.IsZero() && !now.Before(s.Expires) {
		return StateExpired
	}
	return s.State
}

// MayUseServer reports whether the product grants an MCP server.
func (s *Subscription) MayUseServer(name string) bool {
	return slices.Contains(s.Grants, "mcp:*") || slices.Contains(s.Grants, "mcp:"+name)
}

func (s *Subscription) caller() *identity.Caller {
	return &identity.Caller{
		Kind: identity.Key, Name: s.Name,
		Subscription: identity.Subscription{ID: s.ID, Name: s.Name, Product: s.Product},
	}
}

func validKey(key string) bool {
	for i := range len(key) {
		if key[i] < 0x21 || key[i] > 0x7e {
			return false
		}
	}
	return len(key) >= minKey && len(key) <= maxKey
}

// ConfiguredID is the id of a subscription from the configuration: the same on every replica and after every restart.
func ConfiguredID(name string) string {
	sum := sha256.Sum256([]byte("subscription/" + name))
	return "sub_" + hex.EncodeToString(sum[:8])
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewKey makes a key (operations.md P3): dbk_, 8 characters id, _, 32 characters random (190 bits), 4 characters CRC, so
// that secret scanners recognise one that leaked.
func NewKey() string {
	body := "dbk_" + randomBase62(8) + "_" + randomBase62(32)
	return body + checksum(body)
}

// WellFormedKey reports whether key has the form and checksum of NewKey.
func WellFormedKey(key string) bool {
	if len(key) != 4+8+1+32+4 || key[:4] != "dbk_" || key[12] != '_' {
		return false
	}
	return checksum(key[:len(key)-4]) == key[len(key)-4:]
}

// checksum writes the CRC-32 of s modulo 62^4.
func checksum(s string) string {
	n, out := crc32.ChecksumIEEE([]byte(s))%(62*62*62*62), make([]byte, 4)
	for i := range out {
		out[len(out)-1-i] = base62[n%62]
		n /= 62
	}
	return string(out)
}

func randomBase62(n int) string {
	out := make([]byte, n)
	for i := range out {
		d, err := rand.Int(rand.Reader, big.NewInt(62)) // unbiased
		if err != nil {
			panic("crypto/rand: " + err.Error()) // never fails
		}
		out[i] = base62[d.Int64()]
	}
	return string(out)
}
