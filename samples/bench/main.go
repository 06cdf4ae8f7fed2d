// Command bench measures Drawbridge against a bare proxy hop, in one run, with the benchmark kit, and writes the rows of
// the performance budget that exist so far.
//
//	build kit and drawbridge ─▶ mock upstream, reference hop, drawbridge serve ─▶ compare (CPU per request, ratios) ─▶ table
//
// Everything listens on loopback and ends with the command. Figures are ratios of CPU time of the server process per
// request; absolute times on a shared machine mean little.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	kit := flag.String("kit", "../shared/bench", "folder of the benchmark kit")
	out := flag.String("out", "", "Markdown file to write the table to; empty: standard output only")
	rounds := flag.Int("rounds", 5, "rounds; each row is the median of their ratios")
	length := flag.Duration("d", 2*time.Second, "length of one run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kit, *out, *rounds, *length); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kit, out string, rounds int, length time.Duration) error {
	if _, err := os.Stat(filepath.Join(kit, "go.mod")); err != nil {
		return fmt.Errorf("the benchmark kit is not at %s; name its folder with -kit", kit)
	}
	dir, err := os.MkdirTemp("", "drawbridge-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{dir: dir, rounds: rounds, length: length, key: "bench-subscription-key-0123456789"}
	defer b.stop()
	if err := b.build(ctx, kit); err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	rows, err := b.measure(ctx)
	if err != nil {
		return err
	}
	table := render(rows, rounds, length)
	fmt.Print(table)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(table), 0o644)
}

// bench is one run: where things are and what was started.
type bench struct {
	dir                            string
	rounds                         int
	length                         time.Duration
	key                            string
	upstream, hop, gateway, hopLLM string // host:port
	config                         string
	running                        []*exec.Cmd
}

func (b *bench) bin(name string) string { return filepath.Join(b.dir, "bin", name) }

func (b *bench) build(ctx context.Context, kit string) error {
	fmt.Fprintln(os.Stderr, "building …")
	c := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(b.dir, "bin")+string(filepath.Separator), "./cmd/...")
	c.Dir = kit
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the kit: %w: %s", err, text)
	}
	c = exec.CommandContext(ctx, "go", "build", "-o", b.bin("drawbridge"), "./cmd/drawbridge")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build drawbridge: %w: %s", err, text)
	}
	return nil
}

func (b *bench) start(ctx context.Context) error {
	for _, a := range []*string{&b.upstream, &b.hop, &b.gateway} {
		address, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		*a = address
	}
	if err := b.spawn("http://"+b.upstream+"/_health", b.bin("upstream"), "-addr", b.upstream); err != nil {
		return err
	}
	if err := b.spawn("http://"+b.hop+"/_health", b.bin("floor"), "-mode", "rp", "-addr", b.hop, "-upstream", "http://"+b.upstream); err != nil {
		return err
	}
	document, err := fetch(ctx, "http://"+b.upstream+"/openapi.json")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "items.json"), document, 0o600); err != nil {
		return err
	}
	b.config = filepath.Join(b.dir, "drawbridge.yaml")
	if err := os.WriteFile(b.config, []byte(b.configuration()), 0o600); err != nil {
		return err
	}
	return b.spawn("http://"+b.gateway+"/readyz", b.bin("drawbridge"), "serve", "-c", b.config)
}

// configuration has what the budget's rows name: sign-in, a rate limit, a token limit, metrics, the access line.
func (b *bench) configuration() string {
	return fmt.Sprintf(`
listen: %[1]s
public_url: http://%[1]s
storage: {database: "sqlite:%[2]s/bench.db", keys: "file:%[2]s/keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
oauth: {client_documents: closed}
backends:
  - {name: items, url: "http://%[3]s"}
  - {name: model, url: "http://%[3]s/v1"}
apis:
  - {name: items, document: "%[2]s/items.json", backend: items}
mcp_servers:
  - name: items
    from: [{api: items}]
    policies: [{rate_limit: {calls: 100000000, per: 1m}}]
llm:
  models: [{name: gpt-4o, backend: model, price: {input: 2.5, output: 10}}]
  policies: [{token_limit: {tokens_per_minute: 1000000000}}]
products: [{name: bench, grants: ["llm:gpt-4o"]}]
subscriptions: [{name: bench, product: bench, keys: ["env:BENCH_KEY"]}]
`, b.gateway, b.dir, b.upstream)
}

