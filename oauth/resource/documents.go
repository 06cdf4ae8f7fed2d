package resource

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// serverDocument is RFC 8414 metadata (oauth.md §3.1). Every endpoint it names exists; no member is null.
type serverDocument struct {
	Issuer                      string   `json:"issuer"`
	AuthorizationEndpoint       string   `json:"authorization_endpoint"`
	TokenEndpoint               string   `json:"token_endpoint"`
	RevocationEndpoint          string   `json:"revocation_endpoint"`
	IntrospectionEndpoint       string   `json:"introspection_endpoint"`
	RegistrationEndpoint        string   `json:"registration_endpoint,omitempty"`
	JWKSURI                     string   `json:"jwks_uri"`
	ScopesSupported             []string `json:"scopes_supported"`
	ResponseTypesSupported      []string `json:"response_types_supported"`
	ResponseModesSupported      []string `json:"response_modes_supported"`
	GrantTypesSupported         []string `json:"grant_types_supported"`
	TokenAuthMethods            []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuthMethods       []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuthMethods    []string `json:"introspection_endpoint_auth_methods_supported"`
	CodeChallengeMethods        []string `json:"code_challenge_methods_supported"`
	ClientDocuments             bool     `json:"client_id_metadata_document_supported"`
	AuthorizationResponseIss    bool     `json:"authorization_response_iss_parameter_supported"`
	SubjectTypesSupported       []string `json:"subject_types_supported"`
	IDTokenSigningAlgsSupported []string `json:"id_token_signing_alg_values_supported"`
	ServiceDocumentation        string   `json:"service_documentation"`
}

// authorizationServer builds the metadata of the broker from configuration alone; no request header reaches it.
func (m *Metadata) authorizationServer() ([]byte, error) {
	cfg := m.Config()
	secretMethods := []string{oauth.AuthBasic, oauth.AuthPost}
	d := serverDocument{
		Issuer:                m.PublicURL,
		AuthorizationEndpoint: m.PublicURL + "/oauth/authorize",
		TokenEndpoint:         m.PublicURL + "/oauth/token",
		RevocationEndpoint:    m.PublicURL + "/oauth/revoke",
		IntrospectionEndpoint: m.PublicURL + "/oauth/introspect",
		JWKSURI:               m.PublicURL + "/.well-known/jwks.json",
		ScopesSupported:       []string{"offline_access", "llm"},

		ResponseTypesSupported: []string{"code"},
		ResponseModesSupported: []string{"query"},
		GrantTypesSupported:    []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},

		TokenAuthMethods:         append([]string{oauth.AuthNone}, secretMethods...), // without none some clients do not use documents
		RevocationAuthMethods:    append([]string{oauth.AuthNone}, secretMethods...),
		IntrospectionAuthMethods: secretMethods,
		CodeChallengeMethods:     []string{"S256"},
		ClientDocuments:          m.Documents && cfg.ClientDocuments != oauth.Closed,
		AuthorizationResponseIss: true,

		SubjectTypesSupported:       []string{"public"}, // the last two: OIDC discovery parsers require them
		IDTokenSigningAlgsSupported: []string{"ES256"},
		ServiceDocumentation:        m.PublicURL + "/",
	}
	if cfg.Registration != oauth.Closed {
		d.RegistrationEndpoint = m.PublicURL + "/oauth/register"
	}
	for _, res := range m.Catalogue.Resources() {
		if res.Server && res.Public {
			d.ScopesSupported = append(d.ScopesSupported, res.Scope)
		}
	}
	if slices.ContainsFunc(cfg.Clients, func(c oauth.ClientConfig) bool {
		return slices.Contains(c.Grants, oauth.GrantClientCredentials)
	}) {
		d.GrantTypesSupported = append(d.GrantTypesSupported, oauth.GrantClientCredentials)
	}
	return json.Marshal(d)
}

// resourceDocument is RFC 9728 metadata (oauth.md §3.2). offline_access must not be among its scopes.
type resourceDocument struct {
	Resource               string   `json:"resource"`
	AuthorizationServers   []string `json:"authorization_servers"`
	BearerMethodsSupported []string `json:"bearer_methods_supported"`
	ScopesSupported        []string `json:"scopes_supported"`
	Name                   string   `json:"resource_name,omitempty"`
	Documentation          string   `json:"resource_documentation,omitempty"`
}

// protectedResource builds the metadata for a path below the well-known address: "/mcp/orders", "/llm", or "" for the
// only MCP server there is. ok is false when there is no such resource.
func (m *Metadata) protectedResource(path string) (doc []byte, ok bool, err error) {
	res, uri, ok := m.resourceAt(path)
	if !ok {
		return nil, false, nil
	}
	d := resourceDocument{
		Resource: uri, AuthorizationServers: []string{m.PublicURL}, BearerMethodsSupported: []string{"header"},
		ScopesSupported: []string{res.Scope}, Name: res.Title, Documentation: res.Documentation,
	}
	if d.Name == "" {
		d.Name = res.Name
	}
	doc, err = json.Marshal(d)
	return doc, true, err
}

// resourceAt finds a resource and the address the client knows it by: clients compare it with the one they were given,
// so the old transport's address is told as it was asked for.
func (m *Metadata) resourceAt(path string) (res oauth.Resource, uri string, ok bool) {
	if path == "" {
		res, ok = m.onlyServer()
		return res, res.URI, ok
	}
	uri = m.PublicURL + path
	if res, ok = m.Catalogue.Resource(uri); ok {
		return res, uri, true
	}
	if base, sse := strings.CutSuffix(uri, "/sse"); sse {
		res, ok = m.Catalogue.Resource(base)
		return res, uri, ok && res.Server
	}
	return res, "", false
}

// onlyServer returns the MCP server when exactly one is configured; the built-in registry does not count.
func (m *Metadata) onlyServer() (only oauth.Resource, ok bool) {
	n := 0
	for _, res := range m.Catalogue.Resources() {
		if res.Server && res.Name != "registry" {
			only, n = res, n+1
		}
	}
	return only, n == 1
}
