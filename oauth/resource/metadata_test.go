package resource_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	asMetadata   = "/.well-known/oauth-authorization-server"
	oidcMetadata = "/.well-known/openid-configuration"
	jwks         = "/.well-known/jwks.json"
	prMetadata   = "/.well-known/oauth-protected-resource"
)

type site struct {
	cfg     oauth.Config
	meta    *resource.Metadata
	handler http.Handler
}

func newSite(t *testing.T) *site {
	t.Helper()
	r := newRig(t)
	s := &site{cfg: oauth.Config{Registration: oauth.Open, ClientDocuments: oauth.Open}}
	r.cat[0].Public = true
	r.cat[0].Documentation = "https://docs.example/orders"
	s.meta = &resource.Metadata{
		PublicURL: publicURL, Config: func() *oauth.Config { return &s.cfg }, Catalogue: r.cat, Documents: true,
		Keyring: func() *secret.Keyring { return r.ring },
	}
	e := echo.New()
	s.meta.Mount(e.Group(""))
	s.handler = e
	return s
}

func (s *site) send(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, req)
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Credentials") != "" || len(w.Header().Values("Set-Cookie")) != 0 {
		t.Errorf("%s %s: CORS %v", method, path, w.Header())
	}
	return w
}

func (s *site) document(t *testing.T, path string) map[string]any {
	t.Helper()
	w := s.send(t, http.MethodGet, path)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("%s = %d %v", path, w.Code, w.Header())
	}
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for name, v := range doc {
		if v == nil {
			t.Errorf("%s: %s is null", path, name)
		}
	}
	return doc
}

