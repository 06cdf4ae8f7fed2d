package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Purpose separates what keys are used for (operations.md K2): a value made for one purpose is refused by all others.
type Purpose string

const (
	Row             Purpose = "row"              // encrypted columns
	Cookie          Purpose = "cookie"           // browser binding and sessions
	CSRF            Purpose = "csrf"             // form tokens
	Cursor          Purpose = "cursor"           // list cursors
	State           Purpose = "state"            // upstream state
	SubscriptionKey Purpose = "subscription-key" // look-up of subscription keys
	Audit           Purpose = "audit"
	Cache           Purpose = "cache"
	MCPSession      Purpose = "mcp-session"
	MCPState        Purpose = "mcp-state"
)

// ErrSealed says that a sealed value does not open: another key, purpose or place, or not what Seal made.
var ErrSealed = errors.New("sealed value does not open")

// State of a key in the ring.
const (
	Active  = "active"
	Next    = "next"    // published, not yet used for signing
	Retired = "retired" // published until the last token it signed has expired
)

// SigningKey signs access tokens with ES256.
type SigningKey struct {
	ID      string // kid
	Private *ecdsa.PrivateKey
	Created time.Time
	State   string
}

// sealingKey is a 256-bit root from which the keys of all purposes are derived.
type sealingKey struct {
	id    string
	root  []byte
	state string
}

// Keyring holds the installation's keys: signing keys, encryption keys (the active one seals, all open) and the root of
// the message authentication keys. It is immutable; rotation makes a new one.
type Keyring struct {
	signing []SigningKey
	sealing []sealingKey
	mac     []byte

	derived sync.Map // derivation → cipher.AEAD: derived once, used for every call

	adding sync.Mutex
	macs   atomic.Pointer[map[Purpose]*sync.Pool] // of *mac; the map is never changed, a larger one takes its place
}

// derivation names a derived key of the encryption key with this id.
type derivation struct {
	id      string
	purpose Purpose
}

// NewKeyring makes a ring of fresh random keys, as on a first start.
func NewKeyring(now time.Time) (*Keyring, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	k := &Keyring{
		signing: []SigningKey{{ID: randomID(), Private: private, Created: now.UTC().Truncate(time.Second), State: Active}},
		sealing: []sealingKey{{id: randomID(), root: randomBytes(32), state: Active}},
		mac:     randomBytes(32),
	}
	return k, nil
}

// Signing returns the key that signs now.
func (k *Keyring) Signing() SigningKey {
	for _, s := range k.signing {
		if s.State == Active {
			return s
		}
	}
	return k.signing[0]
}

// SigningKeys returns all keys that are published, the active one first.
func (k *Keyring) SigningKeys() []SigningKey { return append([]SigningKey(nil), k.signing...) }

// MAC returns HMAC-SHA-256 over the parts under the key of purpose. Each part is preceded by its length, so that
// ("ab","c") and ("a","bc") differ.
func (k *Keyring) MAC(purpose Purpose, parts ...string) []byte {
	pool := k.macsOf(purpose)
	h := pool.Get().(*mac)
	defer pool.Put(h)
	h.Reset()
	h.buf = h.buf[:0]
	for _, p := range parts {
		h.buf = append(strconv.AppendInt(h.buf, int64(len(p)), 10), ':')
		h.buf = append(h.buf, p...)
	}
	h.Write(h.buf)
	clear(h.buf)
	return h.Sum(nil)
}

// mac is a hash under one key that is used again: setting one up costs as much as a short message.
type mac struct {
	hash.Hash
	buf []byte
}

// Seal encrypts plaintext with AES-256-GCM under the active key of purpose and a random 96-bit nonce. place binds the
// value to where it is kept, table/column/primary key: moved elsewhere it does not open. The form is
// v1.{key id}.{nonce}.{ciphertext}, base64url.
func (k *Keyring) Seal(purpose Purpose, place string, plaintext []byte) (string, error) {
	key := k.sealing[0]
	for _, s := range k.sealing {
		if s.state == Active {
			key = s
		}
	}
	aead, err := k.aead(key, purpose)
	if err != nil {
		return "", err
	}
	nonce := randomBytes(aead.NonceSize())
	enc := base64.RawURLEncoding
	return "v1." + key.id + "." + enc.EncodeToString(nonce) + "." + enc.EncodeToString(aead.Seal(nil, nonce, plaintext, []byte(place))), nil
}

// Open reverses Seal. It returns ErrSealed when anything does not fit.
func (k *Keyring) Open(purpose Purpose, place, sealed string) ([]byte, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 4 || parts[0] != "v1" {
		return nil, ErrSealed
	}
	nonce, err1 := base64.RawURLEncoding.DecodeString(parts[2])
	text, err2 := base64.RawURLEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil {
		return nil, ErrSealed
	}
	for _, key := range k.sealing {
		if key.id != parts[1] {
			continue
		}
		aead, err := k.aead(key, purpose)
		if err != nil || len(nonce) != aead.NonceSize() {
			return nil, ErrSealed
		}
		plain, err := aead.Open(nil, nonce, text, []byte(place))
		if err != nil {
			return nil, ErrSealed
		}
		return plain, nil
	}
	return nil, ErrSealed
}

// macsOf returns the hashes of a purpose that are not in use.
func (k *Keyring) macsOf(purpose Purpose) *sync.Pool {
	if known := k.macs.Load(); known != nil {
		if pool := (*known)[purpose]; pool != nil {
			return pool
		}
	}
	return k.addMACs(purpose)
}

func (k *Keyring) addMACs(purpose Purpose) *sync.Pool {
	k.adding.Lock()
	defer k.adding.Unlock()
	larger := map[Purpose]*sync.Pool{}
	if known := k.macs.Load(); known != nil {
		if pool := (*known)[purpose]; pool != nil {
			return pool
		}
		maps.Copy(larger, *known)
	}
	key := derive(k.mac, purpose)
	pool := &sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key)} }}
	larger[purpose] = pool
	k.macs.Store(&larger)
	return pool
}

func (k *Keyring) aead(key sealingKey, purpose Purpose) (cipher.AEAD, error) {
	name := derivation{key.id, purpose}
	if aead, ok := k.derived.Load(name); ok {
		return aead.(cipher.AEAD), nil
	}
	block, err := aes.NewCipher(derive(key.root, purpose))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	k.derived.Store(name, aead)
	return aead, nil
}

func derive(root []byte, purpose Purpose) []byte {
	key, err := hkdf.Key(sha256.New, root, nil, "drawbridge/v1/"+string(purpose), 32)
	if err != nil {
		panic("hkdf: " + err.Error()) // only for lengths above 255 hashes
	}
	return key
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

func randomID() string { return base64.RawURLEncoding.EncodeToString(randomBytes(9)) }
