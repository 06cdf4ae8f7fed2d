package llm

import (
	"bytes"
	"context"
	"strings"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/body"
	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
	"github.com/drawbridge-mcp/drawbridge/llm/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const (
	toolsListed = 12 // once, for the list of tools (TK-20)
	perProperty = 3  // for each property of a function, and each value of an enum
)

// prompt knows what a request's prompt costs: at once an upper bound, and exactly when somebody asks (TL-11).
type prompt struct {
	view    *body.View
	family  tokens.Family
	image   int
	counter *tokens.Counter

	mu      sync.Mutex
	n       int // exactly, once counted
	counted bool
}

// of makes it the prompt of v at a model.
func (p *prompt) of(cat *Catalogue, m *Model, v *body.View) {
	p.view, p.family, p.image, p.counter = v, m.family, cat.image, cat.counter
}

// count counts exactly, the first time. When ctx ends before its turn has come it returns the bound.
func (p *prompt) count(ctx context.Context) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counted {
		return p.n
	}
	t, err := p.counter.Begin(ctx, p.family, p.view.TextBytes-p.view.ImageBytes)
	if err != nil {
		return p.bound()
	}
	defer t.End()
	p.n, p.counted = p.exact(t), true
	return p.n
}

// known returns the exact count where one was made.
func (p *prompt) known() (n int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n, p.counted
}

// call is what token limits get to know.
func (p *prompt) call(ctx context.Context) proxy.Prompt {
	ctx = context.WithoutCancel(ctx) // who has gone is charged, too; places to count at are few
	exact := func() int { return p.count(ctx) }
	return proxy.Prompt{Bound: p.bound(), Exact: exact, Completion: p.view.Cap(), Choices: p.view.Choices()}
}

// bound is never less than exact: a token of a byte-level encoding is at least one byte of text.
func (p *prompt) bound() int {
	v, f := p.view, p.family
	n := v.TextBytes - v.ImageBytes + v.Images*p.image
	for _, raw := range [...][]byte{v.Raw(v.Input), v.Raw(v.Prompt)} {
		if len(raw) > 0 && raw[0] == '[' {
			n += len(raw) // lists of tokens have no text; a number is at least one byte
		}
	}
	if f.InputsOnly {
		return n
	}
	n += v.MessageCount*(f.PerMessage+f.PerTurn+2) + f.Primer
	if tools := v.Raw(v.Tools); len(tools) > 2 {
		objects, values := bytes.Count(tools, []byte("{")), bytes.Count(tools, []byte(","))+1
		n += len(tools) + toolsListed + f.ToolsExtra + objects*(f.Function+2*perProperty+1) + values*perProperty
	}
	return n + len(v.Raw(v.ResponseFormat))
}

// exact counts as the provider does (§6.3).
func (p *prompt) exact(t *tokens.Tally) int {
	v, f := p.view, p.family
	if f.InputsOnly || !v.Messages.Present() {
		return countInput(t, v.Raw(v.Input)) + countInput(t, v.Raw(v.Prompt))
	}
	n := f.Primer + v.Images*p.image
	messages, at := v.MessageCount, 0
	_ = jsonscan.Elements(v.Raw(v.Messages), func(raw []byte) error { // Parse has read it: no error can come
		at++
		n += p.message(t, raw, at < messages)
		return nil
	})
	if tools := v.Raw(v.Tools); len(tools) > 2 {
		n += p.tools(t, tools)
	}
	if format := v.Raw(v.ResponseFormat); len(format) > 0 {
		_ = jsonscan.Members(format, func(key, value []byte) error {
			if string(key) == "json_schema" {
				n += t.Count(string(value)) // TK-21
			}
			return nil
		})
	}
	return n
}

