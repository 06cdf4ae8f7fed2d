package llm

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// cached runs one request that is stored and returns what was stored; nil when nothing was.
func cached(t *testing.T, answer llmtest.Answer, ask string) *proxy.CacheEntry {
	t.Helper()
	g := newGateway(t, answer)
	g.road.cache = "miss"
	resp, body := g.post(t, "/llm/v1/chat/completions", ask)
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return g.road.outcome(t).Cacheable
}

// fromCache answers a request from an entry.
func fromCache(t *testing.T, entry *proxy.CacheEntry, ask string) string {
	t.Helper()
	g := newGateway(t)
	g.road.entry = entry
	resp, body := g.post(t, "/llm/v1/chat/completions", ask)
	if got := resp.Header.Get("X-Drawbridge-Cache"); got != "hit" {
		t.Errorf("x-drawbridge-cache = %q", got)
	}
	if len(g.provider.Requests()) != 0 {
		t.Error("a hit reached the provider")
	}
	if o := g.road.outcome(t); o.Ending != proxy.EndOK || o.Usage != (proxy.Usage{Source: proxy.UsageCache}) { // AC-7
		t.Errorf("outcome = %+v", o)
	}
	return body
}

func TestAStoredAnswerIsGivenInTheModeThatIsAsked(t *testing.T) { // CA-9, CA-10
	long := strings.Repeat("grüße ", 1500) // more than two pieces, with runes at their borders
	answer := llmtest.Answer{Pieces: []string{"Hello, ", long}}
	for _, stored := range []string{ask, askStream("")} {
		entry := cached(t, answer, stored)
		if entry == nil || !json.Valid(entry.Body) || entry.Usage.Output != 4 {
			t.Fatalf("stored %+v", entry)
		}
		var whole struct {
			ID, Object, Model string
			Created           int64
			Choices           []struct {
				Message      struct{ Role, Content string }
				FinishReason string `json:"finish_reason"`
			}
			Usage struct {
				Total int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(fromCache(t, entry, ask)), &whole); err != nil || whole.Object != "chat.completion" || whole.ID != "chatcmpl-Test1" ||
			whole.Model == "" || whole.Created == 0 || whole.Choices[0].Message.Content != "Hello, "+long || whole.Choices[0].Message.Role != "assistant" ||
			whole.Choices[0].FinishReason != "stop" || whole.Usage.Total != 13 {
			t.Errorf("JSON: %+.200v, %v", whole, err)
		}
		stream := fromCache(t, entry, askStream(includeUsage))
		if textOf(t, stream) != "Hello, "+long || !strings.HasSuffix(stream, "\n\ndata: [DONE]\n\n") || strings.Count(stream, `"total_tokens":13`) != 1 ||
			!strings.Contains(stream, `"choices":[],"usage":{`) || strings.Count(stream, `"finish_reason":"stop"`) != 1 || !strings.Contains(stream, `"delta":{"role":"assistant"`) {
			t.Errorf("stream: %.300s", stream)
		}
		for line := range strings.Lines(stream) {
			if len(line) > pieceBytes+1000 {
				t.Errorf("a chunk of %d bytes", len(line))
			}
		}
		if quiet := fromCache(t, entry, askStream("")); strings.Contains(quiet, "usage") {
			t.Error("usage although nobody asked")
		}
	}
}

func TestOnlyWholeAndPlainAnswersAreStored(t *testing.T) { // CA-8, CA-5
	call := &llmtest.ToolCall{ID: "c", Name: "f", Arguments: "{}"}
	for name, tt := range map[string]struct {
		answer llmtest.Answer
		stored bool
	}{
		"stop":           {llmtest.Answer{}, true},
		"azure":          {llmtest.Answer{Azure: true}, true},
		"length":         {llmtest.Answer{Finish: "length"}, true},
		"content filter": {llmtest.Answer{Finish: "content_filter"}, false},
		"tool call":      {llmtest.Answer{ToolCall: call}, false},
		"tool call only": {llmtest.Answer{ToolCall: call, Finish: "stop"}, false},
		"empty":          {llmtest.Answer{Pieces: []string{}}, false},
	} {
		for _, mode := range []string{ask, askStream("")} {
			if entry := cached(t, tt.answer, mode); (entry != nil) != tt.stored {
				t.Errorf("%s: stored %v, want %v", name, entry != nil, tt.stored)
			}
		}
	}
}

func TestReplayedStreamsKeepToolCalls(t *testing.T) { // CA-9; and providers that do not stream
	chunks, err := chunksOf([]byte((llmtest.Answer{ToolCall: &llmtest.ToolCall{ID: "call_1", Name: "f", Arguments: `{"a":1}`}}).JSON()), false)
	if err != nil || !strings.Contains(string(chunks), `"delta":{"tool_calls":[{"index":0,`) || !strings.Contains(string(chunks), `"finish_reason":"tool_calls"`) {
		t.Errorf("%s, %v", chunks, err)
	}
}

func TestAnswersLaidOutOverLinesAreReplayedAsLines(t *testing.T) { // CA-9
	pretty := "{\n \"id\": \"x\",\n \"choices\": [ {\n \"index\": 0, \"message\": {\n \"content\": \"a\\nb\" }, \"finish_reason\": \"stop\" } ],\n \"usage\": {\n \"prompt_tokens\": 1 }\n}"
	chunks, err := chunksOf([]byte(pretty), true)
	if err != nil || textOf(t, string(chunks)) != "a\nb" {
		t.Errorf("%s, %v", chunks, err)
	}
	for line := range strings.Lines(string(chunks)) {
		if line != "\n" && !strings.HasPrefix(line, "data: ") {
			t.Errorf("line %q", line)
		}
	}
}

func TestCacheKeysNameWhatChangesTheAnswer(t *testing.T) { // CA-6
	key := func(path, body string, shape proxy.Shape) string {
		g := newGateway(t)
		g.post(t, path, body)
		call := g.road.lastCall(t)
		call.Shape = shape
		return call.CacheKey()
	}
	const path = "/llm/v1/chat/completions"
	base := key(path, ask, proxy.Shape{})
	for _, same := range []string{key("/llm/openai/deployments/gpt-4o/chat/completions", ask, proxy.Shape{}), key(path, askStream(""), proxy.Shape{})} {
		if same != base {
			t.Errorf("key %q\nwant %q", same, base)
		}
	}
	for _, other := range []string{
		key(path, strings.Replace(ask, "hi", "ho", 1), proxy.Shape{}), key(path, strings.Replace(ask, "gpt-4o", "prod", 1), proxy.Shape{}),
		key(path, ask, proxy.Shape{MaxTokens: 5}), key(path, ask, proxy.Shape{Arguments: []proxy.Argument{{Name: "seed", Value: []byte("1")}}}),
	} {
		if other == base {
			t.Error("another question has the same key")
		}
	}
}
