package authorization

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
)

// Config is how the client presents itself. RedirectURL and Guard are required.
type Config struct {
	Guard       *egress.Guard
	RedirectURL string
	Name        string // client_name of registrations; "" means Drawbridge
	DocumentURL string // client ID metadata document; "": there is none
	Native      bool   // application_type native: a program on the person's machine; else web
	// Registered are credentials made beforehand, by issuer; "" stands for whichever issuer the resource names.
	Registered map[string]Credentials
	Now        func() time.Time // nil: time.Now
}

// Credentials are what one issuer knows this client by.
type Credentials struct {
	ID, Secret string
	Method     string // of token endpoint authentication: none, client_secret_basic, client_secret_post; "": as the server says
}

// Client keeps credentials by issuer and tokens by issuer and resource. Safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client // for what is posted; documents are fetched by the guard

	mu          sync.Mutex
	credentials map[string]Credentials // by issuer
	grants      map[string]*grant      // by resource: the newest
}

// grant is a token as it was given.
type grant struct {
	issuer string
	scopes []string
	token  *oauth2.Token
	config oauth2.Config
	named  string // the resource as its metadata names it
}

const postTime = 15 * time.Second

// New returns a client that knows nobody yet.
func New(cfg Config) (*Client, error) {
	if cfg.Guard == nil || cfg.RedirectURL == "" {
		return nil, errors.New("authorization: a guard and a redirect address are needed")
	}
	if cfg.Name == "" {
		cfg.Name = "Drawbridge"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Client{
		cfg: cfg, credentials: map[string]Credentials{}, grants: map[string]*grant{},
		http: &http.Client{
			Timeout:       postTime,
			Transport:     &guarded{cfg.Guard, &http.Transport{DialContext: cfg.Guard.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a secret goes where it was meant for
		},
	}, nil
}

// guarded checks every address before anything is sent there.
type guarded struct {
	guard *egress.Guard
	next  http.RoundTripper
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.guard.CheckURL(r.URL.String()); err != nil {
		return nil, fmt.Errorf("check address: %w", err)
	}
	return g.next.RoundTrip(r)
}

// Pending is a sign-in that the person has to finish. Keep it with the person's own session: whoever has it can finish it.
type Pending struct {
	URL string // where the person goes

	state, verifier string
	server          *Server
	credentials     Credentials
	resource        string
	scopes          []string
	config          oauth2.Config
}

// Begin makes the address at which the person allows access to a resource, with the scope the challenge asks for, else what
// the resource supports, else none.
func (c *Client) Begin(ctx context.Context, resource string, need *Required) (*Pending, error) {
	res, server, err := c.Discover(ctx, resource, need.ResourceMetadata)
	if err != nil {
		return nil, err
	}
	// A person's browser goes there, past every other check: the address of a script or a file would do harm there.
	if err := c.cfg.Guard.CheckURL(server.AuthorizationEndpoint); err != nil {
		return nil, fmt.Errorf("check the authorization endpoint: %w", err)
	}
	cred, err := c.credentialsAt(ctx, server)
	if err != nil {
		return nil, err
	}
	p := &Pending{state: oauth2.GenerateVerifier(), verifier: oauth2.GenerateVerifier(), server: server, credentials: cred, resource: res.Resource}
	p.scopes = c.scopes(resource, res, server, need)
	p.config = oauth2.Config{
		ClientID: cred.ID, ClientSecret: cred.Secret, RedirectURL: c.cfg.RedirectURL, Scopes: p.scopes,
		Endpoint: oauth2.Endpoint{AuthURL: server.AuthorizationEndpoint, TokenURL: server.TokenEndpoint, AuthStyle: style(server, cred)},
	}
	p.URL = p.config.AuthCodeURL(p.state, oauth2.S256ChallengeOption(p.verifier), oauth2.SetAuthURLParam("resource", p.resource))
	return p, nil
}

// Finish takes what came back to the redirect address, checks that it is the answer to p, and gets the token.
func (c *Client) Finish(ctx context.Context, resource string, p *Pending, answer url.Values) error {
	if err := p.check(answer); err != nil {
		return err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.http)
	token, err := p.config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(p.verifier), oauth2.SetAuthURLParam("resource", p.resource))
	if err != nil {
		return fmt.Errorf("get a token: %w", secretless(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grants[resource] = &grant{issuer: p.server.Issuer, scopes: p.scopes, token: token, config: p.config, named: p.resource}
	return nil
}

// check compares what came back with what was asked (RFC 6749 §4.1.2, RFC 9207 §2.4): state and issuer also of errors.
func (p *Pending) check(answer url.Values) error {
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(answer[name]) > 1 { // whoever looks at the first of them and whoever looks at the last would differ (RFC 6749 §3.1)
			return errors.New("the answer says something twice")
		}
	}
	if answer.Get("state") != p.state {
		return errors.New("the answer's state is not the one that was sent")
	}
	iss, sent := answer.Get("iss"), answer.Has("iss")
	switch {
	case sent && iss != p.server.Issuer:
		return errors.New("the answer comes from another issuer than was asked")
	case !sent && p.server.SendsIssuer:
		return errors.New("the answer does not name its issuer although the server says that it does")
	case answer.Get("error") != "":
		return fmt.Errorf("the authorization server refused: %s", mcp.Clip(answer.Get("error")))
	case answer.Get("code") == "":
		return errors.New("the answer has no code")
	}
	return nil
}

// Token returns the token held for a resource, if it has not expired.
func (c *Client) Token(resource string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.grants[resource]
	if g == nil || !g.token.Expiry.IsZero() && !c.cfg.Now().Before(g.token.Expiry) {
		return "", false
	}
	return g.token.AccessToken, true
}

// Drop forgets the token of a resource, when it was refused.
func (c *Client) Drop(resource string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.grants[resource]; g != nil {
		g.token.Expiry = c.cfg.Now()
	}
}
