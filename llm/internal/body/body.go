// Package body reads the body of a request to a language model once, strictly, and keeps the caller's bytes. A View says
// where the few members are that a gateway needs; Rewrite splices new values into a copy, so that everything else
// arrives as it was sent: order, spacing, escapes, the spelling of numbers.
//
//	bytes ─ Parse: grammar, UTF-8, depth, repeated members, case variants ─▶ View (spans) ─ Rewrite ─▶ bytes
//	                                                                          └─ Canonical ─▶ text for cache keys
//
// Strict, because a gateway and a provider must never read one body in two ways (llm.md WF-4).
package body

import (
	"strings"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
)

// Fault is why a body is refused. Msg is for the caller and quotes nothing but member names.
type Fault struct {
	Code  string // invalid_json or invalid_type (ER-5)
	Param string // path of the member at fault; "" = the body
	Msg   string
}

func (f *Fault) Error() string { return f.Msg }

// Span is where a value is in the body. The zero Span is an absent value.
type Span struct{ From, To int }

// Present reports whether the value is there; null counts.
func (s Span) Present() bool { return s.To > 0 }

// View is the parsed form of a body. Immutable; the body must not change either.
type View struct {
	Data []byte

	Model, Stream, StreamOptions, N                Span
	MaxTokens, MaxCompletionTokens                 Span
	Messages, Input, Prompt, Tools, ResponseFormat Span
	includeUsage                                   Span // inside StreamOptions

	// TextBytes is how many bytes the strings in messages, input and prompt have, escapes as written: never less than
	// the UTF-8 bytes of the texts.
	TextBytes int
	// MessageCount is the elements of messages, Images the parts in it that are images, ImageBytes how many of TextBytes
	// are addresses of images.
	MessageCount, Images, ImageBytes int

	end     int // where the closing brace of the body is
	members int // of the body's object
}

// read names the members that are read, here or by providers whose readers fold case: a variant of one is refused.
var read = [...]string{
	"model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "messages", "input", "prompt",
	"tools", "tool_choice", "response_format", "user", "store", "metadata",
}

// Parse reads data, which must be one JSON object with at most maxMembers members in all its objects together.
func Parse(data []byte, maxMembers int) (*View, error) {
	v := &View{Data: data}
	s := scanner{data: data, left: maxMembers, view: v}
	s.keys = s.room[:0]
	at := jsonscan.Space(data, 0)
	if at >= len(data) || data[at] != '{' {
		return nil, &Fault{Code: "invalid_json", Msg: "The request body must be a JSON object."}
	}
	end, err := s.object(at, 1, true)
	if err != nil {
		return nil, err
	}
	if jsonscan.Space(data, end) != len(data) {
		return nil, s.syntax(end)
	}
	v.end = end - 1
	if err := v.check(); err != nil {
		return nil, err
	}
	return v, nil
}

// note keeps the span of a member of the body, or refuses its name.
func (v *View) note(key string, span Span) error {
	switch key {
	case "model":
		v.Model = span
	case "stream":
		v.Stream = span
	case "stream_options":
		v.StreamOptions = span
	case "n":
		v.N = span
	case "max_tokens":
		v.MaxTokens = span
	case "max_completion_tokens":
		v.MaxCompletionTokens = span
	case "messages":
		v.Messages = span
	case "input":
		v.Input = span
	case "prompt":
		v.Prompt = span
	case "tools":
		v.Tools = span
	case "response_format":
		v.ResponseFormat = span
	default:
		for _, name := range read {
			if key != name && strings.EqualFold(key, name) {
				return variant(name)
			}
		}
	}
	return nil
}

func variant(name string) error {
	return &Fault{Code: "invalid_json", Param: name, Msg: "A member name differs from " + name + " only in case. Spell it " + name + "."}
}

// kinds are the JSON kinds that a member may have, by first byte.
const (
	aString = "\""
	aBool   = "tf"
	aNumber = "-0123456789"
	anArray = "["
	anObj   = "{"
)

// check refuses members of the wrong type.
func (v *View) check() error {
	for _, m := range [...]struct {
		name  string
		span  Span
		kinds string
		what  string
	}{
		{"model", v.Model, aString, "a string"},
		{"stream", v.Stream, aBool + "n", "true or false"},
		{"stream_options", v.StreamOptions, anObj + "n", "an object"},
		{"n", v.N, aNumber + "n", "a number"},
		{"max_tokens", v.MaxTokens, aNumber + "n", "a number"},
		{"max_completion_tokens", v.MaxCompletionTokens, aNumber + "n", "a number"},
		{"messages", v.Messages, anArray, "an array"},
		{"input", v.Input, anArray + aString, "a string or an array"},
		{"prompt", v.Prompt, anArray + aString + "n", "a string or an array"},
		{"tools", v.Tools, anArray + "n", "an array"},
		{"response_format", v.ResponseFormat, anObj + "n", "an object"},
	} {
		if m.span.Present() && strings.IndexByte(m.kinds, v.Data[m.span.From]) < 0 {
			return &Fault{Code: "invalid_type", Param: m.name, Msg: "The member " + m.name + " must be " + m.what + "."}
		}
	}
	if raw := v.Raw(v.includeUsage); len(raw) > 0 && strings.IndexByte(aBool+"n", raw[0]) < 0 {
		return &Fault{Code: "invalid_type", Param: "stream_options.include_usage", Msg: "The member stream_options.include_usage must be true or false."}
	}
	return nil
}

// noteOption keeps the span of a member of stream_options, or refuses its name.
func (v *View) noteOption(key string, span Span) error {
	const name = "include_usage"
	if key == name {
		v.includeUsage = span
	} else if strings.EqualFold(key, name) {
		return variant(name)
	}
	return nil
}

// Raw returns the bytes of a value; nil when it is absent.
func (v *View) Raw(s Span) []byte { return v.Data[s.From:s.To] }

// ModelName returns the model that the body names; "" when it names none.
func (v *View) ModelName() string { return jsonscan.Text(v.Raw(v.Model)) }

// Streams reports whether the caller wants a stream.
func (v *View) Streams() bool { return string(v.Raw(v.Stream)) == "true" }

// IncludesUsage reports whether the caller asked for the usage chunk of a stream.
func (v *View) IncludesUsage() bool { return string(v.Raw(v.includeUsage)) == "true" }

// Choices returns n, at least 1.
func (v *View) Choices() int {
	n, _ := jsonscan.Int(v.Raw(v.N))
	return max(n, 1)
}

// Cap returns the completion cap that the body names, the larger where it names two; 0 for none. Caps that are not
// positive whole numbers are for the provider to refuse (MX-2).
func (v *View) Cap() int {
	a, _ := jsonscan.Int(v.Raw(v.MaxCompletionTokens))
	b, _ := jsonscan.Int(v.Raw(v.MaxTokens))
	return max(a, b, 0)
}