// spawn starts a program and waits until its address answers.
func (b *bench) spawn(ready string, name string, args ...string) error {
	c := exec.Command(name, args...)
	log, err := os.Create(filepath.Join(b.dir, filepath.Base(name)+".log"))
	if err != nil {
		return err
	}
	c.Stdout, c.Stderr = log, log
	c.Env = append(os.Environ(), "BENCH_KEY="+b.key)
	if err := c.Start(); err != nil {
		return err
	}
	b.running = append(b.running, c)
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if answer, err := http.Get(ready); err == nil {
			_ = answer.Body.Close()
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("%s did not start: %.2000s", filepath.Base(name), text)
}

func (b *bench) stop() {
	for _, c := range b.running {
		_ = c.Process.Signal(syscall.SIGTERM)
	}
	for _, c := range b.running {
		done := make(chan struct{})
		go func() { _ = c.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(25 * time.Second):
			_ = c.Process.Kill()
			<-done
		}
	}
}

// token signs in at the gateway's development sign-in.
func (b *bench) token(ctx context.Context) (string, error) {
	c := exec.CommandContext(ctx, b.bin("drawbridge"), "token", "items", "--url", "http://"+b.gateway)
	text, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// row is one line of the table.
type row struct {
	name, budget, ours, note string
}

type target map[string]any

func (b *bench) measure(ctx context.Context) ([]row, error) {
	token, err := b.token(ctx)
	if err != nil {
		return nil, err
	}
	mcp, hop, llm := "http://"+b.gateway+"/mcp/items", "http://"+b.hop, "http://"+b.gateway+"/llm/v1"
	call := func(name string, modern bool) target {
		return target{"name": name, "url": mcp, "mode": "mcp", "tool": "getItem", "args": map[string]string{"id": "42"}, "expect": "Widget", "tokens": []string{token}, "modern": modern}
	}
	list := call("list", true)
	list["rpc"], list["params"], list["expect"] = "tools/list", map[string]any{}, "getItem"
	items := target{"name": "hop", "url": hop + "/items/42", "mode": "http"}
	chat := target{"name": "hop", "url": hop + "/v1/chat/completions", "mode": "chat", "tokens": []string{"sk-test"}}
	ours := func(name, mode string) target {
		return target{"name": name, "url": llm + "/chat/completions", "mode": mode, "tokens": []string{b.key}}
	}
	stream := target{"name": "hop", "url": hop + "/v1/chat/completions", "mode": "stream", "tokens": []string{"sk-test"}}
	var rows []row
	for _, g := range []struct {
		targets []target
		rows    []row
	}{
		{[]target{items, call("2025", false), call("2026", true), list}, []row{
			{"`tools/call`, 2025 revisions, with token, authorisation, rate limit, metrics, access line", "1.25", "", "no sign-in is not offered, so the 1.1 row has no figure"},
			{"the same, 2026-07-28", "1.25", "", ""},
			{"`tools/list` of one API (3 tools)", "–", "", ""},
		}},
		{[]target{chat, ours("chat", "chat")}, []row{{"LLM chat, key, token limit, usage, metrics (small body)", "1.1", "", ""}}},
		{[]target{stream, ours("stream", "stream")}, []row{{"LLM stream of 20 chunks, whole request", "1.0", "", "the budget is 18 µs a chunk, the hop's own figure"}}},
	} {
		got, err := b.compare(ctx, g.targets)
		if err != nil {
			return nil, err
		}
		for i, r := range g.rows {
			s := got[i+1]
			r.ours = fmt.Sprintf("%.2f (%.0f µs against %.0f µs)", s.CPURatio, s.CPUus, got[0].CPUus)
			if s.Errors > 0 {
				r.note = fmt.Sprintf("%d of %d failed: %s", s.Errors, s.Requests, s.ErrSample)
			}
			rows = append(rows, r)
		}
	}
	more, err := b.startAndMemory(ctx, token)
	return append(rows, more...), err
}

type summary struct {
	Name             string
	CPUus, CPURatio  float64
	Errors, Requests int64
	ErrSample        string
}

func (b *bench) compare(ctx context.Context, targets []target) ([]summary, error) {
	text, err := json.Marshal(map[string]any{"targets": targets})
	if err != nil {
		return nil, err
	}
	in, out := filepath.Join(b.dir, "targets.json"), filepath.Join(b.dir, "result.json")
	if err := os.WriteFile(in, text, 0o600); err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, b.bin("compare"), "-f", in, "-rounds", fmt.Sprint(b.rounds), "-d", b.length.String(), "-json", out)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	text, err = os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	var result struct {
		Summary []summary `json:"summary"`
	}
	return result.Summary, json.Unmarshal(text, &result)
}

// startAndMemory measures a gateway without documents, and what an idle session costs.
func (b *bench) startAndMemory(ctx context.Context, token string) ([]row, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	empty := filepath.Join(b.dir, "empty.yaml")
	text := fmt.Sprintf("listen: %[1]s\npublic_url: http://%[1]s\nstorage: {database: 'memory:', keys: 'file:%[2]s/keys.json'}\nsign_in: {provider: dev, dev: {people: [{name: alice}]}}\noauth: {client_documents: closed}\n", address, b.dir)
	if err := os.WriteFile(empty, []byte(text), 0o600); err != nil {
		return nil, err
	}
	var boot struct {
		Start float64 `json:"start_ms"`
		RSS   float64 `json:"idle_rss_mb"`
	}
	if err := b.tool(ctx, &boot, "boot", "-url", "http://"+address+"/readyz", "-status", "200", "--", b.bin("drawbridge"), "serve", "-c", empty); err != nil {
		return nil, err
	}
	rows := []row{{"start to serving / idle memory, without documents", "50 ms / 40 MiB", fmt.Sprintf("%.0f ms / %.0f MiB", boot.Start, boot.RSS), ""}}
	c := exec.CommandContext(ctx, b.bin("sessions"), "-url", "http://"+b.gateway+"/mcp/items", "-n", "10,90", "-bearer", token, "-settle", "1s")
	if text, err := c.Output(); err == nil {
		rows = append(rows, row{"idle MCP session", "≤ 0.5 KiB", "see the sessions tool's own lines", "`" + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "` `") + "`; one caller may hold 100"})
	}
	return rows, nil
}

func (b *bench) tool(ctx context.Context, into any, name string, args ...string) error {
	c := exec.CommandContext(ctx, b.bin(name), args...)
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return json.Unmarshal(text, into)
}

func render(rows []row, rounds int, length time.Duration) string {
	var t strings.Builder
	fmt.Fprintf(&t, "# Benchmarks\n\nWritten by `task bench` (`go run ./samples/bench`). CPU time of the server process per request as a ratio to a bare `httputil.ReverseProxy`\nhop, measured in the same run: %d rounds of %s each, 64 connections, closed loop; medians of per-round ratios. Absolute times depend on the\nmachine and mean little.\n\n", rounds, length)
	t.WriteString("| case | budget | ours | note |\n|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&t, "| %s | %s | %s | %s |\n", r.name, r.budget, r.ours, r.note)
	}
	return t.String()
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func fetch(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(address + ": " + answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, 32<<20))
}
