package oauthtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// token redeems codes and refresh tokens, and refuses as Entra does.
func (e *Entra) token(w http.ResponseWriter, r *http.Request) {
	s, form := e.state(), r.PostForm
	fault := s.Token
	switch form.Get("grant_type") {
	case "refresh_token":
		fault = s.Refresh
	case jwtBearer:
		fault = s.OBO
	}
	if e.fails(w, r, fault) {
		return
	}
	refuse := func(status int, code, text string) {
		writeJSON(w, status, map[string]any{"error": code, "error_description": text, "correlation_id": "corr-1", "trace_id": "trace-1"})
	}
	if text := e.refuseClient(s, r); text != "" {
		refuse(http.StatusUnauthorized, "invalid_client", text)
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		grant, nonce, text := e.spend(form, r.PathValue("tenant"))
		if text != "" {
			refuse(http.StatusBadRequest, "invalid_grant", text)
			return
		}
		e.answer(w, s, grant, nonce)
	case "refresh_token":
		e.mu.Lock()
		grant := e.refresh[form.Get("refresh_token")]
		e.mu.Unlock()
		switch {
		case form.Get("scope") == "":
			refuse(http.StatusBadRequest, "invalid_request", "AADSTS90009: Application is requesting a token for itself.")
		case grant == nil || grant.tenant != r.PathValue("tenant"):
			refuse(http.StatusBadRequest, "invalid_grant", "AADSTS700082: The refresh token has expired.")
		default:
			e.answer(w, s, grant, "")
		}
	case jwtBearer:
		if text := refuseExchange(form); text != "" {
			refuse(http.StatusBadRequest, "invalid_grant", text)
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "scope": form.Get("scope"), "access_token": GraphToken})
	default:
		refuse(http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: Unsupported grant.")
	}
}

// spend takes a code: once, with its PKCE verifier and redirect URI.
func (e *Entra) spend(form url.Values, tenant string) (*entraGrant, string, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.codes[form.Get("code")]
	switch {
	case c == nil || c.tenant != tenant:
		return nil, "", "AADSTS9002313: Invalid request. Request is malformed or invalid."
	case c.spent:
		return nil, "", "AADSTS54005: OAuth2 Authorization code was already redeemed."
	case challengeOf(form.Get("code_verifier")) != c.challenge:
		return nil, "", "AADSTS50148: The code_verifier does not match the code_challenge."
	case form.Get("redirect_uri") != c.redirect:
		return nil, "", "AADSTS500112: The reply address does not match."
	}
	c.spent = true
	return &entraGrant{tenant: c.tenant, person: c.person, scope: c.scope}, c.nonce, ""
}

// answer gives a new refresh token each time and keeps the old one valid.
func (e *Entra) answer(w http.ResponseWriter, s Switches, g *entraGrant, nonce string) {
	p, ok := s.find(g.person)
	if !ok || p.Disabled {
		text := "AADSTS50057: The user account is disabled."
		if !ok {
			text = "AADSTS50034: The user account does not exist."
		}
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": text})
		return
	}
	e.mu.Lock()
	e.serial++
	refresh := fmt.Sprintf("1.AXoA-upstream-refresh-%d", e.serial)
	e.refresh[refresh] = g
	key := e.keys[0]
	e.mu.Unlock()
	body := map[string]any{"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "scope": g.scope,
		"access_token": key.sign(map[string]any{"alg": "RS256", "typ": "JWT", "kid": key.kid}, e.accessClaims(p))}
	if !s.NoIDToken {
		forged := &Forged{Header: map[string]any{"alg": "RS256", "typ": "JWT", "kid": key.kid}, Claims: e.idClaims(p, nonce), key: key}
		if s.IDToken != nil {
			s.IDToken(forged)
		}
		body["id_token"] = forged.token()
	}
	if !s.NoRefreshToken && strings.Contains(g.scope, "offline_access") {
		body["refresh_token"] = refresh
	}
	writeJSON(w, http.StatusOK, body)
}

func (e *Entra) idClaims(p EntraPerson, nonce string) map[string]any {
	now := e.now().Unix()
	c := map[string]any{"iss": e.URL + "/" + p.Tenant + "/v2.0", "aud": EntraClient, "tid": p.Tenant, "oid": p.OID, "sub": pairwise(p),
		"name": p.Name, "preferred_username": p.UPN, "email": p.Email, "iat": now, "nbf": now, "exp": now + 3600, "ver": "2.0", "sid": "sid-" + p.Name}
	if nonce != "" {
		c["nonce"] = nonce
	}
	if len(p.Roles) > 0 {
		c["roles"] = p.Roles
	}
	switch {
	case p.Overage:
		c["_claim_names"] = map[string]any{"groups": "src1"}
		c["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": "https://graph.windows.net/gone"}}
	case len(p.Groups) > 0:
		c["groups"] = p.Groups
	}
	if p.Guest {
		c["idp"] = "https://sts.windows.net/" + Fabrikam + "/"
		c["acct"] = 1
	}
	return c
}

// accessClaims are those of a v2 access token for our own API: its aud is the same GUID as that of an ID token.
func (e *Entra) accessClaims(p EntraPerson) map[string]any {
	c := e.idClaims(p, "")
	c["scp"], c["azp"] = "access_as_user", EntraClient
	return c
}
