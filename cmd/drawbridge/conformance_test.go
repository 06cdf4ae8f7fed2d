package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The official conformance suite through `serve` with sign-in on, in front of the official Go SDK's everything-server
// (mcp.md §20). Every check is compared with what the same server scores without us in between.

// relays puts the fixture in its two forms behind the gateway.
const relays = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
backends: [{name: legacy, url: "%s"}, {name: modern, url: "%s"}]
mcp_servers:
  - {name: legacy, from: [{upstream: legacy}]}
  - {name: modern, from: [{upstream: modern}]}
`

const everythingServer = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"

// fixture is the official Go SDK's server, built from the module that go.mod names.
type fixture struct{ legacy, modern string }

func startFixture(t *testing.T) fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "everything-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, everythingServer).CombinedOutput(); err != nil {
		t.Skipf("the fixture cannot be built (%v): %s", err, out)
	}
	return fixture{runFixture(t, path, "false"), runFixture(t, path, "true")}
}

func runFixture(t *testing.T, path, stateless string) string {
	t.Helper()
	address := freeAddress(t)
	c := exec.Command(path, "-http="+address, "-stateless="+stateless)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
			return "http://" + address + "/mcp"
		}
		if time.Now().After(deadline) {
			t.Fatalf("the fixture does not listen on %s", address)
		}
		time.Sleep(20 * time.Millisecond) // another process opens it
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// shim adds the token that the suite has no option for. Host and Origin stay as they are, but for its own address.
func (s *served) shim(t *testing.T, tokens map[string]string) string {
	t.Helper()
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var own string
	pass := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
		r.Out.Host = strings.ReplaceAll(r.In.Host, own, to.Host)
		if origin := r.In.Header.Get("Origin"); origin != "" {
			r.Out.Header.Set("Origin", strings.ReplaceAll(origin, own, to.Host))
		}
		r.Out.Header.Set("Authorization", "Bearer "+tokens[strings.TrimPrefix(r.In.URL.Path, "/mcp/")])
	}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A body that is still being read when the answer is flushed gets closed by net/http, and the answer with it.
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	own = server.Listener.Addr().String()
	server.Start()
	return server.URL
}

// verdicts are the checks of one run: scenario, then the statuses of each check.
type verdicts map[string]map[string][]string

// suite runs a scored set, or one scenario, and reads every check. scored is its exit status.
func suite(t *testing.T, address string, args ...string) (checks verdicts, scored bool, text string) {
	t.Helper()
	clients, err := filepath.Abs("testdata/clients/node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(clients, "conformance")); err != nil {
		t.Skip("the conformance suite is not installed; `task setup` installs it")
	}
	out := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(clients, "conformance"), append([]string{"server", "--url", address, "-o", out}, args...)...)
	c.Env = append(os.Environ(), "PATH="+clients+string(os.PathListSeparator)+os.Getenv("PATH"))
	printed, err := c.CombinedOutput()
	return readChecks(t, out), err == nil, string(printed)
}

// runTime ends the name of a scenario's folder.
var runTime = regexp.MustCompile(`-\d{4}-\d\d-\d\dT[\dZ-]+$`)

func readChecks(t *testing.T, out string) verdicts {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(out, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := verdicts{}
	for _, f := range files {
		var list []struct{ ID, Status string }
		raw, err := os.ReadFile(f)
		if err != nil || json.Unmarshal(raw, &list) != nil {
			t.Fatalf("%s: %v", f, err)
		}
		name := runTime.ReplaceAllString(filepath.Base(filepath.Dir(f)), "")
		all[name] = map[string][]string{}
		for _, check := range list {
			all[name][check.ID] = append(all[name][check.ID], check.Status)
		}
	}
	return all
}

// same reports every check that differs from the direct run.
func same(t *testing.T, direct, through verdicts) {
	t.Helper()
	for _, scenario := range slices.Sorted(maps.Keys(direct)) {
		for _, id := range slices.Sorted(maps.Keys(direct[scenario])) {
			want, got := slices.Sorted(slices.Values(direct[scenario][id])), slices.Sorted(slices.Values(through[scenario][id]))
			if !slices.Equal(want, got) {
				t.Errorf("%s/%s: %v through the gateway, %v direct", scenario, id, got, want)
			}
		}
	}
}

// passes counts the scenarios of the scored set, which the summary marks, and those of them that passed.
func passes(text string) (passed, all int) {
	_, summary, _ := strings.Cut(text, "SUMMARY ===")
	summary, extra, _ := strings.Cut(summary, "Not scored for ")
	for line := range strings.Lines(summary) {
		mark, rest, _ := strings.Cut(line, " ")
		name, _, found := strings.Cut(rest, ":")
		if (mark != "✓" && mark != "✗") || !found || strings.Contains(extra, " "+name+" (") {
			continue
		}
		if all++; mark == "✓" {
			passed++
		}
	}
	return passed, all
}

func TestConformanceOfRelays(t *testing.T) {
	f := startFixture(t)
	s := serve(t, fmt.Sprintf(relays, f.legacy, f.modern))
	shim := s.shim(t, map[string]string{"legacy": s.token(t, "legacy", "alice"), "modern": s.token(t, "modern", "alice")})
	for _, gate := range []struct {
		name, server, direct, revision string
		scenarios                      int
	}{
		{"G1", "legacy", f.legacy, "2025-11-25", 30},
		{"G2", "modern", f.modern, "2026-07-28", 37},
	} {
		t.Run(gate.name+" "+gate.revision, func(t *testing.T) {
			direct, _, _ := suite(t, gate.direct, "--requirements", gate.revision)
			for range repeats() {
				through, scored, text := suite(t, shim+"/mcp/"+gate.server, "--requirements", gate.revision)
				if passed, all := passes(text); !scored || passed != gate.scenarios || all != gate.scenarios {
					t.Errorf("%d of %d scenarios, want all %d\n%s", passed, all, gate.scenarios, text)
				}
				same(t, direct, through)
			}
		})
	}
	for server, scenarios := range map[string][]string{
		"legacy": {"server-session-lifecycle"}, "modern": {"http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"},
	} {
		for _, scenario := range scenarios {
			t.Run("G3 "+scenario, func(t *testing.T) {
				revision := map[string]string{"legacy": "2025-11-25", "modern": "2026-07-28"}[server]
				for range 4 * repeats() { // twenty runs with `task conformance`
					if _, passed, text := suite(t, shim+"/mcp/"+server, "--spec-version", revision, "--scenario", scenario); !passed {
						t.Fatal(text)
					}
				}
			})
		}
	}
}

// repeats is how often the scored sets run: once, and as often as CONFORMANCE_RUNS says in `task conformance`.
func repeats() int {
	n := 1
	_, _ = fmt.Sscan(os.Getenv("CONFORMANCE_RUNS"), &n)
	return n
}
