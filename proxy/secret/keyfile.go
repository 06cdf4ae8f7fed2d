package secret

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// keysVersion is the only version of the file that there is.
const keysVersion = 1

// maxKeysFile is far more than a ring of years of rotation needs.
const maxKeysFile = 64 << 10

// keysFile is the form of storage.keys (operations.md K1). Keys are base64; private is PKCS #8.
type keysFile struct {
	Version    int             `json:"version"`
	Signing    []signingEntry  `json:"signing"`
	Encryption []encryptionKey `json:"encryption"`
	MAC        []byte          `json:"mac"`
}

type signingEntry struct {
	KID     string    `json:"kid"`
	Alg     string    `json:"alg"`
	Private []byte    `json:"private"`
	Created time.Time `json:"created"`
	State   string    `json:"state"`
}

type encryptionKey struct {
	ID    string `json:"id"`
	Key   []byte `json:"key"`
	State string `json:"state"`
}

// ParseKeyring reads the JSON of a keys file, as env:NAME holds it. Errors never show any of it.
func ParseKeyring(data []byte) (*Keyring, error) {
	if len(data) > maxKeysFile {
		return nil, errors.New("keys: larger than 64 KiB")
	}
	var f keysFile
	if err := decodeKeys(data, &f); err != nil {
		return nil, err
	}
	k := &Keyring{mac: f.MAC}
	for i, s := range f.Signing {
		key, err := s.parse()
		if err != nil {
			return nil, fmt.Errorf("keys: signing[%d]: %w", i, err)
		}
		k.signing = append(k.signing, key)
	}
	for i, e := range f.Encryption {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("keys: encryption[%d]: %w", i, err)
		}
		k.sealing = append(k.sealing, sealingKey{id: e.ID, root: e.Key, state: e.State})
	}
	return k, k.check()
}

// decodeKeys wants one object, whole, of a known version. The decoder's own texts may quote the file, so they are not
// passed on.
func decodeKeys(data []byte, f *keysFile) error {
	if err := json.Unmarshal(data, f); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("keys: not JSON, or cut off, at byte %d", syntax.Offset)
		}
		return errors.New("keys: not the JSON of a keys file")
	}
	if f.Version != keysVersion {
		return fmt.Errorf("keys: version %d is not one that this program reads (%d)", f.Version, keysVersion)
	}
	return nil
}

func (s signingEntry) parse() (SigningKey, error) {
	if s.KID == "" || s.Alg != "ES256" {
		return SigningKey{}, errors.New("needs a kid and alg ES256")
	}
	if err := checkState(s.State); err != nil {
		return SigningKey{}, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(s.Private)
	if err != nil {
		return SigningKey{}, errors.New("private is not PKCS #8")
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return SigningKey{}, errors.New("private is not a P-256 key")
	}
	return SigningKey{ID: s.KID, Private: private, Created: s.Created, State: s.State}, nil
}

func (e encryptionKey) check() error {
	if e.ID == "" || len(e.Key) != 32 {
		return errors.New("needs an id and a key of 32 bytes")
	}
	for _, c := range e.ID {
		if c == '.' { // separates the parts of a sealed value
			return errors.New("id has a dot")
		}
	}
	return checkState(e.State)
}

func checkState(state string) error {
	switch state {
	case Active, Next, Retired:
		return nil
	default:
		return errors.New("state is not active, next or retired")
	}
}

// check wants exactly one active key of each kind and no id twice.
func (k *Keyring) check() error {
	seen, signing, sealing := map[string]bool{}, 0, 0
	for _, s := range k.signing {
		if seen["s/"+s.ID] {
			return errors.New("keys: a kid is there twice")
		}
		seen["s/"+s.ID] = true
		if s.State == Active {
			signing++
		}
	}
	for _, s := range k.sealing {
		if seen["e/"+s.id] {
			return errors.New("keys: an encryption id is there twice")
		}
		seen["e/"+s.id] = true
		if s.state == Active {
			sealing++
		}
	}
	if signing != 1 || sealing != 1 {
		return errors.New("keys: needs one active signing key and one active encryption key")
	}
	if len(k.mac) != 32 {
		return errors.New("keys: mac is not 32 bytes")
	}
	return nil
}

// marshal writes the ring as a keys file.
func (k *Keyring) marshal() ([]byte, error) {
	f := keysFile{Version: keysVersion, MAC: k.mac}
	for _, s := range k.signing {
		private, err := x509.MarshalPKCS8PrivateKey(s.Private)
		if err != nil {
			return nil, fmt.Errorf("encode signing key: %w", err)
		}
		f.Signing = append(f.Signing, signingEntry{s.ID, "ES256", private, s.Created.UTC(), s.State})
	}
	for _, s := range k.sealing {
		f.Encryption = append(f.Encryption, encryptionKey{s.id, s.root, s.state})
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode keys: %w", err)
	}
	return append(data, '\n'), nil
}

// EncryptionIDs names the keys that sealed values may need, the active one first. A database records them, so that it
// can tell when it is opened with another ring (operations.md K6). The names are no secrets.
func (k *Keyring) EncryptionIDs() []string {
	var ids []string
	for _, s := range k.sealing {
		if s.state == Active {
			ids = append([]string{s.id}, ids...)
		} else {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// keyID separates names of keys from everything that is made with them.
const keyID Purpose = "key-id"

// MACID names the root of the message authentication keys without telling anything about it.
func (k *Keyring) MACID() string {
	return base64.RawURLEncoding.EncodeToString(k.MAC(keyID, "mac")[:9])
}
