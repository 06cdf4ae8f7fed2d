package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestCorpusProofs holds every tool of every document to what the corpus is to show, under each profile, in one pass per
// document: counts, clients' rules, both metaschemas, ajv, names, requests, and that nothing depends on the order of keys.
// The race detector makes this ten times slower and has nothing to see in one goroutine: under -race the same proofs run in
// a process without it, and TestCorpus imports every document under the detector.
func TestCorpusProofs(t *testing.T) { // §16, §17
	dir, documents := corpus(t)
	if raced {
		withoutDetector(t)
		return
	}
	if len(documents) != 63 {
		t.Errorf("%d documents, want 63", len(documents))
	}
	p := &proofs{ajv: startAjv(t), rows: map[string]corpusRow{}}
	t.Run("documents", func(t *testing.T) {
		for _, name := range documents {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p.document(t, name, filepath.Join(dir, name))
			})
		}
	})
	if p.operations != 8051 || p.skipped*1000 > p.operations*2 {
		t.Errorf("%d operations, %d skipped; want 8051 and at most 0.2 %%", p.operations, p.skipped)
	}
	if p.kept*1000 < p.named*995 {
		t.Errorf("%d of %d names kept, want 99.5 %%", p.kept, p.named)
	}
	if p.refused*50 > p.tools { // samples do not know every pattern
		t.Errorf("%d of %d tools refuse values of their own schema", p.refused, p.tools)
	}
	t.Logf("%d operations, %d tools of which %d above 32 KiB, %d of %d names, %d samples refused", p.operations, p.tools, p.expanded, p.kept, p.named, p.refused)
	checkCorpusTable(t, documents, p.rows)
	p.ajv.finish(t)
}

// withoutDetector runs the test that calls it with a test binary that is built without -race.
func withoutDetector(t *testing.T) {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatalf("the proofs need the go command: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), goTool, "test", "-count=1", "-timeout", "9m", "-v", "-run", "^"+t.Name()+"$", ".")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")) {
		t.Errorf("%v\n%s", err, out[max(0, len(out)-8000):])
	}
}

// proofs adds up what the documents show.
type proofs struct {
	ajv *ajv

	mu                                                         sync.Mutex
	operations, skipped, tools, expanded, named, kept, refused int
	rows                                                       map[string]corpusRow
}

func (p *proofs) document(t *testing.T, name, path string) {
	d, err := importFile(t, path, Options{})
	if strings.HasPrefix(name, "oai-webhook") {
		if err == nil || err.Error() != "no operations (1 webhook)" {
			t.Errorf("Import = %v, want no operations (1 webhook)", err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, name, d)
	reportFaults(t, cleanTools(d, Universal, true))
	p.ajv.send(t, name, Universal, d)
	named, kept := checkNames(t, path, d)
	refused := callEveryTool(t, d)
	if err == nil {
		checkDeterminism(t, path, d)
		p.profiles(t, name, path, d)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows[name] = newCorpusRow(d)
	p.operations += d.Operations
	p.skipped += len(d.Skipped)
	p.tools += len(d.Tools)
	p.named += named
	p.kept += kept
	p.refused += refused
	for _, tool := range d.Tools {
		if tool.Bytes > maxToolBytes {
			p.expanded++
		}
	}
}

// profiles holds rich and gemini to their columns of §6.2, and to change neither names nor what is required.
func (p *proofs) profiles(t *testing.T, name, path string, plain *Document) {
	t.Helper()
	for _, profile := range []Profile{Rich, Gemini} {
		d, err := importFile(t, path, Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range d.Panics() {
			t.Error(text)
		}
		if len(d.Tools) != len(plain.Tools) {
			t.Fatalf("%s: %d tools, want %d", profile, len(d.Tools), len(plain.Tools))
		}
		reportFaults(t, cleanTools(d, profile, true))
		p.ajv.send(t, name, profile, d)
		for i, tool := range plain.Tools {
			if o := d.Tools[i]; o.Name != tool.Name || o.Description != tool.Description || !slices.Equal(names(t, o), names(t, tool)) {
				t.Errorf("%s: %s %v, want %s %v", profile, o.Name, names(t, o), tool.Name, names(t, tool))
			}
		}
	}
}

// names lists the arguments of a tool, and then the required ones.
func names(t *testing.T, tool *Tool) []string {
	t.Helper()
	var s struct {
		Properties map[string]json.RawMessage
		Required   []string
	}
	if err := json.Unmarshal(tool.InputSchema, &s); err != nil {
		t.Fatal(err)
	}
	return append(append(sortedKeys(s.Properties), "required:"), s.Required...)
}

// callEveryTool gives every required argument a value of its type and builds; it counts what is refused. A request that is
// built goes where it should, and what is refused is refused for the argument's sake.
func callEveryTool(t *testing.T, d *Document) (refused int) {
	t.Helper()
	base, err := url.Parse("https://api.example.com/base")
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range d.Tools {
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
		raw, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		req, err := tool.BuildRequest(t.Context(), base, raw)
		var a *ArgumentError
		switch {
		case errors.As(err, &a):
			refused++
		case err != nil:
			t.Errorf("%s: %v", tool.Name, err)
		case req.Method != tool.Method || req.URL.Host != base.Host || !strings.HasPrefix(req.URL.EscapedPath(), "/base"):
			t.Errorf("%s: built %s %s", tool.Name, req.Method, req.URL)
		}
	}
	return refused
}

// checkDeterminism imports once more, and once with the keys of every mapping shuffled (§16).
func checkDeterminism(t *testing.T, path string, first *Document) {
	t.Helper()
	second, err := importFile(t, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(first.WriteJSON(&a), second.WriteJSON(&b)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("two runs differ: %s", firstDifference(a.Bytes(), b.Bytes()))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := readTree(data, &file{name: path}, func(*node, string) {})
	if err != nil {
		t.Fatal(err)
	}
	third, err := Import(t.Context(), Source{Location: path, Data: shuffled(nil, tree)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := toolsOf(first), toolsOf(third); !bytes.Equal(a, b) {
		t.Errorf("shuffled keys give other tools: %s", firstDifference(a, b))
	}
}

// shuffled writes a tree as JSON, the keys of every mapping in a random order.
func shuffled(b []byte, n *node) []byte {
	switch {
	case n.isMap():
		fields := slices.Clone(n.fields())
		rand.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		b = append(b, '{')
		for i, f := range fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = shuffled(append(appendString(b, f.key), ':'), f.value)
		}
		return append(b, '}')
	case n.isList():
		b = append(b, '[')
		for i, item := range n.items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = shuffled(b, item)
		}
		return append(b, ']')
	}
	return n.appendJSON(b)
}

// toolsOf is what clients see of a document: no order of warnings, no positions.
func toolsOf(d *Document) []byte {
	var b bytes.Buffer
	for _, tool := range d.Tools {
		fmt.Fprintf(&b, "%s|%s|%s|%s|%s|%v\n", tool.Name, tool.Title, tool.Description, tool.InputSchema, tool.OutputSchema, tool.Annotations)
	}
	return b.Bytes()
}
