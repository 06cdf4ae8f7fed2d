package entra

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// entraProvider signs people in with Microsoft Entra ID: one issuer per listed tenant, never /common, whose tokens could
// come from any organization.
type entraProvider struct {
	cfg        EntraConfig
	credential credential
	scope      string
	tenants    []oauth.Tenant
	issuers    map[string]*issuer // by tenant GUID, lower case
	recheck    *recheck
	groups     *groups
	o          Options
}

func newEntra(cfg EntraConfig, o Options) (*entraProvider, error) {
	cfg.ClientID = strings.ToLower(cfg.ClientID) // as Entra writes it into aud
	credential, err := newCredential(cfg.Credential, cfg.ClientID, o)
	if err != nil {
		return nil, err
	}
	authority, err := url.Parse(cfg.Authority)
	if err != nil {
		return nil, errors.New("entra.authority: not a URL")
	}
	p := &entraProvider{cfg: cfg, credential: credential, scope: "openid profile offline_access",
		issuers: map[string]*issuer{}, recheck: newRecheck(cfg.Recheck, o.Now), o: o,
		groups: &groups{base: strings.TrimSuffix(cfg.Graph, "/"), client: o.Client, now: o.Now}}
	if cfg.APIScope != "" {
		p.scope += " " + cfg.APIScope
	} else {
		o.Log.Warn("sign_in.entra.api_scope is not set: on-behalf-of and group overage will not work")
	}
	for _, t := range cfg.Tenants {
		id := strings.ToLower(t.ID)
		name := t.Name
		if name == "" {
			name = id
		}
		p.tenants = append(p.tenants, oauth.Tenant{ID: id, Name: name, Domains: t.Domains})
		p.issuers[id] = &issuer{url: strings.TrimSuffix(cfg.Authority, "/") + "/" + id + "/v2.0", host: authority.Host,
			algs: []jose.SignatureAlgorithm{jose.RS256}, o: o}
	}
	return p, nil
}

// Tenants implements oauth.Provider.
func (p *entraProvider) Tenants() []oauth.Tenant { return append([]oauth.Tenant(nil), p.tenants...) }

// Issuer implements oauth.Provider.
func (p *entraProvider) Issuer(t *oauth.Transaction) string {
	if i := p.issuers[p.tenantOf(t)]; i != nil {
		return i.url
	}
	return ""
}

// tenantOf returns the transaction's tenant, or the only one there is.
func (p *entraProvider) tenantOf(t *oauth.Transaction) string {
	if t.Tenant == "" && len(p.tenants) == 1 {
		return p.tenants[0].ID
	}
	return strings.ToLower(t.Tenant)
}

// tenantName is shown to people and sent to clients: ASCII, short.
func (p *entraProvider) tenantName(id string) string {
	for _, t := range p.tenants {
		if t.ID == id && t.Name != id {
			return asciiOnly(oauth.DisplayName(t.Name, 60))
		}
	}
	return "your organization"
}

// AuthURL implements oauth.Provider. Nothing that the client sent is in it: no resource (Entra refuses it with
// AADSTS9010010), no prompt of the client, not the client's state.
func (p *entraProvider) AuthURL(ctx context.Context, t *oauth.Transaction, o oauth.AuthOptions) (string, error) {
	i := p.issuers[p.tenantOf(t)]
	if i == nil {
		return "", &oauth.Error{Code: oauth.AccessDenied, Description: "your organization is not set up here", Err: errors.New("tenant is not listed")}
	}
	e, err := i.get(ctx)
	if err != nil {
		return "", unavailable(err)
	}
	return authURL(e.authorize, p.cfg.ClientID, p.o.redirectURI(), p.scope, t, o)
}

