package llm

import (
	"bytes"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// observed is what was read, on the side, of an answer: of a JSON answer at once, of a stream chunk by chunk.
type observed struct {
	text     []byte // generated so far, all choices, up to maxText: what is charged when no usage is reported (AC-2, AC-3)
	more     int    // bytes generated beyond that
	usage    proxy.Usage
	reported bool // usage was told; the last one counts (ST-8)
	failed   bool // an error event was seen (ST-12)
	choices  []choice

	keepTexts bool              // keep what an answer made of the chunks needs, to store it
	envelope  map[string][]byte // then: id, created, model … and usage, raw
	odd       bool              // holds what is not stored: tool calls, or members that a stored answer would lose
}

// choice is one of the answers to one question.
type choice struct {
	finish string // finish_reason; "" while it is open
	text   []byte // content, when texts are kept
}

// Bounds of what a provider can make us remember.
const (
	maxChoices = 256
	maxText    = 1 << 20
)

// part is what one chunk, or a JSON answer, says about itself.
type part struct {
	choices bool   // has a choices member
	empty   bool   // which is empty
	filter  bool   // tells about the prompt's content filter (ST-4)
	usage   []byte // raw, a part of the text that was read; nil when absent or null
}

// read takes in one chunk or answer. An error means that it is not JSON.
func (o *observed) read(data []byte) (p part, err error) {
	err = jsonscan.Members(data, func(key, value []byte) error {
		if o.keepTexts {
			o.keep(key, value)
		}
		switch string(key) {
		case "choices":
			p.choices, p.empty = true, true
			if value[0] != '[' {
				return nil
			}
			return jsonscan.Elements(value, func(raw []byte) error {
				p.empty = false
				return o.choice(raw)
			})
		case "usage":
			if value[0] == '{' {
				p.usage = value
				if u, ok := readUsage(value); ok {
					o.usage, o.reported = u, true
				}
			}
		case "prompt_filter_results":
			p.filter = true
		case "error":
			o.failed = o.failed || !jsonscan.IsNull(value)
		}
		return nil
	})
	return p, err
}

// keep remembers the members of a chunk that belong to the whole answer.
func (o *observed) keep(key, value []byte) {
	switch string(key) {
	case "id", "created", "model", "system_fingerprint", "service_tier", "usage":
		if !jsonscan.IsNull(value) {
			if o.envelope == nil {
				o.envelope = map[string][]byte{}
			}
			o.envelope[string(key)] = bytes.Clone(value)
		}
	}
}

func (o *observed) choice(raw []byte) error {
	if raw[0] != '{' {
		return nil
	}
	var index int
	var finish string
	var delta []byte
	err := jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "index":
			index, _ = jsonscan.Int(value)
		case "finish_reason":
			finish = jsonscan.Text(value)
		case "delta", "message":
			delta = value
		case "text": // completions
			o.generated(value)
		case "logprobs":
			o.odd = o.odd || o.keepTexts && !jsonscan.IsNull(value)
		}
		return nil
	})
	if err != nil || index < 0 || index >= maxChoices {
		return err
	}
	for len(o.choices) <= index {
		o.choices = append(o.choices, choice{})
	}
	c := &o.choices[index]
	if finish != "" {
		c.finish = finish
	}
	if len(delta) == 0 || delta[0] != '{' {
		return nil
	}
	return o.delta(c, delta)
}

// delta takes in the generated part of a choice.
func (o *observed) delta(c *choice, raw []byte) error {
	return jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "content":
			from := len(o.text)
			o.generated(value)
			if o.keepTexts {
				c.text = append(c.text, o.text[from:]...)
			}
		case "refusal", "reasoning_content", "reasoning":
			o.generated(value)
			o.odd = o.odd || !jsonscan.IsNull(value)
		case "tool_calls", "function_call":
			if !jsonscan.IsNull(value) && string(value) != "[]" {
				o.odd = true
				return o.calls(value)
			}
		case "role":
		case "audio", "annotations":
			o.odd = o.odd || !jsonscan.IsNull(value) && string(value) != "[]"
		}
		return nil
	})
}

// generated takes in a text. What is too long to keep whole is not stored either.
func (o *observed) generated(raw []byte) {
	if len(o.text)+len(raw) > maxText {
		o.more += max(len(raw)-2, 0)
		o.odd = true
		return
	}
	o.text = jsonscan.AppendText(o.text, raw)
}

// calls takes in the names and arguments of called functions.
func (o *observed) calls(raw []byte) error {
	switch raw[0] {
	case '[':
		return jsonscan.Elements(raw, o.calls)
	case '{':
		return jsonscan.Members(raw, func(key, value []byte) error {
			switch string(key) {
			case "function":
				return o.calls(value)
			case "name", "arguments":
				o.generated(value)
			}
			return nil
		})
	}
	return nil
}

// finished reports whether every choice that was asked for has come to its end.
func (o *observed) finished(asked int) bool {
	if len(o.choices) < max(asked, 1) {
		return false
	}
	for i := range o.choices {
		if o.choices[i].finish == "" {
			return false
		}
	}
	return true
}

// storable reports whether the answer is whole and plain enough to be given again (CA-8).
func (o *observed) storable(asked int) bool {
	if o.odd || o.failed || !o.finished(asked) {
		return false
	}
	for i := range o.choices {
		if f := o.choices[i].finish; f != "stop" && f != "length" {
			return false
		}
	}
	return len(o.text) > 0
}
