package tokens

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	accessType = "at+jwt"
	maxRoles   = 100
)

// Access is what an access token says.
type Access struct {
	Audience string // canonical resource
	Subject  string
	ClientID string
	GrantID  string
	Scopes   []string
	Roles    []string
	Tenant   string    // "" unknown
	Name     string    // "" unknown
	AuthTime time.Time // zero unknown
	NotAfter time.Time // the grant's absolute end; zero: none
}

// Issued is a signed access token.
type Issued struct {
	Token   string
	Expires time.Time
	TTL     time.Duration
	ID      string // jti
}

// Issuer signs access tokens.
type Issuer struct {
	Issuer  string                 // public_url
	Keyring func() *secret.Keyring // the current ring
	TTL     func() time.Duration   // oauth.access_token_ttl; nil or 0 means one hour
	Now     func() time.Time       // nil means time.Now
}

// claims is the payload of an access token (oauth.md §8.1), in both directions.
type claims struct {
	Issuer    string   `json:"iss"`
	Audience  audience `json:"aud"`
	Subject   string   `json:"sub"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	ID        string   `json:"jti"`
	GrantID   string   `json:"gid"`
	Roles     []string `json:"roles,omitempty"`
	Tenant    string   `json:"tid,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	Name      string   `json:"name,omitempty"`
}

// Issue signs an access token. Nothing of the identity provider's own token is in it: no e-mail, no groups.
func (i *Issuer) Issue(a Access) (Issued, error) {
	now := clock(i.Now).Truncate(time.Second)
	expires := now.Add(i.ttl())
	if !a.NotAfter.IsZero() && expires.After(a.NotAfter) {
		expires = a.NotAfter.Truncate(time.Second)
	}
	c := claims{
		Issuer: i.Issuer, Audience: audience{a.Audience}, Subject: a.Subject, ClientID: a.ClientID,
		Scope: strings.Join(slices.Sorted(slices.Values(a.Scopes)), " "), ID: randomID(), GrantID: a.GrantID,
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: expires.Unix(),
		Roles: slices.Sorted(slices.Values(a.Roles)), Tenant: a.Tenant, Name: a.Name,
	}
	c.Roles = c.Roles[:min(len(c.Roles), maxRoles)]
	if !a.AuthTime.IsZero() {
		c.AuthTime = a.AuthTime.Unix()
	}
	key := i.Keyring().Signing()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	t.Header = map[string]any{"alg": "ES256", "typ": accessType, "kid": key.ID}
	signed, err := t.SignedString(key.Private)
	if err != nil {
		return Issued{}, fmt.Errorf("sign access token: %w", err)
	}
	return Issued{Token: signed, Expires: expires, TTL: expires.Sub(now), ID: c.ID}, nil
}

func (i *Issuer) ttl() time.Duration {
	if i.TTL == nil || i.TTL() <= 0 {
		return time.Hour
	}
	return i.TTL()
}

// audience is written as one string, and read as a string or a list (RFC 7519 §4.1.3).
type audience []string

func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// The methods below make claims a jwt.Claims. The library's own validation is not used (see verify.go).

func (c claims) GetExpirationTime() (*jwt.NumericDate, error) { return date(c.Expires), nil }
func (c claims) GetIssuedAt() (*jwt.NumericDate, error)       { return date(c.IssuedAt), nil }
func (c claims) GetNotBefore() (*jwt.NumericDate, error)      { return date(c.NotBefore), nil }
func (c claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings(c.Audience), nil }

func date(unix int64) *jwt.NumericDate { return jwt.NewNumericDate(time.Unix(unix, 0)) }

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}

// randomID returns 128 random bits.
func randomID() string { return base64.RawURLEncoding.EncodeToString(randomBytes(16)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}
