package llm

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/sse"
	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
)

// Whatever a provider sends, reading it on the side does not fail, and what is made of it is JSON again.
func FuzzWhatProvidersSend(f *testing.F) {
	for _, a := range []llmtest.Answer{{}, {Azure: true}, {EachTime: true}, {ToolCall: &llmtest.ToolCall{ID: "1", Name: "f", Arguments: "{}"}}} {
		f.Add(strings.TrimPrefix(a.Events(true)[1], "data: "))
		f.Add(a.JSON())
	}
	f.Add(`{"choices":[{"index":-1,"message":{"tool_calls":[1,{}],"content":5}},7,null],"usage":{"prompt_tokens":-1,"completion_tokens":1e9}}`)
	f.Fuzz(func(t *testing.T, text string) {
		o := observed{keepTexts: true}
		p, err := o.read([]byte(text))
		if o.usage.Input < 0 || o.usage.Output < 0 || o.usage.Cached > o.usage.Input || o.usage.Reasoning > o.usage.Output {
			t.Fatalf("usage %+v of %q", o.usage, text)
		}
		_ = o.storable(1)
		if chunks, err := chunksOf([]byte(text), true); err == nil {
			for event := range strings.SplitSeq(strings.TrimSuffix(string(chunks), doneEvent), "\n\n") {
				if data := strings.TrimPrefix(event, "data: "); data != "" && !json.Valid([]byte(data)) {
					t.Fatalf("chunk %q of %q", data, text)
				}
			}
		}
		if err != nil || p.usage == nil || strings.ContainsAny(text, "\r\n") || !utf8.ValidString(text) {
			return
		}
		e, err := sse.NewReader(strings.NewReader("data: " + text + "\n\n")).Next()
		if err != nil {
			t.Fatal(err)
		}
		again, err := (&observed{}).read(e.Data)
		if err != nil {
			return // white space before the JSON is the stream's
		}
		raw := string(withoutUsage(e, again.usage))
		if data := strings.TrimSuffix(strings.TrimPrefix(raw, "data: "), "\n\n"); !json.Valid([]byte(data)) || len(data) >= len(text) && len(again.usage) > 4 {
			t.Fatalf("without usage: %q of %q", raw, text)
		}
	})
}
