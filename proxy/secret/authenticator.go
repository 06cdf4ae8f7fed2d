package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
)

// Authenticator computes what Keyring.MAC computes for one purpose, for those who do so on every request: deriving the
// key costs four times the MAC itself.
type Authenticator struct{ key []byte }

// Authenticator returns the authenticator of purpose.
func (k *Keyring) Authenticator(purpose Purpose) Authenticator {
	return Authenticator{derive(k.mac, purpose)}
}

// MAC returns the same as Keyring.MAC for the purpose of a.
func (a Authenticator) MAC(parts ...string) []byte {
	h := hmac.New(sha256.New, a.key)
	var b []byte
	for _, p := range parts {
		b = strconv.AppendInt(b[:0], int64(len(p)), 10)
		b = append(append(b, ':'), p...)
		h.Write(b)
	}
	return h.Sum(nil)
}
