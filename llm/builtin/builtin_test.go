package builtin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/tokens"
)

func post(t testing.TB, path, body string) (int, string) {
	t.Helper()
	m := &Model{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}
	resp, err := m.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://builtin.invalid/v1"+path, strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // in memory
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

type completion struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Index   int
		Message struct {
			Role, Content string
			ToolCalls     []struct {
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
}

func chat(t testing.TB, body string) completion {
	t.Helper()
	status, text := post(t, "/chat/completions", body)
	var c completion
	if err := json.Unmarshal([]byte(text), &c); err != nil || status != http.StatusOK || len(c.Choices) == 0 {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return c
}

func TestTheSameQuestionHasTheSameAnswerAndRealUsage(t *testing.T) {
	const body = `{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello there"}]}`
	a, b := chat(t, body), chat(t, body)
	text := a.Choices[0].Message.Content
	if !strings.HasPrefix(text, "You said: Hello there\n\n") || !strings.Contains(text, "built-in model") || text != b.Choices[0].Message.Content || a.ID != b.ID {
		t.Errorf("%q, %q", text, b.Choices[0].Message.Content)
	}
	if a.Object != "chat.completion" || a.Model != "m" || a.Created != 1_700_000_000 || a.Choices[0].FinishReason != "stop" || a.Choices[0].Message.Role != "assistant" {
		t.Errorf("%+v", a)
	}
	if want := 3 + (3 + 1 + 3) + (3 + 1 + 2); a.Usage.Prompt != want || a.Usage.Completion != tokens.Count(tokens.O200k, text) || a.Usage.Total != a.Usage.Prompt+a.Usage.Completion {
		t.Errorf("usage = %+v, want %d prompt tokens", a.Usage, want)
	}
}

func TestTokenCapsCutTheAnswer(t *testing.T) {
	for _, member := range []string{"max_tokens", "max_completion_tokens"} {
		c := chat(t, `{"messages":[{"role":"user","content":"hi"}],"`+member+`":5}`)
		if c.Choices[0].FinishReason != "length" || c.Usage.Completion != 5 || tokens.Count(tokens.O200k, c.Choices[0].Message.Content) != 5 {
			t.Errorf("%s: %+v", member, c)
		}
	}
	if status, text := post(t, "/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"max_tokens":0}`); status != 400 || !strings.Contains(text, `"max_tokens"`) {
		t.Errorf("%d %s", status, text)
	}
}

func TestStreamsSayTheSameWordByWord(t *testing.T) {
	const body = `{"messages":[{"role":"user","content":"hi there"}],"n":2`
	whole := chat(t, body+"}")
	for _, usage := range []bool{false, true} {
		more := `,"stream":true}`
		if usage {
			more = `,"stream":true,"stream_options":{"include_usage":true}}`
		}
		_, text := post(t, "/chat/completions", body+more)
		said, last := [2]string{}, completion{}
		for event := range strings.SplitSeq(strings.TrimSuffix(text, "data: [DONE]\n\n"), "\n\n") {
			if event == "" {
				continue
			}
			var chunk struct {
				completion
				Choices []struct {
					Index int
					Delta struct{ Content string }
				}
			}
			if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &chunk); err != nil || chunk.Object != "chat.completion.chunk" {
				t.Fatalf("%q: %v", event, err)
			}
			for _, c := range chunk.Choices {
				said[c.Index] += c.Delta.Content
			}
			last = chunk.completion
		}
		if said[0] != whole.Choices[0].Message.Content || said[1] != said[0] || (last.Usage == whole.Usage) != usage || !strings.HasSuffix(text, "data: [DONE]\n\n") {
			t.Errorf("usage %v: %q", usage, text)
		}
	}
}

func TestFunctionsAreCalledWhenTheyMustBe(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"get_order","parameters":{"type":"object","required":["id","size"],"properties":{"id":{"type":"integer"},"size":{"enum":["s","m"]},"note":{"type":"string"}}}}},{"type":"function","function":{"name":"other"}}]`
	const ask = `{"messages":[{"role":"user","content":"hi"}],` + tools
	c := chat(t, ask+`,"tool_choice":"required"}`)
	if got := c.Choices[0].Message.ToolCalls; c.Choices[0].FinishReason != "tool_calls" || len(got) != 1 || got[0].ID == "" || got[0].Type != "function" || got[0].Function.Name != "get_order" || got[0].Function.Arguments != `{"id":1,"size":"s"}` {
		t.Errorf("%+v", c)
	}
	if c := chat(t, ask+`,"tool_choice":{"type":"function","function":{"name":"other"}}}`); c.Choices[0].Message.ToolCalls[0].Function.Name != "other" {
		t.Errorf("%+v", c)
	}
	if c := chat(t, ask+`,"tool_choice":"auto"}`); c.Choices[0].FinishReason != "stop" {
		t.Errorf("%+v", c)
	}
	if _, text := post(t, "/chat/completions", ask+`,"tool_choice":"required","stream":true}`); !strings.Contains(text, `"tool_calls":[{"function":{"arguments":"","name":"get_order"},"id":"call_`) || !strings.Contains(text, `"finish_reason":"tool_calls"`) {
		t.Errorf("%s", text)
	}
}

