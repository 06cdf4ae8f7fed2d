package relay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gateway is an edge in front of one relay, over a real pipeline, with a credential of the backend's own.
type gateway struct {
	t    *testing.T
	url  string
	edge *edge.Handler
}

func newGateway(t *testing.T, address string, change func(*relay.Config, *proxy.BackendConfig)) *gateway {
	t.Helper()
	return newKeeping(t, address, 0, change)
}

// newKeeping is newGateway with lists of upstreams that name no time kept for ttl.
func newKeeping(t *testing.T, address string, ttl time.Duration, change func(*relay.Config, *proxy.BackendConfig)) *gateway {
	t.Helper()
	backend := proxy.BackendConfig{Name: "up", URL: address, Timeout: 5 * time.Second}
	backend.Credential.Kind = "bearer"
	backend.Credential.Value.Value = secret.New("the-gateways-own")
	cfg := relay.Config{Name: "s", Upstream: "up", Timeout: 5 * time.Second}
	if change != nil {
		change(&cfg, &backend)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	pipeline, err := proxy.New(proxy.Config{Backends: []proxy.BackendConfig{backend}}, proxy.NewState(),
		proxy.Deps{Transport: func(proxy.BackendConfig) http.RoundTripper { return transport }})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Doer = pipeline
	memory := upstream.NewMemory()
	t.Cleanup(memory.Close)
	if cfg.Leg == nil {
		if cfg.Leg, err = upstream.New(upstream.Config{Server: "s", Backend: "up", Doer: pipeline, Memory: memory, ListTTL: ttl, Now: cfg.Now, Timeout: backend.Timeout}); err != nil {
			t.Fatal(err)
		}
	}
	server, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, edge: &edge.Handler{
		PublicURL: "http://127.0.0.1", Keyring: keys,
		Lookup: func(string) (edge.Server, edge.State) { return server, edge.Serving },
		Authenticate: func(_ http.ResponseWriter, r *http.Request, _ string) (*identity.Caller, bool) {
			name, roles, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), " ")
			return mcptest.Caller(name, strings.Fields(roles)...), true
		},
	}}
	front := httptest.NewServer(g.edge)
	g.url = front.URL + "/mcp/s"
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	return g
}

func (g *gateway) request(method, body string, header ...string) *http.Request {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer alice")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// do sends a request and reads the whole answer.
func (g *gateway) do(r *http.Request) (*http.Response, string) {
	g.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Errorf("read the answer: %v", err)
	}
	return resp, string(body)
}

const initializeBody = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`

// open starts a legacy session.
func (g *gateway) open(header ...string) string {
	g.t.Helper()
	resp, body := g.do(g.request(http.MethodPost, initializeBody, header...))
	id := resp.Header.Get("Mcp-Session-Id")
	if resp.StatusCode != http.StatusOK || id == "" {
		g.t.Fatalf("initialize = %d %s", resp.StatusCode, body)
	}
	return id
}

func (g *gateway) legacy(session, body string, header ...string) *http.Request {
	return g.request(http.MethodPost, body, append([]string{"Mcp-Session-Id", session, "Mcp-Protocol-Version", "2025-11-25"}, header...)...)
}

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func (g *gateway) modern(method, name, body string, header ...string) *http.Request {
	r := g.request(http.MethodPost, body, append([]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method}, header...)...)
	if name != "" {
		r.Header.Set("Mcp-Name", name)
	}
	return r
}

// call is a tools/call of a modern client.
func (g *gateway) call(name, arguments string, header ...string) *http.Request {
	return g.modern("tools/call", name, `{"jsonrpc":"2.0","id":"c1","method":"tools/call","params":{"name":"`+name+`","arguments":`+arguments+`,`+meta+`}}`, header...)
}

// speaks is an upstream whose eras are configured.
type speaks upstream.Verdict

func (v speaks) Speaks(context.Context, *upstream.Behalf) (upstream.Verdict, error) {
	return upstream.Verdict(v), nil
}
func (speaks) Learn(*upstream.Behalf, []upstream.Tool, time.Duration) {}
func (speaks) Known(*upstream.Behalf, string) []paramheader.Param     { return nil }
func (speaks) Page(_ context.Context, _ *upstream.Behalf, _ upstream.PageOf, ask func() *strictjson.Message) *strictjson.Message {
	ask()
	return nil
}
func (speaks) Changed()    {}
func (speaks) ForgetEra()  {}
func (speaks) OnlyModern() {}
func (speaks) OldTransport(context.Context, *upstream.Behalf, int) bool {
	return false
}
func (speaks) List(context.Context, *upstream.Behalf, string) (*upstream.List, error) {
	return &upstream.List{}, nil
}
