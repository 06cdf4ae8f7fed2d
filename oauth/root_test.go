package oauth_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const publicURL = "https://gw.example.com"

func TestPublicURLIsAnOrigin_145(t *testing.T) {
	for raw, want := range map[string]string{
		"https://gw.example.com": "", "https://gw.example.com:8443": "", "http://127.0.0.1:8080": "", "http://localhost:8080": "", "http://[::1]:8080": "",
		"http://127.8.9.1":              "",
		"https://gw.example.com/":       "must be an origin such as https://gw.example.com",
		"https://gw.example.com/a":      "must be an origin such as https://gw.example.com",
		"https://gw.example.com?x":      "must be an origin such as https://gw.example.com",
		"https://gw.example.com#":       "must be an origin such as https://gw.example.com",
		"https://u@gw.example.com":      "must be an origin such as https://gw.example.com",
		"HTTPS://gw.example.com":        "must be an origin such as https://gw.example.com",
		"ftp://gw.example.com":          "must be an origin such as https://gw.example.com",
		"gw.example.com":                "must be an origin such as https://gw.example.com",
		"":                              "must be an origin such as https://gw.example.com",
		"http://gw.example.com":         "http is allowed for loopback only",
		"http://10.0.0.1":               "http is allowed for loopback only",
		"http://localhost.evil.test":    "http is allowed for loopback only",
		"http://[::ffff:127.0.0.1]:443": "http is allowed for loopback only",
	} {
		err := oauth.CheckPublicURL(raw)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("CheckPublicURL(%q) = %v, want %q", raw, err, want)
		}
	}
}

func TestCanonicalResources_18_19(t *testing.T) {
	orders := publicURL + "/mcp/orders"
	for raw, want := range map[string]string{
		orders: orders, orders + "/": orders, orders + "/sse": orders, orders + "/sse/": orders, "HTTPS://GW.example.com/mcp/orders": orders,
		"https://gw.example.com:443/mcp/orders": orders, publicURL + "/llm": publicURL + "/llm", publicURL + "/admin/api/": publicURL + "/admin/api",
		publicURL + "/llm/sse": publicURL + "/llm/sse", // only MCP servers have that transport
		orders + "//":          "", orders + "#": "", orders + "#x": "", orders + "?x": "", orders + "?": "", "/mcp/orders": "", "mcp/orders": "", "": "",
		"http://gw.example.com/mcp/orders": "", "https://evil.test/mcp/orders": "", "https://gw.example.com.evil.test/mcp/orders": "",
		"https://u@gw.example.com/mcp/orders": "", "https://gw.example.com:8443/mcp/orders": "", publicURL: "", publicURL + "/": "",
		publicURL + "/mcp/%6frders": "", publicURL + "/mcp/orders%2f": "", "https:gw.example.com/mcp/orders": "", orders + " ": "", "https://gw.example.com\\@evil.test/": "",
	} {
		got, ok := oauth.CanonicalResource(publicURL, raw)
		if got != want || ok != (want != "") {
			t.Errorf("CanonicalResource(%q) = %q, %v, want %q", raw, got, ok, want)
		}
	}
}

