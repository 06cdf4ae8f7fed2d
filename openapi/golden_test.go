package openapi

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write testdata/*.txtar anew")

// TestDocumentsBecomeTools holds one archive per family of rules: files named in.* are documents, and what becomes of
// each is in the file of the same name that ends in .out.
func TestDocumentsBecomeTools(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out := &txtar.Archive{Comment: a.Comment}
			want := map[string][]byte{}
			for _, f := range a.Files {
				if strings.HasSuffix(f.Name, ".out") {
					want[f.Name] = f.Data
				}
			}
			for _, f := range a.Files {
				if strings.HasSuffix(f.Name, ".out") {
					continue
				}
				got := goldenOf(t, f, Options{Profile: profileOf(name)})
				out.Files = append(out.Files, f, txtar.File{Name: f.Name + ".out", Data: got})
				if !*update && !bytes.Equal(got, want[f.Name+".out"]) {
					t.Errorf("%s:\n got\n%s\nwant\n%s", f.Name, got, want[f.Name+".out"])
				}
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// profileOf reads the profile from the name of an archive: profile-rich.txtar.
func profileOf(archive string) Profile {
	if p, ok := strings.CutPrefix(strings.TrimSuffix(filepath.Base(archive), ".txtar"), "profile-"); ok {
		return Profile(p)
	}
	return Universal
}

// goldenOf is what a reader of the golden files wants to know of an import.
func goldenOf(t *testing.T, f txtar.File, o Options) []byte {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, f.Name)
	if err := os.WriteFile(path, f.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Import(t.Context(), Source{Location: path}, o)
	var b bytes.Buffer
	if err != nil {
		fmt.Fprintf(&b, "error: %s\n", strings.ReplaceAll(err.Error(), dir+"/", ""))
	}
	if d == nil {
		return b.Bytes()
	}
	for _, tool := range d.Tools {
		fmt.Fprintf(&b, "%s = %s %s\n  %s\n", tool.Name, tool.Method, tool.Path, strings.ReplaceAll(tool.Description, "\n", "\\n"))
		fmt.Fprintf(&b, "  in  %s\n", tool.InputSchema)
		if tool.OutputSchema != nil {
			fmt.Fprintf(&b, "  out %s\n", tool.OutputSchema)
		}
		for _, fault := range uncleanFor(o.Profile, tool.InputSchema, true, true) {
			t.Errorf("%s: %s: %s", f.Name, tool.Name, fault)
		}
	}
	for _, s := range d.Skipped {
		fmt.Fprintf(&b, "skipped %s %s: %s\n", s.Method, s.Path, s.Reason)
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(&b, "warning %s: %s\n", strings.ReplaceAll(w.At, dir+"/", ""), w.Message)
	}
	return b.Bytes()
}
