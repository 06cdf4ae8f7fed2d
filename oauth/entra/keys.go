package entra

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keyLife         = 24 * time.Hour  // after this long, keys that a provider took back stop counting
	keyRefetchEvery = 5 * time.Minute // for an unknown kid: strangers choose kids, so they must not choose our traffic
	keyRetryEvery   = 5 * time.Second // while nothing was ever loaded
)

var errNoKey = errors.New("no key with this id")

// keySet holds the signing keys of one issuer. go-oidc's own set asks again for each unknown kid (oauth.md §12); this
// one asks at most once per five minutes, and one caller at a time.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // last success
	tried   time.Time // last attempt
}

// find returns the key with this id, asking the provider when it is worth it. errNoKey: there is none; anything else:
// the keys could not be had.
func (s *keySet) find(ctx context.Context, kid string) (*jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	key := s.lookup(kid)
	switch {
	case s.fetched.IsZero():
		if !s.tried.IsZero() && now.Sub(s.tried) < keyRetryEvery {
			return nil, errors.New("fetch keys: failed a moment ago")
		}
		if err := s.fetch(ctx, now); err != nil {
			return nil, err
		}
	case (key == nil || now.Sub(s.fetched) > keyLife) && now.Sub(s.tried) >= keyRefetchEvery:
		_ = s.fetch(ctx, now) // the last good keys stay
	}
	if key = s.lookup(kid); key == nil {
		return nil, errNoKey
	}
	return key, nil
}

func (s *keySet) lookup(kid string) *jose.JSONWebKey {
	if kid == "" {
		return nil
	}
	for i := range s.keys {
		if s.keys[i].KeyID == kid {
			return &s.keys[i]
		}
	}
	return nil
}

func (s *keySet) fetch(ctx context.Context, now time.Time) error {
	s.tried = now
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout) // others wait for the same answer
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch keys: status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	keys, err := parseKeys(raw)
	if err != nil {
		return err
	}
	s.keys, s.fetched = keys, now
	return nil
}

// parseKeys keeps the public signing keys we could use and ignores the rest, as RFC 7517 §5 asks.
func parseKeys(raw []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New("fetch keys: not a key set")
	}
	var keys []jose.JSONWebKey
	for _, m := range doc.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(m) == nil && k.IsPublic() && k.Valid() && (k.Use == "" || k.Use == "sig") && k.KeyID != "" {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("fetch keys: none usable")
	}
	return keys, nil
}

// pinned verifies with one key that was chosen beforehand. Key headers of the token (jku, x5u, jwk, x5c) are never
// looked at.
type pinned struct {
	key  *jose.JSONWebKey
	algs []jose.SignatureAlgorithm
}

func (p pinned) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSigned(raw, p.algs)
	if err != nil {
		return nil, errors.New("malformed token")
	}
	if len(jws.Signatures) != 1 {
		return nil, errors.New("not exactly one signature")
	}
	alg := jws.Signatures[0].Header.Algorithm
	if !fits(p.key, alg) {
		return nil, errors.New("key does not fit the algorithm")
	}
	return jws.Verify(p.key.Key)
}

// fits keeps a key to its own algorithm: an RSA key for RS256 and PS256, a P-256 key for ES256.
func fits(k *jose.JSONWebKey, alg string) bool {
	if k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return (alg == "RS256" || alg == "PS256") && key.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		return alg == "ES256" && key.Curve == elliptic.P256()
	}
	return false
}
