package tokens

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	maxToken = 8192             // bytes; longer is refused before parsing
	ahead    = 60 * time.Second // how far iat and nbf may be ahead of our clock
)

// Verifier checks access tokens (oauth.md §8.2 rows 2 to 5). Its zero value of the unexported part is ready; it is used
// by pointer and lives as long as the process, so that what it remembers outlives a reload.
type Verifier struct {
	Issuer  string                 // public_url
	Keyring func() *secret.Keyring // the current ring
	Grants  GrantReader            // where revocations are read
	Blocked BlockedFunc            // whether a client may not be used any more; nil: none is
	Now     func() time.Time       // nil means time.Now

	memory   memory
	standing standings
}

// Token is what a good access token says.
type Token struct {
	Issuer, Audience, Subject, ClientID, ID, GrantID string
	Scopes                                           []string
	IssuedAt, NotBefore, Expires                     time.Time
	Caller                                           identity.Caller
}

// Verify returns who a token speaks for at the resource audience. Errors are *oauth.Error: InvalidToken with one public
// text whatever is wrong (Err has the reason), or TemporarilyUnavailable.
func (v *Verifier) Verify(ctx context.Context, token, audience string) (*identity.Caller, error) {
	t, grant, err := v.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if t.Audience != audience {
		return nil, invalid(errors.New("aud is another resource"))
	}
	caller := t.Caller
	caller.Groups, caller.Claims = grant.groups, grant.claims
	return &caller, nil
}

// Inspect verifies a token for whatever resource it is. What the Token points to is shared: read only.
func (v *Verifier) Inspect(ctx context.Context, token string) (*Token, error) {
	t, grant, err := v.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	out := *t
	out.Caller.Groups, out.Caller.Claims = grant.groups, grant.claims
	return &out, nil
}

// verify returns what is remembered of a good token, which nobody may change, and what its grant is now.
func (v *Verifier) verify(ctx context.Context, token string) (*Token, standing, error) {
	if len(token) > maxToken {
		return nil, standing{}, invalid(errors.New("too long"))
	}
	now, ring, hash := clock(v.Now), v.Keyring(), hashOf(token)
	t, ok := v.memory.get(hash, ring, now)
	if !ok {
		var err error
		if t, err = v.parse(token, ring); err != nil {
			return nil, standing{}, invalid(err)
		}
	}
	if err := checkTime(t, now); err != nil {
		return nil, standing{}, invalid(err)
	}
	if !ok {
		v.memory.put(hash, ring, t, now)
	}
	grant, err := v.standing.check(ctx, v, t, now)
	return t, grant, err
}

// hashOf hashes on the stack: tokens are hashed on every call.
func hashOf(token string) tokenHash {
	var buf [1536]byte
	return sha256.Sum256(append(buf[:0], token...))
}

// Drop makes a revocation on this replica count at once: tokens of the grant are refused from the next call on.
func (v *Verifier) Drop(grantID string) { v.standing.drop(grantID, clock(v.Now)) }

// invalid is the one answer to every fault of a token.
func invalid(reason error) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidToken, Description: "the access token is not valid", Err: reason}
}

// parse checks header, signature and issuer. Times are left to checkTime, which runs on every call: the library would
// give exp the same leeway as nbf.
func (v *Verifier) parse(token string, ring *secret.Keyring) (*Token, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	var c claims
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return keyOf(t.Header, ring) })
	if err != nil {
		return nil, err
	}
	if c.Issuer != v.Issuer {
		return nil, errors.New("iss is not us")
	}
	if len(c.Audience) != 1 {
		return nil, errors.New("aud is not one value")
	}
	if c.Expires == 0 || c.Subject == "" || c.GrantID == "" {
		return nil, errors.New("exp, sub or gid is missing")
	}
	return c.token(), nil
}

// keyOf chooses the key by kid from our own ring. Whatever else a header offers (jku, x5u, jwk, x5c) is not looked at.
func keyOf(header map[string]any, ring *secret.Keyring) (*ecdsa.PublicKey, error) {
	if _, ok := header["crit"]; ok {
		return nil, errors.New("crit is not understood")
	}
	typ, _ := header["typ"].(string)
	typ = strings.ToLower(typ)
	if strings.TrimPrefix(typ, "application/") != accessType {
		return nil, errors.New("typ is not at+jwt") // identity statements are signed with the same keys
	}
	kid, _ := header["kid"].(string)
	for _, key := range ring.SigningKeys() {
		if key.ID == kid && kid != "" {
			return &key.Private.PublicKey, nil
		}
	}
	return nil, errors.New("kid is not in the ring")
}

func checkTime(t *Token, now time.Time) error {
	switch {
	case !now.Before(t.Expires):
		return errors.New("expired")
	case t.NotBefore.After(now.Add(ahead)):
		return fmt.Errorf("nbf is ahead by %s", t.NotBefore.Sub(now).Round(time.Second))
	case t.IssuedAt.After(now.Add(ahead)):
		return fmt.Errorf("iat is ahead by %s", t.IssuedAt.Sub(now).Round(time.Second))
	}
	return nil
}

func (c *claims) token() *Token {
	t := &Token{
		Issuer: c.Issuer, Audience: c.Audience[0], Subject: c.Subject, ClientID: c.ClientID, ID: c.ID, GrantID: c.GrantID,
		Scopes: strings.Fields(c.Scope), IssuedAt: time.Unix(c.IssuedAt, 0), NotBefore: time.Unix(c.NotBefore, 0),
		Expires: time.Unix(c.Expires, 0),
	}
	t.Caller = identity.Caller{
		Kind: identity.Person, Subject: c.Subject, Name: c.Name, Tenant: c.Tenant, ClientID: c.ClientID, Roles: c.Roles,
		Scopes: t.Scopes, GrantID: c.GrantID, Expires: t.Expires, Audience: t.Audience,
	}
	if c.Subject == ServiceSubject(c.ClientID) {
		t.Caller.Kind = identity.App
	}
	return t
}

// ServiceSubject is the sub of a client that acts for itself.
func ServiceSubject(clientID string) string { return "client:" + clientID }