func TestTargetOfARequest_18(t *testing.T) {
	one := oauthtest.Catalogue{oauthtest.Server(publicURL, "orders", nil), oauthtest.Server(publicURL, "registry", nil), oauthtest.LLM(publicURL)}
	two := append(slices.Clone(one), oauthtest.Server(publicURL, "billing", nil))
	orders, llm := publicURL+"/mcp/orders", publicURL+"/llm"
	for _, tc := range []struct {
		name      string
		cat       oauth.Catalogue
		resources []string
		scopes    []string
		want      string
	}{
		{"named", two, []string{orders + "/"}, nil, orders},
		{"llm", two, []string{llm}, nil, llm},
		{"absent, one server", one, nil, nil, orders},
		{"absent, several servers", two, nil, nil, ""},
		{"absent, a scope names it", two, nil, []string{"mcp:billing", "x"}, publicURL + "/mcp/billing"},
		{"absent, two scopes name two", two, nil, []string{"mcp:billing", "mcp:orders"}, ""},
		{"repeated, even equal", two, []string{orders, orders}, nil, ""},
		{"unknown", two, []string{publicURL + "/mcp/gone"}, nil, ""},
		{"empty", one, []string{""}, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := oauth.Target(tc.cat, publicURL, tc.resources, tc.scopes)
			if res.URI != tc.want || (err == nil) != (tc.want != "") || err != nil && err.Code != oauth.InvalidTarget {
				t.Errorf("Target = %q, %v, want %q", res.URI, err, tc.want)
			}
		})
	}
	if _, err := oauth.Target(two, publicURL, nil, nil); err.Description != "resource is required: name one MCP server" {
		t.Errorf("description = %q", err.Description)
	}
}

