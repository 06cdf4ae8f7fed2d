package llmtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// player plays one stream.
type player struct {
	a    Answer
	q    question
	w    http.ResponseWriter
	r    *http.Request
	done <-chan struct{} // the server closes
	sent int
}

// play reports whether the whole stream was sent.
func (p *player) play() bool {
	p.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	if p.a.Fault == Gzip {
		p.w.Header().Set("Content-Encoding", "gzip")
		_, _ = p.w.Write(zipped(strings.Join(p.a.Events(p.q.StreamOptions.IncludeUsage), "")))
		return true
	}
	p.w.WriteHeader(http.StatusOK)
	rc := http.NewResponseController(p.w)
	_ = rc.Flush()
	for i, event := range p.a.Events(p.q.StreamOptions.IncludeUsage) {
		if !p.wait(i) {
			return false
		}
		switch {
		case p.a.Fault == SplitBytes:
			for j := range len(event) {
				_, _ = p.w.Write([]byte{event[j]})
				_ = rc.Flush()
			}
			continue
		case event == resetMark:
			reset(p.w)
			return true
		case event == stallMark:
			return p.gone(nil)
		}
		if _, err := p.w.Write([]byte(event)); err != nil {
			return false
		}
		_ = rc.Flush()
	}
	return p.r.Context().Err() == nil
}

// wait keeps the pace; false when the client has gone.
func (p *player) wait(i int) bool {
	if p.a.Drip > 0 && !p.gone(time.After(p.a.Drip)) {
		return false
	}
	return i != 1 || p.a.Gate == nil || p.gone2()
}

// gone waits until the client has gone, or until something else; it reports whether it was something else.
func (p *player) gone(until <-chan time.Time) bool {
	select {
	case <-until:
		return true
	case <-p.r.Context().Done():
	case <-p.done:
	}
	return false
}

func (p *player) gone2() bool {
	select {
	case <-p.a.Gate:
		return true
	case <-p.r.Context().Done():
	case <-p.done:
	}
	return false
}

const (
	resetMark = "\x00reset"
	stallMark = "\x00stall"
	done      = "data: [DONE]\n\n"
)

// Events returns the stream as it is sent, event by event.
func (a Answer) Events(usage bool) []string {
	if a.Raw != nil {
		return a.Raw
	}
	usage = usage && !a.NoUsage
	switch a.Fault {
	case ErrorFirst:
		return []string{errorEvent, done}
	case NothingButEnd:
		return nil
	}
	var events []string
	if a.Azure {
		events = append(events, "data: "+fmt.Sprintf(`{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":%s}]}`, notFiltered)+"\n\n")
	}
	events = append(events, a.chunk(`{"role":"assistant","content":"","refusal":null}`, "null", usage, 0))
	for i, piece := range a.pieces() {
		if i == 1 {
			if cut, ok := a.cut(); ok {
				return a.dressed(append(events, cut...))
			}
		}
		events = append(events, a.chunk(`{"content":`+marshal(piece)+`}`, "null", usage, i+1))
	}
	if c := a.ToolCall; c != nil {
		events = append(events, a.chunk(fmt.Sprintf(`{"tool_calls":[{"index":0,"id":%q,"type":"function","function":{"name":%q,"arguments":""}}]}`, c.ID, c.Name), "null", usage, 1))
		for i := 0; i < len(c.Arguments); i += 5 {
			events = append(events, a.chunk(fmt.Sprintf(`{"tool_calls":[{"index":0,"function":{"arguments":%s}}]}`, marshal(c.Arguments[i:min(i+5, len(c.Arguments))])), "null", usage, 1))
		}
	}
	events = append(events, a.chunk("{}", `"`+a.finish()+`"`, usage, len(a.pieces())))
	if usage && !a.EachTime {
		events = append(events, "data: "+a.envelope()+`,"choices":[],"usage":`+a.Reported().json()+a.padding()+"}\n\n")
	}
	switch a.Fault {
	case NoTerminator:
	case NoBlankLine:
		events = append(events, "data: [DONE]")
	case Junk:
		events = append(events, done, "data: {\"junk\":true}\n\nmore junk\n")
	default:
		events = append(events, done)
	}
	return a.dressed(events)
}

const errorEvent = `data: {"error":{"message":"The server had an error.","type":"server_error","param":null,"code":"rate_limit_exceeded"}}` + "\n\n"

// cut is what comes in place of the rest of the text.
func (a Answer) cut() ([]string, bool) {
	switch a.Fault {
	case EOFMidway:
		return nil, true
	case EOFInEvent:
		return []string{`data: {"id":"chatcmpl-Test1","choices":[{"index":0,"delta":{"content":"wo`}, true
	case ResetMidway:
		return []string{`data: {"id":"chatcmpl-Te`, resetMark}, true
	case Stall:
		return []string{stallMark}, true
	case ErrorMidway:
		return []string{errorEvent}, true
	case BigEvent:
		return []string{a.chunk(`{"content":"`+strings.Repeat("x", 1<<20)+`"}`, `"stop"`, false, 1), done}, true
	case HugeEvent:
		return []string{a.chunk(`{"content":"`+strings.Repeat("x", 5<<20)+`"}`, `"stop"`, false, 1), done}, true
	}
	return nil, false
}

func (a Answer) envelope() string {
	extra := ""
	if a.Fault == UnknownMembers {
		extra = `"new_member":{"a":[1e3,"\u00e4"]},`
	}
	return fmt.Sprintf(`{%s"id":"chatcmpl-Test1","object":"chat.completion.chunk","created":%d,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_test"`, extra, created)
}

func (a Answer) padding() string {
	if a.Azure {
		return ""
	}
	return `,"obfuscation":"aB3dE"`
}

func (a Answer) chunk(delta, finish string, usage bool, tokens int) string {
	filter, told := "", ""
	if a.Azure {
		filter = `,"content_filter_results":{}`
		if strings.HasPrefix(delta, `{"content"`) {
			filter = `,"content_filter_results":` + notFiltered
		}
	}
	if usage {
		told = `,"usage":null`
		if a.EachTime {
			u := a.Reported()
			if finish == "null" {
				u.Completion = tokens
			}
			told = `,"usage":` + u.json()
		}
	}
	return "data: " + a.envelope() + `,"choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + filter + `}]` + told + a.padding() + "}\n\n"
}

// dressed applies what changes the form of events, not their meaning.
func (a Answer) dressed(events []string) []string {
	for i, e := range events {
		switch a.Fault {
		case CRLF:
			events[i] = strings.ReplaceAll(e, "\n", "\r\n")
		case CR:
			events[i] = strings.ReplaceAll(e, "\n", "\r")
		case Comments:
			events[i] = ": keep-alive\n\n" + e
		case MultilineData:
			events[i] = strings.Replace(e, `,"choices"`, ",\ndata: \"choices\"", 1)
		case ByteOrderMark:
			if i == 0 {
				events[i] = "\ufeff" + e
			}
		case InterleavedPing:
			events[i] = "event: ping\ndata: {}\n\n" + e
		}
	}
	return events
}
