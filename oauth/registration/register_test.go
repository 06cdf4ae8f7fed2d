package registration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
)

const publicURL = "https://gw.example.com"

type rig struct {
	now     time.Time
	cfg     oauth.Config
	store   *oauthtest.Memory
	handler http.Handler
	mu      sync.Mutex
	events  []oauth.Event
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), store: &oauthtest.Memory{}}
	r.cfg = oauth.Config{Registration: oauth.Open, ClientDocuments: oauth.Open, MaxClients: 1000}
	h := &registration.Handler{
		Config: func() *oauth.Config { return &r.cfg }, Clients: r.store, Now: func() time.Time { return r.now },
		Catalogue: oauthtest.Catalogue{oauthtest.Server(publicURL, "orders", nil, "orders.delete"), oauthtest.LLM(publicURL)},
		Audit: func(_ context.Context, e oauth.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
	}
	e := echo.New()
	h.Mount(e.Group("/oauth"))
	r.handler = e
	return r
}

type reply struct {
	*httptest.ResponseRecorder
	body map[string]any
}

func (r *rig) register(t *testing.T, body string) reply {
	return r.send(t, http.MethodPost, "application/json", body)
}

func (r *rig) send(t *testing.T, method, contentType, body string) reply {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "/oauth/register", strings.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	a := reply{ResponseRecorder: w}
	_ = json.Unmarshal(w.Body.Bytes(), &a.body)
	if w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s: no CORS", method)
	}
	return a
}

func wantCreated(t *testing.T, a reply) {
	t.Helper()
	if a.Code != http.StatusCreated || a.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("answer %d %s", a.Code, a.Body)
	}
}

// Bodies as clients send them (oauth.md §18).
const (
	vscode = `{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com","grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code"],"redirect_uris":["https://insiders.vscode.dev/redirect","https://vscode.dev/redirect","http://127.0.0.1/","http://127.0.0.1:33418/"],"token_endpoint_auth_method":"none","application_type":"native"}`
	claude = `{"client_name":"Claude","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"client_secret_post","scope":"mcp:orders unknown.scope","redirect_uris":["https://claude.ai/api/mcp/auth_callback"]}`
	cursor = `{"client_name":"Cursor","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],"token_endpoint_auth_method":"none"}`
)

func TestRealClientsRegister_80_84(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		method string
		secret bool
	}{"VS Code": {vscode, "none", false}, "Claude": {claude, "client_secret_post", true}, "Cursor": {cursor, "none", false}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := r.register(t, tc.body)
			wantCreated(t, a)
			id, _ := a.body["client_id"].(string)
			if !strings.HasPrefix(id, "dcr_") || len(id) != 30 || a.body["client_id_issued_at"] != float64(r.now.Unix()) ||
				a.body["token_endpoint_auth_method"] != tc.method || strings.Contains(a.Body.String(), "null") ||
				fmt.Sprint(a.body["grant_types"]) != "[authorization_code refresh_token]" || fmt.Sprint(a.body["response_types"]) != "[code]" {
				t.Errorf("answer = %s", a.Body)
			}
			secret, has := a.body["client_secret"].(string)
			if _, expires := a.body["client_secret_expires_at"]; has != tc.secret || expires != tc.secret || has && !strings.HasPrefix(secret, "dbs_") {
				t.Errorf("secret members: %s", a.Body)
			}
			if a.body["registration_access_token"] != nil {
				t.Error("registration_access_token")
			}
			c, err := r.store.Client(t.Context(), id)
			if err != nil || c.Kind != oauth.Registered || c.Status != oauth.Approved || c.Public() == tc.secret || c.AuthMethod != tc.method {
				t.Errorf("stored %+v, %v", c, err)
			}
			if has && strings.Contains(fmt.Sprintf("%s%s", c.SecretHash, c.Metadata), secret) {
				t.Error("the secret is stored")
			}
			if len(r.events) != 1 || r.events[0].Name != "client.registered" || r.events[0].Outcome != "ok" {
				t.Errorf("events = %v", r.events)
			}
		})
	}
}

