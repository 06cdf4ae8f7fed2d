package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// row is one line of the table.
type row struct{ name, budget, ours, note string }

// target is what compare is told about one address.
type target map[string]any

// summary is what compare says about one target.
type summary struct {
	Name             string
	CPUus, CPURatio  float64
	Errors, Requests int64
	ErrSample        string
}

// fault says that a row cannot be trusted.
func (s summary) fault() string {
	if s.Errors == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d failed: %s", s.Errors, s.Requests, s.ErrSample)
}

func (b *bench) measure(ctx context.Context) (rows []row, err error) {
	for _, part := range []func(context.Context) ([]row, error){b.tools, b.pages, b.relays, b.chats, b.streams, b.startAndMemory, b.sessions, b.eventStreams} {
		more, err := part(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) tools(ctx context.Context) ([]row, error) {
	token, err := b.token(ctx, b.at.gateway, "items")
	if err != nil {
		return nil, err
	}
	wide, err := b.token(ctx, b.at.gateway, "many")
	if err != nil {
		return nil, err
	}
	call := func(name string, modern bool) target {
		return target{"name": name, "url": "http://" + b.at.gateway + "/mcp/items", "mode": "mcp", "tool": "getItem", "args": map[string]string{"id": "42"},
			"expect": "Widget", "tokens": []string{token}, "modern": modern}
	}
	list := func(name, server, token string) target {
		return target{"name": name, "url": "http://" + b.at.gateway + "/mcp/" + server, "mode": "mcp", "rpc": "tools/list", "params": map[string]any{},
			"expect": "getItem", "tokens": []string{token}, "modern": true}
	}
	s, err := b.compare(ctx,
		target{"name": "hop", "url": "http://" + b.at.hop + "/items/42", "mode": "http"},
		call("2025", false), call("2026", true), list("list", "items", token), list("list-1000", "many", wide))
	if err != nil {
		return nil, err
	}
	return []row{
		ratio("`tools/call`, 2025 revisions, with token, authorisation, rate limit, metrics, access line, ledger row", "1.25", s[1], s[0]),
		ratio("the same, 2026-07-28", "1.25", s[2], s[0]),
		{"2026-07-28 against the 2025 revisions", "1.1", fmt.Sprintf("%.2f", s[2].CPURatio/s[1].CPURatio), "X6"},
		ratio("`tools/list` of one API (3 tools)", "–", s[3], s[0]),
		{"`tools/list`, 1,000 tools, one view", "0.2 ms", fmt.Sprintf("%.2f ms", s[4].CPUus/1000), join("the whole request: sign-in, the access line, and the writing of a long answer", s[4].fault())},
	}, nil
}

// pages measures a list that is read page by page, at a gateway of its own: its many tools are no burden to the other rows.
func (b *bench) pages(ctx context.Context) ([]row, error) {
	defer b.stopLast(len(b.running))
	token, err := b.alone(ctx, "lots", ", page: 100, tool_search: off", nil)
	if err != nil {
		return nil, err
	}
	s, err := b.compare(ctx, target{"name": "page", "url": "http://" + b.at.idle + "/mcp/lots", "mode": "mcp", "rpc": "tools/list", "params": map[string]any{},
		"expect": "nextCursor", "tokens": []string{token}, "modern": true})
	if err != nil {
		return nil, err
	}
	return []row{{"`tools/list`, page of 100 out of 15,000", "0.1 ms", fmt.Sprintf("%.2f ms", s[0].CPUus/1000), join("the whole request, too", s[0].fault())}}, nil
}

// relays measures a call of a tool through a relay against the same call through a bare proxy.
func (b *bench) relays(ctx context.Context) ([]row, error) {
	token, err := b.token(ctx, b.at.gateway, "elsewhere")
	if err != nil {
		return nil, err
	}
	call := func(name, url string, tokens ...string) target {
		return target{"name": name, "url": url, "mode": "mcp", "tool": "getItem", "args": map[string]string{"id": "42"}, "expect": "Widget", "tokens": tokens}
	}
	s, err := b.compare(ctx, call("hop", "http://"+b.at.mcpHop+"/mcp"), call("relay", "http://"+b.at.gateway+"/mcp/elsewhere", token))
	if err != nil {
		return nil, err
	}
	return []row{ratio("passthrough of an MCP server, signed in", "1.15", s[1], s[0])}, nil
}

func (b *bench) chats(ctx context.Context) ([]row, error) {
	hop, ours := b.at.hop+"/v1", b.at.gateway+"/llm/v1"
	long := prompt("gpt-4o", 16<<10)
	s, err := b.compare(ctx,
		b.chat("hop", hop, "gpt-4o", ""), b.chat("chat", ours, "gpt-4o", ""), b.chat("cached", ours, "cached", ""),
		b.chat("hop-16k", hop, "gpt-4o", long), b.chat("chat-16k", ours, "gpt-4o", long))
	if err != nil {
		return nil, err
	}
	added := (s[4].CPUus - s[3].CPUus) - (s[1].CPUus - s[0].CPUus)
	return []row{
		ratio("LLM chat, key, token limit, usage, metrics (small body)", "1.1", s[1], s[0]),
		{"16 KiB of prompt, added", "+10 µs", fmt.Sprintf("%+.0f µs", added),
			join("what they add to a call here, less what they add to the hop", s[3].fault(), s[4].fault())},
		ratio("exact-cache hit", "0.45", s[2], s[0]),
	}, nil
}

func (b *bench) streams(ctx context.Context) ([]row, error) {
	const events = 21 // of the mock: 20 chunks, and the end
	s, err := b.compare(ctx, b.stream("hop", b.at.slowHop+"/v1", "slow"), b.stream("stream", b.at.gateway+"/llm/v1", "slow"))
	if err != nil {
		return nil, err
	}
	return []row{{"LLM stream, CPU per chunk", "18 µs", fmt.Sprintf("%.1f µs (the hop %.1f µs)", s[1].CPUus/events, s[0].CPUus/events),
		join("chunks 5 ms apart; the whole request, headers and record, shared among its 21 events", s[1].fault())}}, nil
}

func (b *bench) chat(name, at, model, body string) target {
	t := target{"name": name, "url": "http://" + at + "/chat/completions", "mode": "chat", "tokens": []string{b.key}, "model": model}
	if body != "" {
		t["body"] = body
	}
	return t
}

func (b *bench) stream(name, at, model string) target {
	t := b.chat(name, at, model, "")
	t["mode"] = "stream"
	return t
}

// prompt is a chat request whose prompt has so many bytes.
func prompt(model string, size int) string {
	const sentence = "The quick brown fox jumps over the lazy dog, and says so. "
	text := strings.Repeat(sentence, size/len(sentence)+1)[:size]
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}],"temperature":0.2,"max_tokens":64}`, model, text)
}

func ratio(name, budget string, s, hop summary) row {
	return row{name, budget, fmt.Sprintf("%.2f (%.0f µs against %.0f µs)", s.CPURatio, s.CPUus, hop.CPUus), s.fault()}
}

func join(notes ...string) string {
	var said []string
	for _, n := range notes {
		if n != "" {
			said = append(said, n)
		}
	}
	return strings.Join(said, "; ")
}

// compare measures the targets in turns; ratios are against the first.
func (b *bench) compare(ctx context.Context, targets ...target) ([]summary, error) {
	text, err := json.Marshal(map[string]any{"targets": targets})
	if err != nil {
		return nil, err
	}
	in, err := b.write("targets.json", string(text))
	if err != nil {
		return nil, err
	}
	out := filepath.Join(b.dir, "result.json")
	c := exec.CommandContext(ctx, b.bin("compare"), "-f", in, "-rounds", fmt.Sprint(b.rounds), "-d", b.length.String(), "-json", out)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	if text, err = os.ReadFile(out); err != nil {
		return nil, err
	}
	var result struct {
		Summary []summary `json:"summary"`
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return nil, fmt.Errorf("read what compare found: %w", err)
	}
	if len(result.Summary) != len(targets) {
		return nil, fmt.Errorf("compare told of %d targets, not %d", len(result.Summary), len(targets))
	}
	return result.Summary, nil
}
