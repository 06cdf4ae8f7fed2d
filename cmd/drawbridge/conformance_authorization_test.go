package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Gate G9: the gateway as the authorization server of the official suite (mcp.md §20), with client documents open.

const authorizing = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
oauth: {client_documents: open}
apis: [{name: orders, document: orders.yaml}]
mcp_servers: [{name: orders, from: [{api: orders}]}]
`

func TestConformanceAsAuthorizationServer(t *testing.T) {
	clients, err := filepath.Abs("testdata/clients/node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(clients, "conformance")); err != nil {
		t.Skip("the conformance suite is not installed; `task setup` installs it")
	}
	s := serve(t, authorizing)
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := t.TempDir()
	c := exec.CommandContext(ctx, filepath.Join(clients, "conformance"), "authorization", "--url", s.url, "--client-id", s.register(t, "http://127.0.0.1:"+port+"/callback"),
		"--port", port, "--resource", s.url+"/mcp/orders", "-o", out)
	c.Env = append(os.Environ(), "PATH="+clients+string(os.PathListSeparator)+os.Getenv("PATH"))
	printed, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	text := s.allowWhatIsPrinted(ctx, t, printed)
	if err := c.Wait(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for scenario, checks := range readChecks(t, out) {
		for id, statuses := range checks {
			for _, status := range statuses {
				if status != "SUCCESS" && status != "INFO" && status != "SKIPPED" {
					t.Errorf("%s/%s: %s", scenario, id, status)
				}
			}
		}
	}
}

// allowWhatIsPrinted plays the person: it opens the address that the suite prints, signs in and allows.
func (s *served) allowWhatIsPrinted(ctx context.Context, t *testing.T, printed io.Reader) string {
	t.Helper()
	var text strings.Builder
	lines := bufio.NewScanner(printed)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if !strings.HasPrefix(lines.Text(), s.url+"/oauth/authorize?") {
			continue
		}
		back, err := (&signIn{base: s.url, person: "alice", client: http.DefaultClient, tell: io.Discard}).developmentSignIn(ctx, lines.Text())
		if err != nil {
			t.Fatalf("sign in: %v", err)
		}
		query := lines.Text()[strings.Index(lines.Text(), "redirect_uri=")+len("redirect_uri="):]
		query, _, _ = strings.Cut(query, "&")
		address := strings.NewReplacer("%3A", ":", "%2F", "/").Replace(query) + "?" + back.Encode()
		visit(ctx, t, address)
	}
	return text.String()
}

// visit opens an address as soon as somebody listens there: the suite prints what to open before it does.
func visit(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case <-time.After(20 * time.Millisecond): // another process's work
		case <-ctx.Done():
			t.Fatalf("tell the suite: %v", err)
		}
	}
}

// register introduces a public client.
func (s *served) register(t *testing.T, redirect string) string {
	t.Helper()
	body := `{"client_name":"suite","redirect_uris":["` + redirect + `"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"]}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/oauth/register", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.ID == "" {
		t.Fatalf("registration: %s, %v", resp.Status, err)
	}
	return got.ID
}