func TestRequestedScopes_17(t *testing.T) {
	res := oauthtest.Server(publicURL, "orders", nil, "orders.delete")
	for raw, want := range map[string]string{
		"": "mcp:orders", "mcp:orders": "mcp:orders", " offline_access": "mcp:orders", "openid profile email offline_access": "mcp:orders",
		"orders.delete": "mcp:orders orders.delete", "orders.delete  mcp:orders orders.delete": "mcp:orders orders.delete",
	} {
		got, err := oauth.RequestedScopes(&res, raw)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("RequestedScopes(%q) = %v, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"llm", "a\tb", `a"b`, `a\b`, "ä", strings.Repeat("x", 129), strings.Repeat("x ", 51), "mcp:orders\n"} {
		if _, err := oauth.RequestedScopes(&res, raw); err == nil || err.Code != oauth.InvalidScope {
			t.Errorf("RequestedScopes(%q) = %v", raw, err)
		}
	}
	if _, err := oauth.RequestedScopes(&res, "llm"); err.Description != "unknown scope for this resource: llm" {
		t.Errorf("description = %q", err.Description)
	}
}

func TestGrantedScopesAreThoseTheRolesAllow_17(t *testing.T) {
	res := oauthtest.Server(publicURL, "orders", nil, "orders.delete", "orders.read")
	c := &identity.Caller{Roles: []string{"role:orders.read"}}
	if got := oauth.GrantedScopes(&res, c, []string{"orders.read", "orders.delete", "gone", "mcp:orders"}); strings.Join(got, " ") != "mcp:orders orders.read" {
		t.Errorf("GrantedScopes = %v", got)
	}
}

func valid() oauth.Config {
	return oauth.Config{AccessTokenTTL: time.Hour, RefreshTokenTTL: 720 * time.Hour, CodeTTL: time.Minute, TransactionTTL: 10 * time.Minute, MaxClients: 1}
}

func TestFaultsOfTheConfigurationAreReportedTogether(t *testing.T) {
	good := valid()
	good.ClientDocumentHosts = []string{"claude.ai", "*.example.com"}
	good.Clients = []oauth.ClientConfig{
		{ID: "ci", Secret: secret.Reference{Source: "env:X"}, Grants: []string{oauth.GrantClientCredentials}, Servers: []string{"orders"}},
		{ID: "web", RedirectURIs: []string{"https://app.example/cb"}},
	}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
	bad := valid()
	bad.AccessTokenTTL, bad.CodeTTL, bad.RefreshGrace, bad.MaxClients, bad.TransactionTTL = 0, time.Hour, 3*time.Minute, 0, 0
	bad.ClientDocumentHosts = []string{"https://x.example", "*"}
	bad.Clients = []oauth.ClientConfig{
		{ID: "a", Grants: []string{oauth.GrantClientCredentials}}, {ID: "a", Auth: oauth.AuthBasic}, {ID: "b c"},
		{ID: "d", Auth: oauth.AuthNone, Secret: secret.Reference{Source: "env:X"}}, {ID: "e", Grants: []string{"password", oauth.GrantAuthorizationCode}},
		{ID: "f", Secret: secret.Reference{Source: "env:X", Value: secret.New("short")}},
	}
	err := bad.Validate()
	for _, path := range []string{
		"access_token_ttl:", "code_ttl:", "refresh_grace:", "max_clients:", "transaction_ttl:", "client_document_hosts[0]:", "client_document_hosts[1]:",
		"clients[0].secret:", "clients[0].servers:", "clients[1].id:", "clients[1].auth:", "clients[2].id:", "clients[3].auth:", "clients[4].grants[0]:",
		"clients[4].redirect_uris:", "clients[5].secret:",
	} {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("no fault at %s", path)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Error("a secret is told")
	}
}

func TestAConfiguredClient(t *testing.T) {
	c := (&oauth.ClientConfig{ID: "web", RedirectURIs: []string{"https://app.example/cb"}}).Client()
	if !c.Public() || c.AuthMethod != oauth.AuthNone || !c.Grants(oauth.GrantAuthorizationCode) || !c.Grants(oauth.GrantRefreshToken) || c.Name != "web" || c.Status != oauth.Approved {
		t.Errorf("client = %+v", c)
	}
	c = (&oauth.ClientConfig{ID: "ci", Name: "CI", Secret: secret.Reference{Value: secret.New("0123456789abcdef")}, Grants: []string{oauth.GrantClientCredentials}}).Client()
	if c.Public() || c.AuthMethod != "" || c.Grants(oauth.GrantAuthorizationCode) || c.Name != "CI" || len(c.SecretHash) != 32 {
		t.Errorf("client = %+v", c)
	}
}

func TestErrorsAreWrittenAsRFC6749Says(t *testing.T) {
	for _, tc := range []struct {
		err    oauth.Error
		status int
		retry  string
		body   string
	}{
		{oauth.Error{Code: oauth.InvalidGrant, Description: "x", Err: errors.New("secret cause")}, 400, "", `{"error":"invalid_grant","error_description":"x"}`},
		{oauth.Error{Code: oauth.InvalidClient}, 401, "", `{"error":"invalid_client"}`},
		{oauth.Error{Code: oauth.ServerError, Description: "secret cause", Err: errors.New("x")}, 500, "", `{"error":"server_error","error_description":"internal error"}`},
		{*oauth.Unavailable(errors.New("x")), 503, "5", `{"error":"temporarily_unavailable","error_description":"try again in a moment"}`},
		{oauth.Error{Code: oauth.TemporarilyUnavailable, Status: 429, RetryAfter: 1500 * time.Millisecond}, 429, "2", `{"error":"temporarily_unavailable"}`},
	} {
		w := httptest.NewRecorder()
		oauth.WriteError(w, &tc.err)
		if w.Code != tc.status || w.Body.String() != tc.body || w.Header().Get("Retry-After") != tc.retry || w.Header().Get("Cache-Control") != "no-store" ||
			w.Header().Get("Pragma") != "no-cache" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %s", tc.err.Code, w.Code, w.Header(), w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Error("not JSON")
		}
	}
}

func FuzzCanonicalResource(f *testing.F) {
	f.Add(publicURL + "/mcp/orders")
	f.Add("HTTPS://gw.example.com:443/mcp/orders/sse/")
	f.Add("https://gw.example.com@evil.test/")
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := oauth.CanonicalResource(publicURL, raw)
		if !ok {
			return
		}
		if !strings.HasPrefix(got, publicURL+"/") {
			t.Fatalf("CanonicalResource(%q) = %q", raw, got)
		}
		if again, ok := oauth.CanonicalResource(publicURL, got); !ok || again != got {
			t.Fatalf("CanonicalResource is not idempotent: %q, %q", got, again)
		}
	})
}
