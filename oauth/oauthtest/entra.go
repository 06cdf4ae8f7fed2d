package oauthtest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Tenants of the fake, and the application registered in both.
const (
	Contoso     = "72f988bf-0000-4000-8000-00000000000a"
	Fabrikam    = "72f988bf-0000-4000-8000-00000000000b"
	EntraClient = "11111111-aaaa-4bbb-8ccc-000000000001"
	EntraSecret = "s3cret-of-the-app-registration"
	EntraScope  = "api://" + EntraClient + "/access_as_user"
)

// Entra is an in-process Microsoft Entra ID: a real HTTP server that behaves as the real one does where the broker
// could trip over it, and misbehaves where a switch says so (oauth.md §19). Whoever Current names is signed in already,
// so /authorize answers at once.
type Entra struct {
	URL string // authority

	mu       sync.Mutex
	switches Switches
	codes    map[string]*entraCode
	refresh  map[string]*entraGrant // by refresh token; old ones stay good
	log      []Seen
	jtis     map[string]bool
	keys     []signer
	serial   int
	now      func() time.Time
	done     chan struct{} // closed when the server stops: lets hanging answers go
}

// Switches are what a test turns. Change them with Set.
type Switches struct {
	People  []EntraPerson
	Current string // name of who is signed in at Entra

	// IDToken may change header, claims and signing of every ID token; see Presets.
	IDToken func(*Forged)

	AuthorizeError       string // error code to answer with, and its description
	AuthorizeDescription string
	AuthorizeIss         string // iss parameter to add; Entra sends none
	DropState            bool
	OtherCode            string // a code to return instead of the one issued

	Token   Fault // of the token endpoint, for codes
	Refresh Fault // of the token endpoint, for refresh tokens
	JWKS    Fault // of the key set
	OBO     Fault // of the token endpoint, for exchanges
	Graph   Fault // of Graph
	// GroupPages are the pages of groups that Graph has; NextLink, when set, is where its first page points.
	GroupPages [][]string
	NextLink   string

	TokenEndpoint string // what discovery says instead of the truth

	// Certificate, when set, is what assertions must be signed with; Federated the assertion of another issuer that is
	// accepted. Either replaces the client secret.
	Certificate *x509.Certificate
	Federated   string

	// NoIDToken and NoRefreshToken leave members out of good answers.
	NoIDToken, NoRefreshToken bool
}

// EntraPerson is somebody in a tenant.
type EntraPerson struct {
	Name, OID, Tenant, UPN, Email string
	Roles, Groups                 []string
	Guest, Disabled, NotAssigned  bool
	Overage                       bool // more groups than fit into a token
}

// Fault is how an endpoint fails. The zero value does not.
type Fault struct {
	Status      int    // 500, 503 …; with Code "" the body is not JSON
	Code        string // OAuth error code
	Description string // "AADSTS50105: …"
	Claims      string // claims challenge
	Hang        bool   // no answer until the caller gives up
	Junk        bool   // 200 that is not JSON
	Huge        bool   // 2 MiB of JSON
	Redirect    string // 302 to here
}

// Seen is a request the fake got.
type Seen struct {
	Method, Path string
	Query, Form  url.Values
}

type entraCode struct {
	tenant, nonce, challenge, redirect, scope string
	person                                    string
	spent                                     bool
}

type entraGrant struct{ tenant, person, scope string }

// NewEntra starts the fake. now is its clock; nil means time.Now.
func NewEntra(t testing.TB, now func() time.Time) *Entra {
	t.Helper()
	if now == nil {
		now = time.Now
	}
	e := &Entra{codes: map[string]*entraCode{}, refresh: map[string]*entraGrant{}, jtis: map[string]bool{}, keys: []signer{signingKeys()[0]}, now: now, done: make(chan struct{})}
	e.switches = Switches{Current: "Ada", People: []EntraPerson{
		{Name: "Ada", OID: "aaaaaaaa-0000-4000-8000-000000000001", Tenant: Contoso, UPN: "ada@contoso.com", Email: "ada@contoso.com", Roles: []string{"Gateway.Admin"}},
		{Name: "Ben", OID: "aaaaaaaa-0000-4000-8000-000000000002", Tenant: Contoso, UPN: "ben@contoso.com", Email: "ben@contoso.com"},
		{Name: "Cleo", OID: "aaaaaaaa-0000-4000-8000-000000000003", Tenant: Fabrikam, UPN: "cleo@fabrikam.com", Email: "ada@contoso.com"},
	}}
	server := httptest.NewServer(e.routes())
	t.Cleanup(func() {
		close(e.done)
		server.CloseClientConnections()
		server.Close()
	})
	e.URL = server.URL
	return e
}

// Set changes the switches.
func (e *Entra) Set(change func(*Switches)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.switches)
}

// Rotate replaces the signing key: the old one is gone from the key set.
func (e *Entra) Rotate() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = []signer{signingKeys()[1]}
}

// Log returns every request so far whose path ends in suffix; "" returns all.
func (e *Entra) Log(suffix string) []Seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Seen
	for _, s := range e.log {
		if strings.HasSuffix(s.Path, suffix) {
			out = append(out, s)
		}
	}
	return out
}

