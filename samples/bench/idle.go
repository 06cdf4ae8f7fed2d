package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// startAndMemory measures a gateway without documents.
func (b *bench) startAndMemory(ctx context.Context) ([]row, error) {
	config, err := b.write("empty.yaml", fmt.Sprintf(`
listen: %[1]s
public_url: http://%[1]s
storage: {database: "memory:", keys: "file:%[2]s/empty-keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
oauth: {client_documents: closed}
`, b.at.idle, b.dir))
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, b.bin("boot"), "-url", "http://"+b.at.idle+"/readyz", "-status", "200", "-settle", "1s", "--", b.bin("drawbridge"), "serve", "-c", config)
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("boot: %w", err)
	}
	var boot struct {
		Start float64 `json:"start_ms"`
		RSS   float64 `json:"idle_rss_mb"`
	}
	if err := json.Unmarshal(text, &boot); err != nil {
		return nil, fmt.Errorf("read what boot found: %w", err)
	}
	return []row{{"start to serving / idle memory, without documents", "50 ms / 40 MiB", fmt.Sprintf("%.0f ms / %.0f MiB", boot.Start, boot.RSS), ""}}, nil
}

// Sessions that are opened: the first count fills pools and caches, the others are what is measured.
const firstSessions, lastSessions = 2_000, 22_000

// Streams that are opened, of sessions of one caller.
const firstStreams, lastStreams = 200, 2_200

// sessions measures what an idle session costs.
func (b *bench) sessions(ctx context.Context) ([]row, error) {
	each, err := b.growth(ctx, firstSessions, lastSessions)
	if err != nil {
		return nil, err
	}
	return []row{{"idle MCP session", "≤ 0.5 KiB", fmt.Sprintf("%.2f KiB (%.0f bytes)", each/1024, each), grew(firstSessions, lastSessions, "sessions")}}, nil
}

// eventStreams measures what an idle event stream costs, its session and its connection with it.
func (b *bench) eventStreams(ctx context.Context) ([]row, error) {
	each, err := b.growth(ctx, firstStreams, lastStreams, "-sse")
	if err != nil {
		return nil, err
	}
	return []row{{"idle event stream", "≤ 40 KiB", fmt.Sprintf("%.1f KiB", each/1024), grew(firstStreams, lastStreams, "streams")}}, nil
}

func grew(first, last int, what string) string {
	return fmt.Sprintf("growth of resident memory from %d to %d %s, with `GOGC=5`", first, last, what)
}

// growth opens sessions at a gateway of its own whose collector lets little garbage stand: what grows is then what sessions
// hold. It returns the bytes of each between the first count and the last.
func (b *bench) growth(ctx context.Context, first, last int, flags ...string) (each float64, err error) {
	defer b.stopLast(len(b.running))
	token, err := b.alone(ctx, "items", "", []string{"GOGC=5"})
	if err != nil {
		return 0, err
	}
	args := append([]string{"-url", "http://" + b.at.idle + "/mcp/items", "-bearer", token, "-settle", "3s", "-n", fmt.Sprintf("%d,%d", first, last)}, flags...)
	c := exec.CommandContext(ctx, b.bin("sessions"), args...)
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		return 0, fmt.Errorf("sessions: %w", err)
	}
	return perSession(string(text), first, last)
}

// alone starts a gateway of its own at the idle address that serves one document, and returns a token for it. options are
// further members of the server, each behind a comma.
func (b *bench) alone(ctx context.Context, name, options string, env []string) (token string, err error) {
	config, err := b.write("alone.yaml", fmt.Sprintf(`
listen: %[1]s
public_url: http://%[1]s
storage: {database: "memory:", keys: "file:%[2]s/alone-keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
oauth: {client_documents: closed}
backends: [{name: items, url: "http://%[3]s"}]
apis: [{name: %[4]s, document: "%[2]s/%[4]s.json", backend: items}]
mcp_servers: [{name: %[4]s, from: [{api: %[4]s}]%[5]s}]
limits: {drain: 1s, sessions_per_caller: 1000000, listens_per_caller: 1000000}
`, b.at.idle, b.dir, b.at.upstream, name, options))
	if err != nil {
		return "", err
	}
	if err := b.spawn(ctx, b.at.idle, "/readyz", env, "drawbridge", "serve", "-c", config); err != nil {
		return "", err
	}
	return b.token(ctx, b.at.idle, name)
}

// perSession reads the tool's table: the number of sessions and the resident memory in MiB are its first columns.
func perSession(table string, firstCount, lastCount int) (bytes float64, err error) {
	rss := map[int]float64{}
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, err1 := strconv.Atoi(fields[0])
		mib, err2 := strconv.ParseFloat(fields[1], 64)
		if err1 == nil && err2 == nil {
			rss[n] = mib
		}
	}
	first, ok1 := rss[firstCount]
	last, ok2 := rss[lastCount]
	if !ok1 || !ok2 {
		return 0, fmt.Errorf("sessions told nothing of %d and %d sessions:\n%s", firstCount, lastCount, table)
	}
	return (last - first) * (1 << 20) / float64(lastCount-firstCount), nil
}
