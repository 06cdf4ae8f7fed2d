package tokens

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// jwk has the public members of an EC key only (RFC 7517, RFC 7518 §6.2.1): a private member cannot slip in.
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

// JWKS returns the published keys as a JWK set, the active one first.
func JWKS(ring *secret.Keyring) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, key := range ring.SigningKeys() {
		point, err := key.Private.PublicKey.Bytes() // 4, X, Y: each coordinate at full length
		if err != nil || len(point) != 65 {
			return nil, fmt.Errorf("encode key %s: not on P-256", key.ID)
		}
		b64 := base64.RawURLEncoding.EncodeToString
		set.Keys = append(set.Keys, jwk{
			Type: "EC", Curve: "P-256", X: b64(point[1:33]), Y: b64(point[33:]), ID: key.ID, Use: "sig", Algorithm: "ES256",
		})
	}
	return json.Marshal(set)
}
