package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/samples/orders"
)

// served is a gateway started with `serve` on a folder of its own.
type served struct {
	dir, url string
	cmd      *exec.Cmd
	stderr   *lockedBuffer
	exited   chan error
}

// twoServers serves the orders API twice: `orders` to everybody, `vault` to administrators, deletion to a step-up scope.
const twoServers = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in:
  provider: dev
  dev: {people: [{name: alice, roles: [Gateway.Admin]}, {name: bob}]}
admins: [role:Gateway.Admin]
oauth: {client_documents: closed, access_token_ttl: %s}
backends: [{name: orders, url: "%s"}]
apis: [{name: orders, document: orders.yaml, backend: orders}]
mcp_servers:
  - name: orders
    from: [{api: orders}]
    access: {tools: {deleteOrder: {scope: orders.delete}, syncStock: {roles: [Gateway.Admin]}}}
    policies: [{rate_limit: {calls: 100, per: 1m}}]
  - name: vault
    from: [{api: orders}]
    access: {roles: [Gateway.Admin]}
`

func serve(t *testing.T, config string) *served {
	t.Helper()
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.writeOrders(t)
	s.write(t, "drawbridge.yaml", config)
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *served) writeOrders(t *testing.T) {
	t.Helper()
	s.write(t, "orders.yaml", string(orders.OpenAPI))
}

func (s *served) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs the program until it logs that it has started.
func (s *served) start(t *testing.T) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	s.cmd = exec.Command(binary(t), "serve", "--log-format", "json", "--ready-file", ready)
	s.cmd.Dir = s.dir
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		_, _ = s.stderr.Write(append(lines.Bytes(), '\n'))
		if strings.Contains(lines.Text(), `"msg":"started"`) {
			break
		}
	}
	go func() { _, _ = io.Copy(s.stderr, pipe); s.exited <- s.cmd.Wait() }()
	var r readyFile
	raw, err := os.ReadFile(ready)
	if err != nil || json.Unmarshal(raw, &r) != nil {
		t.Fatalf("serve did not start:\n%s", s.stderr)
	}
	s.url = r.URL
}

func (s *served) stop(t *testing.T) {
	t.Helper()
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		if err != nil {
			t.Errorf("after SIGTERM: %v\n%s", err, s.stderr)
		}
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		t.Errorf("still running 30 s after SIGTERM")
	}
}

func (s *served) token(t *testing.T, server, person string) string {
	t.Helper()
	out, errs, code := command(t, s.dir, nil, "token", server, "--url", s.url, "--as", person)
	if code != 0 {
		t.Fatalf("token for %s = %d %s", person, code, errs)
	}
	return strings.TrimSpace(out)
}

// post sends one modern request and returns status, headers and body.
func (s *served) post(t *testing.T, server, token, body string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/mcp/"+server, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2026-07-28")
	var m struct {
		Method string
		Params struct{ Name string }
	}
	_ = json.Unmarshal([]byte(body), &m)
	r.Header.Set("Mcp-Method", m.Method)
	if m.Params.Name != "" {
		r.Header.Set("Mcp-Name", m.Params.Name)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func callBody(tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, tool, arguments)
}

func ordersBackend(t *testing.T) *httptest.Server {
	t.Helper()
	b := httptest.NewServer(orders.New(nil))
	t.Cleanup(b.Close)
	return b
}

func TestServeRefusesWhatItMust(t *testing.T) {
	s := serve(t, fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL))
	bob, alice := s.token(t, "orders", "bob"), s.token(t, "vault", "alice")
	get := callBody("getOrder", `{"orderId":"1001"}`)
	for _, c := range []struct {
		name, server, token, body string
		status                    int
		want                      string
	}{
		{"a good call", "orders", bob, get, 200, `1001`},
		{"no token", "orders", "", get, 401, "invalid_token"},
		{"a token for another server", "orders", alice, get, 401, "invalid_token"},
		{"a forged token", "orders", bob[:len(bob)-4] + "AAAA", get, 401, "invalid_token"},
		{"an unknown server", "nowhere", bob, get, 404, "unknown server"},
		{"a tool of another role", "orders", bob, callBody("syncStock", `{}`), 400, "unknown tool: syncStock"},
		{"an unknown tool", "orders", bob, callBody("noSuchTool", `{}`), 400, "unknown tool: noSuchTool"},
		{"a tool that needs a scope", "orders", bob, callBody("deleteOrder", `{"orderId":"1001"}`), 403, "insufficient_scope"},
		{"a repeated key", "orders", bob, strings.Replace(get, `"name":"getOrder"`, `"name":"getOrder","name":"deleteOrder"`, 1), 400, `duplicate key`},
		{"a body of 10 MiB", "orders", bob, callBody("getOrder", `{"orderId":"`+strings.Repeat("1", 10<<20)+`"}`), 413, "larger than"},
		{"no JSON", "orders", bob, `{"jsonrpc"`, 400, "-32700"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, head, body := s.post(t, c.server, c.token, c.body)
			if status != c.status || !strings.Contains(body, c.want) {
				t.Errorf("= %d %.300s, want %d with %q", status, body, c.status, c.want)
			}
			if status == 401 && !strings.Contains(head.Get("WWW-Authenticate"), `resource_metadata="`+s.url+`/.well-known/oauth-protected-resource/mcp/orders", scope="mcp:orders"`) {
				t.Errorf("challenge = %s", head.Get("WWW-Authenticate"))
			}
			if head.Get("X-Request-Id") == "" {
				t.Error("no x-request-id")
			}
		})
	}
	if out, errs, code := command(t, s.dir, nil, "token", "vault", "--url", s.url, "--as", "bob"); code != exitFailed || out != "" || !strings.Contains(errs, "Gateway.Admin") {
		t.Errorf("bob signing in to vault = %d %q %q, want a refusal that names the role", code, out, errs)
	}
	if out, _, code := command(t, s.dir, nil, "call", "orders", "deleteOrder", "orderId=1003", "--url", s.url, "--as", "bob"); code != 0 || !strings.Contains(out, "204") {
		t.Errorf("deleteOrder with step-up = %d %s", code, out)
	}
	if strings.Contains(s.stderr.String(), bob) || strings.Contains(s.stderr.String(), "eyJ") {
		t.Error("a token is in the log")
	}
}

func TestAnExpiredTokenIsRefused(t *testing.T) {
	s := serve(t, fmt.Sprintf(twoServers, "1s", ordersBackend(t).URL))
	token := s.token(t, "orders", "bob")
	var claims struct {
		Exp int64 `json:"exp"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatal("the token has no claims")
	}
	time.Sleep(time.Until(time.Unix(claims.Exp, 0)) + 50*time.Millisecond) // the one second it is good for
	if status, head, body := s.post(t, "orders", token, callBody("getOrder", `{"orderId":"1001"}`)); status != 401 || !strings.Contains(head.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("an expired token = %d %s %s", status, head.Get("WWW-Authenticate"), body)
	}
}

