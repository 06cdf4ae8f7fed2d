package builtin

import (
	"encoding/json"
	"net/http"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/llm/tokens"
)

// question is what the model reads of a chat request.
type question struct {
	Model         string    `json:"model"`
	Messages      []message `json:"messages"`
	Stream        bool      `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *float64        `json:"max_tokens"`
	MaxCompletionTokens *float64        `json:"max_completion_tokens"`
	N                   *int            `json:"n"`
	Tools               []tool          `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ResponseFormat      struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

type tool struct {
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// reply is what the model says.
type reply struct {
	id      string
	model   string
	created int64
	text    string
	call    *call
	finish  string
	n       int
	usage   map[string]any
}

type call struct{ id, name, arguments string }

const (
	maxChoices = 8
	// repeated is how much of a question is said back.
	repeated = 2000
	about    = "I am the built-in model of Drawbridge: no language model, no network, and the same answer to the same question."
)

func (m *Model) chat(r *http.Request, data []byte) *http.Response {
	var q question
	if err := json.Unmarshal(data, &q); err != nil {
		return refuse(r, http.StatusBadRequest, "", "invalid_json", "The request body is not a chat request.")
	}
	if len(q.Messages) == 0 {
		return refuse(r, http.StatusBadRequest, "messages", "missing_required_parameter", "Missing required parameter: 'messages'.")
	}
	limit, ok := q.limit()
	if !ok {
		return refuse(r, http.StatusBadRequest, "max_tokens", "integer_below_min_value", "A token cap must be a whole number of at least 1.")
	}
	if q.N != nil && (*q.N < 1 || *q.N > maxChoices) {
		return refuse(r, http.StatusBadRequest, "n", "invalid_value", "The member n must be between 1 and 8.")
	}
	a := q.answer(limit)
	a.id, a.created = idOf("chatcmpl-", data), m.now().Unix()
	if a.model = q.Model; a.model == "" {
		a.model = Name
	}
	if a.call != nil {
		a.call.id = idOf("call_", data)
	}
	if q.Stream {
		return response(r, http.StatusOK, "text/event-stream", m.events(r.Context(), a, q.StreamOptions.IncludeUsage), -1)
	}
	return respond(r, http.StatusOK, a.whole())
}

// limit is the completion cap; 0 for none.
func (q *question) limit() (limit int, ok bool) {
	for _, n := range []*float64{q.MaxCompletionTokens, q.MaxTokens} {
		if n == nil {
			continue
		}
		if *n < 1 || *n != float64(int(*n)) {
			return 0, false
		}
		if limit == 0 || int(*n) < limit {
			limit = int(*n)
		}
	}
	return limit, true
}

// answer decides what to say, and what it costs.
func (q *question) answer(limit int) *reply {
	a := &reply{finish: "stop", n: 1}
	if q.N != nil {
		a.n = *q.N
	}
	output := 0
	if t := q.called(); t != nil {
		a.call = &call{name: t.Function.Name, arguments: example(t.Function.Parameters)}
		a.finish = "tool_calls"
		output = tokens.Count(tokens.O200k, a.call.name) + tokens.Count(tokens.O200k, a.call.arguments)
	} else {
		a.text = q.say()
		output = tokens.Count(tokens.O200k, a.text)
		if limit > 0 && output > limit {
			a.text, output, a.finish = cut(a.text, limit), limit, "length"
			output = tokens.Count(tokens.O200k, a.text)
		}
	}
	input := q.promptTokens()
	a.usage = map[string]any{
		"prompt_tokens": input, "completion_tokens": output * a.n, "total_tokens": input + output*a.n,
		"prompt_tokens_details":     map[string]any{"cached_tokens": 0, "audio_tokens": 0},
		"completion_tokens_details": map[string]any{"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
	}
	return a
}

// called is the function that the model has to call: only when it has to, so that a conversation comes to an end.
func (q *question) called() *tool {
	if len(q.Tools) == 0 || len(q.ToolChoice) == 0 {
		return nil
	}
	var named struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if string(q.ToolChoice) == `"required"` {
		return &q.Tools[0]
	}
	if json.Unmarshal(q.ToolChoice, &named) != nil {
		return nil // auto, none
	}
	for i := range q.Tools {
		if q.Tools[i].Function.Name == named.Function.Name {
			return &q.Tools[i]
		}
	}
	return nil
}

// say is the text of the answer.
func (q *question) say() string {
	switch q.ResponseFormat.Type {
	case "json_schema":
		return example(q.ResponseFormat.JSONSchema.Schema)
	case "json_object":
		text, _ := json.Marshal(map[string]string{"you_said": q.last()}) // texts always have a JSON form
		return string(text)
	}
	said := q.last()
	if said == "" {
		return about
	}
	return "You said: " + said + "\n\n" + about
}

// last is the last thing that was said to the model.
func (q *question) last() string {
	for i := len(q.Messages) - 1; i >= 0; i-- {
		if role := q.Messages[i].Role; role == "user" || role == "tool" {
			text := q.Messages[i].text()
			if len(text) > repeated {
				end := repeated
				for !utf8.RuneStart(text[end]) {
					end--
				}
				text = text[:end] + "…"
			}
			return text
		}
	}
	return ""
}

func (m *message) text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	all := make([]string, 0, len(parts))
	for _, p := range parts {
		if p.Text != "" {
			all = append(all, p.Text)
		}
	}
	return strings.Join(all, "\n")
}

// promptTokens counts as the gpt-4o family does (llm.md TK-14).
func (q *question) promptTokens() int {
	n := 3
	for i := range q.Messages {
		n += 3 + tokens.Count(tokens.O200k, q.Messages[i].Role) + tokens.Count(tokens.O200k, q.Messages[i].text())
	}
	if len(q.Tools) > 0 {
		n += 12
	}
	for i := range q.Tools {
		n += 7 + tokens.Count(tokens.O200k, q.Tools[i].Function.Name) + tokens.Count(tokens.O200k, string(q.Tools[i].Function.Parameters))
	}
	return n
}

// cut is the longest beginning of text that has at most limit tokens.
func cut(text string, limit int) string {
	ends := make([]int, 0, len(text)) // where runes end
	for i, r := range text {
		ends = append(ends, i+utf8.RuneLen(r))
	}
	n := sort.Search(len(ends), func(i int) bool { return tokens.Count(tokens.O200k, text[:ends[i]]) > limit })
	if n == 0 {
		return ""
	}
	return text[:ends[n-1]]
}

// whole is the answer to a request that is no stream.
func (a *reply) whole() map[string]any {
	choices := make([]any, a.n)
	for i := range choices {
		msg := map[string]any{"role": "assistant", "content": a.text, "refusal": nil}
		if a.call != nil {
			msg["content"] = nil
			msg["tool_calls"] = []any{a.call.json(a.call.arguments)}
		}
		choices[i] = map[string]any{"index": i, "message": msg, "logprobs": nil, "finish_reason": a.finish}
	}
	return map[string]any{"id": a.id, "object": "chat.completion", "created": a.created, "model": a.model, "choices": choices,
		"usage": a.usage, "service_tier": "default", "system_fingerprint": "fp_drawbridge"}
}

func (c *call) json(arguments string) map[string]any {
	return map[string]any{"id": c.id, "type": "function", "function": map[string]any{"name": c.name, "arguments": arguments}}
}
