package openapi

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	names = append(names, "digitalocean-3.0/DigitalOcean-public.v2.yaml", "oai-petstore-separate-2.0/spec/swagger.json")
	return dir, names
}

func importFile(t testing.TB, path string, o Options) (*Document, error) {
	t.Helper()
	return Import(t.Context(), Source{Location: path}, o)
}

var _ fs.FS

func TestEveryOperationOfTheCorpusIsAccountedFor(t *testing.T) {
	dir, names := corpus(t)
	total, tools := 0, 0
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			d, err := importFile(t, filepath.Join(dir, name), Options{})
			took := time.Since(start)
			if strings.HasPrefix(name, "oai-webhook") {
				if err == nil || err.Error() != "no operations (1 webhook)" {
					t.Errorf("Import = %v, want no operations (1 webhook)", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Operations != len(d.Tools)+len(d.Skipped) {
				t.Errorf("%d operations, but %d tools and %d skipped", d.Operations, len(d.Tools), len(d.Skipped))
			}
			for _, s := range d.Skipped {
				t.Errorf("skipped %s %s: %s", s.Method, s.Path, s.Reason)
			}
			for _, p := range d.Panics() {
				t.Errorf("panic: %s", p)
			}
			total += d.Operations
			tools += len(d.Tools)
			var b bytes.Buffer
			if err := d.WriteJSON(&b); err != nil {
				t.Error(err)
			}
			largest := 0
			for _, tool := range d.Tools {
				largest = max(largest, tool.Bytes)
			}
			t.Logf("%d tools, %d warnings, largest %d, %v", len(d.Tools), len(d.Warnings), largest, took)
		})
	}
	t.Logf("%d operations, %d tools", total, tools)
}
