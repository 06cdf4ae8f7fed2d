package entra

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const (
	maxIDToken = 16 << 10
	clockSkew  = 5 * time.Minute // go-oidc's fixed leeway for nbf; iat gets the same
)

// claims are those of an ID token, by name: providers differ too much for one struct.
type claims map[string]any

func (c claims) text(name string) string { s, _ := c[name].(string); return s }

// texts reads a claim that is a list of texts, or one text.
func (c claims) texts(name string) []string { return textsOf(c[name]) }

func textsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func (c claims) time(name string) time.Time {
	if n, ok := c[name].(float64); ok && n > 0 && n < 1e12 {
		return time.Unix(int64(n), 0).UTC()
	}
	return time.Time{}
}

// verify checks an ID token as far as every provider agrees: one signature by a pinned algorithm and a key of the
// issuer, issuer, one audience, authorized party, times, not an access token. wantNonce "" skips the nonce: tokens of a
// refresh have none.
func (i *issuer) verify(ctx context.Context, raw, clientID, wantNonce string) (claims, error) {
	head, err := readHeader(raw)
	if err != nil {
		return nil, notVerified(err)
	}
	e, err := i.get(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	key, err := e.keys.find(ctx, head.KeyID)
	switch {
	case errors.Is(err, errNoKey):
		return nil, notVerified(err)
	case err != nil:
		return nil, unavailable(err)
	}
	cfg := &oidc.Config{ClientID: clientID, SupportedSigningAlgs: names(e.algs), Now: i.o.Now}
	token, err := oidc.NewVerifier(i.url, pinned{key: key, algs: e.algs}, cfg).Verify(ctx, raw)
	if err != nil {
		return nil, notVerified(errors.New("signature, issuer, audience or time is wrong")) // go-oidc's words quote claims
	}
	var c claims
	if err := token.Claims(&c); err != nil {
		return nil, notVerified(err)
	}
	if err := i.checkClaims(c, token, head, clientID, wantNonce); err != nil {
		return nil, notVerified(err)
	}
	return c, nil
}

// checkClaims does what go-oidc leaves to its callers.
func (i *issuer) checkClaims(c claims, token *oidc.IDToken, head tokenHeader, clientID, wantNonce string) error {
	now := i.o.Now()
	switch {
	case len(token.Audience) != 1:
		return errors.New("more than one audience")
	case c["azp"] != nil && c.text("azp") != clientID:
		return errors.New("issued to another party")
	case wantNonce != "" && subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(wantNonce)) != 1:
		return errors.New("nonce is missing or another one")
	case c["exp"] == nil || c["iat"] == nil:
		return errors.New("exp or iat is missing")
	case token.IssuedAt.After(now.Add(clockSkew)):
		return errors.New("issued in the future")
	case c["scp"] != nil, c.text("idtyp") == "app", head.accessToken():
		return errors.New("an access token is not an ID token")
	}
	return nil
}

// tokenHeader is the part of a JOSE header we read before a signature is checked: which key, and which kind of token.
type tokenHeader struct {
	KeyID string `json:"kid"`
	Type  string `json:"typ"`
}

func (h tokenHeader) accessToken() bool {
	typ := strings.TrimPrefix(strings.ToLower(h.Type), "application/")
	return typ == "at+jwt"
}

// readHeader bounds the size before anything is parsed and takes three segments only: five would be encrypted (JWE).
func readHeader(raw string) (tokenHeader, error) {
	var h tokenHeader
	switch {
	case raw == "":
		return h, errors.New("no id token")
	case len(raw) > maxIDToken:
		return h, errors.New("id token is too large")
	case strings.Count(raw, ".") != 2:
		return h, errors.New("id token has not three segments")
	}
	segment, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return h, errors.New("id token header is not base64url")
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, errors.New("id token header is not json")
	}
	return h, nil
}

// keep picks the configured claims: texts and lists of texts of at most 1 KiB; what does not fit is left out.
func (c claims) keep(wanted []string) (kept map[string]any, dropped []string) {
	for _, name := range wanted {
		v, ok := c[name]
		if !ok {
			continue
		}
		size := 0
		for _, s := range textsOf(v) {
			size += len(s)
		}
		list, isList := v.([]any)
		_, isText := v.(string)
		if size > 1<<10 || !isText && (!isList || len(textsOf(v)) != len(list)) {
			dropped = append(dropped, name)
			continue
		}
		if kept == nil {
			kept = map[string]any{}
		}
		kept[name] = v
	}
	return kept, dropped
}

func names(algs []jose.SignatureAlgorithm) []string {
	out := make([]string, len(algs))
	for i, a := range algs {
		out[i] = string(a)
	}
	return out
}

// notVerified is a page for the person, never a redirect: nobody knows yet who sent this.
func notVerified(err error) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidToken, Status: 400, Description: "the answer of the identity provider could not be verified", Err: fmt.Errorf("id token: %w", err)}
}
