package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTryTellsWhereEverythingIsAndItsNextCommandWorks(t *testing.T) {
	g := try(t)
	t.Logf("served after %v", g.took)
	for _, want := range []string{
		g.ready.MCPURL, "9 tools of 9 operations", "vscode:mcp/install?", "claude mcp add --transport http orders " + g.ready.MCPURL,
		g.ready.AdminURL, g.ready.LLMURL, g.ready.LLMKey,
	} {
		if !strings.Contains(g.banner, want) {
			t.Errorf("the banner lacks %q:\n%s", want, g.banner)
		}
	}
	if !regexp.MustCompile(`^dbk_[0-9A-Za-z]{8}_[0-9A-Za-z]{36}$`).MatchString(g.ready.LLMKey) { // operations.md P3
		t.Errorf("key %q has not the form of a key", g.ready.LLMKey)
	}
	args := strings.Fields(g.command)
	out, errs, code := command(t, t.TempDir(), nil, args[1:]...)
	if code != 0 || !strings.Contains(out, `"next_cursor"`) {
		t.Errorf("%s = %d\n%s\n%s", g.command, code, out, errs)
	}
	left, _ := os.ReadDir(g.cmd.Dir)
	if len(left) > 0 {
		t.Errorf("try left %v behind", left)
	}
}

func TestTryServesADocumentAsAServerNamedAfterItsTitle(t *testing.T) {
	seen := make(chan *http.Request, 1)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":7,"name":"Rex"}`))
	}))
	defer echo.Close()
	for _, c := range []struct {
		file, server, tools string
		call                []string
		method, uri         string
	}{
		{"petstore-3.0.json", "swagger-petstore-openapi-3-0", "19 tools of 19 operations", []string{"getPetById", "petId=7"}, "GET", "/base/pet/7"},
		{"github-api-3.0.json", "github-v3-rest-api", "767 tools of 767 operations", []string{"issues_list-for-repo", "owner=o/../x y", "repo=r&s", "state=open", "per_page=3"}, "", ""},
		{"stripe-3.0.yaml", "stripe-api", "494 tools of 494 operations", []string{"GetCustomersCustomer", "customer=cus_1"}, "GET", "/base/v1/customers/cus_1"},
		{"kubernetes-2.0.json", "kubernetes", "853 tools of 853 operations", []string{"readCoreV1NamespacedPod", "name=web", "namespace=a b", "pretty=true"}, "GET", "/base/api/v1/namespaces/a%20b/pods/web?pretty=true"},
	} {
		t.Run(c.server, func(t *testing.T) {
			path := corpus(t, c.file)
			g := try(t, path, "--backend", echo.URL+"/base")
			if !strings.HasSuffix(g.ready.MCPURL, "/mcp/"+c.server) || !strings.Contains(g.banner, c.tools) {
				t.Errorf("served %s; banner:\n%s", g.ready.MCPURL, g.banner)
			}
			out, errs, code := command(t, t.TempDir(), nil, append([]string{"call", c.server, "--url", g.ready.URL, "--as", "bob"}, c.call...)...)
			if c.method == "" { // an argument that tries to leave its slot is told so, and nothing is sent
				if code != exitFailed || !strings.Contains(out, `argument "owner"`) {
					t.Errorf("call = %d %s %s, want a tool error about owner", code, out, errs)
				}
				return
			}
			if code != 0 {
				t.Fatalf("call = %d\n%s\n%s", code, out, errs)
			}
			r := <-seen
			if r.Method != c.method || r.RequestURI != c.uri {
				t.Errorf("the API got %s %s, want %s %s", r.Method, r.RequestURI, c.method, c.uri)
			}
			for _, h := range []string{"Authorization", "Cookie", "Origin"} {
				if r.Header.Get(h) != "" {
					t.Errorf("the API got the caller's %s", h)
				}
			}
		})
	}
}

// corpus returns a document of the shared corpus, or skips aloud.
func corpus(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../../shared/specs", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("the corpus of OpenAPI documents is not beside the project")
	}
	return path
}

