package llm

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func TestJSONAnswerIsByteForByteAndSettledOnce(t *testing.T) { // WF-1, WF-2, AC-1, CA-10, TL-14, PX-15
	answer := llmtest.Answer{Fault: llmtest.WhitespaceJSON, Usage: &llmtest.Usage{Prompt: 30, Completion: 7, Cached: 20, Reasoning: 3}}
	g := newGateway(t, answer)
	g.road.header = http.Header{"X-Ratelimit-Limit-Tokens": {"1000"}}
	body := `{ "z":1e3,"model":"gpt-4o","big":12345678901234567890,"messages":[{"role":"user","content":"h\u00e4\/"}] , "f":1.0}`
	resp, text := g.post(t, "/llm/v1/chat/completions", body, "X-Request-Id", "my-id.1")
	if resp.StatusCode != 200 || text != answer.JSON() {
		t.Errorf("%d %q\nwant %q", resp.StatusCode, text, answer.JSON())
	}
	sent := g.provider.Last(t)
	if string(sent.Body) != body || sent.Path != "/v1/chat/completions" {
		t.Errorf("upstream got %s %q", sent.Path, sent.Body)
	}
	for name, want := range map[string]string{"X-Request-Id": "my-id.1", "X-Drawbridge-Backend": "east", "X-Drawbridge-Attempts": "1",
		"X-Drawbridge-Cache": "", "X-Ratelimit-Limit-Tokens": "1000", "X-Settled": "true", "Content-Type": "application/json"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	o := g.road.outcome(t)
	want := proxy.Usage{Input: 30, Output: 7, Cached: 20, Reasoning: 3, Source: proxy.UsageProvider}
	if o.Ending != proxy.EndOK || o.Usage != want || o.Status != 200 || o.Bytes != int64(len(text)) || o.FirstByte <= 0 {
		t.Errorf("outcome = %+v", o)
	}
	if call := g.road.lastCall(t); call.Endpoint != "chat" || call.Model != "gpt-4o" || call.API != "llm" || call.ID != "my-id.1" || call.Stream {
		t.Errorf("call = %+v", call)
	}
}

func TestWithoutReportedUsageItIsEstimated(t *testing.T) { // AC-2
	g := newGateway(t, llmtest.Answer{NoUsage: true, Pieces: []string{"Hello, ", "world!"}})
	g.post(t, "/llm/v1/chat/completions", ask)
	want := proxy.Usage{Input: 3 + 1 + 1 + 3, Output: 4, Source: proxy.UsageEstimated}
	if o := g.road.outcome(t); o.Usage != want || o.Ending != proxy.EndOK {
		t.Errorf("outcome = %+v, want usage %+v", o, want)
	}
}

func TestAddressesOfProviders(t *testing.T) { // EP-1, EP-3, EP-8, EP-9, EP-13, WF-1
	for name, tt := range map[string]struct {
		path, body, api   string
		wantPath, wantRaw string
		query             string
	}{
		"openai":              {"/llm/v1/chat/completions", `{"model": "prod"}`, "", "/v1/chat/completions", `{"model": "gpt-4o-2024"}`, ""},
		"alias":               {"/llm/v1/chat/completions", `{"model":"default"}`, "", "/v1/chat/completions", `{"model":"gpt-4o"}`, ""},
		"azure callers, v1":   {"/llm/openai/v1/chat/completions", `{"model":"gpt-4o"}`, "", "/v1/chat/completions", `{"model":"gpt-4o"}`, ""},
		"deployment":          {"/llm/openai/deployments/prod/chat/completions?api-version=2024-10-21", `{}`, "", "/v1/chat/completions", `{"model":"gpt-4o-2024"}`, ""},
		"deployment wins":     {"/llm/openai/deployments/prod/chat/completions", `{"model":"gpt-4o"}`, "", "/v1/chat/completions", `{"model":"gpt-4o-2024"}`, ""},
		"deployment, escaped": {"/llm/openai/deployments/org%2Fslash/chat/completions", `{"a":1}`, "", "/v1/chat/completions", `{"a":1,"model":"org/slash"}`, ""},
		"to azure":            {"/llm/v1/chat/completions", `{"model":"azure"}`, "", "/v1/openai/deployments/gpt-4o%20prod/chat/completions", `{"model":"gpt-4o prod"}`, "api-version=2024-10-21"},
		"to azure, no model":  {"/llm/openai/deployments/azure/chat/completions?api-version=2023-05-15", `{"x":1}`, "", "/v1/openai/deployments/gpt-4o%20prod/chat/completions", `{"x":1}`, "api-version=2024-10-21"},
		"to azure v1":         {"/llm/openai/deployments/azure/chat/completions", `{"x":1}`, "v1", "/v1/openai/v1/chat/completions", `{"x":1,"model":"gpt-4o prod"}`, ""},
		"embeddings":          {"/llm/v1/embeddings", `{"model":"embed","input":"a"}`, "", "/v1/embeddings", `{"model":"text-embedding-3-small","input":"a"}`, ""},
		"embeddings, azure":   {"/llm/openai/deployments/azure/embeddings", `{"input":"a"}`, "", "/v1/openai/deployments/gpt-4o%20prod/embeddings", `{"input":"a"}`, "api-version=2024-10-21"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			g.Snapshot().Endpoints["east"] = Endpoint{API: tt.api}
			resp, body := g.post(t, tt.path, tt.body)
			sent := g.provider.Last(t)
			if resp.StatusCode != 200 || sent.Path != tt.wantPath || string(sent.Body) != tt.wantRaw || sent.Query != tt.query {
				t.Errorf("%d %s\nupstream got %s?%s %s\n        want %s?%s %s", resp.StatusCode, body, sent.Path, sent.Query, sent.Body, tt.wantPath, tt.query, tt.wantRaw)
			}
		})
	}
}

