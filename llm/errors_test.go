package llm

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

func TestRequestsThatAreRefused(t *testing.T) { // ER-1, ER-4…ER-6, EP-11, EP-12, WF-4, WF-5, KEY-6, KEY-10
	g := newGateway(t)
	g.Limits.Body = 1000
	const path = "/llm/v1/chat/completions"
	for name, tt := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		code, param        string
	}{
		"no key":             {"POST", path, ask, []string{"Authorization", ""}, 401, "invalid_api_key", ""},
		"unknown model":      {"POST", path, `{"model":"nope"}`, nil, 404, "model_not_found", "model"},
		"model not granted":  {"POST", path, `{"model":"secret"}`, nil, 404, "model_not_found", "model"},
		"case of a model":    {"POST", path, `{"model":"GPT-4o"}`, nil, 404, "model_not_found", "model"},
		"no model":           {"POST", path, `{}`, nil, 400, "missing_required_parameter", "model"},
		"deployment unknown": {"POST", "/llm/openai/deployments/nope/chat/completions", ask, nil, 404, "model_not_found", "model"},
		"no JSON":            {"POST", path, `{`, nil, 400, "invalid_json", ""},
		"repeated member":    {"POST", path, `{"model":"a","model":"gpt-4o"}`, nil, 400, "invalid_json", "model"},
		"wrong type":         {"POST", path, `{"model":"gpt-4o","stream":1}`, nil, 400, "invalid_type", "stream"},
		"too large":          {"POST", path, `{"a":"` + strings.Repeat("x", 1000) + `"}`, nil, 413, "request_too_large", ""},
		"wrong content type": {"POST", path, ask, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type", ""},
		"wrong charset":      {"POST", path, ask, []string{"Content-Type", "application/json; charset=utf-16"}, 415, "unsupported_media_type", ""},
		"br":                 {"POST", path, ask, []string{"Content-Encoding", "br"}, 415, "unsupported_media_type", ""},
		"broken gzip":        {"POST", path, ask, []string{"Content-Encoding", "gzip"}, 400, "invalid_body", ""},
		"method":             {"GET", path, "", nil, 405, "method_not_allowed", ""},
		"strange method":     {"BREW", path, "", nil, 405, "method_not_allowed", ""},
		"unknown address":    {"POST", "/llm/v1/nothing", ask, nil, 404, "not_found", ""},
		"root":               {"GET", "/llm/", "", nil, 404, "not_found", ""},
		"root, bare":         {"GET", "/llm", "", nil, 404, "not_found", ""},
		"strange version":    {"POST", "/llm/openai/deployments/gpt-4o/chat/completions?api-version=a%20b", ask, nil, 400, "invalid_api_version", "api-version"},
		"no deployment":      {"POST", "/llm/openai/deployments//chat/completions", ask, nil, 404, "not_found", ""},
		"models by POST":     {"POST", "/llm/v1/models", ask, nil, 405, "method_not_allowed", ""},
		"not built":          {"POST", "/llm/v1/responses", ask, nil, 404, "not_built", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), tt.method, g.URL+tt.path, strings.NewReader(tt.body))
			req.RequestURI = ""
			req.Header.Set("Authorization", "Bearer good")
			req.Header.Set("Content-Type", "application/json")
			for i := 0; i+1 < len(tt.header); i += 2 {
				req.Header.Set(tt.header[i], tt.header[i+1])
			}
			resp, body := g.do(t, req)
			e := errorOf(t, body)
			param := ""
			if e.Param != nil {
				param = *e.Param
			}
			if resp.StatusCode != tt.status || e.Code != tt.code || param != tt.param || resp.Header.Get("X-Request-Id") == "" || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s\nwant %d %s %q", resp.StatusCode, body, tt.status, tt.code, tt.param)
			}
			if tt.status == 405 && resp.Header.Get("Allow") == "" || tt.status == 401 && resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%d without its header", tt.status)
			}
			if !strings.HasSuffix(e.Message, ".") || e.Message[0] < 'A' || e.Message[0] > 'Z' {
				t.Errorf("message %q is no sentence", e.Message)
			}
		})
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d refused requests reached the provider", n)
	}
}

