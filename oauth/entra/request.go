package entra

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// authURL adds the parameters of an authorization request to endpoint, which may have a query of its own.
func authURL(endpoint, clientID, redirectURI, scope string, t *oauth.Transaction, o oauth.AuthOptions) (string, error) {
	if t.UpstreamState == "" || t.Nonce == "" || t.Verifier == "" {
		return "", errors.New("transaction has no state, nonce or verifier")
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("authorization endpoint: %w", err)
	}
	q := u.Query()
	for k, v := range map[string]string{
		"client_id": clientID, "response_type": "code", "response_mode": "query", "redirect_uri": redirectURI, "scope": scope,
		"state": t.UpstreamState, "nonce": t.Nonce,
		"code_challenge": oauth2.S256ChallengeFromVerifier(t.Verifier), "code_challenge_method": "S256",
	} {
		q.Set(k, v)
	}
	if o.SelectAccount {
		q.Set("prompt", "select_account")
	}
	if o.LoginHint != "" {
		q.Set("login_hint", o.LoginHint)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// upstreamOf keeps what later refreshes need.
func upstreamOf(a *tokenAnswer, tenant string, now time.Time) oauth.Upstream {
	life := time.Duration(min(max(a.ExpiresIn, 0), 24*3600)) * time.Second
	return oauth.Upstream{Tenant: tenant, AccessToken: a.AccessToken, RefreshToken: a.RefreshToken, Expires: now.Add(life).UTC(), Checked: now.UTC()}
}

// renewed joins the answer of a refresh with what was known. It must be about the same person: an answer about another
// one ends the grant rather than change whom it speaks for.
func renewed(id, next oauth.Identity, a *tokenAnswer, u oauth.Upstream, now time.Time) (oauth.Identity, oauth.Upstream, error) {
	if next.Subject != id.Subject {
		return id, u, &oauth.Error{Code: oauth.InvalidGrant, Description: "sign in again", Err: errors.New("refresh answered for another person")}
	}
	next.AuthTime, next.SID = id.AuthTime, id.SID // of the sign-in, not of the refresh
	up := upstreamOf(a, u.Tenant, now)
	if up.RefreshToken == "" {
		up.RefreshToken = u.RefreshToken
	}
	return next, up, nil
}

// refreshRefusal turns an error of checking an ID token into one of a refresh: trouble stays trouble, everything else
// ends the grant.
func refreshRefusal(err error) error {
	var e *oauth.Error
	if errors.As(err, &e) && e.Code == oauth.TemporarilyUnavailable {
		return e
	}
	if errors.Is(err, errGroups) {
		return unavailable(err)
	}
	return &oauth.Error{Code: oauth.InvalidGrant, Description: "sign in again", Err: err}
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// asciiOnly keeps error descriptions within RFC 6749 §4.1.2.1.
func asciiOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}
