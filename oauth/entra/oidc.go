package entra

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// oidcProvider signs people in with any OpenID Connect provider (oauth.md §11.12).
type oidcProvider struct {
	cfg    OIDCConfig
	host   string // of the issuer; begins every subject
	secret secret.Value
	scope  string
	issuer *issuer
	o      Options
}

func newOIDC(cfg OIDCConfig, o Options) (*oidcProvider, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, errors.New("oidc.issuer: not a URL")
	}
	scopes := cfg.Scopes
	if len(scopes) == 0 {
		scopes = []string{"openid", "profile", "email", "offline_access"}
	}
	if !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
	}
	orDefault := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	orDefault(&cfg.RolesClaim, "roles")
	orDefault(&cfg.GroupsClaim, "groups")
	orDefault(&cfg.SubjectClaim, "sub")
	return &oidcProvider{cfg: cfg, host: u.Host, secret: cfg.Credential.Value, scope: strings.Join(scopes, " "), o: o,
		issuer: &issuer{url: cfg.Issuer, algs: []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256}, o: o}}, nil
}

// Tenants implements oauth.Provider: there is nothing to choose from.
func (p *oidcProvider) Tenants() []oauth.Tenant { return nil }

// Issuer implements oauth.Provider.
func (p *oidcProvider) Issuer(*oauth.Transaction) string { return p.cfg.Issuer }

// AuthURL implements oauth.Provider.
func (p *oidcProvider) AuthURL(ctx context.Context, t *oauth.Transaction, o oauth.AuthOptions) (string, error) {
	e, err := p.issuer.get(ctx)
	if err != nil {
		return "", unavailable(err)
	}
	return authURL(e.authorize, p.cfg.ClientID, p.o.redirectURI(), p.scope, t, o)
}

// form adds what every token request has. The secret goes into the body: probing with Basic first would spend the code.
func (p *oidcProvider) form(extra url.Values) url.Values {
	extra.Set("client_id", p.cfg.ClientID)
	if !p.secret.IsZero() {
		extra.Set("client_secret", p.secret.Reveal())
	}
	return extra
}

// Exchange implements oauth.Provider.
func (p *oidcProvider) Exchange(ctx context.Context, t *oauth.Transaction, code string) (oauth.Identity, oauth.Upstream, error) {
	a, err := p.issuer.redeem(ctx, p.form(url.Values{"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {p.o.redirectURI()}, "code_verifier": {t.Verifier}}))
	switch {
	case err != nil:
		return oauth.Identity{}, oauth.Upstream{}, unavailable(err)
	case a.Error != "":
		return oauth.Identity{}, oauth.Upstream{}, p.refused(a.refusal())
	case a.IDToken == "":
		return oauth.Identity{}, oauth.Upstream{}, unavailable(errors.New("token request: no id token in the answer"))
	}
	id, err := p.identify(ctx, a.IDToken, t.Nonce)
	if err != nil {
		return oauth.Identity{}, oauth.Upstream{}, err
	}
	return id, upstreamOf(a, "", p.o.Now()), nil
}

// Refresh implements oauth.Provider. An answer without an ID token (OIDC Core §12.2 allows it) says that the person is
// still good and nothing else.
func (p *oidcProvider) Refresh(ctx context.Context, id oauth.Identity, u oauth.Upstream) (oauth.Identity, oauth.Upstream, error) {
	if u.RefreshToken == "" {
		return id, u, &oauth.Error{Code: oauth.InvalidGrant, Description: "sign in again", Err: errors.New("the provider gave no refresh token")}
	}
	a, err := p.issuer.redeem(ctx, p.form(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {u.RefreshToken}, "scope": {p.scope}}))
	switch {
	case err != nil:
		return id, u, unavailable(err)
	case a.Error != "":
		r := a.refusal()
		p.report(r)
		return id, u, r.refreshError()
	}
	next := id
	if a.IDToken != "" {
		if next, err = p.identify(ctx, a.IDToken, ""); err != nil {
			return id, u, refreshRefusal(err)
		}
	}
	return renewed(id, next, a, u, p.o.Now())
}

// MapError implements oauth.Provider.
func (p *oidcProvider) MapError(code, description string) *oauth.Error {
	return p.refused(newRefusal(code, description))
}

func (p *oidcProvider) refused(r *refusal) *oauth.Error {
	p.report(r)
	return r.signInError("your organization")
}

func (p *oidcProvider) report(r *refusal) {
	if oursToMend(r) {
		p.o.Log.Error("the identity provider refuses our client", "reason", r.Error())
	}
}

func (p *oidcProvider) identify(ctx context.Context, raw, nonce string) (oauth.Identity, error) {
	c, err := p.issuer.verify(ctx, raw, p.cfg.ClientID, nonce)
	if err != nil {
		return oauth.Identity{}, err
	}
	sub := c.text(p.cfg.SubjectClaim)
	if sub == "" || len(sub) > 255 {
		return oauth.Identity{}, notVerified(errors.New("no usable subject"))
	}
	id := oauth.Identity{Subject: p.host + "/" + sub, Name: c.text("name"), Login: c.text("preferred_username"),
		Roles: sorted(textsOf(c.path(p.cfg.RolesClaim))), Groups: sorted(textsOf(c.path(p.cfg.GroupsClaim))),
		AuthTime: authTime(c, p.o.Now()), SID: c.text("sid")}
	if id.Login == "" {
		id.Login = c.text("email")
	}
	var dropped []string
	if id.Claims, dropped = c.keep(p.cfg.Claims); len(dropped) > 0 {
		p.o.Log.Warn("claims left out: too large, or not text", "claims", dropped)
	}
	return id, nil
}

// path reads a claim by name, or by a dotted path into objects ("realm_access.roles"). A claim whose own name has dots,
// as URLs do, comes first.
func (c claims) path(p string) any {
	if v, ok := c[p]; ok {
		return v
	}
	var v any = map[string]any(c)
	for _, part := range strings.Split(p, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}
