package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/client"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve puts the house behind a real listener.
func (h *house) serve(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(h.handler)
	t.Cleanup(func() {
		h.handler.Close()
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL + "/mcp/orders"
}

// as adds a token to every request of an http.Client.
type as string

func (a as) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(a))
	return http.DefaultTransport.RoundTrip(r)
}

func httpClient(t testing.TB, token string) *http.Client {
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	return &http.Client{Transport: as(token)}
}

func connectSDK(t *testing.T, url, token, version string, options *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	c := sdk.NewClient(&sdk.Implementation{Name: "sdk", Version: "1"}, options)
	s, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: httpClient(t, token)},
		&sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// The official Go SDK, which is not ours, lists and calls in both eras, and hears of changes.
func TestOfficialClientInBothEras(t *testing.T) {
	for _, version := range []string{"", "2025-11-25", "2025-06-18", "2025-03-26"} {
		t.Run("revision "+version, func(t *testing.T) {
			h := newHouse(t, echo)
			h.config.Page = 2
			h.server = h.build(t, h.config)
			changed := make(chan struct{}, 8)
			s := connectSDK(t, h.serve(t), "alice Orders.Admin", version, &sdk.ClientOptions{
				ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) { changed <- struct{}{} },
			})
			var names []string
			for tool, err := range s.Tools(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, tool.Name)
			}
			if got := strings.Join(names, " "); got != "get_order delete_order refund" {
				t.Errorf("tools: %s", got)
			}
			result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "get_order", Arguments: map[string]any{"id": "42"}})
			if err != nil {
				t.Fatal(err)
			}
			if text := result.Content[0].(*sdk.TextContent).Text; text != `/get {"id":"42"}` {
				t.Errorf("text: %s", text)
			}
			if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "nothing"}); err == nil || !strings.Contains(err.Error(), "unknown tool: nothing") {
				t.Errorf("unknown tool: %v", err)
			}
		})
	}
}

func TestOfficialClientHearsOfChanges(t *testing.T) { // L4
	for _, version := range []string{"", "2025-11-25"} {
		t.Run("revision "+version, func(t *testing.T) {
			h := newHouse(t, echo)
			var mu sync.Mutex
			changed := make(chan struct{}, 64)
			lookup := h.handler.Lookup
			h.handler.Lookup = func(name string) (edge.Server, edge.State) {
				mu.Lock()
				defer mu.Unlock()
				return lookup(name)
			}
			connectSDK(t, h.serve(t), "alice", version, &sdk.ClientOptions{
				ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) {
					select {
					case changed <- struct{}{}:
					default:
					}
				},
			})
			// The client's stream may open a moment after Connect: change until it hears of it.
			for i := range 100 {
				mu.Lock()
				cfg := h.config
				cfg.Tools = append(cfg.Tools[:1:1], bridge.Tool{Tool: mcptest.Tool(fmt.Sprintf("new_%d", i)), Operation: mcptest.Operation{}})
				h.server = h.build(t, cfg)
				mu.Unlock()
				h.handler.Changed()
				select {
				case <-changed:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
			t.Fatal("the client heard of no change")
		})
	}
}

func TestOurClientInBothEras(t *testing.T) {
	for _, era := range []string{"modern", "legacy"} {
		t.Run(era, func(t *testing.T) {
			h := newHouse(t, echo)
			h.config.Page = 1
			h.server = h.build(t, h.config)
			url := h.serve(t)
			if era == "legacy" {
				url = legacyOnly(t, url)
			}
			c, err := client.Connect(t.Context(), client.Config{URL: url, Token: "alice", HTTP: httpClient(t, "alice")})
			if err != nil {
				t.Fatal(err)
			}
			if (c.Revision() == "2026-07-28") != (era == "modern") || c.Server().Title != "Orders" {
				t.Errorf("revision %s, server %+v", c.Revision(), c.Server())
			}
			tools, err := c.ListTools(t.Context())
			if err != nil || len(tools) != 2 || tools[0].Name != "get_order" || tools[1].Name != "refund" {
				t.Fatalf("tools: %+v, %v", tools, err)
			}
			result, err := c.CallTool(t.Context(), "get_order", json.RawMessage(`{"id":"é\u0000"}`))
			if err != nil || result.IsError || result.Content[0].Text != `/get {"id":"é\u0000"}` {
				t.Errorf("result: %+v, %v", result, err)
			}
			var rpc *client.RPCError
			if _, err := c.CallTool(t.Context(), "bestellung löschen", nil); !errors.As(err, &rpc) || rpc.Code != -32602 {
				t.Errorf("unknown tool: %v", err)
			}
			var auth *client.AuthRequired
			if _, err := c.CallTool(t.Context(), "refund", nil); !errors.As(err, &auth) || auth.Scope != "orders.refund" || auth.Status != 403 {
				t.Errorf("scope: %v", err)
			}
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// legacyOnly is a proxy that knows nothing of the modern era.
func legacyOnly(t *testing.T, url string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") != "" {
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		}
		req, _ := http.NewRequestWithContext(r.Context(), r.Method, url, r.Body)
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestOurClientIsToldWhereToSignIn(t *testing.T) {
	h := newHouse(t, echo)
	_, err := client.Connect(t.Context(), client.Config{URL: h.serve(t)})
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	var auth *client.AuthRequired
	if !errors.As(err, &auth) {
		t.Fatalf("Connect = %v, want AuthRequired", err)
	}
	if auth.Status != 401 || auth.Scope != "mcp:orders" ||
		auth.ResourceMetadata != "https://gw.example.com/.well-known/oauth-protected-resource/mcp/orders" {
		t.Errorf("%+v", auth)
	}
}

// modernPost makes a request of the modern era by hand.
func modernPost(ctx context.Context, url, method, name, params string) *http.Request {
	const meta = `"_meta":{"progressToken":"p","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + meta + `}}`
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", method)
	if name != "" {
		r.Header.Set("Mcp-Name", name)
	}
	return r
}

func TestLeavingAbortsTheBackendRequest(t *testing.T) { // E6, openapi.md T1
	arrived, aborted := make(chan struct{}), make(chan time.Time, 1)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		aborted <- time.Now()
	})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan time.Time, 1)
	go func() {
		<-arrived
		left <- time.Now()
		leave()
	}()
	resp, err := httpClient(t, "alice").Do(modernPost(ctx, h.serve(t), "tools/call", "get_order", `"name":"get_order",`))
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if d := (<-aborted).Sub(<-left); d > 100*time.Millisecond {
		t.Errorf("the backend's request ended %v after the client left", d)
	}
}

func TestCancelledAbortsTheBackendRequest(t *testing.T) { // E6, B6
	arrived, aborted := make(chan struct{}), make(chan struct{})
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(aborted)
	})
	s := connectSDK(t, h.serve(t), "alice", "2025-11-25", nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel() // the SDK sends notifications/cancelled
	}()
	if _, err := s.CallTool(ctx, &sdk.CallToolParams{Name: "get_order"}); err == nil {
		t.Error("the call was answered")
	}
	select {
	case <-aborted:
	case <-time.After(5 * time.Second):
		t.Error("the backend's request goes on")
	}
}

func TestALargeBodyIsRefused(t *testing.T) { // §3 row 9
	h := newHouse(t, echo)
	url := h.serve(t)
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_order","arguments":{"x":"` + strings.Repeat("x", 10<<20) + `"}}}`
	for name, reader := range map[string]io.Reader{
		"with a length": strings.NewReader(body),
		"chunked":       io.MultiReader(strings.NewReader(body)),
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, reader)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			resp, err := httpClient(t, "alice").Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			want := `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"the request is larger than 4 MiB"}}`
			if resp.StatusCode != http.StatusRequestEntityTooLarge || string(text) != want {
				t.Errorf("%d %s", resp.StatusCode, text)
			}
		})
	}
	if n := h.road.Calls.Load(); n != 0 {
		t.Errorf("%d calls reached the road", n)
	}
}

