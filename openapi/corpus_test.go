package openapi

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus lists the documents of ../shared/specs, seen from the project root.
func corpus(t testing.TB) (dir string, names []string) {
	t.Helper()
	dir = filepath.Join("..", "..", "shared", "specs")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Skipf("the corpus is not here (%s): it lies beside the project", dir)
	}
	for _, e := range entries {
		if !e.IsDir() && e.Name() != "INDEX.md" {
			names = append(names, e.Name())
		}
	}
	return dir, append(names, "digitalocean-3.0/DigitalOcean-public.v2.yaml", "oai-petstore-separate-2.0/spec/swagger.json")
}

func importFile(t testing.TB, path string, o Options) (*Document, error) {
	t.Helper()
	return Import(t.Context(), Source{Location: path}, o)
}

// TestCorpus imports every document under the race detector.
func TestCorpus(t *testing.T) {
	if !raced {
		t.Skip("TestCorpusProofs does it, and more")
	}
	dir, documents := corpus(t)
	for _, name := range documents {
		t.Run(name, func(t *testing.T) {
			d, err := importFile(t, filepath.Join(dir, name), Options{})
			if d == nil || err != nil && !strings.HasPrefix(name, "oai-webhook") {
				t.Fatal(err)
			}
			checkCounts(t, name, d)
		})
	}
}

var anchors = map[string]int{"petstore-3.0.json": 19, "github-api-3.0.json": 767, "stripe-3.0.yaml": 494, "kubernetes-2.0.json": 853, "openai-3.1.yaml": 288,
	"digitalocean-3.0/DigitalOcean-public.v2.yaml": 659, "slack-web-2.0.json": 174}

func checkCounts(t *testing.T, name string, d *Document) {
	t.Helper()
	if d.Operations != len(d.Tools)+len(d.Skipped) {
		t.Errorf("%d operations, but %d tools and %d skipped", d.Operations, len(d.Tools), len(d.Skipped))
	}
	if want := anchors[name]; want > 0 && len(d.Tools) != want {
		t.Errorf("%d tools, want %d", len(d.Tools), want)
	}
	for _, s := range d.Skipped {
		t.Errorf("skipped %s %s: %s", s.Method, s.Path, s.Reason)
	}
	for _, p := range d.Panics() {
		t.Errorf("panic: %s", p)
	}
}

// checkTools checks what every client demands (§6.1), for every tool.
func checkTools(t *testing.T, d *Document) {
	t.Helper()
	reportFaults(t, cleanTools(d, Universal, !raced || len(d.Tools) < 100))
}

// reportFaults fails with the first faults.
func reportFaults(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults[:min(len(faults), 10)] {
		t.Error(f)
	}
	if len(faults) > 10 {
		t.Errorf("and %d more", len(faults)-10)
	}
}

func firstDifference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("…%s… and …%s…", a[max(0, i-200):min(len(a), i+80)], b[max(0, i-200):min(len(b), i+80)])
}

// sample makes a value that an advertised schema allows.
func sample(s map[string]any, depth int) any {
	if e, ok := s["enum"].([]any); ok {
		return e[0]
	}
	if d, ok := s["default"]; ok {
		return d
	}
	if m, ok := s["anyOf"].([]any); ok {
		return sample(m[0].(map[string]any), depth+1)
	}
	if p, ok := s["properties"].(map[string]any); ok && p["data"] != nil && p["content_type"] != nil && s["additionalProperties"] == false {
		return "aGk=" // a file
	}
	switch s["type"] {
	case "integer", "number":
		if m, ok := s["minimum"].(float64); ok && m > 0 {
			return m
		}
		return 1
	case "boolean":
		return true
	case "array":
		return []any{sample(s["items"].(map[string]any), depth+1)}
	case "object":
		out := map[string]any{}
		props, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, r := range required {
			out[r.(string)] = sample(props[r.(string)].(map[string]any), depth+1)
		}
		return out
	}
	switch s["format"] {
	case "date-time":
		return "2026-01-31T09:00:00Z"
	case "date":
		return "2026-01-31"
	case "uri":
		return "https://example.com/x"
	case "uuid":
		return "123e4567-e89b-12d3-a456-426614174000"
	case "email":
		return "a@example.com"
	}
	if p, _ := s["pattern"].(string); strings.HasSuffix(p, "[0-9a-fA-F]{32}$") {
		return p[1:3] + strings.Repeat("0", 32)
	}
	text := "x"
	if m, ok := s["minLength"].(float64); ok && m > 1 {
		text = strings.Repeat("x", int(m))
	}
	return text
}