func TestTheEffectiveMetadata_82(t *testing.T) {
	for name, tc := range map[string]struct {
		body string // members beside redirect_uris
		want map[string]string
		gone []string
	}{
		"client_credentials is dropped": {`"grant_types":["client_credentials","authorization_code","urn:ietf:params:oauth:grant-type:jwt-bearer"]`,
			map[string]string{"grant_types": "[authorization_code]"}, nil},
		"what fetches is ignored": {`"jwks_uri":"http://169.254.169.254/","sector_identifier_uri":"http://10.0.0.1/","software_statement":"eyJ","request_uris":["http://10.0.0.1"],"jwks":{},"x":1`,
			nil, []string{"jwks_uri", "sector_identifier_uri", "software_statement", "request_uris", "jwks", "x"}},
		"response types":        {`"response_types":["code","token"]`, map[string]string{"response_types": "[code]"}, nil},
		"web default":           {``, map[string]string{"token_endpoint_auth_method": "client_secret_basic", "client_name": "app.example"}, nil},
		"native default":        {`"application_type":"native"`, map[string]string{"token_endpoint_auth_method": "none", "application_type": "native"}, nil},
		"links":                 {`"client_uri":"https://app.example","logo_uri":"javascript:alert(1)","tos_uri":"http://10.0.0.1/tos","policy_uri":"x"`, map[string]string{"client_uri": "https://app.example", "tos_uri": "http://10.0.0.1/tos"}, []string{"logo_uri", "policy_uri"}},
		"scope":                 {`"scope":"orders.delete nobody.has llm openid"`, map[string]string{"scope": "orders.delete llm"}, nil},
		"scope unusable":        {`"scope":"ä"`, nil, []string{"scope"}},
		"null is absent":        {`"client_name":null,"logo_uri":null,"contacts":null`, map[string]string{"client_name": "app.example"}, []string{"logo_uri", "contacts"}},
		"names":                 {`"client_name":"App","client_name#de":"Anwendung","software_id":"s","software_version":"1","contacts":["a@b.example"]`, map[string]string{"client_name": "App", "client_name#de": "Anwendung", "software_id": "s", "software_version": "1", "contacts": "[a@b.example]"}, nil},
		"contacts are cut":      {`"contacts":["1","2","3","4","5","6","7","8","9","10","11"]`, map[string]string{"contacts": "[1 2 3 4 5 6 7 8 9 10]"}, nil},
		"long name on a border": {`"client_name":"` + strings.Repeat("a", 199) + `ü"`, map[string]string{"client_name": strings.Repeat("a", 199)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"redirect_uris":["https://app.example/cb"]`
			if tc.body != "" {
				body += "," + tc.body
			}
			a := newRig(t).register(t, body+"}")
			wantCreated(t, a)
			for member, want := range tc.want {
				if fmt.Sprint(a.body[member]) != want {
					t.Errorf("%s = %v, want %s", member, a.body[member], want)
				}
			}
			for _, member := range tc.gone {
				if _, there := a.body[member]; there {
					t.Errorf("%s is there", member)
				}
			}
		})
	}
}

func TestRegistrationsThatAreRefused_79_81(t *testing.T) {
	many := strings.Repeat(`"https://app.example/cb",`, 200)
	for name, tc := range map[string]struct{ body, code string }{
		"79 javascript":       {`{"redirect_uris":["javascript:alert(1)"]}`, oauth.InvalidRedirectURI},
		"79 mixed case":       {`{"redirect_uris":["JaVaScRiPt:alert(1)"]}`, oauth.InvalidRedirectURI},
		"79 tab":              {`{"redirect_uris":["\tjavascript:alert(1)"]}`, oauth.InvalidRedirectURI},
		"79 data":             {`{"redirect_uris":["data:text/html,x"]}`, oauth.InvalidRedirectURI},
		"79 http":             {`{"redirect_uris":["http://evil.test/cb"]}`, oauth.InvalidRedirectURI},
		"79 one bad of three": {`{"redirect_uris":["https://a.example/cb","file:///x","http://localhost/"]}`, oauth.InvalidRedirectURI},
		"81 none":             {`{}`, oauth.InvalidRedirectURI},
		"81 empty":            {`{"redirect_uris":[]}`, oauth.InvalidRedirectURI},
		"81 200":              {`{"redirect_uris":[` + many[:len(many)-1] + `]}`, oauth.InvalidRedirectURI},
		"81 64 KiB":           {`{"redirect_uris":["https://a.example/` + strings.Repeat("a", 3000) + `"]}`, oauth.InvalidRedirectURI},
		"81 non-strings":      {`{"redirect_uris":[1,2]}`, oauth.InvalidClientMetadata},
		"81 null inside":      {`{"redirect_uris":[null]}`, oauth.InvalidClientMetadata},
		"81 string":           {`{"redirect_uris":"https://a.example/cb"}`, oauth.InvalidClientMetadata},
		"81 deep":             {`{"redirect_uris":["https://a.example/cb"],"x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`, oauth.InvalidClientMetadata},
		"81 deeper":           {`{"x":` + strings.Repeat("[", 7000) + strings.Repeat("]", 7000) + `}`, oauth.InvalidClientMetadata},
		"repeated key":        {`{"redirect_uris":["https://a.example/cb"],"redirect_uris":["https://b.example/cb"]}`, oauth.InvalidClientMetadata},
		"repeated key inside": {`{"redirect_uris":["https://a.example/cb"],"x":{"a":1,"a":2}}`, oauth.InvalidClientMetadata},
		"two values":          {`{"redirect_uris":["https://a.example/cb"]}{}`, oauth.InvalidClientMetadata},
		"array":               {`[]`, oauth.InvalidClientMetadata},
		"null":                {`null`, oauth.InvalidClientMetadata},
		"empty":               {``, oauth.InvalidClientMetadata},
		"cut":                 {`{"redirect_uris":["https://a`, oauth.InvalidClientMetadata},
		"not UTF-8":           {"{\"client_name\":\"\xff\",\"redirect_uris\":[\"https://a.example/cb\"]}", oauth.InvalidClientMetadata},
		"name no string":      {`{"redirect_uris":["https://a.example/cb"],"client_name":{"a":1}}`, oauth.InvalidClientMetadata},
		"auth method":         {`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt"}`, oauth.InvalidClientMetadata},
		"82 no grant left":    {`{"redirect_uris":["https://a.example/cb"],"grant_types":["client_credentials"]}`, oauth.InvalidClientMetadata},
		"no response left":    {`{"redirect_uris":["https://a.example/cb"],"response_types":["token"]}`, oauth.InvalidClientMetadata},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a := r.register(t, tc.body)
			if a.Code != http.StatusBadRequest || a.body["error"] != tc.code || a.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("answer %d %s, want %s", a.Code, a.Body, tc.code)
			}
			if r.store.ClientCount() != 0 {
				t.Error("a client was stored")
			}
			for _, c := range fmt.Sprint(a.body["error_description"]) {
				if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
					t.Errorf("description is not fit for RFC 6749: %s", a.Body)
				}
			}
		})
	}
	if a := newRig(t).register(t, `{"x":"`+strings.Repeat("a", 16<<10)+`"}`); a.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("81 more than 16 KiB = %d", a.Code)
	}
	if a := newRig(t).send(t, http.MethodPost, "text/plain", vscode); a.Code != http.StatusBadRequest {
		t.Errorf("text/plain = %d", a.Code)
	}
	if a := newRig(t).send(t, http.MethodGet, "", ""); a.Code != http.StatusMethodNotAllowed || a.Header().Get("Allow") == "" {
		t.Errorf("GET = %d", a.Code)
	}
	if a := newRig(t).send(t, http.MethodOptions, "", ""); a.Code != http.StatusNoContent || a.Header().Get("Access-Control-Allow-Methods") != "POST" {
		t.Errorf("preflight = %d %v", a.Code, a.Header())
	}
}

