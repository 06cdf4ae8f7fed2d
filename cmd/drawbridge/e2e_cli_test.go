package main

import (
	"net/http"
	"net/http/httptest"
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
	t.Run("a token that is empty is not signed in for", func(t *testing.T) { // as "$TOKEN" is where nobody set it
		for _, token := range []string{"", "env:EMPTY"} {
			out, errs, code := command(t, dir, []string{"EMPTY="}, "call", "orders", "listOrders", "--url", g.ready.URL, "--token", token)
			if code != exitUsage || out != "" || !strings.HasPrefix(errs, "--token: is empty") {
				t.Errorf("--token %q = %d %q %q", token, code, out, errs)
			}
		}
	})
	t.Run("what does not exist is named, without a sign-in", func(t *testing.T) {
		want := `no server is named "ordrs" at ` + g.ready.URL + "; " + g.ready.URL + "/ lists those you may use\n"
		for _, args := range [][]string{{"call", "ordrs", "listOrders"}, {"tools", "ordrs"}, {"token", "ordrs"}, {"connect", "ordrs"}} {
			if out, errs, code := command(t, dir, nil, append(args, "--url", g.ready.URL)...); code != exitFailed || out != "" || errs != want {
				t.Errorf("%v = %d %q %q", args, code, out, errs)
			}
		}
		for tool, want := range map[string]string{
			"listorders": "orders has no tool \"listorders\" that you may use; did you mean \"listOrders\"?\n",
			"ship":       "orders has no tool \"ship\" that you may use; drawbridge tools orders lists them\n",
		} {
			if out, errs, code := command(t, dir, nil, "call", "orders", tool, "--url", g.ready.URL); code != exitFailed || out != "" || !strings.HasSuffix(errs, "\n"+want) {
				t.Errorf("%s = %d %q %q", tool, code, out, errs)
			}
		}
	})
	t.Run("an address that is not the gateway's is named", func(t *testing.T) {
		other := httptest.NewServer(http.NotFoundHandler())
		defer other.Close()
		nobody := httptest.NewServer(http.NotFoundHandler())
		nobody.Close()
		secure := "https" + strings.TrimPrefix(g.ready.URL, "http")
		for _, c := range []struct {
			url, want string
			code      int
		}{
			{g.ready.MCPURL, "--url " + g.ready.MCPURL + ": is more than the gateway's address, " + g.ready.URL, exitUsage},
			{strings.TrimPrefix(g.ready.URL, "http://"), "must be an http or https address, such as http://127.0.0.1:8080", exitUsage},
			{other.URL, other.URL + " does not answer as a Drawbridge does", exitFailed},
			{nobody.URL, nobody.URL + " does not answer; is the gateway running?", exitFailed},
			{secure, secure + " cannot be reached: it does not speak TLS; is the address an http:// one?", exitFailed},
		} {
			for _, args := range [][]string{{"call", "orders", "listOrders"}, {"tools", "orders"}, {"token", "orders"}, {"connect", "orders"}} {
				if out, errs, code := command(t, dir, nil, append(args, "--url", c.url)...); code != c.code || out != "" || !strings.Contains(errs, c.want+"\n") {
					t.Errorf("%v --url %s = %d %q %q, want %q", args, c.url, code, out, errs, c.want)
				}
			}
		}
	})
	t.Run("a sign-in that was refused says why, and no more", func(t *testing.T) {
		_, errs, code := command(t, dir, nil, "token", "admin", "--as", "bob", "--url", g.ready.URL)
		want := "sign-in: You are not allowed to use Administration of this gateway. You need the rights of an administrator. Ask your administrator for access. (Request id "
		if code != exitFailed || !strings.Contains(errs, "\n"+want) {
			t.Errorf("= %d %q", code, errs)
		}
	})
	t.Run("JSON ends in one line end", func(t *testing.T) {
		if out, errs, _ := command(t, dir, nil, "call", "orders", "listOrders", "limit=1", "--url", g.ready.URL); !strings.HasSuffix(out, "}\n") || strings.HasSuffix(out, "\n\n") {
			t.Errorf("= %q %q", out, errs)
		}
	})
	t.Run("tools are told in three formats", func(t *testing.T) {
		for format, want := range map[string]string{"text": "listOrders ", "json": `"name": "listOrders"`, "yaml": "- name: listOrders\n"} {
			if out, errs, code := command(t, dir, nil, "tools", "orders", "--format", format, "--url", g.ready.URL); code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s = %d %q %q", format, code, out, errs)
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

// Without a configuration file every command means the gateway that try starts; whether one serves there is not this test's.
func TestHealthcheckMeansTheGatewayOfTry(t *testing.T) {
	_, errs, code := command(t, t.TempDir(), nil, "healthcheck")
	if code != 0 && (code != exitFailed || !strings.Contains(errs, defaultGateway) && !strings.Contains(errs, "not ready")) {
		t.Errorf("= %d %q", code, errs)
	}
}