func TestBadInputIsToldPlainly(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	minimal := "public_url: http://127.0.0.1:8080\nlisten: 127.0.0.1:0\nsign_in: {provider: dev, dev: {people: [{name: alice}]}}\n"
	write("unknown.yaml", minimal+"lisen: x\n")
	write("busy.yaml", strings.Replace(minimal, "127.0.0.1:0", busy.Addr().String(), 1))
	write("keys.yaml", minimal+"storage: {keys: 'file:open.keys.json', database: 'memory:'}\n")
	write("open.keys.json", `{}`)
	if err := os.Chmod(filepath.Join(dir, "open.keys.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	write("broken.json", `{"openapi": "3.0.0", "paths": {`)
	write("broken.yaml", "info: [\n")
	write("none.json", `{"openapi": "3.0.0", "info": {"title": "T", "version": "1"}, "paths": {}}`)
	write("other.json", `{"hello": "world"}`)
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no such document", []string{"try", "missing.yaml", "--listen", "127.0.0.1:0"}, 1, "missing.yaml: no such file"},
		{"broken document", []string{"try", "broken.json", "--listen", "127.0.0.1:0"}, 1, "broken.json:1:32: not JSON"},
		{"broken YAML", []string{"try", "broken.yaml", "--listen", "127.0.0.1:0"}, 1, "broken.yaml:2:1: not YAML: "},
		{"document without operations", []string{"try", "none.json", "--listen", "127.0.0.1:0"}, 1, "none.json"},
		{"not an OpenAPI document", []string{"try", "other.json", "--listen", "127.0.0.1:0"}, 1, "not an OpenAPI document"},
		{"try off loopback", []string{"try", "--listen", "0.0.0.0:8080"}, 2, "loopback"},
		{"try without a port", []string{"try", "--listen", "8080"}, 2, "--listen 8080: must be host:port"},
		{"port in use", []string{"try", "--listen", busy.Addr().String()}, 1, "listen " + busy.Addr().String() + ": address already in use; --listen 127.0.0.1:0 takes a free port"},
		{"unknown key", []string{"serve", "-c", "unknown.yaml"}, 2, `unknown.yaml:4:1: lisen: unknown key "lisen"; did you mean "listen"?`},
		{"no configuration", []string{"serve", "-c", "nowhere.yaml"}, 2, "nowhere.yaml: no such file"},
		{"serve on a busy port", []string{"serve", "-c", "busy.yaml"}, 1, "address already in use; end what serves there, or change busy.yaml"},
		{"readable keys", []string{"serve", "-c", "keys.yaml"}, 1, "mode 0644"},
		{"unknown flag", []string{"serve", "--nope"}, 2, "unknown flag: --nope"},
		{"unknown command", []string{"server"}, 2, `unknown command "server"; did you mean "serve"?`},
		{"unknown command and help", []string{"srve", "--help"}, 2, `unknown command "srve"; did you mean "serve"?`},
		{"a command to come", []string{"export", "--help"}, 2, "export is not available in this version"},
		{"nothing to call", []string{"call", "orders"}, 2, "TOOL is missing: drawbridge call SERVER TOOL [key=value…]"},
		{"two documents", []string{"try", "a.yaml", "b.yaml"}, 2, `"b.yaml" is too much: drawbridge try [SPEC]`},
		{"no configuration at all", []string{"serve"}, 2, "drawbridge.yaml: no such file; name one with -c FILE, or start without one: drawbridge try"},
		{"call without a gateway", []string{"call", "orders", "getOrder", "--url", "http://127.0.0.1:9"}, 1, "http://127.0.0.1:9"},
		{"healthcheck with a file that is not there", []string{"healthcheck", "-c", "nowhere.yaml"}, 2, "nowhere.yaml: no such file"},
		{"call with a bad argument", []string{"call", "orders", "getOrder", "orderId", "--url", "http://127.0.0.1:9"}, 2, "key=value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, code := command(t, dir, nil, c.args...)
			if code != c.code || !strings.Contains(errs, c.want) || out != "" {
				t.Errorf("%v = %d, standard output %q, standard error %q; want %d with %q on standard error", c.args, code, out, errs, c.code, c.want)
			}
			if strings.Contains(errs, "goroutine") || strings.Contains(errs, "panic") {
				t.Errorf("a stack came out: %s", errs)
			}
		})
	}
}

func TestConsolePagesFollowTheSession(t *testing.T) {
	g := try(t)
	get := func(path string) (int, string, http.Header) {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Get(g.ready.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body := make([]byte, 64<<10)
		n, _ := resp.Body.Read(body)
		return resp.StatusCode, string(body[:n]), resp.Header
	}
	if code, body, head := get("/"); code != 200 || !strings.Contains(body, "Orders") || !strings.Contains(head.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("portal = %d %s", code, body)
	}
	if code, _, head := get("/admin"); code != http.StatusSeeOther || !strings.HasPrefix(head.Get("Location"), "/sign-in?return=") {
		t.Errorf("console without a session = %d to %s, want 303 to sign-in", code, head.Get("Location"))
	}
	if code, body, _ := get("/connect/orders.json"); code != 200 || !json.Valid([]byte(body)) {
		t.Errorf("connect = %d %s", code, body)
	}
	if code, _, _ := get("/connect/secret.json"); code != 404 {
		t.Errorf("connect to a server that is not there = %d, want 404", code)
	}
}
