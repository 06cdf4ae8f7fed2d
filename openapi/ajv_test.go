package openapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// ajv is the validator of the TypeScript SDKs, in a process of its own that compiles schemas while the test makes more of
// them: one schema that it cannot compile costs a client the whole list (§6.1).
type ajv struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	in     io.Closer
	w      *bufio.Writer
	out    io.Reader
	sent   map[string]bool
	failed error
}

// startAjv starts it; nil, said aloud, where the npm clients are not installed.
func startAjv(t *testing.T) *ajv {
	t.Helper()
	clients, err := filepath.Abs(filepath.Join("..", "cmd", "drawbridge", "testdata", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(clients, "node_modules", "node", "bin", "node")
	for _, need := range []string{node, filepath.Join(clients, "node_modules", "ajv", "package.json")} {
		if _, err := os.Stat(need); err != nil {
			t.Logf("no ajv: the npm clients are not installed (task setup): %v", err)
			return nil
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "schemas.mjs")
	cmd.Dir, cmd.Stderr = clients, os.Stderr
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
	return &ajv{cmd: cmd, in: in, w: bufio.NewWriterSize(in, 1<<20), out: out, sent: map[string]bool{}}
}

// send hands over every schema of a document, equal ones once.
func (a *ajv) send(t *testing.T, name string, profile Profile, d *Document) {
	t.Helper()
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, tool := range d.Tools {
		for _, schema := range []json.RawMessage{tool.InputSchema, tool.OutputSchema} {
			if schema == nil || a.sent[string(schema)] || a.failed != nil {
				continue
			}
			a.sent[string(schema)] = true
			_, a.failed = fmt.Fprintf(a.w, "{\"name\":%q,\"schema\":%s}\n", fmt.Sprintf("%s %s %s", profile, name, tool.Name), schema)
		}
	}
}

// finish waits for the last schema and reports what did not compile.
func (a *ajv) finish(t *testing.T) {
	t.Helper()
	if a == nil {
		return
	}
	if err := a.w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := a.in.Close(); err != nil {
		t.Fatal(err)
	}
	var result struct {
		Compiled int
		Faults   []string
	}
	if err := json.NewDecoder(a.out).Decode(&result); err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	reportFaults(t, result.Faults)
	if result.Compiled != len(a.sent) || len(a.sent) == 0 || a.failed != nil {
		t.Errorf("%d schemas compiled of %d: %v", result.Compiled, len(a.sent), a.failed)
	}
	t.Logf("ajv compiled %d schemas, each as draft-07 and as 2020-12", result.Compiled)
}