func TestMembersOfPoolsHaveTheirOwnNames(t *testing.T) { // PL-6
	cat, faults := NewCatalogue(Config{Models: []ModelConfig{{Name: "m", Backend: "pool",
		UpstreamModel: UpstreamModel{Members: []MemberModel{{"east", "m-east"}, {"west", "m-west"}}}}}}, time.Time{})
	if faults != nil {
		t.Fatal(faults)
	}
	m := cat.Find("m")
	if m.UpstreamModel("east") != "m-east" || m.UpstreamModel("west") != "m-west" || m.UpstreamModel("north") != "m" {
		t.Error("upstream names of members differ from the list")
	}
}

func TestShapePoliciesChangeOnlyTheirMembers(t *testing.T) { // MX-1, SA-1
	g := newGateway(t)
	g.road.shape = proxy.Shape{MaxTokens: 50, Arguments: []proxy.Argument{{Name: "temperature", Value: []byte("0.5")}, {Name: "seed", Value: []byte("7")}}}
	g.post(t, "/llm/v1/chat/completions", `{"model":"gpt-4o", "temperature" : 1.0,"max_tokens":1e3}`)
	if got, want := string(g.provider.Last(t).Body), `{"model":"gpt-4o", "temperature" : 0.5,"max_tokens":50,"seed":7}`; got != want {
		t.Errorf("upstream got %s, want %s", got, want)
	}
}

func TestNewerFamiliesGetTheirOwnCapMember(t *testing.T) { // MX-1
	for model, want := range map[string]string{"gpt-5-mini": "max_completion_tokens", "o3": "max_completion_tokens", "gpt-4o": "max_tokens", "mistral": "max_tokens"} {
		cat, _ := NewCatalogue(Config{Models: []ModelConfig{{Name: model, Backend: "b"}}}, time.Time{})
		if got := cat.Find(model).capName; got != want {
			t.Errorf("%s: %s, want %s", model, got, want)
		}
	}
}

func TestGzipRequestsCountTheirExpandedSize(t *testing.T) { // WF-5, ER-6
	zip := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return b.String()
	}
	g := newGateway(t)
	g.Limits.Body = 10 << 10
	if resp, body := g.post(t, "/llm/v1/chat/completions", zip(ask), "Content-Encoding", "gzip"); resp.StatusCode != 200 || string(g.provider.Last(t).Body) != ask {
		t.Errorf("gzip: %d %s", resp.StatusCode, body)
	}
	bomb := zip(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)
	if resp, body := g.post(t, "/llm/v1/chat/completions", bomb, "Content-Encoding", "gzip"); resp.StatusCode != 413 || errorOf(t, body).Code != "request_too_large" || !strings.Contains(string(body), "larger than 10 KiB") {
		t.Errorf("bomb: %d %s", resp.StatusCode, body)
	}
}

func TestPromptsAreBoundedThenCounted(t *testing.T) { // TL-11, TL-19, TK-19, TK-23
	g := newGateway(t)
	g.road.count = true
	resp, _ := g.post(t, "/llm/v1/chat/completions", `{"model":"gpt-4o","max_tokens":20,"n":2,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}]}`)
	p := g.road.lastCall(t).Prompt
	if p.Exact() != 3+1+3+3+1+1+3 || p.Bound < p.Exact() || p.Completion != 20 || p.Choices != 2 {
		t.Errorf("prompt: bound %d, exact %d, completion %d, choices %d", p.Bound, p.Exact(), p.Completion, p.Choices)
	}
	if got := resp.Header.Get("X-Drawbridge-Estimated-Tokens"); got != "15" {
		t.Errorf("x-drawbridge-estimated-tokens = %q, want 15", got)
	}
	g.post(t, "/llm/v1/embeddings", `{"model":"embed","input":["hello world",[1,2,3]],"max_tokens":5}`)
	p = g.road.lastCall(t).Prompt
	if p.Exact() != 5 || p.Bound < 5 || p.Completion != 0 || !p.NoCompletion { // TL-18
		t.Errorf("embeddings: bound %d, exact %d, completion %d", p.Bound, p.Exact(), p.Completion)
	}
}

func TestEmbeddingsPassUntouched(t *testing.T) { // EP-3
	g := newGateway(t)
	resp, body := g.post(t, "/llm/v1/embeddings", `{"model":"embed","input":"abc","encoding_format":"base64"}`)
	if resp.StatusCode != 200 || !strings.Contains(body, `"embedding":"`) || g.road.lastCall(t).Endpoint != "embeddings" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if o := g.road.outcome(t); o.Usage.Input != 9 || o.Usage.Output != 0 || o.Usage.Source != proxy.UsageProvider {
		t.Errorf("usage = %+v", o.Usage)
	}
}
