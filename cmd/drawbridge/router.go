package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/console"
	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/authflow"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/grants"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// broker makes the parts of the authorization server that outlive snapshots: they count failures and share requests in
// flight, and ask the current snapshot for everything the configuration decides.
func (g *gateway) broker(cfg *Config) {
	live := liveCatalogue{g.snapshot}
	config := func() *oauth.Config { return &g.snapshot().cfg.OAuth }
	ring := func() *secret.Keyring { return g.ring }
	g.resolver = &registration.Resolver{Config: config, Clients: g.store, Audit: g.audit}
	if guard, err := newGuard(cfg, g.log); err == nil {
		g.resolver.Documents = &registration.Documents{Fetcher: guard, OwnHost: hostname(cfg.PublicURL), Audit: g.audit}
	} else {
		g.log.Warn("client documents are off", "error", err)
	}
	g.verifier = &tokens.Verifier{Issuer: cfg.PublicURL, Keyring: ring, Grants: g.store, Blocked: g.resolver.Blocked}
	g.token = &grants.Handler{
		PublicURL: cfg.PublicURL, Config: config, Clients: g.resolver, Store: endingStore{g.store, g.ended}, Catalogue: live, Verifier: g.verifier,
		Provider: func() oauth.Provider { return g.snapshot().provider }, Audit: g.audit, Log: g.log, Recheck: cfg.SignIn.Entra.Recheck,
		Issuer: &tokens.Issuer{Issuer: cfg.PublicURL, Keyring: ring, TTL: func() time.Duration { return config().AccessTokenTTL }},
	}
	g.register = &registration.Handler{Config: config, Clients: g.store, Catalogue: live, Audit: g.audit, Log: g.log}
	g.metadata = &resource.Metadata{PublicURL: cfg.PublicURL, Config: config, Catalogue: live, Keyring: ring, Documents: g.resolver.Documents != nil, Log: g.log}
}

// signIn makes the pages of one snapshot.
func (g *gateway) pages(s *snapshot) (*authflow.Handler, error) {
	return authflow.New(authflow.Options{
		PublicURL: s.cfg.PublicURL, Store: g.store, Catalogue: s, Clients: g.resolver, MatchRedirect: registration.MatchRedirect,
		Provider: s.provider, ProviderName: providerName(s.cfg.SignIn.Provider), Keyring: g.ring, Config: s.cfg.OAuth, Record: g.audit, Log: g.log,
	})
}

