package proxy

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

func reference(s string) secret.Reference { return secret.Reference{Value: secret.New(s)} }

// HH-6: none of the forty reaches a backend, whatever its case, with _ for -, sent twice, from the caller or from Build,
// on any surface, also when a backend forwards further headers.
func TestNoneOfTheFortyReachesABackend(t *testing.T) {
	names := neverForwarded()
	if len(names) != 40 {
		t.Fatalf("%d names, want 40", len(names))
	}
	spell := map[string]func(string) string{
		"canonical": http.CanonicalHeaderKey, "lower": strings.ToLower, "upper": strings.ToUpper,
		"underscore": func(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "-", "_") },
	}
	for _, surface := range []Surface{LLM, MCP} {
		for how, write := range spell {
			t.Run(string(surface)+" "+how, func(t *testing.T) {
				b := proxytest.New(t)
				p := single(t, b, BackendConfig{ForwardHeaders: []string{"X-Tenant"}}, Deps{})
				call := post("a", `{}`)
				call.Surface = surface
				call.Request.Header = http.Header{"X-Tenant": {"acme"}, "X-Drawbridge-Identity": {"forged"}}
				inner := call.Build
				call.Build = func(ctx context.Context, b *Backend) (*http.Request, error) {
					req, err := inner(ctx, b)
					for _, name := range names {
						req.Header[write(name)] = []string{"stolen", "stolen"}
					}
					return req, err
				}
				for _, name := range names {
					call.Request.Header[write(name)] = []string{"stolen", "stolen"}
				}
				done(must(t, p, call))
				got := b.Requests()[0].Header
				for name, values := range got {
					if slices.Contains(values, "stolen") || slices.Contains(values, "forged") {
						t.Errorf("%s: %v", name, values)
					}
				}
				if got.Get("X-Tenant") != "acme" {
					t.Error("forward_headers were not forwarded")
				}
			})
		}
	}
}

// openapi.md Q14: cookies that the document declares as parameters are arguments and arrive, beside a credential that is
// a cookie; the caller's own never do.
func TestDeclaredCookiesArriveAndTheCallersDoNot(t *testing.T) {
	b := proxytest.New(t)
	p := single(t, b, BackendConfig{Credential: CredentialConfig{Kind: "api_key", Cookie: "key", Value: reference("v")}}, Deps{})
	for declared, want := range map[bool]string{true: "session=1; theme=dark; key=v", false: "key=v"} {
		call := post("a", `{}`)
		call.Surface, call.DeclaredCookies = MCP, declared
		call.Request.Header = http.Header{"Cookie": {"theirs=1"}}
		inner := call.Build
		call.Build = func(ctx context.Context, b *Backend) (*http.Request, error) {
			req, err := inner(ctx, b)
			req.Header["Cookie"] = []string{"session=1; theme=dark"}
			return req, err
		}
		done(must(t, p, call))
		got := b.Requests()
		if c := got[len(got)-1].Header.Get("Cookie"); c != want {
			t.Errorf("declared %v: Cookie %q, want %q", declared, c, want)
		}
	}
}

// HH-1, HH-3, HH-7, HH-8: on /llm an allow-list; user-agent, host and request id are ours.
func TestRequestHeadersOnLLMAreAnAllowList(t *testing.T) {
	b := proxytest.New(t)
	p := single(t, b, BackendConfig{}, Deps{})
	call := post("a", `{}`)
	call.Request.Header = http.Header{
		"Accept": {"text/event-stream"}, "Idempotency-Key": {"k"}, "Openai-Beta": {"x"}, "Traceparent": {"00-1"},
		"Openai-Organization": {"org"}, "Openai-Project": {"p"}, "X-Forwarded-For": {"10.0.0.1"}, "Via": {"1.1 x"},
		"Connection": {"X-Secret"}, "X-Secret": {"s"}, "User-Agent": {"sdk/1"}, "Te": {"trailers"}, "Accept-Language": {"de"},
		"X-Request-Id": {"theirs"}, "X-Drawbridge-Backend": {"b"},
	}
	done(must(t, p, call))
	got := b.Requests()[0]
	want := map[string]string{
		"Accept": "text/event-stream", "Idempotency-Key": "k", "Openai-Beta": "x", "Traceparent": "00-1",
		"User-Agent": "drawbridge/dev", "X-Request-Id": "r1", "Content-Type": "application/json",
	}
	for name := range got.Header {
		if _, ok := want[name]; !ok && name != "Accept-Encoding" && name != "Content-Length" {
			t.Errorf("%s: %v was sent", name, got.Header[name])
		}
	}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if got.Host != strings.TrimPrefix(b.URL, "http://") {
		t.Errorf("host %q", got.Host)
	}
}