func TestAModelThatIsNotGrantedIsAnsweredAsOneThatDoesNotExist(t *testing.T) { // ER-4, KEY-6
	g := newGateway(t)
	_, secret := g.post(t, "/llm/v1/chat/completions", `{"model":"secret"}`)
	_, unknown := g.post(t, "/llm/v1/chat/completions", `{"model":"terces"}`)
	if strings.ReplaceAll(secret, "secret", "terces") != unknown {
		t.Errorf("%s\n%s", secret, unknown)
	}
}

func TestRefusedRequestsAreRecorded(t *testing.T) { // PX-11, AC-8
	g := newGateway(t)
	g.post(t, "/llm/v1/chat/completions", `{"model":"nope"}`)
	g.post(t, "/llm/v1/chat/completions", `{`)
	g.post(t, "/llm/v1/chat/completions", ask, "Authorization", "Bearer bad") // never identified: no row
	if len(g.rows.rows) != 2 {
		t.Fatalf("%d rows, want 2", len(g.rows.rows))
	}
	row := g.rows.rows[0]
	if row.Code != "model_not_found" || row.Status != 404 || row.Ending != proxy.EndRefused || row.Subscription != "s1" || row.Endpoint != "chat" || row.ID == "" || row.ID == g.rows.rows[1].ID {
		t.Errorf("row = %+v", row)
	}
}

