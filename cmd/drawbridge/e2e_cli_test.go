package main

import (
	"net/http"
	"strings"
	"testing"
)

// The command line against a gateway without a configuration file, as somebody meets it after `try`.
func TestTheCommandLineAgainstTry(t *testing.T) {
	g := try(t)
	dir := t.TempDir()
	t.Run("a token that is given is never replaced by a sign-in", func(t *testing.T) {
		for _, args := range [][]string{{"call", "orders", "listOrders"}, {"tools", "orders"}} {
			out, errs, code := command(t, dir, nil, append(args, "--url", g.ready.URL, "--token", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA")...)
			if code != exitFailed || out != "" || !strings.Contains(errs, "does not accept the token") || strings.Contains(errs, "sign-in") {
				t.Errorf("%v = %d %q %q", args, code, out, errs)
			}
		}
	})
	t.Run("connect asks the gateway", func(t *testing.T) {
		out, errs, code := command(t, dir, nil, "connect", "orders", "--for", "claude-code", "--url", g.ready.URL)
		if code != 0 || !strings.Contains(out, "claude mcp add --transport http orders "+g.ready.MCPURL) {
			t.Errorf("= %d %q %q", code, out, errs)
		}
		out, errs, code = command(t, dir, nil, "connect", "nowhere", "--url", g.ready.URL)
		if code != exitFailed || out != "" || !strings.Contains(errs, `no server is named "nowhere"`) {
			t.Errorf("unknown server = %d %q %q", code, out, errs)
		}
		out, errs, code = command(t, dir, nil, "connect", "orders", "-c", "missing.yaml")
		if code != exitUsage || out != "" || !strings.Contains(errs, "missing.yaml: no such file") {
			t.Errorf("a file that was named and is not there = %d %q %q", code, out, errs)
		}
	})
	t.Run("HEAD is answered where probes ask", func(t *testing.T) { // operations.md §15
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/"} {
			resp, err := http.Head(g.ready.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("HEAD %s = %d", path, resp.StatusCode)
			}
		}
	})
	t.Run("a start counts as a good configuration", func(t *testing.T) { // operations.md R3
		resp, err := http.Get(g.ready.URL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var text strings.Builder
		if err := resp.Write(&text); err != nil || !strings.Contains(text.String(), "\ndrawbridge_config_last_reload_successful 1\n") {
			t.Errorf("the metric does not say so (%v)", err)
		}
	})
}