// HH-3: nobody's hops are told, and the encoding is ours, also where the maker of a call set them.
func TestHopsAndEncodingAreOurs(t *testing.T) {
	b := proxytest.New(t)
	p := single(t, b, BackendConfig{}, Deps{})
	call := get("a")
	inner := call.Build
	call.Build = func(ctx context.Context, b *Backend) (*http.Request, error) {
		req, err := inner(ctx, b)
		req.Header = http.Header{"X-Forwarded-For": {"10.0.0.1"}, "Forwarded": {"for=x"}, "Via": {"1.1 x"}, "Accept-Encoding": {"br"},
			"User-Agent": {"sdk/1"}, "X-Kept": {"1"}}
		return req, err
	}
	done(must(t, p, call))
	h := b.Requests()[0].Header
	if h["X-Forwarded-For"] != nil || h["Forwarded"] != nil || h["Via"] != nil || h.Get("Accept-Encoding") != "gzip" || h.Get("X-Kept") != "1" {
		t.Errorf("headers: %v", h)
	}
	if got := h.Get("User-Agent"); got != "sdk/1 drawbridge/dev" { // a relay tells both
		t.Errorf("user-agent: %s", got)
	}
}

// HH-4: of an answer only the list and return_headers reach a caller; readers inside see all.
func TestAnswerHeadersAreAnAllowList(t *testing.T) {
	b := proxytest.New(t, proxytest.Step{Header: map[string]string{
		"Content-Type": "application/json", "Retry-After": "3", "Apim-Request-Id": "a", "X-Ms-Region": "east", "X-Extra": "e",
		"Set-Cookie": "a=b", "Server": "x", "X-Ratelimit-Remaining-Tokens": "9", "X-Ms-Other": "o", "Openai-Organization": "org",
		"Www-Authenticate": "Bearer", "X-Drawbridge-Cache": "hit",
	}})
	p := single(t, b, BackendConfig{ReturnHeaders: []string{"x-extra"}}, Deps{})
	a := must(t, p, post("a", `{}`))
	var names []string
	for name := range a.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	want := "Apim-Request-Id Content-Type Retry-After X-Drawbridge-Attempts X-Drawbridge-Backend X-Extra X-Ms-Region"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("headers %s, want %s", got, want)
	}
	if a.Upstream.Get("Server") != "x" {
		t.Error("readers inside do not see the backend's headers")
	}
	done(a)
}

// HD-1, HD-2: what shape policies decided is on the request that leaves, and never over a credential.
func TestShapeHeadersAreApplied(t *testing.T) {
	b := proxytest.New(t)
	p := single(t, b, BackendConfig{}, Deps{})
	call := get("a")
	inner := call.Build
	call.Build = func(ctx context.Context, b *Backend) (*http.Request, error) {
		req, err := inner(ctx, b)
		req.Header = http.Header{"X-Keep": {"1"}, "X-Debug-A": {"1"}, "X-Debug-B": {"1"}, "X-Over": {"old"}, "X-Add": {"1"}}
		return req, err
	}
	call.Shape = Shape{
		Remove: []string{"x-debug-*"}, Header: http.Header{"X-Over": {"new"}},
		Default: http.Header{"X-Keep": {"2"}, "X-New": {"n"}}, Append: http.Header{"X-Add": {"2"}},
	}
	done(must(t, p, call))
	h := b.Requests()[0].Header
	if h.Get("X-Keep") != "1" || h.Get("X-New") != "n" || h.Get("X-Over") != "new" || strings.Join(h["X-Add"], ",") != "1,2" || h["X-Debug-A"] != nil || h["X-Debug-B"] != nil {
		t.Errorf("headers: %v", h)
	}
}