func TestErrorsHaveTheShapeOfTheirPrefix(t *testing.T) { // EP-11
	g := newGateway(t)
	resp, body := g.post(t, "/llm/anthropic/v1/messages", ask, "X-Request-Id", "r1")
	var e struct {
		Type      string
		Error     struct{ Type, Message string }
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || resp.StatusCode != 404 || e.Type != "error" || e.Error.Type != "not_found_error" || e.Error.Message == "" || e.RequestID != "r1" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestErrorsOfTheRoad(t *testing.T) { // ER-7…ER-21, ER-23
	for name, tt := range map[string]struct {
		err        proxy.Error
		status     int
		kind, code string
		header     map[string]string // "-" = absent
	}{
		"token limit": {proxy.Error{Kind: proxy.Refused, Status: 429, Type: "tokens", Code: "rate_limit_exceeded", RetryAfter: 6500 * time.Millisecond,
			Header: http.Header{"X-Ratelimit-Limit-Tokens": {"1000"}}}, 429, "tokens", "rate_limit_exceeded",
			map[string]string{"Retry-After": "7", "Retry-After-Ms": "6500", "X-Ratelimit-Limit-Tokens": "1000", "X-Should-Retry": "-"}},
		"rate limit, short": {proxy.Error{Kind: proxy.Refused, Status: 429, Code: "rate_limit_exceeded", RetryAfter: time.Microsecond}, 429, "requests", "rate_limit_exceeded",
			map[string]string{"Retry-After": "1", "Retry-After-Ms": "1"}},
		"rate limit, long": {proxy.Error{Kind: proxy.Refused, Status: 429, Code: "rate_limit_exceeded", RetryAfter: 61 * time.Second}, 429, "requests", "rate_limit_exceeded",
			map[string]string{"Retry-After": "61", "X-Should-Retry": "false"}},
		"form of a policy": {proxy.Error{Kind: proxy.Refused, Status: 429, Code: "rate_limit_exceeded", RetryAfter: time.Second, Header: http.Header{"Retry-After": {"Fri, 20 Nov 2026 12:00:00 GMT"}}},
			429, "requests", "rate_limit_exceeded", map[string]string{"Retry-After": "Fri, 20 Nov 2026 12:00:00 GMT", "Retry-After-Ms": "1000"}},
		"larger than the limit": {proxy.Error{Kind: proxy.Refused, Status: 429, Code: "request_too_large_for_limit", NoRetry: true}, 429, "tokens", "request_too_large_for_limit",
			map[string]string{"Retry-After": "-", "X-Should-Retry": "false"}},
		"quota": {proxy.Error{Kind: proxy.Refused, Status: 403, Code: "quota_exceeded", RetryAfter: time.Hour, NoRetry: true}, 403, "insufficient_quota", "quota_exceeded",
			map[string]string{"Retry-After": "3600", "Retry-After-Ms": "-", "X-Should-Retry": "false"}},
		"require":       {proxy.Error{Kind: proxy.Refused}, 403, "permission_error", "policy_refused", nil},
		"invalid":       {proxy.Error{Kind: proxy.Invalid}, 400, "invalid_request_error", "invalid_request", nil},
		"unreachable":   {proxy.Error{Kind: proxy.Unreachable, Header: http.Header{"X-Drawbridge-Backend": {"east"}}}, 502, "upstream_error", "upstream_error", map[string]string{"X-Drawbridge-Backend": "east"}},
		"credential":    {proxy.Error{Kind: proxy.Credential}, 502, "upstream_error", "upstream_auth_failed", nil},
		"unavailable":   {proxy.Error{Kind: proxy.Unavailable}, 503, "upstream_error", "no_backend_available", map[string]string{"Retry-After": "1"}},
		"unavailable 9": {proxy.Error{Kind: proxy.Unavailable, RetryAfter: 8100 * time.Millisecond}, 503, "upstream_error", "no_backend_available", map[string]string{"Retry-After": "9"}},
		"timeout":       {proxy.Error{Kind: proxy.Timeout}, 504, "upstream_error", "upstream_timeout", nil},
		"overloaded":    {proxy.Error{Kind: proxy.Overloaded}, 503, "server_error", "overloaded", map[string]string{"Retry-After": "1"}},
		"policy":        {proxy.Error{Kind: proxy.Internal, Code: "policy_error"}, 500, "server_error", "policy_error", nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			tt.err.Msg, tt.err.Err = "Told.", errors.New("host-7.internal")
			g.road.err = &tt.err
			resp, body := g.post(t, "/llm/v1/chat/completions", ask)
			e := errorOf(t, body)
			if resp.StatusCode != tt.status || e.Type != tt.kind || e.Code != tt.code || e.Message != "Told." || e.Param != nil {
				t.Errorf("%d %s\nwant %d %s %s", resp.StatusCode, body, tt.status, tt.kind, tt.code)
			}
			for name, want := range tt.header {
				if got := resp.Header.Get(name); got != want && (want != "-" || got != "") {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			if len(g.rows.rows) != 0 {
				t.Error("recorded twice: the pipeline has recorded it already")
			}
		})
	}
}

func TestStatusesOfUpstreams(t *testing.T) { // ER-16…ER-18, ER-22, AC-6
	for status, want := range map[int]int{400: 400, 404: 404, 408: 408, 409: 409, 413: 413, 422: 422, 429: 429,
		401: 502, 403: 502, 500: 502, 502: 502, 504: 502, 503: 503, 529: 503, 302: 502, 418: 502} {
		for _, mode := range []string{ask, askStream("")} {
			g := newGateway(t, llmtest.Answer{Status: status, Body: `{"error":{"message":"host-7.internal","innererror":{"x":1}}}`,
				Header: http.Header{"Retry-After": {"7"}, "Retry-After-Ms": {"6100"}}})
			resp, body := g.post(t, "/llm/v1/chat/completions", mode)
			if resp.StatusCode != want {
				t.Errorf("upstream %d: %d %s, want %d", status, resp.StatusCode, body, want)
			}
			if same := body == `{"error":{"message":"host-7.internal","innererror":{"x":1}}}`; same != (want < 500) {
				t.Errorf("upstream %d: body %s", status, body)
			}
			if want == 429 && (resp.Header.Get("Retry-After") != "7" || resp.Header.Get("Retry-After-Ms") != "6100") || want == 503 && resp.Header.Get("Retry-After") != "7" {
				t.Errorf("upstream %d: retry-after %q, %q", status, resp.Header.Get("Retry-After"), resp.Header.Get("Retry-After-Ms"))
			}
			if resp.Header.Get("X-Drawbridge-Backend") != "east" || resp.Header.Get("X-Drawbridge-Attempts") != "1" {
				t.Errorf("upstream %d: backend and attempts are missing", status)
			}
			o := g.road.outcome(t)
			if o.Ending != proxy.EndUpstreamError || o.Usage != (proxy.Usage{Source: proxy.UsageNone}) || o.Status != want {
				t.Errorf("upstream %d: outcome %+v", status, o)
			}
		}
	}
}

func TestJSONAnswersThatAreBroken(t *testing.T) { // ER-16, SZ-2, AC-3
	for name, tt := range map[string]struct {
		answer llmtest.Answer
		limit  int64
	}{
		"reset midway": {llmtest.Answer{Fault: llmtest.ResetMidway}, 0},
		"not JSON":     {llmtest.Answer{Fault: llmtest.NotJSON}, 0},
		"too large":    {llmtest.Answer{Pieces: []string{strings.Repeat("x", 5000)}}, 4000},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, tt.answer)
			g.Limits.UpstreamBody = tt.limit
			resp, body := g.post(t, "/llm/v1/chat/completions", ask)
			if resp.StatusCode != 502 || errorOf(t, body).Code != "upstream_error" {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if o := g.road.outcome(t); o.Ending != proxy.EndUpstreamError || o.Usage.Input != 8 || o.Usage.Source != proxy.UsageEstimated {
				t.Errorf("outcome = %+v", o)
			}
		})
	}
}

type boom struct{}

func (boom) Read([]byte) (int, error) { panic("boom") }

func TestAPanicIsAnsweredAndSettled(t *testing.T) { // AC-9
	g := newGateway(t)
	authenticate := g.Authenticate
	g.Authenticate = func(*http.Request) (*identity.Caller, *Refusal) { panic("boom") }
	if resp, body := g.post(t, "/llm/v1/chat/completions", ask); resp.StatusCode != 500 || errorOf(t, body).Code != "internal_error" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	g.Authenticate = authenticate
	g.road.wrap = func(io.ReadCloser) io.ReadCloser { return io.NopCloser(boom{}) }
	if resp, _ := g.post(t, "/llm/v1/chat/completions", ask); resp.StatusCode != 500 {
		t.Errorf("status %d, want 500", resp.StatusCode)
	}
	if o := g.road.outcome(t); o.Ending != proxy.EndError {
		t.Errorf("outcome = %+v", o)
	}
}

func TestListOfModelsHoldsOnlyWhatTheCallerMayUse(t *testing.T) { // EP-5, KEY-6
	g := newGateway(t)
	resp, body := g.get(t, "/llm/v1/models")
	var list struct {
		Object string
		Data   []listedModel
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || resp.StatusCode != 200 || list.Object != "list" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
		if m.Object != "model" || m.Created != 1_700_000_000 || m.OwnedBy == "" {
			t.Errorf("model = %+v", m)
		}
	}
	if got := strings.Join(ids, " "); got != "azure drained embed gpt-4o org/slash prod" {
		t.Errorf("models = %s", got)
	}
	if resp, body := g.get(t, "/llm/openai/v1/models/org%2Fslash"); resp.StatusCode != 200 || !strings.Contains(body, `"id":"org/slash","object":"model"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := g.get(t, "/llm/v1/models/secret"); resp.StatusCode != 404 || errorOf(t, body).Code != "model_not_found" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestConfigurationFaults(t *testing.T) { // EP-12, SZ
	_, faults := NewCatalogue(Config{Models: []ModelConfig{
		{Name: "a", Backend: "b", Aliases: []string{"x"}},
		{Name: "x", Backend: "b", Provider: "gemini", Family: "nope", Encoding: "nope"},
		{Name: "c", Backend: "b", UpstreamModel: UpstreamModel{Members: []MemberModel{{"e", "1"}, {"e", "2"}}}, Aliases: []string{"c", ""}},
	}}, time.Time{})
	var at []string
	for _, f := range faults {
		at = append(at, f.Path)
	}
	want := "models[1].provider models[1].family models[1].encoding models[1].name models[2].upstream_model[1].backend models[2].aliases[0] models[2].aliases[1]"
	if got := strings.Join(at, " "); got != want {
		t.Errorf("faults at %s\n    want  %s", got, want)
	}
}