func TestAuthorizationServerMetadata_131_134_135(t *testing.T) {
	s := newSite(t)
	doc := s.document(t, asMetadata)
	want := map[string]string{
		"issuer":                                         publicURL,
		"authorization_endpoint":                         publicURL + "/oauth/authorize",
		"token_endpoint":                                 publicURL + "/oauth/token",
		"revocation_endpoint":                            publicURL + "/oauth/revoke",
		"introspection_endpoint":                         publicURL + "/oauth/introspect",
		"registration_endpoint":                          publicURL + "/oauth/register",
		"jwks_uri":                                       publicURL + "/.well-known/jwks.json",
		"scopes_supported":                               "[offline_access llm mcp:orders]", // billing is private
		"response_types_supported":                       "[code]",
		"response_modes_supported":                       "[query]",
		"grant_types_supported":                          "[authorization_code refresh_token]",
		"token_endpoint_auth_methods_supported":          "[none client_secret_basic client_secret_post]",
		"revocation_endpoint_auth_methods_supported":     "[none client_secret_basic client_secret_post]",
		"introspection_endpoint_auth_methods_supported":  "[client_secret_basic client_secret_post]",
		"code_challenge_methods_supported":               "[S256]",
		"client_id_metadata_document_supported":          "true",
		"authorization_response_iss_parameter_supported": "true",
		"subject_types_supported":                        "[public]",
		"id_token_signing_alg_values_supported":          "[ES256]",
		"service_documentation":                          publicURL + "/",
	}
	for name, v := range want {
		if fmt.Sprint(doc[name]) != v {
			t.Errorf("%s = %v, want %s", name, doc[name], v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		if _, ok := want[name]; !ok {
			t.Errorf("unexpected member %s", name)
		}
	}
	if a, b := s.send(t, http.MethodGet, asMetadata).Body.String(), s.send(t, http.MethodGet, oidcMetadata).Body.String(); a != b {
		t.Error("the OIDC document differs")
	}
}

func TestMetadataFollowsTheConfiguration_85_134(t *testing.T) {
	s := newSite(t)
	s.cfg.Registration, s.cfg.ClientDocuments = oauth.Closed, oauth.Closed
	s.cfg.Clients = []oauth.ClientConfig{{ID: "ci", Grants: []string{oauth.GrantClientCredentials}}}
	doc := s.document(t, asMetadata)
	if doc["registration_endpoint"] != nil || doc["client_id_metadata_document_supported"] != false ||
		fmt.Sprint(doc["grant_types_supported"]) != "[authorization_code refresh_token client_credentials]" {
		t.Errorf("document = %v", doc)
	}
	s.cfg.Registration, s.cfg.ClientDocuments, s.meta.Documents = oauth.Approve, oauth.Open, false
	doc = s.document(t, asMetadata)
	if doc["registration_endpoint"] == nil || doc["client_id_metadata_document_supported"] != false {
		t.Errorf("documents that cannot be fetched are advertised: %v", doc)
	}
}

func TestDocumentsUnderAPathAre404_131(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{
		asMetadata + "/mcp/orders", oidcMetadata + "/mcp/orders", asMetadata + "/", "/mcp/orders" + oidcMetadata, "/mcp/orders" + asMetadata,
		"/.well-known/unknown", "/.well-known/", "/.well-known", jwks + "/x",
	} {
		if w := s.send(t, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s = %d", path, w.Code)
		}
	}
}

func TestResourceDocuments_132(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{
		"/mcp/orders":     `{"resource":"https://gw.example.com/mcp/orders","authorization_servers":["https://gw.example.com"],"bearer_methods_supported":["header"],"scopes_supported":["mcp:orders"],"resource_name":"The orders server","resource_documentation":"https://docs.example/orders"}`,
		"/mcp/orders/sse": `{"resource":"https://gw.example.com/mcp/orders/sse","authorization_servers":["https://gw.example.com"],"bearer_methods_supported":["header"],"scopes_supported":["mcp:orders"],"resource_name":"The orders server","resource_documentation":"https://docs.example/orders"}`,
		"/mcp/billing":    `{"resource":"https://gw.example.com/mcp/billing","authorization_servers":["https://gw.example.com"],"bearer_methods_supported":["header"],"scopes_supported":["mcp:billing"],"resource_name":"The billing server"}`,
		"/llm":            `{"resource":"https://gw.example.com/llm","authorization_servers":["https://gw.example.com"],"bearer_methods_supported":["header"],"scopes_supported":["llm"],"resource_name":"Models"}`,
	} {
		if got := s.send(t, http.MethodGet, prMetadata+path).Body.String(); got != want {
			t.Errorf("%s = %s", path, got)
		}
		if doc := s.document(t, prMetadata+path); doc["resource"] != publicURL+path {
			t.Errorf("resource = %v", doc["resource"])
		}
	}
	for _, path := range []string{"/mcp/gone", "/mcp", "/mcp/", "/llm/sse", "/mcp/orders/", "/mcp/orders/message", "/mcp/%6frders", "/mcp/orders/sse/sse", "/"} {
		if w := s.send(t, http.MethodGet, prMetadata+path); w.Code != http.StatusNotFound {
			t.Errorf("%s = %d", path, w.Code)
		}
	}
}

func TestTheRootResourceDocumentNeedsExactlyOneServer_132(t *testing.T) {
	s := newSite(t)
	if w := s.send(t, http.MethodGet, prMetadata); w.Code != http.StatusNotFound {
		t.Errorf("two servers = %d", w.Code)
	}
	registry := oauthtest.Server(publicURL, "registry", nil)
	s.meta.Catalogue = oauthtest.Catalogue{oauthtest.Server(publicURL, "orders", nil), registry, oauthtest.LLM(publicURL)}
	if doc := s.document(t, prMetadata); doc["resource"] != orders {
		t.Errorf("resource = %v", doc["resource"])
	}
	s.meta.Catalogue = oauthtest.Catalogue{oauthtest.LLM(publicURL)}
	if w := s.send(t, http.MethodGet, prMetadata); w.Code != http.StatusNotFound {
		t.Errorf("no server = %d", w.Code)
	}
}

func TestHeadersOfTheRequestChangeNothing_130(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{asMetadata, oidcMetadata, prMetadata + "/mcp/orders", jwks} {
		plain := s.send(t, http.MethodGet, path).Body.String()
		forged := s.send(t, http.MethodGet, path, "Host", "evil.test", "Forwarded", "host=evil.test;proto=http", "X-Forwarded-Host", "evil.test",
			"X-Forwarded-Proto", "http", "X-Forwarded-Prefix", "/evil", "X-Original-Host", "evil.test", "Authorization", "Bearer x").Body.String()
		if plain != forged || strings.Contains(forged, "evil") {
			t.Errorf("%s: %s", path, forged)
		}
	}
}

func TestMethodsAndCORSOfDocuments_129(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{asMetadata, prMetadata + "/mcp/orders", jwks, "/.well-known/unknown"} {
		if w := s.send(t, http.MethodOptions, path, "Origin", "https://inspector.example", "Access-Control-Request-Method", "GET"); w.Code != http.StatusNoContent ||
			w.Header().Get("Access-Control-Allow-Headers") != "authorization, content-type, mcp-protocol-version" || w.Header().Get("Access-Control-Max-Age") != "86400" {
			t.Errorf("OPTIONS %s = %d %v", path, w.Code, w.Header())
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			if w := s.send(t, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s %s = %d %v", method, path, w.Code, w.Header())
			}
		}
	}
	w := s.send(t, http.MethodHead, asMetadata)
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD = %d %d bytes", w.Code, w.Body.Len())
	}
	if got := w.Header().Get("Access-Control-Expose-Headers"); got != "WWW-Authenticate, Retry-After, x-request-id" {
		t.Errorf("exposed = %q", got)
	}
}
