package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	tokenTime  = 10 * time.Second
	tokenBytes = 1 << 20
	tokenSpare = 60 * time.Second // a token is not used in its last minute (CR-2)
)

// clientCredentials fetches and keeps a token (RFC 6749 §4.4). From 80 % of its life the next one is fetched in the
// background while the old one is used to its end; failures are asked again after 1, 2, 4 … 60 s (CR-6).
type clientCredentials struct {
	form      url.Values
	url       string
	transport http.RoundTripper
	now       func() time.Time
	log       *slog.Logger
	flight    singleflight.Group

	mu      sync.Mutex
	token   string
	refresh time.Time // when the next one should be fetched
	expires time.Time // when it may no longer be used
	failed  int
	wait    time.Time // no further attempt before
	lastErr error
}

func newClientCredentials(c *CredentialConfig, deps *Deps, transport http.RoundTripper) (credential, error) {
	u, err := url.Parse(c.TokenURL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("credential.token_url: must be an absolute http or https URL")
	case c.ClientID == "" || c.Secret.IsZero():
		return nil, errors.New("credential: client_credentials needs client_id and secret")
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.Secret.Reveal()},
	}
	if c.Scope != "" {
		form.Set("scope", c.Scope)
	}
	return &clientCredentials{form: form, url: c.TokenURL, transport: transport, now: deps.Now, log: deps.Log}, nil
}

func (c *clientCredentials) attach(ctx context.Context, req *http.Request) error {
	token, err := c.current(ctx)
	if err != nil {
		return err
	}
	req.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}

func (c *clientCredentials) refused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := c.token != ""
	c.token = ""
	return had
}

func (c *clientCredentials) current(ctx context.Context) (string, error) {
	now := c.now()
	c.mu.Lock()
	token, usable, due, waiting, err := c.token, now.Before(c.expires), !now.Before(c.refresh), now.Before(c.wait), c.lastErr
	c.mu.Unlock()
	if token != "" && usable {
		if due && !waiting {
			go func() { _, _, _ = c.flight.Do("", c.fetchShared) }()
		}
		return token, nil
	}
	if waiting {
		return "", err
	}
	result := c.flight.DoChan("", c.fetchShared)
	select {
	case r := <-result:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// fetchShared serves every caller that waits, so it ends with its own time and not with one of theirs.
func (c *clientCredentials) fetchShared() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tokenTime)
	defer cancel()
	token, life, err := c.fetch(ctx)
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.wait = now.Add(min(time.Second<<min(c.failed, 6), time.Minute))
		c.failed++
		c.lastErr = err
		c.log.Error("no token for backend", "error", err)
		return "", err
	}
	c.token, c.failed, c.lastErr, c.wait = token, 0, nil, time.Time{}
	c.expires = now.Add(max(life-tokenSpare, life/2))
	c.refresh = now.Add(min(life*8/10, max(life-tokenSpare, life/2)))
	return token, nil
}

func (c *clientCredentials) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(c.form.Encode()))
	if err != nil {
		return "", 0, fmt.Errorf("make token request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return "", 0, fmt.Errorf("fetch token: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenBytes))
	if err != nil {
		return "", 0, fmt.Errorf("read token answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("token endpoint answered %d", resp.StatusCode) // never the body: it may quote the secret
	}
	var answer struct {
		AccessToken string  `json:"access_token"`
		TokenType   string  `json:"token_type"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		return "", 0, errors.New("token endpoint answered no token")
	}
	if !strings.EqualFold(answer.TokenType, "bearer") && answer.TokenType != "" {
		return "", 0, errors.New("token endpoint answered another kind of token")
	}
	if answer.ExpiresIn <= 0 {
		answer.ExpiresIn = 300
	}
	return answer.AccessToken, seconds(answer.ExpiresIn), nil
}
