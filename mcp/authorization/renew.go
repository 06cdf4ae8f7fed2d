package authorization

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// Renew gets a new token with the refresh token, where there is one and the token was not refused for want of a scope.
func (c *Client) Renew(ctx context.Context, resource string) bool {
	c.mu.Lock()
	g := c.grants[resource]
	if g == nil || g.token.RefreshToken == "" {
		c.mu.Unlock()
		return false
	}
	config, refresh, named := g.config, g.token.RefreshToken, g.named
	c.mu.Unlock()
	token, err := config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, c.naming(named)), &oauth2.Token{RefreshToken: refresh}).Token()
	c.mu.Lock()
	defer c.mu.Unlock()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused): // a server that could not be reached may take it the next time
		g.token.RefreshToken = ""
		return false
	case err != nil || c.grants[resource] != g:
		return false
	}
	g.token = token
	return true
}

// naming is the client for token requests that names a resource in them (RFC 8707 §2.2). The library does so for codes only.
func (c *Client) naming(resource string) *http.Client {
	named := *c.http
	named.Transport = &addResource{resource, c.http.Transport}
	return &named
}

type addResource struct {
	resource string
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a *addResource) RoundTrip(r *http.Request) (*http.Response, error) {
	form, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the token request: %w", err)
	}
	text := string(form) + "&" + url.Values{"resource": {a.resource}}.Encode()
	out := r.Clone(r.Context())
	out.Body, out.GetBody, out.ContentLength = io.NopCloser(strings.NewReader(text)), nil, int64(len(text))
	return a.next.RoundTrip(out)
}

// secretless leaves out what a token endpoint sent back: it may repeat what it was sent.
func secretless(err error) error {
	var e *oauth2.RetrieveError
	if errors.As(err, &e) {
		status := 0
		if e.Response != nil {
			status = e.Response.StatusCode
		}
		return fmt.Errorf("the token endpoint answered %d %s", status, e.ErrorCode)
	}
	return err
}