func TestARefusedRedirectURIIsNamed(t *testing.T) {
	a := newRig(t).register(t, `{"redirect_uris":["https://ok.example/","http://evil.test/\"\\é"]}`)
	if text := fmt.Sprint(a.body["error_description"]); !strings.Contains(text, "http://evil.test/???") || !strings.Contains(text, "[1]") {
		t.Errorf("description = %s", text)
	}
}

func TestTheSamePublicBodyGivesTheSameClient_83(t *testing.T) {
	r := newRig(t)
	first := r.register(t, cursor)
	r.now = r.now.Add(time.Hour)
	reordered := `{"token_endpoint_auth_method":"none","redirect_uris":["http://localhost:8787/callback","https://www.cursor.com/agents/mcp/oauth/callback","cursor://anysphere.cursor-mcp/oauth/callback"],"client_name":"Cursor","unknown":1}`
	again := r.register(t, reordered)
	wantCreated(t, again)
	if again.body["client_id"] != first.body["client_id"] || again.body["client_id_issued_at"] != first.body["client_id_issued_at"] {
		t.Errorf("again = %s, first = %s", again.Body, first.Body)
	}
	if a := r.register(t, strings.Replace(cursor, "Cursor", "Other", 1)); a.body["client_id"] == first.body["client_id"] {
		t.Error("another name is another client")
	}
	one, two := r.register(t, claude), r.register(t, claude)
	if one.body["client_id"] == two.body["client_id"] {
		t.Error("confidential clients must never share an id")
	}
}