// Exchange implements oauth.Provider.
func (p *entraProvider) Exchange(ctx context.Context, t *oauth.Transaction, code string) (oauth.Identity, oauth.Upstream, error) {
	tenant := p.tenantOf(t)
	i := p.issuers[tenant]
	if i == nil {
		return oauth.Identity{}, oauth.Upstream{}, &oauth.Error{Code: oauth.AccessDenied, Description: "your organization is not set up here"}
	}
	a, err := p.redeem(ctx, i, url.Values{"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {p.o.redirectURI()}, "code_verifier": {t.Verifier}})
	switch {
	case err != nil:
		return oauth.Identity{}, oauth.Upstream{}, unavailable(err)
	case a.Error != "":
		r := a.refusal()
		p.report(r)
		return oauth.Identity{}, oauth.Upstream{}, r.signInError(p.tenantName(tenant))
	case a.IDToken == "":
		return oauth.Identity{}, oauth.Upstream{}, unavailable(errors.New("token request: no id token in the answer"))
	}
	id, err := p.identify(ctx, i, tenant, a, t.Nonce)
	if err != nil {
		return oauth.Identity{}, oauth.Upstream{}, err
	}
	return id, upstreamOf(a, tenant, p.o.Now()), nil
}

// redeem sends a token request with what each of them has: our id, our credential, and the scope. A claim to be us for
// one tenant's endpoint is no claim for another's.
func (p *entraProvider) redeem(ctx context.Context, i *issuer, form url.Values) (*tokenAnswer, error) {
	e, err := i.get(ctx)
	if err != nil {
		return nil, err
	}
	form.Set("client_id", p.cfg.ClientID)
	if !form.Has("scope") {
		form.Set("scope", p.scope)
	}
	if err := p.credential.attach(ctx, form, e.token); err != nil {
		p.o.Log.Error("the credential of the Entra application cannot be had", "error", err.Error())
		return nil, err
	}
	return i.redeem(ctx, form)
}

// Refresh implements oauth.Provider. The scope is sent again: without it Entra refuses (AADSTS90009) or gives a token
// for another API.
func (p *entraProvider) Refresh(ctx context.Context, id oauth.Identity, u oauth.Upstream) (oauth.Identity, oauth.Upstream, error) {
	i := p.issuers[strings.ToLower(u.Tenant)]
	if i == nil || u.RefreshToken == "" {
		return id, u, &oauth.Error{Code: oauth.InvalidGrant, Description: "sign in again", Err: errors.New("tenant is not listed any more, or no refresh token")}
	}
	return p.recheck.do(ctx, id, u, func(ctx context.Context) (oauth.Identity, oauth.Upstream, error) {
		a, err := p.redeem(ctx, i, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {u.RefreshToken}})
		switch {
		case err != nil:
			return id, u, unavailable(err)
		case a.Error != "":
			r := a.refusal()
			p.report(r)
			return id, u, r.refreshError()
		case a.IDToken == "":
			return id, u, unavailable(errors.New("token request: no id token in the answer"))
		}
		next, err := p.identify(ctx, i, strings.ToLower(u.Tenant), a, "")
		if err != nil {
			return id, u, refreshRefusal(err)
		}
		return renewed(id, next, a, u, p.o.Now())
	})
}

// MapError implements oauth.Provider.
func (p *entraProvider) MapError(code, description string) *oauth.Error {
	r := newRefusal(code, description)
	p.report(r)
	tenant := ""
	if len(p.tenants) == 1 {
		tenant = p.tenants[0].ID
	}
	return r.signInError(p.tenantName(tenant))
}

// SignOutURL returns where the browser ends the provider's own session too (oauth.md §11.11).
func (p *entraProvider) SignOutURL(tenant, after string) string {
	if p.issuers[strings.ToLower(tenant)] == nil {
		return ""
	}
	q := url.Values{"post_logout_redirect_uri": {after}}
	return strings.TrimSuffix(p.cfg.Authority, "/") + "/" + strings.ToLower(tenant) + "/oauth2/v2.0/logout?" + q.Encode()
}

func (p *entraProvider) report(r *refusal) {
	if oursToMend(r) {
		p.o.Log.Error("the credential of the Entra application is refused", "reason", r.Error())
	}
}

// identify verifies an ID token and reads who it is about: (tid, oid), never a name or a mail address, which whoever
// runs a tenant can choose (nOAuth).
func (p *entraProvider) identify(ctx context.Context, i *issuer, tenant string, a *tokenAnswer, nonce string) (oauth.Identity, error) {
	c, err := i.verify(ctx, a.IDToken, p.cfg.ClientID, nonce)
	if err != nil {
		return oauth.Identity{}, err
	}
	tid, oid := strings.ToLower(c.text("tid")), strings.ToLower(c.text("oid"))
	switch {
	case !isGUID(tid) || tid != tenant || p.issuers[tid] == nil:
		return oauth.Identity{}, notVerified(errors.New("tenant is another one"))
	case !isGUID(oid):
		return oauth.Identity{}, notVerified(errors.New("no object id"))
	}
	id := oauth.Identity{Subject: tid + "/" + oid, Tenant: tid, Name: c.text("name"), Login: c.text("preferred_username"),
		Guest: c.guest(), Roles: sorted(c.texts("roles")), AuthTime: authTime(c, p.o.Now()), SID: c.text("sid")}
	if id.Guest && !p.cfg.Guests {
		return oauth.Identity{}, &oauth.Error{Code: oauth.AccessDenied, Description: "guests may not sign in here", Err: errors.New("guest")}
	}
	var dropped []string
	if id.Claims, dropped = c.keep(p.cfg.Claims); len(dropped) > 0 {
		p.o.Log.Warn("claims left out: too large, or not text", "claims", dropped)
	}
	if p.o.NeedGroups && p.cfg.Groups != "off" {
		if id.Groups, err = p.groupsOf(ctx, i, id.Subject, c, a); err != nil {
			return oauth.Identity{}, err
		}
	}
	return id, nil
}

// guest reports whether the person's home is another tenant.
func (c claims) guest() bool {
	if idp := c.text("idp"); idp != "" && idp != c.text("iss") {
		return true
	}
	acct := c["acct"]
	return acct == float64(1) || acct == "1"
}

func authTime(c claims, now time.Time) time.Time {
	if t := c.time("auth_time"); !t.IsZero() {
		return t
	}
	return now.UTC().Truncate(time.Second)
}
