package llm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const includeUsage = `,"stream_options":{"include_usage":true}`

func TestStreamsPassByteForByte(t *testing.T) { // WF-3, ST-1, ST-2, ST-4, ST-9, AC-1
	usage := &llmtest.Usage{Prompt: 30, Completion: 7, Cached: 20, Reasoning: 3}
	for name, answer := range map[string]llmtest.Answer{
		"openai": {}, "azure": {Azure: true}, "every byte": {Fault: llmtest.SplitBytes}, "CRLF": {Fault: llmtest.CRLF}, "CR": {Fault: llmtest.CR},
		"comments": {Fault: llmtest.Comments}, "1 MiB": {Fault: llmtest.BigEvent}, "several lines": {Fault: llmtest.MultilineData},
		"BOM": {Fault: llmtest.ByteOrderMark}, "unknown members": {Fault: llmtest.UnknownMembers}, "pings": {Fault: llmtest.InterleavedPing},
		"tool call": {ToolCall: &llmtest.ToolCall{ID: "call_1", Name: "f", Arguments: `{"a":"b"}`}},
		"drip":      {Drip: time.Millisecond}, "no blank line": {Fault: llmtest.NoBlankLine}, "each time": {EachTime: true},
	} {
		t.Run(name, func(t *testing.T) {
			answer.Usage = usage
			g := newGateway(t, answer)
			resp, body := g.post(t, "/llm/v1/chat/completions", askStream(includeUsage))
			want := strings.Join(answer.Events(true), "")
			want = strings.TrimPrefix(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(want), "\ufeff")
			if answer.Fault == llmtest.NoBlankLine {
				want += "\n\n"
			}
			if resp.StatusCode != 200 || body != want {
				t.Errorf("%d %.600q\nwant %.600q", resp.StatusCode, body, want)
			}
			for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no",
				"X-Drawbridge-Backend": "east", "X-Drawbridge-Attempts": "1", "Content-Length": ""} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			o := g.road.outcome(t)
			wantUsage := proxy.Usage{Input: 30, Output: 7, Cached: 20, Reasoning: 3, Source: proxy.UsageProvider}
			if answer.Fault == llmtest.BigEvent { // tells none
				o.Usage, wantUsage = proxy.Usage{}, proxy.Usage{}
			}
			if o.Ending != proxy.EndOK || o.Usage != wantUsage || o.Bytes != int64(len(want)) || o.Status != 200 || o.FirstByte <= 0 {
				t.Errorf("outcome = %+v, want usage %+v and %d bytes", o, wantUsage, len(want))
			}
			if got := string(g.provider.Last(t).Body); got != askStream(includeUsage) {
				t.Errorf("upstream got %s", got)
			}
		})
	}
}