// CR-1, CR-2: where each kind of credential stands on the request.
func TestCredentialsStandWhereTheBackendWantsThem(t *testing.T) {
	tests := map[string]struct {
		c         CredentialConfig
		keyHeader string
		get       func(proxytest.Request) string
		want      string
	}{
		"bearer":      {CredentialConfig{Kind: "bearer", Value: reference("v")}, "", header("Authorization"), "Bearer v"},
		"basic":       {CredentialConfig{Kind: "basic", Username: "u", Password: reference("p")}, "", header("Authorization"), "Basic dTpw"},
		"key, header": {CredentialConfig{Kind: "api_key", Header: "api-key", Value: reference("v")}, "", header("Api-Key"), "v"},
		"key":         {CredentialConfig{Kind: "api_key", Value: reference("v")}, "", header("X-Api-Key"), "v"},
		"key, openai": {CredentialConfig{Kind: "api_key", Value: reference("v")}, "authorization", header("Authorization"), "Bearer v"},
		"key, azure":  {CredentialConfig{Kind: "api_key", Value: reference("v")}, "api-key", header("Api-Key"), "v"},
		"key, query":  {CredentialConfig{Kind: "api_key", Query: "k", Value: reference("a b")}, "", func(r proxytest.Request) string { return r.URL }, "/x?k=a+b"},
		"key, cookie": {CredentialConfig{Kind: "api_key", Cookie: "s", Value: reference("v")}, "", header("Cookie"), "s=v"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := proxytest.New(t)
			p := single(t, b, BackendConfig{Credential: tt.c, KeyHeader: tt.keyHeader}, Deps{})
			call := post("a", `{}`)
			call.Request.Header = http.Header{"Cookie": {"theirs=1"}, "Authorization": {"Bearer theirs"}}
			done(must(t, p, call))
			if got := tt.get(b.Requests()[0]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func header(name string) func(proxytest.Request) string {
	return func(r proxytest.Request) string { return strings.Join(r.Header[name], ",") }
}

// CR-7: a request that Build makes for another origin is never sent.
func TestACredentialNeverLeavesItsOrigin(t *testing.T) {
	b, other := proxytest.New(t), proxytest.New(t)
	p := single(t, b, BackendConfig{Credential: CredentialConfig{Kind: "bearer", Value: reference("v")}}, Deps{})
	call := get("a")
	call.Build = func(ctx context.Context, _ *Backend) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, other.URL, nil)
	}
	if e := refused(t, p, call); e.Kind != Internal || other.Count() != 0 {
		t.Errorf("%+v, %d requests", e, other.Count())
	}
}

// CR-2, CR-6: one token serves all calls, is renewed when the backend refuses it, and failures are not asked at once again.
func TestClientCredentialsAreFetchedOnceAndRenewed(t *testing.T) {
	var issued atomic.Int32
	var broken atomic.Bool
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if r.FormValue("client_secret") != "s" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "x" {
			t.Errorf("form: %v", r.Form)
		}
		n := issued.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": strings.Repeat("t", int(n)), "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(tokens.Close)
	ck := proxytest.NewClock()
	b := proxytest.New(t, proxytest.Step{}, proxytest.Step{}, proxytest.Step{Status: 401}, proxytest.Step{Body: "ok"})
	p := single(t, b, BackendConfig{Credential: CredentialConfig{Kind: "client_credentials", TokenURL: tokens.URL, ClientID: "c", Secret: reference("s"), Scope: "x"}}, Deps{Now: ck.Now})
	for range 2 {
		done(must(t, p, get("a")))
	}
	a := must(t, p, get("a"))
	if got := read(t, a); got != "ok" || a.Attempts != 2 || issued.Load() != 2 {
		t.Errorf("%q after %d tries, %d tokens", got, a.Attempts, issued.Load())
	}
	done(a)
	broken.Store(true)
	ck.Advance(2 * time.Hour)
	for range 3 {
		if e := refused(t, p, get("a")); e.HTTPStatus() != 502 || e.Code != "upstream_auth_failed" || strings.Contains(e.Error(), "secret=") {
			t.Errorf("error: %v", e)
		}
	}
	broken.Store(false)
	ck.Advance(time.Second)
	done(must(t, p, get("a")))
}

// HD-3: response policies see refusals, and may replace retry-after; limits stay final after settling.
func TestResponsePoliciesChangeRefusalsToo(t *testing.T) {
	p := single(t, proxytest.New(t), BackendConfig{}, Deps{})
	call := get("a")
	call.Policies = &Policies{}
	call.Policies.ByPhase[PhaseCalls] = []Policy{&witness{refuse: &Error{Kind: Refused, Status: 429, Code: "rate_limit_exceeded", RetryAfter: 1500 * time.Millisecond}}}
	call.Policies.ByPhase[PhaseResponse] = []Policy{responder{}}
	e := refused(t, p, call)
	h := http.Header{}
	e.WriteHeader(h)
	if h.Get("Retry-After") != "429 rate_limit_exceeded 2" || h.Get("Retry-After-Ms") != "" {
		t.Errorf("headers: %v", h)
	}
}

type responder struct{}

func (responder) Admit(context.Context, *Call) (Verdict, error) { return Verdict{}, nil }
func (responder) Respond(_ context.Context, _ *Call, r *Response, h http.Header) {
	h.Set("Retry-After", strings.Join([]string{http.StatusText(0) + itoa(r.Status), r.Refusal, itoa(r.RetryAfter)}, " "))
	h.Del("Retry-After-Ms")
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// ER-23: whole seconds rounded up, the exact wait beside it; above a minute SDKs are told not to retry.
func TestRefusalsTellTheWait(t *testing.T) {
	tests := []struct {
		e                  Error
		after, ms, noRetry string
	}{
		{Error{Kind: Refused, Status: 429, RetryAfter: 1200 * time.Millisecond}, "2", "1200", ""},
		{Error{Kind: Refused, Status: 429, RetryAfter: 61 * time.Second}, "61", "61000", "false"},
		{Error{Kind: Refused, Status: 403, RetryAfter: time.Hour, NoRetry: true}, "3600", "", "false"},
		{Error{Kind: Unavailable, RetryAfter: time.Millisecond}, "1", "1", ""},
		{Error{Kind: Refused, Status: 429, NoRetry: true}, "", "", "false"},
	}
	for _, tt := range tests {
		h := http.Header{}
		tt.e.WriteHeader(h)
		if h.Get("Retry-After") != tt.after || h.Get("Retry-After-Ms") != tt.ms || h.Get("X-Should-Retry") != tt.noRetry {
			t.Errorf("%+v: %v", tt.e, h)
		}
	}
}
