package proxy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// credential puts on a request what its backend asks for (llm.md §11.1).
type credential interface {
	attach(ctx context.Context, req *http.Request) error
	// refused tells that the backend said 401; true: the next attach brings something new (CR-6).
	refused() bool
}

type noCredential struct{}

func (noCredential) attach(context.Context, *http.Request) error { return nil }
func (noCredential) refused() bool                               { return false }

// headerCredential sets one header: api keys, basic, bearer.
type headerCredential struct{ name, value string }

func (c headerCredential) attach(_ context.Context, req *http.Request) error {
	req.Header[c.name] = []string{c.value}
	return nil
}
func (headerCredential) refused() bool { return false }

type queryCredential struct{ name, value string }

func (c queryCredential) attach(_ context.Context, req *http.Request) error {
	u := *req.URL // Build may share its URL between tries
	pair := url.QueryEscape(c.name) + "=" + url.QueryEscape(c.value)
	if u.RawQuery != "" {
		pair = u.RawQuery + "&" + pair
	}
	u.RawQuery = pair
	req.URL = &u
	return nil
}
func (queryCredential) refused() bool { return false }

type cookieCredential struct{ name, value string }

func (c cookieCredential) attach(_ context.Context, req *http.Request) error {
	req.AddCookie(&http.Cookie{Name: c.name, Value: c.value, Quoted: false})
	return nil
}
func (cookieCredential) refused() bool { return false }

// newCredential checks a configuration and makes what attaches it. The texts of errors never hold a value (CR-8).
func newCredential(b *BackendConfig, deps *Deps, roots *http.Transport) (credential, error) {
	c := &b.Credential
	switch c.Kind {
	case "", "none":
		return noCredential{}, nil
	case "api_key":
		return newAPIKey(b)
	case "basic":
		if c.Username == "" || c.Password.IsZero() {
			return nil, errors.New("credential: basic needs username and password")
		}
		pair := c.Username + ":" + c.Password.Reveal()
		return headerCredential{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}, nil
	case "bearer":
		if c.Value.IsZero() {
			return nil, errors.New("credential: bearer needs a value")
		}
		return newHeader("Authorization", "Bearer "+c.Value.Reveal())
	case "client_credentials":
		return newClientCredentials(c, deps, roots)
	default:
		return nil, fmt.Errorf("credential.kind: %s is not available in this version", c.Kind)
	}
}

func newAPIKey(b *BackendConfig) (credential, error) {
	c := &b.Credential
	places := 0
	for _, place := range []string{c.Header, c.Query, c.Cookie} {
		if place != "" {
			places++
		}
	}
	switch {
	case places > 1:
		return nil, errors.New("credential: api_key takes one of header, query and cookie")
	case c.Value.IsZero():
		return nil, errors.New("credential: api_key needs a value")
	case c.Query != "":
		return queryCredential{c.Query, c.Value.Reveal()}, nil
	case c.Cookie != "":
		return cookieCredential{c.Cookie, c.Value.Reveal()}, nil
	case c.Header != "":
		return newHeader(c.Header, c.Value.Reveal())
	case strings.EqualFold(b.KeyHeader, "authorization"):
		return newHeader("Authorization", "Bearer "+c.Value.Reveal())
	case b.KeyHeader != "":
		return newHeader(b.KeyHeader, c.Value.Reveal())
	default:
		return newHeader("X-Api-Key", c.Value.Reveal())
	}
}

func newHeader(name, value string) (credential, error) {
	if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return nil, errors.New("credential: not a valid header name or value")
	}
	return headerCredential{http.CanonicalHeaderKey(name), value}, nil
}