// message counts one message (TK-19); earlier says that others follow.
func (p *prompt) message(t *tokens.Tally, raw []byte, earlier bool) int {
	n, role, content := p.family.PerMessage, "", []byte(nil)
	_ = jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "role":
			role = jsonscan.Text(value)
			n += t.Count(role)
		case "content":
			content = value
		case "name":
			n += t.Count(jsonscan.Text(value)) + 1
		case "refusal":
			n += t.Count(jsonscan.Text(value))
		case "tool_calls", "function_call":
			n += countCalls(t, value)
		}
		return nil
	})
	if earlier && role == "assistant" {
		n += p.family.PerTurn
	}
	count := t.Count
	if role == "system" || role == "developer" {
		count = t.CountSystem
	}
	return n + countContent(count, content)
}

// countContent counts a content: a text, or parts of which some are texts.
func countContent(count func(string) int, raw []byte) (n int) {
	if len(raw) == 0 || raw[0] != '[' {
		return count(jsonscan.Text(raw))
	}
	_ = jsonscan.Elements(raw, func(part []byte) error {
		_ = jsonscan.Members(part, func(key, value []byte) error {
			if string(key) == "text" || string(key) == "refusal" {
				n += count(jsonscan.Text(value))
			}
			return nil
		})
		return nil
	})
	return n
}

// countCalls counts names and arguments of functions that were called.
func countCalls(t *tokens.Tally, raw []byte) (n int) {
	if len(raw) > 0 && raw[0] == '[' {
		_ = jsonscan.Elements(raw, func(call []byte) error {
			n += countCalls(t, call)
			return nil
		})
		return n
	}
	_ = jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "function":
			n += countCalls(t, value)
		case "name", "arguments":
			n += t.Count(jsonscan.Text(value))
		}
		return nil
	})
	return n
}

// countInput counts what embeddings and completions take: a text, texts, tokens, or lists of tokens (TK-17).
func countInput(t *tokens.Tally, raw []byte) (n int) {
	if len(raw) == 0 || raw[0] != '[' {
		return t.Count(jsonscan.Text(raw))
	}
	_ = jsonscan.Elements(raw, func(value []byte) error {
		switch value[0] {
		case '"', '[':
			n += countInput(t, value)
		default:
			n++
		}
		return nil
	})
	return n
}

// tools counts the functions a model may call (TK-20).
func (p *prompt) tools(t *tokens.Tally, raw []byte) int {
	if p.family.BytesPerToken > 0 { // TK-18
		return t.Count(string(raw))
	}
	n := toolsListed + p.family.ToolsExtra
	_ = jsonscan.Elements(raw, func(tool []byte) error {
		if tool[0] == '{' {
			n += p.family.Function
		}
		_ = jsonscan.Members(tool, func(key, value []byte) error {
			if string(key) == "function" {
				n += countFunction(t, value)
			}
			return nil
		})
		return nil
	})
	return n
}

func countFunction(t *tokens.Tally, raw []byte) (n int) {
	var name, description string
	_ = jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "name":
			name = jsonscan.Text(value)
		case "description":
			description = jsonscan.Text(value)
		case "parameters":
			n += countSchema(t, value)
		}
		return nil
	})
	return n + t.Count(name+":"+strings.TrimSuffix(description, "."))
}

// countSchema counts the properties of a function's parameters.
func countSchema(t *tokens.Tally, raw []byte) (n int) {
	_ = jsonscan.Members(raw, func(key, value []byte) error {
		if string(key) != "properties" || len(value) <= 2 {
			return nil
		}
		n += perProperty
		return jsonscan.Members(value, func(name, property []byte) error {
			n += countProperty(t, string(name), property)
			return nil
		})
	})
	return n
}

func countProperty(t *tokens.Tally, name string, raw []byte) int {
	n := perProperty
	var kind, description string
	_ = jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "type":
			kind = jsonscan.Text(value)
		case "description":
			description = jsonscan.Text(value)
		case "enum":
			n -= perProperty
			return jsonscan.Elements(value, func(v []byte) error {
				n += perProperty + t.Count(enumText(v))
				return nil
			})
		}
		return nil
	})
	return n + t.Count(name+":"+kind+":"+strings.TrimSuffix(description, "."))
}

func enumText(raw []byte) string {
	if raw[0] == '"' {
		return jsonscan.Text(raw)
	}
	return string(raw)
}
