package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The end-to-end tests start the real binary on port 0 and use clients that we did not write.

var (
	built     sync.Once
	builtPath string
	builtErr  error
)

// binary builds the program once for all tests.
func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests are left out with -short")
	}
	built.Do(func() {
		dir, err := os.MkdirTemp("", "drawbridge-e2e-")
		if err != nil {
			builtErr = err
			return
		}
		builtPath = filepath.Join(dir, "drawbridge")
		if out, err := exec.Command("go", "build", "-o", builtPath, ".").CombinedOutput(); err != nil {
			builtErr = fmt.Errorf("build: %w: %s", err, out)
		}
	})
	if builtErr != nil {
		t.Fatal(builtErr)
	}
	return builtPath
}

func TestMain(m *testing.M) {
	code := m.Run()
	if builtPath != "" {
		_ = os.RemoveAll(filepath.Dir(builtPath))
	}
	os.Exit(code)
}

// running is a started gateway.
type running struct {
	ready   readyFile
	banner  string
	command string // the next command it printed
	cmd     *exec.Cmd
	stderr  *lockedBuffer
	took    time.Duration // until it said that it serves
	exited  chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// try starts `drawbridge try` on a free port and waits until it has printed everything.
func try(t *testing.T, args ...string) *running {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	g := &running{stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	g.cmd = exec.Command(binary(t), append([]string{"try", "--listen", "127.0.0.1:0", "--ready-file", ready}, args...)...)
	g.cmd.Dir = t.TempDir()
	g.cmd.Stderr = g.stderr
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if line := strings.TrimSpace(lines.Text()); strings.Contains(line, " call ") && strings.Contains(line, "--url") {
			g.command = line
			break
		}
	}
	g.took, g.banner = time.Since(start), text.String()
	go func() { _, _ = io.Copy(io.Discard, out); g.exited <- g.cmd.Wait() }()
	t.Cleanup(func() { g.stop(t) })
	raw, err := os.ReadFile(ready)
	if err != nil || json.Unmarshal(raw, &g.ready) != nil {
		t.Fatalf("no ready file (%v); it printed:\n%s\n%s", err, g.banner, g.stderr)
	}
	return g
}

// stop sends SIGTERM and wants exit code 0 within the drain time; once.
func (g *running) stop(t *testing.T) {
	t.Helper()
	if g.cmd.ProcessState != nil || g.cmd.Process == nil {
		return
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-g.exited:
		if err != nil {
			t.Errorf("after SIGTERM: %v\n%s", err, g.stderr)
		}
	case <-time.After(30 * time.Second):
		_ = g.cmd.Process.Kill()
		t.Errorf("still running 30 s after SIGTERM\n%s", g.stderr)
	}
}

// command runs the binary to its end and returns its output and exit code.
func command(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, binary(t), args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return out.String(), errs.String(), code
}

// node runs one of the scripts under testdata/clients and decodes the JSON it prints.
func node(t *testing.T, into any, script string, args ...string) {
	t.Helper()
	clients, err := filepath.Abs("testdata/clients")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(clients, "node_modules", ".bin", "node")
	if _, err := os.Stat(bin); err != nil {
		t.Skip("the npm clients are not installed; `task setup` installs them")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, bin, append([]string{script}, args...)...)
	c.Dir = clients
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("node %s: %v\n%s\n%s", script, err, out, errs.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("node %s printed no JSON: %v\n%s", script, err, out)
	}
}