func TestFormatsAreKept(t *testing.T) {
	c := chat(t, `{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object","required":["a"],"properties":{"a":{"type":"array","minItems":1,"items":{"type":["string","null"]}}}}}}}`)
	if c.Choices[0].Message.Content != `{"a":["example"]}` {
		t.Errorf("%+v", c)
	}
	if c := chat(t, `{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"response_format":{"type":"json_object"}}`); c.Choices[0].Message.Content != `{"you_said":"hi"}` {
		t.Errorf("%+v", c)
	}
}

func TestEmbeddingsOfTextsThatShareWordsAreNear(t *testing.T) {
	embed := func(body string) (vectors [][]float64, used int) {
		status, text := post(t, "/embeddings", body)
		var e struct {
			Data []struct {
				Index     int
				Embedding []float64
			}
			Usage struct {
				Total int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil || status != 200 {
			t.Fatalf("%d %s: %v", status, text, err)
		}
		for _, d := range e.Data {
			vectors = append(vectors, d.Embedding)
		}
		return vectors, e.Usage.Total
	}
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	v, used := embed(`{"input":["How do I cancel my order?","How can I cancel an order","The weather is fine today","",[1,2]]}`)
	want := 2 // tokens stand for themselves
	for _, text := range []string{"How do I cancel my order?", "How can I cancel an order", "The weather is fine today"} {
		want += tokens.Count(tokens.CL100k, text)
	}
	if used != want || len(v) != 5 || len(v[0]) != dimensions {
		t.Fatalf("%d vectors, %d tokens", len(v), used)
	}
	for i := range v {
		if n := dot(v[i], v[i]); n < 0.999 || n > 1.001 {
			t.Errorf("vector %d has length² %f", i, n)
		}
	}
	if near, far := dot(v[0], v[1]), dot(v[0], v[2]); near < 0.5 || far > 0.3 {
		t.Errorf("near %f, far %f", near, far)
	}
	if v, used := embed(`{"input":[1,2,3],"dimensions":8}`); len(v) != 1 || len(v[0]) != 8 || used != 3 {
		t.Errorf("%d vectors, %d tokens", len(v), used)
	}
	if _, text := post(t, "/embeddings", `{"input":"a","encoding_format":"base64","dimensions":3}`); !strings.Contains(text, `"embedding":"`) {
		t.Errorf("%s", text)
	}
	for _, bad := range []string{`{}`, `{"input":[]}`, `{"input":5}`, `{"input":[["a"]]}`, `{"input":"a","dimensions":0}`, `{`} {
		if status, text := post(t, "/embeddings", bad); status != 400 || !strings.Contains(text, `"error"`) {
			t.Errorf("%s: %d %s", bad, status, text)
		}
	}
}

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	for path, body := range map[string]string{"/chat/completions": `{"messages":[]}`, "/nothing": `{}`} {
		if status, text := post(t, path, body); status < 400 || !strings.Contains(text, `"error"`) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestAStreamEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &Model{Pace: time.Hour}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://x/v1/chat/completions", strings.NewReader(`{"messages":[{"role":"user","content":"hi"}],"stream":true}`))
	resp, err := m.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // in memory
	cancel()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the stream went on")
	}
}