func TestUsageIsAskedForAndKeptFromCallersWhoDidNotAsk(t *testing.T) { // ST-6, ST-7, ST-8
	for name, tt := range map[string]struct {
		answer llmtest.Answer
		ask    string
	}{
		"openai":      {llmtest.Answer{}, ""},
		"azure":       {llmtest.Answer{Azure: true}, ""},
		"said no":     {llmtest.Answer{}, `,"stream_options":{"include_usage":false}`},
		"each time":   {llmtest.Answer{EachTime: true}, ""},
		"lines":       {llmtest.Answer{Fault: llmtest.MultilineData, EachTime: true}, ""},
		"every byte":  {llmtest.Answer{Fault: llmtest.SplitBytes}, ""},
		"other ideas": {llmtest.Answer{}, `,"stream_options":{"include_obfuscation":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, tt.answer)
			_, body := g.post(t, "/llm/v1/chat/completions", askStream(tt.ask))
			if strings.Contains(body, "prompt_tokens") || !strings.HasSuffix(body, "}\n\ndata: [DONE]\n\n") {
				t.Errorf("the caller got %s", body)
			}
			if tt.answer.Azure && !strings.Contains(body, "prompt_filter_results") {
				t.Error("the chunk with prompt_filter_results is gone") // ST-4
			}
			if got := textOf(t, body); got != "Hello, world!" && tt.answer.Fault != llmtest.MultilineData {
				t.Errorf("text = %q", got)
			}
			if o := g.road.outcome(t); o.Usage != (proxy.Usage{Input: 9, Output: 4, Source: proxy.UsageProvider}) {
				t.Errorf("usage = %+v", o.Usage)
			}
			var sent struct {
				Options map[string]any `json:"stream_options"`
			}
			if err := json.Unmarshal(g.provider.Last(t).Body, &sent); err != nil || sent.Options["include_usage"] != true {
				t.Errorf("upstream got %s", g.provider.Last(t).Body)
			}
		})
	}
}

func TestBackendsThatRefuseTheUsageOptionAreNotAsked(t *testing.T) { // ST-6, AC-2
	g := newGateway(t)
	g.Snapshot().Endpoints["east"] = Endpoint{NoUsageOption: true}
	g.post(t, "/llm/v1/chat/completions", askStream(""))
	if got := string(g.provider.Last(t).Body); got != askStream("") {
		t.Errorf("upstream got %s", got)
	}
	if o := g.road.outcome(t); o.Usage != (proxy.Usage{Input: 8, Output: 4, Source: proxy.UsageEstimated}) || o.Ending != proxy.EndOK {
		t.Errorf("outcome = %+v", o)
	}
}

// textOf joins the texts of a stream.
func textOf(t testing.TB, stream string) string {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" || !json.Valid([]byte(data)) {
			continue
		}
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("chunk %s: %v", data, err)
		}
		for _, c := range chunk.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	return text.String()
}

func TestEndingsOfStreams(t *testing.T) { // ST-9…ST-12, SZ-3, AC-1…AC-3, CA-8
	provider := proxy.Usage{Input: 9, Output: 4, Source: proxy.UsageProvider}
	partly := proxy.Usage{Input: 8, Output: 1, Source: proxy.UsageEstimated}
	for fault, tt := range map[llmtest.Fault]struct {
		status int
		end    string // of what the caller gets
		ending proxy.Ending
		code   string
		usage  proxy.Usage
	}{
		"":                      {200, "data: [DONE]\n\n", proxy.EndOK, "", provider},
		llmtest.NoTerminator:    {200, "}\n\ndata: [DONE]\n\n", proxy.EndOK, "", provider},
		llmtest.Junk:            {200, "}\n\ndata: [DONE]\n\n", proxy.EndOK, "", provider},
		llmtest.NoBlankLine:     {200, "}\n\ndata: [DONE]\n\n", proxy.EndOK, "", provider},
		llmtest.EOFMidway:       {200, truncated, proxy.EndUpstreamError, "stream_truncated", partly},
		llmtest.EOFInEvent:      {200, truncated, proxy.EndUpstreamError, "stream_truncated", partly},
		llmtest.ResetMidway:     {200, truncated, proxy.EndUpstreamError, "stream_truncated", partly},
		llmtest.HugeEvent:       {200, truncated, proxy.EndUpstreamError, "stream_truncated", partly},
		llmtest.ErrorMidway:     {200, `"code":"rate_limit_exceeded"}}` + "\n\n", proxy.EndUpstreamError, "upstream_error", partly},
		llmtest.ErrorFirst:      {200, `"code":"rate_limit_exceeded"}}` + "\n\ndata: [DONE]\n\n", proxy.EndUpstreamError, "upstream_error", proxy.Usage{Input: 8, Source: proxy.UsageEstimated}},
		llmtest.NothingButEnd:   {502, `"code":"upstream_error"}}`, proxy.EndUpstreamError, "upstream_error", proxy.Usage{Input: 8, Source: proxy.UsageEstimated}},
		llmtest.IgnoresStream:   {200, "}\n\ndata: [DONE]\n\n", proxy.EndOK, "", provider},
		llmtest.InterleavedPing: {200, "data: [DONE]\n\n", proxy.EndOK, "", provider},
	} {
		t.Run(string(fault), func(t *testing.T) {
			g := newGateway(t, llmtest.Answer{Fault: fault})
			g.road.cache = "miss"
			resp, body := g.post(t, "/llm/v1/chat/completions", askStream(""))
			if resp.StatusCode != tt.status || !strings.HasSuffix(body, tt.end) || strings.Count(body, "[DONE]") > 1 {
				t.Errorf("%d …%.500q\nwant %d …%q", resp.StatusCode, body[max(0, len(body)-500):], tt.status, tt.end)
			}
			if n := strings.Count(body, `"error"`); n != strings.Count(tt.end, `"error"`) && fault != llmtest.ErrorMidway && fault != llmtest.ErrorFirst && tt.status == 200 {
				t.Errorf("%d errors in the stream", n)
			}
			o := g.road.outcome(t)
			if o.Ending != tt.ending || o.Code != tt.code || o.Usage != tt.usage || o.Status != tt.status || (o.Cacheable != nil) != (tt.ending == proxy.EndOK) {
				t.Errorf("outcome = %+v\nwant %s %s %+v", o, tt.ending, tt.code, tt.usage)
			}
		})
	}
}

const truncated = `data: {"error":{"message":"The model's answer ended early.","type":"upstream_error","param":null,"code":"stream_truncated"}}` + "\n\n"

// open starts a stream and returns a reader of its lines.
func (g *gateway) open(t *testing.T, ctx context.Context, body string) *bufio.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/llm/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer good")
	resp, err := http.DefaultClient.Do(req) //nolint:bodyclose // closed by the cleanup
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return bufio.NewReader(resp.Body)
}

func TestEventsArriveBeforeTheNextOne(t *testing.T) { // ST-1
	gate := make(chan struct{})
	g := newGateway(t, llmtest.Answer{Gate: gate})
	r := g.open(t, t.Context(), askStream(""))
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, `"role":"assistant"`) { // would hang if it were held back
		t.Fatalf("%q, %v", line, err)
	}
	close(gate)
	if rest, err := io.ReadAll(r); err != nil || !strings.HasSuffix(string(rest), doneEvent) {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestACallerWhoLeavesStopsTheProviderAndIsCharged(t *testing.T) { // AC-4, TO-6
	g := newGateway(t, llmtest.Answer{Fault: llmtest.Stall})
	ctx, leave := context.WithCancel(t.Context())
	r := g.open(t, ctx, askStream(""))
	for range 4 { // role and the first text
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	if o := g.road.outcome(t); o.Ending != proxy.EndClientGone || o.Usage != (proxy.Usage{Input: 8, Output: 1, Source: proxy.UsageEstimated}) || o.Cacheable != nil {
		t.Errorf("outcome = %+v", o)
	}
	g.provider.AwaitGone(1)
}

func TestStreamsThatRunWhenTheDrainTimeIsOverSaySo(t *testing.T) { // ST-13
	g := newGateway(t, llmtest.Answer{Fault: llmtest.Stall})
	r := g.open(t, t.Context(), askStream(""))
	for range 4 {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	g.Cut()
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != `data: {"error":{"message":"the gateway is restarting","type":"server_error","param":null,"code":"server_shutdown"}}`+"\n\n" {
		t.Errorf("%q, %v", rest, err)
	}
	if o := g.road.outcome(t); o.Code != "server_shutdown" || o.Usage.Output != 1 {
		t.Errorf("outcome = %+v", o)
	}
	if resp, body := g.post(t, "/llm/v1/chat/completions", ask); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || errorOf(t, body).Code != "overloaded" {
		t.Errorf("after the cut: %d %s", resp.StatusCode, body)
	}
}

// quiet is a handler over a body that a test writes, for tests about time.
func quiet(body io.ReadCloser, settled chan<- proxy.Outcome) *Handler {
	cat, _ := NewCatalogue(Config{Models: testModels}, time.Time{})
	snap := &Snapshot{Models: cat, Doer: doFunc(func(ctx context.Context, _ *proxy.Call) (*proxy.Answer, error) {
		a := proxy.NewAnswer(func(o proxy.Outcome) { settled <- o })
		a.Status, a.Body, a.Backend, a.Attempts = 200, body, "east", 1
		a.Header.Set("Content-Type", "text/event-stream")
		context.AfterFunc(ctx, func() { _ = body.Close() })
		return a, nil
	})}
	return &Handler{
		Snapshot:     func() *Snapshot { return snap },
		Authenticate: func(*http.Request) (*identity.Caller, *Refusal) { return &identity.Caller{}, nil },
		Grants:       func(*identity.Caller, *Model) bool { return true },
	}
}

type doFunc func(context.Context, *proxy.Call) (*proxy.Answer, error)

func (f doFunc) Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error) { return f(ctx, call) }

// page is a ResponseWriter that can be read while it is written.
type page struct {
	mu   sync.Mutex
	head http.Header
	text strings.Builder
	code int
}

func (p *page) Header() http.Header { return p.head }
func (p *page) WriteHeader(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code = code
}
func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}
func (p *page) Flush() {}
func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint(p.code, " ", p.text.String())
}

func streamRequest(ctx context.Context) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/llm/v1/chat/completions", strings.NewReader(askStream(includeUsage)))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func TestASilentProviderIsCoveredByPings(t *testing.T) { // ST-5
	synctest.Test(t, func(t *testing.T) {
		body, provider := io.Pipe()
		settled := make(chan proxy.Outcome, 1)
		h, w := quiet(body, settled), &page{head: http.Header{}}
		go h.serve(w, streamRequest(t.Context()), "/v1/chat/completions")
		time.Sleep(14 * time.Second)
		synctest.Wait()
		if got := w.String(); got != "0 " {
			t.Errorf("after 14s: %q", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.String(); got != "200 : ping\n\n" {
			t.Errorf("after 16s: %q", got)
		}
		const event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n"
		_, _ = provider.Write([]byte(event[:20])) // half an event is no sign of life, and no ping comes between its halves
		time.Sleep(15 * time.Second)
		_, _ = provider.Write([]byte(event[20:]))
		time.Sleep(14 * time.Second)
		synctest.Wait()
		if got := w.String(); got != "200 : ping\n\n: ping\n\n"+event {
			t.Errorf("after an event: %q", got)
		}
		_, _ = provider.Write([]byte(doneEvent))
		_ = provider.Close()
		if o := <-settled; o.Ending != proxy.EndOK {
			t.Errorf("outcome = %+v", o)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.String(); !strings.HasSuffix(got, event+doneEvent) {
			t.Errorf("after the end: %q", got)
		}
	})
}

func TestWithDrainTheUsageIsStillLearned(t *testing.T) { // TO-6, AC-4
	const text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n"
	const usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n"
	for name, tt := range map[string]struct {
		late  time.Duration // after the caller has left
		usage proxy.Usage
	}{
		"in time":  {29 * time.Second, proxy.Usage{Input: 9, Output: 4, Source: proxy.UsageProvider}},
		"too late": {31 * time.Second, proxy.Usage{Input: 3, Output: 1, Source: proxy.UsageEstimated}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body, provider := io.Pipe()
				settled := make(chan proxy.Outcome, 1)
				ctx, leave := context.WithCancel(t.Context())
				r := streamRequest(ctx)
				r.Body = io.NopCloser(strings.NewReader(strings.Replace(askStream(""), "gpt-4o", "drained", 1)))
				go quiet(body, settled).serve(&page{head: http.Header{}}, r, "/v1/chat/completions")
				_, _ = provider.Write([]byte(text))
				leave()
				time.Sleep(tt.late) // the bubble's clock
				_, _ = provider.Write([]byte(usage + doneEvent))
				_ = provider.Close()
				if o := <-settled; o.Ending != proxy.EndClientGone || o.Usage != tt.usage {
					t.Errorf("outcome = %+v", o)
				}
				synctest.Wait()
			})
		})
	}
}

func TestTimeoutsOfARunningStreamAreTold(t *testing.T) { // ST-10, TO-5, AC-3
	body, provider := io.Pipe()
	settled := make(chan proxy.Outcome, 1)
	h, w := quiet(body, settled), &page{head: http.Header{}}
	go func() {
		_, _ = provider.Write([]byte("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n"))
		_ = provider.CloseWithError(&proxy.Error{Kind: proxy.Timeout, Msg: "Silent for too long."})
	}()
	h.serve(w, streamRequest(t.Context()), "/v1/chat/completions")
	if got := w.String(); !strings.HasSuffix(got, `"type":"upstream_error","param":null,"code":"upstream_timeout"}}`+"\n\n") {
		t.Errorf("%q", got)
	}
	if o := <-settled; o.Ending != proxy.EndTimeout || o.Code != "upstream_timeout" || o.Usage.Output != 1 {
		t.Errorf("outcome = %+v", o)
	}
}

func TestCompletionsOfTheOlderShape(t *testing.T) { // EP-4
	const text = "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"Hello\",\"index\":0,\"finish_reason\":\"stop\"}]}\n\n"
	const usage = "data: {\"id\":\"cmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1}}\n\n"
	for name, tt := range map[string]struct {
		ask   string
		raw   []string
		want  string
		usage proxy.Usage
	}{
		"stream":        {`{"model":"gpt-4o","prompt":"Say hi","stream":true}`, []string{text, usage, doneEvent}, text + doneEvent, proxy.Usage{Input: 2, Output: 1, Source: proxy.UsageProvider}},
		"no usage told": {`{"model":"gpt-4o","prompt":"Say hi","stream":true}`, []string{text, doneEvent}, text + doneEvent, proxy.Usage{Input: 2, Output: 1, Source: proxy.UsageEstimated}},
		"JSON":          {`{"model":"gpt-4o","prompt":["Say hi"]}`, nil, `{"choices":[{"text":"Hello","index":0}]}`, proxy.Usage{Input: 2, Output: 1, Source: proxy.UsageEstimated}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, llmtest.Answer{Raw: tt.raw, Body: tt.want})
			resp, body := g.post(t, "/llm/v1/completions", tt.ask)
			if resp.StatusCode != 200 || body != tt.want || g.provider.Last(t).Path != "/v1/completions" {
				t.Errorf("%d %q from %s", resp.StatusCode, body, g.provider.Last(t).Path)
			}
			o := g.road.outcome(t)
			if call := g.road.lastCall(t); o.Usage != tt.usage || o.Ending != proxy.EndOK || call.Endpoint != "completions" || call.CacheKey != nil {
				t.Errorf("outcome = %+v of %s", o, call.Endpoint)
			}
		})
	}
}

func TestInspectKnowsStreamsThatBeginWithAnError(t *testing.T) { // RE-3
	for first, want := range map[string]proxy.Look{
		"":                            {More: true},
		"data: {\"err":                {More: true},
		"data: {\"choices\":[]}\n\n":  {},
		": thinking\n\n":              {},
		"data: {\"error\":null}\n\n":  {},
		"data: [DONE]\n\n":            {},
		"data: {\"error\":\"x\"}\n\n": {Failed: true, Status: 500},
		"event: error\ndata: {}\n\n":  {Failed: true, Status: 500},
		"data: {\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n": {Failed: true, Status: 429},
		"data: {\"error\":{\"code\":503}}\n\n":                     {Failed: true, Status: 503},
	} {
		if got := inspect(nil, []byte(first), false); got != want {
			t.Errorf("inspect(%q) = %+v, want %+v", first, got, want)
		}
	}
	if got := inspect(nil, nil, true); !got.Failed {
		t.Errorf("an empty stream: %+v", got)
	}
}
