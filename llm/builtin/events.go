package builtin

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"
)

// stream is a body that gives one event with each read, as a provider that thinks between words.
type stream struct {
	ctx    context.Context //nolint:containedctx // the reader is the exchange
	events []string
	rest   string
	pace   time.Duration
}

// events makes the body of a stream.
func (m *Model) events(ctx context.Context, a *reply, usage bool) io.ReadCloser {
	s := &stream{ctx: ctx, pace: m.Pace}
	add := func(choices []any, told any) {
		chunk := map[string]any{"id": a.id, "object": "chat.completion.chunk", "created": a.created, "model": a.model, "choices": choices,
			"service_tier": "default", "system_fingerprint": "fp_drawbridge"}
		if usage {
			chunk["usage"] = told
		}
		text, _ := json.Marshal(chunk) // texts and numbers always have a JSON form
		s.events = append(s.events, "data: "+string(text)+"\n\n")
	}
	delta := func(index int, d map[string]any, finish any) {
		add([]any{map[string]any{"index": index, "delta": d, "logprobs": nil, "finish_reason": finish}}, nil)
	}
	for i := range a.n {
		if a.call != nil {
			delta(i, map[string]any{"role": "assistant", "content": nil, "refusal": nil}, nil)
			first := a.call.json("")
			first["index"] = 0
			delta(i, map[string]any{"tool_calls": []any{first}}, nil)
			delta(i, map[string]any{"tool_calls": []any{map[string]any{"index": 0, "function": map[string]any{"arguments": a.call.arguments}}}}, nil)
		} else {
			delta(i, map[string]any{"role": "assistant", "content": "", "refusal": nil}, nil)
			for _, word := range strings.SplitAfter(a.text, " ") {
				delta(i, map[string]any{"content": word}, nil)
			}
		}
		delta(i, map[string]any{}, a.finish)
	}
	if usage {
		add([]any{}, a.usage)
	}
	s.events = append(s.events, "data: [DONE]\n\n")
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	if s.rest == "" {
		if len(s.events) == 0 {
			return 0, io.EOF
		}
		if err := s.wait(); err != nil {
			return 0, err
		}
		s.rest, s.events = s.events[0], s.events[1:]
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// wait keeps the pace, and ends with the exchange.
func (s *stream) wait() error {
	if s.pace <= 0 {
		return s.ctx.Err()
	}
	timer := time.NewTimer(s.pace)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// Close ends the stream.
func (s *stream) Close() error {
	s.events, s.rest = nil, ""
	return nil
}
