package authorization

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"golang.org/x/oauth2"
)

const (
	methodNone  = "none"
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
)

// credentialsAt returns what the issuer knows this client by: what was configured, the client's own document where the
// server takes such, else a registration, kept by issuer. Another issuer's are never used (§16.2).
func (c *Client) credentialsAt(ctx context.Context, server *Server) (Credentials, error) {
	for _, issuer := range []string{server.Issuer, ""} {
		if cred, ok := c.cfg.Registered[issuer]; ok {
			return cred, nil
		}
	}
	if server.TakesDocuments && c.cfg.DocumentURL != "" {
		return Credentials{ID: c.cfg.DocumentURL, Method: methodNone}, nil
	}
	c.mu.Lock()
	cred, ok := c.credentials[server.Issuer]
	c.mu.Unlock()
	if ok {
		return cred, nil
	}
	cred, err := c.register(ctx, server)
	if err != nil {
		return Credentials{}, fmt.Errorf("register at the authorization server: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.credentials[server.Issuer] = cred
	return cred, nil
}

// Document is the client as it describes itself: in registrations (RFC 7591 §2) and in its own metadata document.
type Document struct {
	ClientID        string   `json:"client_id,omitempty"`
	Name            string   `json:"client_name"`
	ApplicationType string   `json:"application_type"`
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
}

// Describe returns the client ID metadata document to be served at DocumentURL.
func (c *Client) Describe() Document {
	d := c.describe(methodNone)
	d.ClientID = c.cfg.DocumentURL
	return d
}

func (c *Client) describe(method string) Document {
	kind := "web"
	if c.cfg.Native {
		kind = "native"
	}
	return Document{
		Name: c.cfg.Name, ApplicationType: kind, RedirectURIs: []string{c.cfg.RedirectURL},
		GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"}, AuthMethod: method,
	}
}

// register introduces the client to an issuer (RFC 7591 §3).
func (c *Client) register(ctx context.Context, server *Server) (Credentials, error) {
	if server.RegistrationEndpoint == "" {
		return Credentials{}, errors.New("it takes no registrations; configure a client id for it")
	}
	body, err := json.Marshal(c.describe(preferred(server.AuthMethods)))
	if err != nil {
		return Credentials{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.RegistrationEndpoint, bytes.NewReader(body))
	if err != nil {
		return Credentials{}, errors.New("its registration endpoint has no address")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return Credentials{}, err
	}
	defer resp.Body.Close()
	var got struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
		Method string `json:"token_endpoint_auth_method"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, documentBytes)).Decode(&got)
	switch {
	case resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK:
		return Credentials{}, fmt.Errorf("it answered %d", resp.StatusCode)
	case err != nil || got.ID == "":
		return Credentials{}, errors.New("its answer names no client id")
	}
	return Credentials{ID: got.ID, Secret: got.Secret, Method: got.Method}, nil
}

// preferred chooses how to authenticate among what a server takes; without a word of it Basic (RFC 8414 §2).
func preferred(methods []string) string {
	if len(methods) == 0 {
		return methodBasic
	}
	for _, m := range []string{methodBasic, methodPost, methodNone} {
		if slices.Contains(methods, m) {
			return m
		}
	}
	return methodNone
}

// style is how the secret, if there is one, goes to the token endpoint.
func style(server *Server, cred Credentials) oauth2.AuthStyle {
	method := cred.Method
	if method == "" {
		method = preferred(server.AuthMethods)
	}
	if method == methodBasic && cred.Secret != "" {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}
