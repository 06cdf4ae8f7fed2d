package openapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAjvCompilesEveryTool hands every schema of the corpus to the validator that the TypeScript SDKs use: one schema that
// it cannot compile costs a client the whole list (§6.1).
func TestAjvCompilesEveryTool(t *testing.T) {
	dir, documents := corpus(t)
	clients := filepath.Join("..", "cmd", "drawbridge", "testdata", "clients")
	node := filepath.Join(clients, "node_modules", "node", "bin", "node")
	for _, need := range []string{node, filepath.Join(clients, "node_modules", "ajv", "package.json")} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("the npm clients are not installed (task setup): %v", err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "schemas.mjs")
	cmd.Dir = clients
	if abs, err := filepath.Abs(node); err == nil {
		cmd.Path = abs
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(in, 1<<20)
	sent := map[string]bool{}
	send := func(profile Profile, name string, schema json.RawMessage) {
		if schema != nil && !sent[string(schema)] {
			sent[string(schema)] = true
			fmt.Fprintf(w, "{\"name\":%q,\"profile\":%q,\"schema\":%s}\n", name, profile, schema)
		}
	}
	for _, profile := range []Profile{Universal, Rich, Gemini} {
		list := documents
		if profile != Universal || raced {
			list = difficult
		}
		for i, name := range list {
			if raced && i%4 != len(profile)%4 { // another quarter for each profile
				continue
			}
			d, _ := importFile(t, filepath.Join(dir, name), Options{Profile: profile})
			if d == nil {
				continue
			}
			for _, tool := range d.Tools {
				at := fmt.Sprintf("%s %s %s", profile, name, tool.Name)
				send(profile, at+" input", tool.InputSchema)
				send(profile, at+" output", tool.OutputSchema)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	var result struct {
		Compiled int
		Faults   []string
	}
	if err := json.NewDecoder(out).Decode(&result); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	reportFaults(t, result.Faults)
	if result.Compiled != len(sent) || len(sent) == 0 {
		t.Errorf("%d schemas compiled of %d", result.Compiled, len(sent))
	}
	t.Logf("%d schemas", result.Compiled)
}