func TestWhatIsRefusedNeverReachesTheBackend(t *testing.T) { // §4 invariant, A1
	h := newHouse(t, echo)
	session := ""
	initialize := "POST /mcp/orders HTTP/1.1\nAuthorization: Bearer alice\nContent-Type: application/json\nAccept: */*\n\n" +
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`
	h.exchange(t, initialize, &session)
	for _, params := range []string{
		`{"name":"get_order","name":"delete_order"}`, `{"name":"delete_order","n\u0061me":"get_order"}`,
		`{"name":"get_order","Name":"delete_order"}`, `{"name":"get_order","name\u200b":"delete_order"}`,
		`{"name":"delete_order"}`, `{"name":["get_order"]}`, `{"name":"get_order","arguments":{"a":1,"a":2}}`,
		`{"name":"refund"}`, `{"name":"get_order","arguments":"{}"}`,
	} {
		request := "POST /mcp/orders HTTP/1.1\nAuthorization: Bearer alice\nContent-Type: application/json\nAccept: */*\nMcp-Session-Id: $SESSION\n\n" +
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
		if answer := h.exchange(t, request, &session); strings.Contains(answer, `"result"`) {
			t.Errorf("%s was served: %s", params, answer)
		}
	}
	if n := h.road.Calls.Load(); n != 0 {
		t.Errorf("%d calls reached the road", n)
	}
}

func TestAForbiddenToolIsAnUnknownOneByteForByte(t *testing.T) { // A1
	h := newHouse(t, echo)
	answer := func(name string) string {
		w := httptest.NewRecorder()
		r := modernPost(t.Context(), "/mcp/orders", "tools/call", name, `"name":"`+name+`",`)
		r.Header.Set("Authorization", "Bearer alice")
		h.handler.ServeHTTP(w, r)
		return strings.ReplaceAll(fmt.Sprint(w.Code, w.Header(), w.Body), name, "NAME")
	}
	if a, b := answer("delete_order"), answer("nothing_here"); a != b {
		t.Errorf("forbidden: %s\nunknown: %s", a, b)
	}
}

func TestManyStreamsOfOneSessionRunAtOnce(t *testing.T) { // E9, E10
	release := make(chan struct{})
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("slow")) {
			<-release
		}
		_, _ = w.Write(body)
	})
	s := connectSDK(t, h.serve(t), "alice", "2025-11-25", nil)
	slow := make(chan error, 1)
	go func() {
		_, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "get_order", Arguments: map[string]any{"id": "slow"}})
		slow <- err
	}()
	for i := range 20 {
		result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "get_order", Arguments: map[string]any{"id": fmt.Sprint(i)}})
		if err != nil || result.Content[0].(*sdk.TextContent).Text != fmt.Sprintf(`{"id":"%d"}`, i) {
			t.Fatalf("call %d: %v %v", i, result, err)
		}
	}
	close(release)
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

func TestOfficialClientSeesPolicyRefusals(t *testing.T) { // §17
	h := newHouse(t, echo)
	h.road.Refuse = func(*proxy.Call) error {
		return &proxy.Error{Kind: proxy.Timeout, Msg: "x", Err: errors.New("dial tcp 10.0.0.1:443: i/o timeout")}
	}
	s := connectSDK(t, h.serve(t), "alice", "", nil)
	result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "get_order"})
	if err != nil || !result.IsError || strings.Contains(fmt.Sprint(result.Content[0]), "10.0.0.1") {
		t.Errorf("%+v %v", result, err)
	}
}
