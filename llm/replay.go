package llm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// pieceBytes is how long the text of one replayed chunk may be (CA-9).
const pieceBytes = 4 << 10

// replay answers from the cache, in the mode that was asked for: what is stored is always a JSON answer (CA-9, CA-10).
func (c *completion) replay(a *proxy.Answer) error {
	entry := a.Entry
	c.settle(a, proxy.Outcome{Ending: proxy.EndOK, Status: http.StatusOK, Usage: proxy.Usage{Source: proxy.UsageCache}, Bytes: int64(len(entry.Body))})
	if c.streams() {
		return c.replayStream(a, entry.Body)
	}
	c.head(a)
	c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(entry.Body))}
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(entry.Body)
	return nil
}

// replayStream gives a whole answer as the events it would have come in. It was settled before.
func (c *completion) replayStream(a *proxy.Answer, answer []byte) error {
	text, err := chunksOf(answer, c.view.IncludesUsage())
	if err != nil {
		return &failure{status: http.StatusBadGateway, kind: "upstream_error", code: "upstream_error",
			msg: "The model's answer could not be read. Try again.", header: withRoad(nil, a), err: err}
	}
	out := c.newEvents(func() { c.head(a) })
	defer out.close()
	_ = out.write(text, true) // a caller who has gone misses nothing
	return nil
}

// chunker writes the chunks of one answer.
type chunker struct {
	out      bytes.Buffer
	envelope []byte // what every chunk begins with
	tail     string // what every chunk but the one with usage ends with
}

// chunksOf makes the events of a stream of a JSON answer: role, texts, the other parts of the message, the end of each
// choice, usage when it was asked for, and the terminator.
func chunksOf(answer []byte, includeUsage bool) ([]byte, error) {
	w := chunker{envelope: []byte(`{"object":"chat.completion.chunk"`)}
	if includeUsage {
		w.tail = `,"usage":null`
	}
	var line bytes.Buffer // an event's data is one line, however the answer was laid out
	if err := json.Compact(&line, answer); err != nil {
		return nil, err
	}
	var choices, usage []byte
	err := jsonscan.Members(line.Bytes(), func(key, value []byte) error {
		switch string(key) {
		case "id", "created", "model", "system_fingerprint", "service_tier":
			w.envelope = append(append(append(w.envelope, `,"`...), key...), `":`...)
			w.envelope = append(w.envelope, value...)
		case "choices":
			choices = value
		case "usage":
			usage = value
		}
		return nil
	})
	if err == nil {
		err = jsonscan.Elements(choices, w.choice)
	}
	if err != nil {
		return nil, err
	}
	if includeUsage && !jsonscan.IsNull(usage) {
		w.chunk("[]", `,"usage":`+string(usage))
	}
	w.out.WriteString(doneEvent)
	return w.out.Bytes(), nil
}

func (w *chunker) chunk(choices, tail string) {
	w.out.WriteString("data: ")
	w.out.Write(w.envelope)
	w.out.WriteString(`,"choices":` + choices + tail + "}\n\n")
}

func (w *chunker) delta(index int, delta, finish string) {
	w.chunk(`[{"index":`+strconv.Itoa(index)+`,"delta":`+delta+`,"logprobs":null,"finish_reason":`+finish+`}]`, w.tail)
}

// choice writes the chunks of one choice.
func (w *chunker) choice(raw []byte) error {
	index, finish, message := 0, []byte("null"), []byte("{}")
	err := jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "index":
			index, _ = jsonscan.Int(value)
		case "finish_reason":
			finish = value
		case "message":
			message = value
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.delta(index, `{"role":"assistant","content":"","refusal":null}`, "null")
	if err := jsonscan.Members(message, func(key, value []byte) error {
		return w.member(index, string(key), value)
	}); err != nil {
		return err
	}
	w.delta(index, "{}", string(finish))
	return nil
}

// member writes one member of a message.
func (w *chunker) member(index int, key string, value []byte) error {
	switch {
	case key == "role", jsonscan.IsNull(value):
		return nil
	case key == "content":
		for text := jsonscan.Text(value); text != ""; {
			n := len(text)
			if n > pieceBytes {
				for n = pieceBytes; !utf8.RuneStart(text[n]); n-- {
				}
			}
			piece, _ := json.Marshal(text[:n]) // a string always has a JSON form
			w.delta(index, `{"content":`+string(piece)+`}`, "null")
			text = text[n:]
		}
		return nil
	case key == "tool_calls" && value[0] == '[':
		i := 0
		return jsonscan.Elements(value, func(call []byte) error {
			if call[0] != '{' {
				return jsonscan.ErrSyntax
			}
			inner := bytes.TrimSpace(call[1 : len(call)-1])
			if len(inner) == 0 {
				return jsonscan.ErrSyntax
			}
			w.delta(index, `{"tool_calls":[{"index":`+strconv.Itoa(i)+`,`+string(inner)+`}]}`, "null")
			i++
			return nil
		})
	}
	name, _ := json.Marshal(key) // as above
	w.delta(index, `{`+string(name)+`:`+string(value)+`}`, "null")
	return nil
}

// assemble makes the JSON answer that a stream would have been, to store it (CA-9).
func (r *relay) assemble() *proxy.CacheEntry {
	var out bytes.Buffer
	out.WriteString(`{"object":"chat.completion"`)
	for _, name := range [...]string{"id", "created", "model", "system_fingerprint", "service_tier", "usage"} {
		if value := r.seen.envelope[name]; value != nil {
			out.WriteString(`,"` + name + `":`)
			out.Write(value)
		}
	}
	out.WriteString(`,"choices":[`)
	for i := range r.seen.choices {
		c := &r.seen.choices[i]
		if i > 0 {
			out.WriteByte(',')
		}
		content, _ := json.Marshal(string(c.text)) // texts always have a JSON form
		finish, _ := json.Marshal(c.finish)
		out.WriteString(`{"index":` + strconv.Itoa(i) + `,"message":{"role":"assistant","content":` + string(content) +
			`,"refusal":null},"logprobs":null,"finish_reason":` + string(finish) + `}`)
	}
	out.WriteString("]}")
	return &proxy.CacheEntry{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: out.Bytes(), Usage: r.usage(&r.seen), Created: r.h.now()}
}
