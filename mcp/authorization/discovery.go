package authorization

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
)

// Resource is a resource's metadata (RFC 9728 §2), as far as it is used.
type Resource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported"`
}

// Server is an authorization server's metadata (RFC 8414 §2), as far as it is used.
type Server struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	ScopesSupported       []string `json:"scopes_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	SendsIssuer           bool     `json:"authorization_response_iss_parameter_supported"`
	TakesDocuments        bool     `json:"client_id_metadata_document_supported"`
}

const (
	wellKnownResource = "/.well-known/oauth-protected-resource"
	wellKnownServer   = "/.well-known/oauth-authorization-server"
	wellKnownOpenID   = "/.well-known/openid-configuration"
	documentBytes     = 256 << 10
	documentTime      = 10 * time.Second
)

// errNoDocument is an address without the document that was looked for.
var errNoDocument = errors.New("there is no such document")

// Discover finds the authorization server of a resource. A server of 2025-03-26 has no metadata of its own: its origin is
// the issuer then.
func (c *Client) Discover(ctx context.Context, resource, metadata string) (*Resource, *Server, error) {
	u, err := url.Parse(resource)
	if err != nil || u.Host == "" {
		return nil, nil, errors.New("the resource's address cannot be read")
	}
	res, err := c.resource(ctx, u, resource, metadata)
	if errors.Is(err, errNoDocument) && metadata == "" {
		server, err := c.oldServer(ctx, u)
		return &Resource{Resource: resource}, server, err
	}
	if err != nil {
		return nil, nil, err
	}
	if len(res.AuthorizationServers) == 0 {
		return nil, nil, errors.New("the resource names no authorization server")
	}
	server, err := c.server(ctx, res.AuthorizationServers[0])
	return res, server, err
}

// resource reads the metadata that the challenge names, else at the path-inserted address, else at the root's.
func (c *Client) resource(ctx context.Context, u *url.URL, resource, metadata string) (*Resource, error) {
	addresses := []string{metadata}
	if metadata == "" {
		addresses = addresses[:0]
		if path := strings.TrimSuffix(u.EscapedPath(), "/"); path != "" {
			addresses = append(addresses, origin(u)+wellKnownResource+path)
		}
		addresses = append(addresses, origin(u)+wellKnownResource)
	}
	for _, address := range addresses {
		var res Resource
		err := c.document(ctx, address, &res)
		if errors.Is(err, errNoDocument) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the resource's metadata: %w", err)
		}
		if res.Resource != resource && (metadata != "" || !wholeOrigin(res.Resource, address)) {
			return nil, errors.New("the resource's metadata is about another resource") // a token for it would be good elsewhere
		}
		return &res, nil
	}
	return nil, fmt.Errorf("read the resource's metadata: %w", errNoDocument)
}

// wholeOrigin reports whether the document at an origin's root names that origin, which is the only resource it can be about
// (RFC 9728 §3.1). Where a challenge or the path names a document, the resource is the upstream's address and nothing wider.
func wholeOrigin(named, address string) bool {
	root, ok := strings.CutSuffix(address, wellKnownResource)
	return ok && strings.TrimSuffix(named, "/") == root
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// server reads the metadata of an issuer, which must name it byte for byte (RFC 8414 §3.3) and know S256.
func (c *Client) server(ctx context.Context, issuer string) (*Server, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the issuer's address cannot be read")
	}
	for _, address := range metadataAddresses(u) {
		var s Server
		err := c.document(ctx, address, &s)
		if errors.Is(err, errNoDocument) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the authorization server's metadata: %w", err)
		}
		if s.Issuer != issuer {
			return nil, errors.New("the authorization server's metadata names another issuer")
		}
		return &s, s.check()
	}
	return nil, fmt.Errorf("read the authorization server's metadata: %w", errNoDocument)
}

func metadataAddresses(u *url.URL) []string {
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	if path == "" {
		return []string{origin(u) + wellKnownServer, origin(u) + wellKnownOpenID}
	}
	return []string{origin(u) + wellKnownServer + path, origin(u) + wellKnownOpenID + path, origin(u) + path + wellKnownOpenID}
}

func (s *Server) check() error {
	switch {
	case s.AuthorizationEndpoint == "" || s.TokenEndpoint == "":
		return errors.New("the authorization server names no endpoints")
	case !slices.Contains(s.ChallengeMethods, "S256"):
		return errors.New("the authorization server does not support PKCE with S256")
	}
	return nil
}

// oldServer is the authorization server of 2025-03-26: the origin's metadata, else fixed addresses there.
func (c *Client) oldServer(ctx context.Context, u *url.URL) (*Server, error) {
	server, err := c.server(ctx, origin(u))
	if !errors.Is(err, errNoDocument) {
		return server, err
	}
	return &Server{
		Issuer: origin(u), AuthorizationEndpoint: origin(u) + "/authorize", TokenEndpoint: origin(u) + "/token", RegistrationEndpoint: origin(u) + "/register",
	}, nil
}

// document fetches one JSON document.
func (c *Client) document(ctx context.Context, address string, into any) error {
	resp, err := c.cfg.Guard.Fetch(ctx, address, egress.Limits{
		Feature: "upstream authorization", Bytes: documentBytes, Time: documentTime, Accept: "application/json", ContentTypes: []string{"application/json"},
	})
	var status interface{ StatusCode() int }
	if errors.As(err, &status) && status.StatusCode() >= 400 && status.StatusCode() < 500 {
		return errNoDocument
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(resp.Body, into); err != nil {
		return errors.New("the document is not the JSON it should be")
	}
	return nil
}

// scopes are what to ask for: what the challenge names, else what the resource supports, else none; with what is held
// already, so that a step up loses nothing; and a lasting grant only where the server offers one.
func (c *Client) scopes(resource string, res *Resource, server *Server, need *Required) []string {
	scopes := strings.Fields(need.Scope)
	if len(scopes) == 0 {
		scopes = slices.Clone(res.ScopesSupported)
	}
	c.mu.Lock()
	if g := c.grants[resource]; g != nil && g.issuer == server.Issuer && need.Code == insufficientScope {
		scopes = append(slices.Clone(g.scopes), scopes...)
	}
	c.mu.Unlock()
	const lasting = "offline_access"
	scopes = slices.DeleteFunc(scopes, func(s string) bool { return s == lasting })
	if slices.Contains(server.ScopesSupported, lasting) {
		scopes = append(scopes, lasting)
	}
	var once []string
	for _, s := range scopes {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}
