package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	gomcp "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

var ordersTools = []string{
	"createOrder", "deleteOrder", "getOrder", "getOrderLabel", "listOrders", "salesReport", "syncStock", "updateOrder",
}

// sdkReport is what the scripts under testdata/clients print.
type sdkReport struct {
	Protocol              string
	Scope                 string
	Refresh               bool
	Server                struct{ Name, Version string }
	Tools                 []string
	Order, Missing, Wrong sdkResult
}

type sdkResult struct {
	IsError           bool
	Content           []struct{ Type, Text string }
	StructuredContent json.RawMessage
}

func (r sdkReport) check(t *testing.T, wantProtocol string) {
	t.Helper()
	if r.Protocol != wantProtocol {
		t.Errorf("protocol = %q, want %q", r.Protocol, wantProtocol)
	}
	if r.Scope != "mcp:orders" || !r.Refresh || r.Server.Name != "orders" {
		t.Errorf("scope %q, refresh token %v, server %+v; want mcp:orders, true, orders", r.Scope, r.Refresh, r.Server)
	}
	for _, want := range ordersTools {
		if !slices.Contains(r.Tools, want) {
			t.Errorf("tools %v lack %s", r.Tools, want)
		}
	}
	if r.Order.IsError || !strings.Contains(string(r.Order.StructuredContent), `"1001"`) || !strings.Contains(r.Order.Content[0].Text, `"1001"`) {
		t.Errorf("getOrder 1001 = %+v, want the order as text and structured", r.Order)
	}
	if !r.Missing.IsError || !strings.HasPrefix(r.Missing.Content[0].Text, "404 Not Found from GET /orders/{orderId}") {
		t.Errorf("getOrder 999 = %+v, want a tool error that begins with the status and the template", r.Missing)
	}
	if !r.Wrong.IsError || !strings.Contains(r.Wrong.Content[0].Text, `argument "orderId" is required`) {
		t.Errorf("getOrder without arguments = %+v, want a tool error that names the argument", r.Wrong)
	}
}

func TestTypeScriptSDKsSignInAndCallOnBothEras(t *testing.T) {
	g := try(t)
	t.Run("sdk 1.x", func(t *testing.T) {
		var r sdkReport
		node(t, &r, "mcp-sdk.mjs", g.ready.MCPURL)
		r.check(t, "2025-11-25")
	})
	t.Run("sdk 1.x over HTTP+SSE", func(t *testing.T) { // mcp.md §8, D4
		var r sdkReport
		node(t, &r, "mcp-sse.mjs", g.ready.MCPURL)
		r.check(t, "2025-11-25")
	})
	for mode, want := range map[string]string{"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"} {
		t.Run("client 2.x "+mode, func(t *testing.T) {
			var r sdkReport
			node(t, &r, "mcp-client.mjs", g.ready.MCPURL, mode, "bob")
			r.check(t, want)
		})
	}
}

func TestOfficialGoSDKSignsInAndCallsOnBothEras(t *testing.T) {
	g := try(t)
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			session := connectGoSDK(ctx, t, g, version)
			defer func() { _ = session.Close() }()
			tools, err := session.ListTools(ctx, nil)
			if err != nil || len(tools.Tools) < len(ordersTools) {
				t.Fatalf("tools/list = %v, %v", tools, err)
			}
			order, err := session.CallTool(ctx, &gomcp.CallToolParams{Name: "getOrder", Arguments: map[string]any{"orderId": "1002"}})
			if err != nil || order.IsError {
				t.Fatalf("getOrder = %+v, %v", order, err)
			}
			picture, err := session.CallTool(ctx, &gomcp.CallToolParams{Name: "getOrderLabel", Arguments: map[string]any{"orderId": "1002"}})
			if err != nil || picture.IsError {
				t.Fatalf("getOrderLabel = %+v, %v", picture, err)
			}
			if image, ok := picture.Content[0].(*gomcp.ImageContent); !ok || image.MIMEType != "image/png" || len(image.Data) == 0 {
				t.Errorf("getOrderLabel = %+v, want an image", picture.Content[0])
			}
			broken, err := session.CallTool(ctx, &gomcp.CallToolParams{Name: "syncStock"})
			if err != nil || !broken.IsError {
				t.Errorf("syncStock = %+v, %v; want a tool error", broken, err)
			}
			if _, err := session.CallTool(ctx, &gomcp.CallToolParams{Name: "noSuchTool"}); err == nil {
				t.Error("an unknown tool gave no error")
			}
		})
	}
}

// connectGoSDK signs in with the SDK's own OAuth client; only the person's clicks are ours.
func connectGoSDK(ctx context.Context, t *testing.T, g *running, version string) *gomcp.ClientSession {
	t.Helper()
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		RequestRefreshToken: true,
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			RedirectURIs: []string{"http://127.0.0.1:33419/callback"}, ClientName: "Go SDK", TokenEndpointAuthMethod: "none",
			GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
		}},
		AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			s := &signIn{base: g.ready.URL, person: "bob", client: http.DefaultClient, tell: io.Discard}
			back, err := s.developmentSignIn(ctx, args.URL)
			if err != nil {
				return nil, err
			}
			return &auth.AuthorizationResult{Code: back.Get("code"), State: back.Get("state"), Iss: back.Get("iss")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := gomcp.NewClient(&gomcp.Implementation{Name: "go-sdk-test", Version: "1"}, nil)
	session, err := client.Connect(ctx, &gomcp.StreamableClientTransport{Endpoint: g.ready.MCPURL, OAuthHandler: handler}, &gomcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return session
}

func TestCancellingACallReachesTheBackend(t *testing.T) {
	g := try(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	session := connectGoSDK(ctx, t, g, "2026-07-28")
	defer func() { _ = session.Close() }()
	call, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		_, err := session.CallTool(call, &gomcp.CallToolParams{Name: "salesReport", Arguments: map[string]any{"seconds": 60}})
		done <- err
	}()
	stop()
	if err := <-done; err == nil {
		t.Error("a cancelled call answered")
	}
	// The gateway stops within the drain time only if nothing is left running at the backend; Cleanup asserts it.
}
