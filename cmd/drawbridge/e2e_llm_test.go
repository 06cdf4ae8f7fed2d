package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type chatReport struct {
	Text, Finish, Streamed, StreamedFinish string
	Usage, StreamedUsage                   struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
	Chunks  int
	Unasked bool
}

type refusalReport struct {
	Status               int
	Code, Type, Name, ID string
}

func TestOpenAIPackageChatsPlainAndStreaming(t *testing.T) {
	g := try(t)
	var r struct {
		Models               []string
		OpenAI, Azure        chatReport
		WrongKey, WrongModel refusalReport
	}
	node(t, &r, "llm.mjs", g.ready.URL+"/llm", g.ready.LLMKey, "demo")
	if !slices.Contains(r.Models, "demo") {
		t.Errorf("models = %v, want demo among them", r.Models)
	}
	for name, c := range map[string]chatReport{"OpenAI": r.OpenAI, "AzureOpenAI": r.Azure} {
		if c.Text == "" || c.Text != c.Streamed || c.Finish != "stop" || c.StreamedFinish != "stop" {
			t.Errorf("%s: plain %q (%s), streamed %q (%s); want the same deterministic answer", name, c.Text, c.Finish, c.Streamed, c.StreamedFinish)
		}
		if c.Usage.Prompt == 0 || c.Usage.Completion == 0 || c.Usage != c.StreamedUsage {
			t.Errorf("%s: usage %+v, streamed %+v; want the same numbers", name, c.Usage, c.StreamedUsage)
		}
		if c.Chunks < 3 || c.Unasked {
			t.Errorf("%s: %d chunks, usage unasked %v; want a stream, and usage only for those who ask", name, c.Chunks, c.Unasked)
		}
	}
	if r.WrongKey.Status != 401 || r.WrongKey.Code != "invalid_api_key" {
		t.Errorf("wrong key = %+v, want 401 invalid_api_key", r.WrongKey)
	}
	if r.WrongModel.Status != 404 || r.WrongModel.Code != "model_not_found" {
		t.Errorf("wrong model = %+v, want 404 model_not_found", r.WrongModel)
	}
}

func chat(t *testing.T, g *running, model, prompt string) (*http.Response, string) {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"model": model, "messages": []map[string]string{{"role": "user", "content": prompt}}, "max_tokens": 50})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.ready.LLMURL+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+g.ready.LLMKey)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestTryShowsTheCacheAndTheTokenLimit(t *testing.T) {
	g := try(t)
	first, one := chat(t, g, "demo", "What is a drawbridge?")
	second, two := chat(t, g, "demo", "What is a drawbridge?")
	if first.Header.Get("X-Drawbridge-Cache") != "miss" || first.Header.Get("X-Drawbridge-Backend") != "builtin-1" {
		t.Errorf("first answer: cache %q, backend %q", first.Header.Get("X-Drawbridge-Cache"), first.Header.Get("X-Drawbridge-Backend"))
	}
	if second.Header.Get("X-Drawbridge-Cache") != "hit" || second.Header.Get("X-Drawbridge-Attempts") != "0" || one != two {
		t.Errorf("second answer: cache %q, attempts %q; want a hit with the same bytes", second.Header.Get("X-Drawbridge-Cache"), second.Header.Get("X-Drawbridge-Attempts"))
	}
	for range 50 {
		resp, text := chat(t, g, "demo-limited", "Tell me about bridges, please, and take your time.")
		if resp.StatusCode == http.StatusOK {
			continue
		}
		wait, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if resp.StatusCode != 429 || err != nil || wait < 1 || wait > 60 || !strings.Contains(text, `"rate_limit_exceeded"`) {
			t.Errorf("over the limit = %d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), text)
		}
		return
	}
	t.Error("50 calls never met a limit of 500 tokens a minute")
}
