package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	discoveryLife  = 24 * time.Hour
	discoveryRetry = 30 * time.Second // after a failure, while an older answer still serves
)

// issuer is one OpenID Connect issuer: its endpoints, found by discovery when first needed, and its keys.
type issuer struct {
	url  string
	host string                    // endpoints must be on this host; "" any
	algs []jose.SignatureAlgorithm // what we accept; discovery may narrow it
	o    Options

	mu    sync.Mutex
	last  *endpoints
	until time.Time // last is good until then
}

// endpoints are what discovery told.
type endpoints struct {
	authorize, token, logout string
	algs                     []jose.SignatureAlgorithm
	keys                     *keySet
}

// get returns the endpoints. They are cached for a day; when they cannot be had again the last good ones stay.
func (i *issuer) get(ctx context.Context) (*endpoints, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.o.Now()
	if i.last != nil && now.Before(i.until) {
		return i.last, nil
	}
	e, err := i.discover(ctx)
	if err != nil {
		if i.last != nil {
			i.until = now.Add(discoveryRetry)
			return i.last, nil
		}
		return nil, err
	}
	if i.last != nil && i.last.keys.url == e.keys.url {
		e.keys = i.last.keys
	}
	i.last, i.until = e, now.Add(discoveryLife)
	return e, nil
}

// discover reads the discovery document. go-oidc refuses one whose issuer is not byte-equal to ours, which is also what
// keeps /common out: its issuer is the literal {tenantid}.
func (i *issuer) discover(ctx context.Context) (*endpoints, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, i.o.Client), i.url)
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &mismatch):
		return nil, errors.New("discovery: the document names another issuer")
	case err != nil:
		return nil, errors.New("discovery: no usable document") // go-oidc quotes the answer's body
	}
	var doc struct {
		JWKS   string   `json:"jwks_uri"`
		Logout string   `json:"end_session_endpoint"`
		Algs   []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := p.Claims(&doc); err != nil {
		return nil, errors.New("discovery: document has a member of the wrong type")
	}
	e := &endpoints{authorize: p.Endpoint().AuthURL, token: p.Endpoint().TokenURL, logout: doc.Logout}
	for name, u := range map[string]string{"authorization_endpoint": e.authorize, "token_endpoint": e.token, "jwks_uri": doc.JWKS} {
		if err := i.checkEndpoint(u); err != nil {
			return nil, fmt.Errorf("discovery: %s: %w", name, err)
		}
	}
	if i.checkEndpoint(e.logout) != nil {
		e.logout = ""
	}
	if e.algs = i.accept(doc.Algs); len(e.algs) == 0 {
		return nil, errors.New("discovery: no signing algorithm that we accept")
	}
	e.keys = &keySet{url: doc.JWKS, client: i.o.Client, now: i.o.Now}
	return e, nil
}

func (i *issuer) checkEndpoint(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("not a usable URL")
	case !secureScheme(u):
		return errors.New("not https")
	case i.host != "" && u.Host != i.host:
		return errors.New("not on the authority's host")
	}
	return nil
}

// accept returns our algorithms that the provider names too. A provider that names none signs with RS256 (OIDC
// Discovery 1.0 §3).
func (i *issuer) accept(named []string) []jose.SignatureAlgorithm {
	if len(named) == 0 {
		named = []string{"RS256"}
	}
	var algs []jose.SignatureAlgorithm
	for _, ours := range i.algs {
		for _, n := range named {
			if n == string(ours) {
				algs = append(algs, ours)
				break
			}
		}
	}
	return algs
}

// redeem posts form to the token endpoint.
func (i *issuer) redeem(ctx context.Context, form url.Values) (*tokenAnswer, error) {
	e, err := i.get(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.token, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("token request: %w", err)
	}
	return postForm(req, i.o.Client, form)
}
