package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gomcp "github.com/modelcontextprotocol/go-sdk/mcp"
)

const oldUpstreams = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
backends: [{name: old, url: "%s"}]
mcp_servers:
  - {name: found, from: [{upstream: old}]}
  - {name: told, from: [{upstream: old, era: sse}]}
  - {name: part, from: [{upstream: old}, {upstream: old, as: again, era: sse}]}
`

// typeScriptOldServer starts the TypeScript SDK's server of the transport of 2024-11-05.
func typeScriptOldServer(t *testing.T) (url string) {
	t.Helper()
	clients, err := filepath.Abs("testdata/clients")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(clients, "node_modules", ".bin", "node")
	if _, err := os.Stat(bin); err != nil {
		t.Skip("the npm clients are not installed; `task setup` installs them")
	}
	c := exec.CommandContext(t.Context(), bin, "sse-server.mjs")
	c.Dir, c.Stderr = clients, os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// Clients of both eras use an upstream that knows the transport of 2024-11-05 only, whether that was configured or found out:
// lists, results, progress, and questions in the middle of a call (§16.1, §11.3, D4).
func TestUpstreamsOfTheOldTransport(t *testing.T) {
	s := serve(t, fmt.Sprintf(oldUpstreams, typeScriptOldServer(t)))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for _, c := range []struct{ server, prefix, version string }{
		{"found", "", "2026-07-28"}, {"found", "", "2025-11-25"}, {"told", "", "2026-07-28"}, {"told", "", "2025-06-18"},
		{"part", "old__", "2026-07-28"}, {"part", "again__", "2025-11-25"},
	} {
		t.Run(c.server+" "+c.prefix+c.version, func(t *testing.T) {
			var asked atomic.Int64
			session := s.answering(ctx, t, c.server, c.version, &asked)
			for name, want := range map[string]string{"test_simple_text": simpleText, "ask": "accept Ada", "slow": simpleText} {
				p := &gomcp.CallToolParams{Name: c.prefix + name}
				p.SetProgressToken("p1")
				result, err := session.CallTool(ctx, p)
				if err != nil || result.IsError || result.Content[0].(*gomcp.TextContent).Text != want {
					t.Errorf("%s: %+v, %v", name, result, err)
				}
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