func hostname(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func providerName(provider string) string {
	switch provider {
	case "entra":
		return "Microsoft"
	case "dev":
		return "development sign-in"
	default:
		return ""
	}
}

// provider makes the identity provider, or keeps the one that serves while its settings are the same: it remembers
// sign-ins that are on their way and keys it has fetched.
func (g *gateway) provider(cfg *Config, prev *snapshot) (oauth.Provider, error) {
	if prev != nil && reflect.DeepEqual(prev.cfg.SignIn, cfg.SignIn) && namesGroups(prev.cfg) == namesGroups(cfg) {
		return prev.provider, nil
	}
	if cfg.SignIn.Provider == "" {
		return nobody{}, nil
	}
	idp, err := entra.New(cfg.SignIn, entra.Options{PublicURL: cfg.PublicURL, Log: g.log, NeedGroups: namesGroups(cfg), Env: g.getenv})
	if err != nil {
		return nil, fmt.Errorf("sign_in: %w", err)
	}
	return idp, nil
}

// route builds the router of a snapshot: every address Drawbridge answers, in one place.
func (g *gateway) route(s *snapshot) error {
	flow, err := g.pages(s)
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = g.renderError
	e.Pre(g.requests.Middleware, g.guard)
	root := e.Group("")
	g.metadata.Mount(root)
	flow.Mount(root)
	oauthGroup := e.Group("/oauth")
	g.token.Mount(oauthGroup)
	g.register.Mount(oauthGroup)
	g.edge.Mount(root)
	g.llm.Mount(e.Group("/llm"))
	g.console(s, flow).Mount(root)
	(&adminTools{g, s}).mount(e.Group("/admin/api"))
	if s.cfg.AdminListen == "" {
		g.mountHealth(root, g.metrics.Serve)
	}
	s.router = e
	return nil
}

func (g *gateway) mountHealth(group *echo.Group, metrics echo.HandlerFunc) {
	read := []string{http.MethodGet, http.MethodHead} // probes of load balancers and containers often ask with HEAD
	group.Match(read, "/healthz", g.health.Alive)
	group.Match(read, "/readyz", g.health.Ready)
	group.Match(read, "/metrics", metrics)
}

// faces makes the two parts that hold open streams and so outlive snapshots.
func (g *gateway) faces(cfg *Config) {
	g.authenticator = &resource.Authenticator{
		PublicURL: cfg.PublicURL, Verifier: g.verifier, Catalogue: liveCatalogue{g.snapshot},
		Keys: func() *resource.Keys { return g.snapshot().keys },
	}
	g.edge = &edge.Handler{
		PublicURL: cfg.PublicURL, AllowedOrigins: cfg.AllowedOrigins, Keyring: g.ring, Limits: cfg.Limits.Limits, Log: g.log,
		Authenticate: g.authenticateServer,
		Lookup: func(name string) (edge.Server, edge.State) {
			s := g.snapshot()
			if server := s.servers[name]; server != nil {
				return server, edge.Serving
			}
			if s.retired[name] {
				return nil, edge.Retired
			}
			return nil, edge.Unknown
		},
	}
	g.llm = &llm.Handler{
		Snapshot: func() *llm.Snapshot { return g.snapshot().llm }, Authenticate: g.authenticateLLM,
		Grants:   func(c *identity.Caller, m *llm.Model) bool { return g.snapshot().grants(c, m) },
		Recorder: g.recorder, Log: g.log, Limits: llm.Limits{Body: cfg.Limits.LLMBody, UpstreamBody: cfg.Limits.UpstreamBody, Members: cfg.Limits.JSONMembers},
	}
}

func (g *gateway) authenticateServer(w http.ResponseWriter, r *http.Request, server string) (*identity.Caller, bool) {
	s := g.snapshot()
	o := resource.Options{LeaveRoles: true}
	for i := range s.cfg.MCPServers {
		if s.cfg.MCPServers[i].Name == strings.TrimSuffix(server, "/sse") {
			o.SubscriptionKeys = s.cfg.MCPServers[i].Access.SubscriptionKeys
		}
	}
	c, ok := g.authenticator.Require(w, r, resourceOf(s.cfg.PublicURL, server), o)
	note(r, c)
	return c, ok
}

// authenticateLLM tells the model face who is calling, in its own words (llm.md §3 ER-1 to ER-3).
func (g *gateway) authenticateLLM(r *http.Request) (*identity.Caller, *llm.Refusal) {
	c, refusal := g.authenticator.Authenticate(r, g.snapshot().cfg.PublicURL+"/llm", resource.Options{SubscriptionKeys: true})
	note(r, c)
	if refusal == nil {
		return c, nil
	}
	out := &llm.Refusal{Status: refusal.Status, Code: refusal.Code, Challenge: refusal.Challenge, RetryAfter: refusal.RetryAfter, Message: sentence(refusal.Description)}
	switch {
	case refusal.Status == http.StatusUnauthorized:
		out.Code, out.Message = "invalid_api_key", "The key or token is missing or not valid. Send a subscription key of this gateway."
	case refusal.Code == oauth.InvalidRequest:
		out.Code = "ambiguous_credentials"
	}
	return nil, out
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// note puts who called on the request's line; never a name.
func note(r *http.Request, c *identity.Caller) {
	if c == nil {
		return
	}
	identity.RequestFrom(r.Context()).Note(slog.String("caller", c.Subject), slog.String("kind", string(c.Kind)), slog.String("client_id", c.ClientID),
		slog.String("tenant", c.Tenant), slog.String("subscription", c.Subscription.Name), slog.String("product", c.Subscription.Product))
}

// stepUp is the challenge of a call that needs a scope the token lacks.
func (g *gateway) stepUp(c *identity.Caller, server, scope string) string {
	return g.authenticator.InsufficientScope(resourceOf(g.snapshot().cfg.PublicURL, server), c, scope).Challenge
}

// newGuard makes the dialer for addresses that someone else chose.
func newGuard(cfg *Config, log *slog.Logger) (*egress.Guard, error) {
	return egress.New(egress.Config{
		Allow: cfg.Egress.Allow, Deny: cfg.Egress.Deny, OwnHost: hostname(cfg.PublicURL), AllowLoopback: cfg.SignIn.Provider == "dev", Log: log,
	})
}

func (g *gateway) console(s *snapshot, flow *authflow.Handler) *console.Handler {
	sessions := flow.Sessions
	return &console.Handler{
		PublicURL: s.cfg.PublicURL, Name: s.cfg.UI.Name, Support: s.cfg.UI.Support,
		Caller: func(r *http.Request) *identity.Caller {
			session, ok := sessions.Caller(r)
			if !ok {
				return nil
			}
			return session.Identity.Caller("")
		},
		Admin:        func(c *identity.Caller) bool { return entitled(c, s.cfg.Admins) },
		SignOutToken: sessions.FormToken,
		FormAction:   flow.SignOutSource(),
		CheckForm:    sessions.CheckForm,
		Applications: g.applications,
		Disconnect:   g.disconnect,
		Held:         func(ctx context.Context) ([]console.HeldTool, error) { return g.heldTools(ctx, s) },
		Odd:          func(ctx context.Context) ([]console.OddTool, error) { return g.oddTools(ctx, s) },
		Release:      g.releaseTool,
		Servers:      func() []console.Server { return consoleServers(s) },
		Status:       func(ctx context.Context) console.Status { return g.consoleStatus(ctx, s) },
	}
}