func TestEqualBodiesAtOnceMakeOneClient_83(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { r.register(t, vscode) })
	}
	wg.Wait()
	if n := r.store.ClientCount(); n != 1 {
		t.Errorf("%d clients", n)
	}
}

func TestABlockedBodyGivesTheBlockedClient(t *testing.T) {
	r := newRig(t)
	id := r.register(t, cursor).body["client_id"].(string)
	c, err := r.store.Client(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c.Status = oauth.Blocked
	if err := r.store.PutClient(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if again := r.register(t, cursor); again.body["client_id"] != id {
		t.Errorf("answer = %s", again.Body)
	}
}

func TestAFloodIsSlowedDown_83(t *testing.T) {
	r := newRig(t)
	for i := range 500 {
		if a := r.register(t, cursor); a.Code != http.StatusCreated {
			t.Fatalf("registration %d = %d", i, a.Code)
		}
	}
	a := r.register(t, cursor)
	if a.Code != http.StatusTooManyRequests || a.Header().Get("Retry-After") == "" || a.body["error"] != oauth.TemporarilyUnavailable {
		t.Errorf("flood = %d %v %s", a.Code, a.Header(), a.Body)
	}
	r.now = r.now.Add(time.Second)
	for range 20 {
		wantCreated(t, r.register(t, cursor))
	}
	if a := r.register(t, cursor); a.Code != http.StatusTooManyRequests {
		t.Errorf("more than 20 a second = %d", a.Code)
	}
}

func TestTheCeilingOfNeverUsedClients_83(t *testing.T) {
	r := newRig(t)
	r.cfg.MaxClients = 3
	body := func(i int) string { return strings.Replace(cursor, "Cursor", fmt.Sprint("Client ", i), 1) }
	used := r.register(t, body(0)).body["client_id"].(string)
	if err := r.store.TouchClient(t.Context(), used, r.now); err != nil {
		t.Fatal(err)
	}
	oldest := r.register(t, body(1)).body["client_id"].(string)
	r.now = r.now.Add(time.Minute)
	wantCreated(t, r.register(t, body(2)))
	wantCreated(t, r.register(t, body(3)))
	a := r.register(t, body(4)) // three never-used ones, all younger than an hour
	if a.Code != http.StatusTooManyRequests || a.Header().Get("Retry-After") != "60" || a.body["error"] != oauth.TemporarilyUnavailable {
		t.Errorf("full = %d %v", a.Code, a.Header())
	}
	r.now = r.now.Add(time.Hour)
	wantCreated(t, r.register(t, body(5)))
	if _, err := r.store.Client(t.Context(), oldest); !errors.Is(err, oauth.ErrNotFound) {
		t.Errorf("the oldest never-used client is still there: %v", err)
	}
	if _, err := r.store.Client(t.Context(), used); err != nil {
		t.Errorf("a used client is gone: %v", err)
	}
}

func TestClosedRegistration_85(t *testing.T) {
	r := newRig(t)
	r.cfg.Registration = oauth.Closed
	a := r.register(t, vscode)
	want := `{"error":"invalid_request","error_description":"dynamic registration is off; ask your administrator for a client id"}`
	if a.Code != http.StatusNotFound || a.Body.String() != want {
		t.Errorf("answer %d %s", a.Code, a.Body)
	}
}

func TestRegistrationThatWaitsForApproval(t *testing.T) {
	r := newRig(t)
	r.cfg.Registration = oauth.Approve
	a := r.register(t, vscode)
	wantCreated(t, a)
	if c, err := r.store.Client(t.Context(), a.body["client_id"].(string)); err != nil || c.Status != oauth.Pending {
		t.Errorf("stored %+v, %v", c, err)
	}
}

func TestAStoreThatIsDownRegistersNobody_112(t *testing.T) {
	r := newRig(t)
	r.store.Fail(errors.New("database is locked"))
	a := r.register(t, vscode)
	if a.Code != http.StatusServiceUnavailable || a.Header().Get("Retry-After") != "5" || strings.Contains(a.Body.String(), "locked") {
		t.Errorf("answer %d %v %s", a.Code, a.Header(), a.Body)
	}
}

func TestRegisteredMembersAreNeverNull_84(t *testing.T) {
	a := newRig(t).register(t, claude)
	for name, v := range a.body {
		if v == nil {
			t.Errorf("%s is null", name)
		}
	}
	if !slices.Contains([]string{"mcp:orders"}, a.body["scope"].(string)) {
		t.Errorf("scope = %v", a.body["scope"])
	}
}