func TestASecondProcessOnTheSameDatabaseIsRefused(t *testing.T) {
	s := serve(t, fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL))
	_, errs, code := command(t, s.dir, nil, "serve")
	if code != exitFailed || !strings.Contains(errs, fmt.Sprintf("database is in use by another drawbridge (pid %d)", s.cmd.Process.Pid)) {
		t.Errorf("a second process = %d %s", code, errs)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	config := fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL)
	s := serve(t, config)
	address := strings.TrimPrefix(s.url, "http://")
	token := s.token(t, "orders", "bob")
	s.stop(t)
	s.write(t, "drawbridge.yaml", strings.Replace(config, "127.0.0.1:0", address, 1)) // the address is in every token
	s.start(t)
	if status, _, body := s.post(t, "orders", token, callBody("getOrder", `{"orderId":"1001"}`)); status != 200 {
		t.Errorf("a token from before the restart = %d %s", status, body)
	}
	for _, name := range []string{"keys.json", "state.db"} {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want mode 0600", name, info, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, "state.db"))
	if err != nil || bytes.Contains(raw, []byte(token)) {
		t.Errorf("the database holds the token (%v)", err)
	}
}

func TestReloadSwapsWholeOrNotAtAll(t *testing.T) {
	config := fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL)
	s := serve(t, config)
	token := s.token(t, "orders", "bob")
	wait := func(text string) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for !strings.Contains(s.stderr.String(), text) {
			if time.Now().After(deadline) {
				t.Fatalf("the log never said %q:\n%s", text, s.stderr)
			}
			time.Sleep(20 * time.Millisecond) // another process writes the log
		}
	}
	s.write(t, "drawbridge.yaml", config+"nonsense: true\n")
	_ = s.cmd.Process.Signal(syscall.SIGHUP)
	wait("reload refused")
	if status, _, body := s.post(t, "orders", token, callBody("getOrder", `{"orderId":"1001"}`)); status != 200 {
		t.Errorf("after a bad file = %d %s, want the old configuration to serve", status, body)
	}
	s.write(t, "drawbridge.yaml", strings.Replace(config, "  - name: vault", "  - name: safe", 1))
	wait("config.reloaded") // the changed file was noticed by itself
	if status, _, _ := s.post(t, "vault", token, callBody("getOrder", `{}`)); status != 404 {
		t.Errorf("a server that is gone = %d, want 404", status)
	}
	if status, _, _ := s.post(t, "safe", token, callBody("getOrder", `{}`)); status != 401 {
		t.Errorf("a new server with a token for another = %d, want 401", status)
	}
	if status, _, body := s.post(t, "orders", token, callBody("getOrder", `{"orderId":"1001"}`)); status != 200 {
		t.Errorf("a server that stayed = %d %s", status, body)
	}
}
