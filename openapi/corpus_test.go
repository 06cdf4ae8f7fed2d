package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sort"
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

// corpusTotals is what the whole corpus adds up to.
type corpusTotals struct {
	operations, skipped, tools, named, kept, expanded int
}

// TestCorpus imports every document and holds what came of it to §16: operations, clients' rules, names, determinism.
func TestCorpus(t *testing.T) {
	dir, documents := corpus(t)
	if len(documents) != 63 {
		t.Errorf("%d documents, want 63", len(documents))
	}
	var total corpusTotals
	rows := map[string]corpusRow{}
	for _, name := range documents {
		t.Run(name, func(t *testing.T) {
			d, err := importFile(t, filepath.Join(dir, name), Options{})
			if strings.HasPrefix(name, "oai-webhook") {
				if err == nil || err.Error() != "no operations (1 webhook)" {
					t.Errorf("Import = %v, want no operations (1 webhook)", err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			rows[name] = newCorpusRow(d)
			checkCounts(t, name, d)
			checkTools(t, d)
			total.operations += d.Operations
			total.skipped += len(d.Skipped)
			for _, tool := range d.Tools {
				if total.tools++; tool.Bytes > maxToolBytes {
					total.expanded++
				}
			}
			named, kept := checkNames(t, filepath.Join(dir, name), d)
			total.named += named
			total.kept += kept
			checkDeterminism(t, filepath.Join(dir, name), d)
		})
	}
	if total.operations != 8051 || total.skipped*1000 > total.operations*2 {
		t.Errorf("%d operations, %d skipped; want 8051 and at most 0.2 %%", total.operations, total.skipped)
	}
	if total.kept*1000 < total.named*995 {
		t.Errorf("%d of %d names kept, want 99.5 %%", total.kept, total.named)
	}
	t.Logf("%+v", total)
	checkCorpusTable(t, documents, rows)
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

// checkDeterminism imports once more, and once with the keys of a JSON document shuffled (§16).
func checkDeterminism(t *testing.T, path string, first *Document) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if raced && len(data) > 300_000 {
		return
	}
	second, _ := importFile(t, path, Options{})
	var a, b bytes.Buffer
	if err := errors.Join(first.WriteJSON(&a), second.WriteJSON(&b)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("two runs differ: %s", firstDifference(a.Bytes(), b.Bytes()))
	}
	if !strings.HasSuffix(path, ".json") || len(first.Tools) == 0 {
		return
	}
	v, err := decodeJSON(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if err != nil {
		t.Logf("not strict JSON, keys not shuffled: %v", err)
		return
	}
	third, err := Import(t.Context(), Source{Location: path, Data: shuffled(nil, v)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := toolsOf(first), toolsOf(third); !bytes.Equal(a, b) {
		t.Errorf("shuffled keys give other tools: %s", firstDifference(a, b))
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

// toolsOf is what clients see of a document: no order of warnings, no positions.
func toolsOf(d *Document) []byte {
	var b bytes.Buffer
	for _, tool := range d.Tools {
		fmt.Fprintf(&b, "%s|%s|%s|%s|%s|%v\n", tool.Name, tool.Title, tool.Description, tool.InputSchema, tool.OutputSchema, tool.Annotations)
	}
	return b.Bytes()
}

// shuffled writes JSON with the keys of every object in a random order.
func shuffled(b []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		keys := sortedKeys(v)
		rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = shuffled(b, v[k])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = shuffled(b, item)
		}
		return append(b, ']')
	}
	return appendValue(b, v)
}

// TestEveryToolOfTheCorpusBuildsARequest gives every required argument a value of its type and builds.
func TestEveryToolOfTheCorpusBuildsARequest(t *testing.T) {
	dir, _ := corpus(t)
	base, _ := url.Parse("https://api.example.com/base")
	for _, name := range []string{"petstore-3.0.json", "github-api-3.0.json", "kubernetes-2.0.json", "stripe-3.0.yaml", "twilio-api-v2010-3.0.json"} {
		d, err := importFile(t, filepath.Join(dir, name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		built, refused := 0, map[string]int{}
		for i, tool := range d.Tools {
			if i%29 != 0 || raced && i%290 != 0 { // every schema of a large document would take long under -race
				continue
			}
			var schema struct {
				Properties map[string]map[string]any
				Required   []string
			}
			if err := json.Unmarshal(tool.InputSchema, &schema); err != nil {
				t.Fatal(err)
			}
			args := map[string]any{}
			for _, r := range schema.Required {
				args[r] = sample(schema.Properties[r], 0)
			}
			raw, _ := json.Marshal(args)
			if _, err := tool.BuildRequest(t.Context(), base, raw); err != nil {
				refused[tool.Name+" "+err.Error()]++
				continue
			}
			built++
		}
		if len(refused) > built/20 {
			var list []string
			for k := range refused {
				list = append(list, k)
			}
			sort.Strings(list)
			t.Errorf("%s: %d built, %d refused: %s", name, built, len(refused), strings.Join(list[:min(5, len(list))], "\n"))
		}
	}
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