func (e *Entra) state() Switches {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.switches
	s.People = slices.Clone(s.People)
	return s
}

func (e *Entra) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", e.discovery)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", e.keySet)
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", e.authorize)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", e.token)
	mux.HandleFunc("GET /_msi/token", e.managedIdentity)
	mux.HandleFunc("GET /graph/v1.0/me/transitiveMemberOf/microsoft.graph.group", e.memberOf)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		_ = r.ParseForm()
		e.mu.Lock()
		e.log = append(e.log, Seen{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Form: r.PostForm})
		e.mu.Unlock()
		mux.ServeHTTP(w, r)
	})
}

// discovery answers as Entra does: no code_challenge_methods_supported, no registration_endpoint; /common has the
// literal {tenantid} as issuer.
func (e *Entra) discovery(w http.ResponseWriter, r *http.Request) {
	tenant := r.PathValue("tenant")
	if tenant == "common" || tenant == "organizations" {
		tenant = "{tenantid}"
	} else if tenant != Contoso && tenant != Fabrikam {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."})
		return
	}
	at := e.URL + "/" + r.PathValue("tenant")
	token := at + "/oauth2/v2.0/token"
	if s := e.state(); s.TokenEndpoint != "" {
		token = s.TokenEndpoint
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": e.URL + "/" + tenant + "/v2.0", "authorization_endpoint": at + "/oauth2/v2.0/authorize",
		"token_endpoint": token, "jwks_uri": at + "/discovery/v2.0/keys",
		"end_session_endpoint":                  at + "/oauth2/v2.0/logout",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "subject_types_supported": []string{"pairwise"},
		"response_types_supported": []string{"code", "id_token"},
	})
}

func (e *Entra) keySet(w http.ResponseWriter, r *http.Request) {
	if e.fails(w, r, e.state().JWKS) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []any
	for _, k := range e.keys {
		list = append(list, k.jwk())
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": list})
}

// authorize signs Current in and redirects.
func (e *Entra) authorize(w http.ResponseWriter, r *http.Request) {
	s, q := e.state(), r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != EntraClient {
		http.Error(w, "AADSTS50011", http.StatusBadRequest)
		return
	}
	out := url.Values{"session_state": {"5f2c-session"}}
	if !s.DropState {
		out.Set("state", q.Get("state"))
	}
	if s.AuthorizeIss != "" {
		out.Set("iss", s.AuthorizeIss)
	}
	refuse := func(code, text string) {
		out.Set("error", code)
		out.Set("error_description", text)
	}
	person, ok := s.find(s.Current)
	switch {
	case s.AuthorizeError != "":
		refuse(s.AuthorizeError, s.AuthorizeDescription)
	case q.Has("resource"):
		refuse("invalid_target", "AADSTS9010010: The resource parameter doesn't match the requested scopes.")
	case !ok || person.Tenant != r.PathValue("tenant"):
		refuse("access_denied", "AADSTS50020: User account does not exist in tenant.")
	case person.Disabled:
		refuse("access_denied", "AADSTS50057: The user account is disabled.")
	case person.NotAssigned:
		refuse("access_denied", "AADSTS50105: <b>not assigned</b> to a role for the application.")
	default:
		out.Set("code", e.issue(&entraCode{tenant: person.Tenant, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"),
			redirect: q.Get("redirect_uri"), scope: q.Get("scope"), person: person.Name}))
		if s.OtherCode != "" {
			out.Set("code", s.OtherCode)
		}
	}
	back.RawQuery = out.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// issue remembers what a code stands for.
func (e *Entra) issue(c *entraCode) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serial++
	code := fmt.Sprintf("1.AXoA-upstream-code-%d", e.serial)
	e.codes[code] = c
	return code
}

func (s *Switches) find(name string) (EntraPerson, bool) {
	for _, p := range s.People {
		if p.Name == name {
			return p, true
		}
	}
	return EntraPerson{}, false
}

// Person changes one of the people.
func (s *Switches) Person(name string, change func(*EntraPerson)) {
	for i := range s.People {
		if s.People[i].Name == name {
			change(&s.People[i])
		}
	}
}

// fails answers as f says and reports whether it did.
func (e *Entra) fails(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-e.done:
		}
	case f.Junk:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>sign-in page eyJhbGciOiJ</html>"))
	case f.Huge:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id_token":"` + strings.Repeat("A", 2<<20) + `"}`))
	case f.Redirect != "":
		http.Redirect(w, r, f.Redirect, http.StatusFound)
	case f.Code != "":
		status := f.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		body := map[string]any{"error": f.Code, "error_description": f.Description, "correlation_id": "corr-1", "trace_id": "trace-1"}
		if f.Claims != "" {
			body["claims"] = f.Claims
		}
		writeJSON(w, status, body)
	case f.Status != 0:
		w.Header().Set("Retry-After", "7")
		http.Error(w, "upstream trouble", f.Status)
	default:
		return false
	}
	return true
}

// pairwise is the sub of a person for our application: another one in every application.
func pairwise(p EntraPerson) string {
	sum := sha256.Sum256([]byte(p.OID + EntraClient))
	return hex.EncodeToString(sum[:16])
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
