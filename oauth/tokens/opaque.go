package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const (
	codePrefix    = "dbc_"
	refreshPrefix = "dbr_"
	secretLength  = 43 // 256 bits in base64url
	idLength      = 22 // 128 bits in base64url
)

// NewCode returns a fresh authorization code and the hash under which it is stored.
func NewCode() (code, hash string) {
	code = codePrefix + randomSecret()
	return code, Hash(code)
}

// CodeHash returns the hash of a presented code; ok is false when it cannot be one of ours.
func CodeHash(code string) (hash string, ok bool) {
	rest, ok := strings.CutPrefix(code, codePrefix)
	if !ok || len(rest) != secretLength {
		return "", false
	}
	return Hash(code), true
}

// Refresh is a refresh token: dbr_{id}.{secret}. The id finds the row; of the secret only the hash is stored.
type Refresh struct {
	Token      string // the whole text; never stored in clear
	ID         string
	SecretHash string
}

// NewRefresh returns a fresh refresh token.
func NewRefresh() Refresh {
	r, _ := ParseRefresh(refreshPrefix + randomID() + "." + randomSecret())
	return r
}

// ParseRefresh splits a presented refresh token; ok is false when it cannot be one of ours.
func ParseRefresh(token string) (r Refresh, ok bool) {
	rest, ok := strings.CutPrefix(token, refreshPrefix)
	id, secret, dot := strings.Cut(rest, ".")
	if !ok || !dot || len(id) != idLength || len(secret) != secretLength {
		return Refresh{}, false
	}
	return Refresh{Token: token, ID: id, SecretHash: Hash(secret)}, true
}

// Matches compares with the stored hash in constant time.
func (r Refresh) Matches(secretHash string) bool {
	return subtle.ConstantTimeCompare([]byte(r.SecretHash), []byte(secretHash)) == 1
}

// NewClientSecret returns a fresh secret for a registered client.
func NewClientSecret() string { return "dbs_" + randomSecret() }

// NewGrantID returns a fresh grant id.
func NewGrantID() string { return randomID() }

// Hash is the form in which random secrets of at least 128 bits are stored: hex SHA-256.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func randomSecret() string { return base64.RawURLEncoding.EncodeToString(randomBytes(32)) }
