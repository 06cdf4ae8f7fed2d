package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// addresses are host:port of everything that listens. The slow ones wait 5 ms between the chunks of a stream: without
// that many chunks travel as one, and nothing is known about a chunk. mcp is a hand-written MCP server, mcpHop a bare proxy
// in front of it.
type addresses struct{ upstream, hop, slowUpstream, slowHop, mcp, mcpHop, gateway, idle string }

// process is a program that was started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func (b *bench) bin(name string) string {
	if name == "drawbridge" && b.program != "" {
		return b.program
	}
	return filepath.Join(b.dir, "bin", name)
}

func (b *bench) build(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "building …")
	c := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(b.dir, "bin")+string(filepath.Separator), "./cmd/...")
	c.Dir = b.kit
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the kit: %w: %s", err, text)
	}
	if b.program != "" {
		return nil
	}
	c = exec.CommandContext(ctx, "go", "build", "-o", b.bin("drawbridge"), "./cmd/drawbridge")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build drawbridge: %w: %s", err, text)
	}
	return nil
}

func (b *bench) start(ctx context.Context) error {
	for _, a := range []*string{&b.at.upstream, &b.at.hop, &b.at.slowUpstream, &b.at.slowHop, &b.at.mcp, &b.at.mcpHop, &b.at.gateway, &b.at.idle} {
		address, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		*a = address
	}
	for _, mock := range []struct {
		address, hop string
		flags        []string
	}{{b.at.upstream, b.at.hop, nil}, {b.at.slowUpstream, b.at.slowHop, []string{"-chunk-delay", "5ms"}}} {
		if err := b.spawn(ctx, mock.address, "/_health", nil, "upstream", append(mock.flags, "-addr", mock.address)...); err != nil {
			return err
		}
		if err := b.spawn(ctx, mock.hop, "/_health", nil, "floor", "-mode", "rp", "-addr", mock.hop, "-upstream", "http://"+mock.address); err != nil {
			return err
		}
	}
	if err := b.spawn(ctx, b.at.mcp, "", nil, "floor", "-mode", "mcp", "-addr", b.at.mcp, "-upstream", "http://"+b.at.upstream); err != nil {
		return err
	}
	if err := b.spawn(ctx, b.at.mcpHop, "", nil, "floor", "-mode", "rp", "-addr", b.at.mcpHop, "-upstream", "http://"+b.at.mcp); err != nil {
		return err
	}
	for name, query := range map[string]string{"items": "", "many": "?n=997", "lots": "?n=14997"} { // with the mock's own three 1,000 and 15,000
		document, err := fetch(ctx, "http://"+b.at.upstream+"/openapi.json"+query)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.dir, name+".json"), document, 0o600); err != nil {
			return err
		}
	}
	config, err := b.write("drawbridge.yaml", b.configuration())
	if err != nil {
		return err
	}
	return b.spawn(ctx, b.at.gateway, "/readyz", nil, "drawbridge", "serve", "-c", config)
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
  - {name: slow, url: "http://%[4]s/v1"}
  - {name: elsewhere, url: "http://%[5]s/mcp"}
apis:
  - {name: items, document: "%[2]s/items.json", backend: items}
  - {name: many, document: "%[2]s/many.json", backend: items}
mcp_servers:
  - name: items
    from: [{api: items}]
    policies: [{rate_limit: {calls: 100000000, per: 1m}}]
  - {name: many, page: 0, tool_search: off, from: [{api: many}]}
  - {name: elsewhere, from: [{upstream: elsewhere, era: legacy}]}
llm:
  models:
    - {name: gpt-4o, backend: model, price: {input: 2.5, output: 10}}
    - {name: slow, backend: slow, price: {input: 2.5, output: 10}}
    - {name: cached, backend: model, price: {input: 2.5, output: 10}, policies: [{cache: {ttl: 1h}}]}
  policies: [{token_limit: {tokens_per_minute: 1000000000}}]
products: [{name: bench, grants: ["llm:gpt-4o", "llm:slow", "llm:cached"]}]
subscriptions: [{name: bench, product: bench, keys: ["env:BENCH_KEY"]}]
limits: {drain: 1s}
`, b.at.gateway, b.dir, b.at.upstream, b.at.slowUpstream, b.at.mcp)
}

func (b *bench) write(name, text string) (path string, err error) {
	path = filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// spawn starts a program and waits until its address answers; path "" waits until it takes connections.
func (b *bench) spawn(ctx context.Context, address, path string, env []string, name string, args ...string) error {
	c := exec.Command(b.bin(name), args...) //nolint:noctx // stop ends it in order
	log, err := os.CreateTemp(b.dir, name+"-*.log")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	c.Stdout, c.Stderr = log, log
	c.Env = append(append(os.Environ(), "BENCH_KEY="+b.key), env...)
	if err := c.Start(); err != nil {
		return err
	}
	p := process{c, make(chan struct{})}
	go func() { _ = c.Wait(); close(p.done) }()
	b.running = append(b.running, p)
	give, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if answers(give, address, path) {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
			continue
		case <-p.done:
		case <-give.Done():
		}
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s did not start: %.2000s", name, text)
	}
}

// stop ends everything that was started, the last first.
func (b *bench) stop() { b.stopLast(0) }

// stopLast ends what was started after the first so many.
func (b *bench) stopLast(first int) {
	for i := len(b.running) - 1; i >= first; i-- {
		p := b.running[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	b.running = b.running[:first]
}

// token signs in at the gateway's development sign-in.
func (b *bench) token(ctx context.Context, gateway, server string) (string, error) {
	text, err := exec.CommandContext(ctx, b.bin("drawbridge"), "token", server, "--url", "http://"+gateway).Output()
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func answers(ctx context.Context, address, path string) bool {
	if path != "" {
		_, err := fetch(ctx, "http://"+address+path)
		return err == nil
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	return c.Close() == nil
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
