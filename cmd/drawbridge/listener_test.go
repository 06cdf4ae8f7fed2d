package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

func TestWhatNeverReachesAServerIsRefusedInItsWords(t *testing.T) { // mcp.md §3: error bodies are JSON-RPC objects, never plain text
	g := &gateway{log: slog.New(slog.DiscardHandler)}
	for _, c := range []struct {
		path string
		err  error
		want string
	}{
		{"/mcp/orders", echo.NewHTTPError(http.StatusMisdirectedRequest, "misdirected request"), `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"misdirected request"}}`},
		{"/mcp/orders/", echo.ErrNotFound, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Not Found"}}`},
		{"/mcp/orders/message", echo.NewHTTPError(http.StatusServiceUnavailable, "the gateway is restarting"), `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"the gateway is restarting"}}`},
		{"/mcp/orders", errors.New("secret host broke"), `{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error","data":{"requestId":"r1"}}}`},
		{"/oauth/token", echo.NewHTTPError(http.StatusMisdirectedRequest, "misdirected request"), `{"error":"misdirected_request","error_description":"misdirected request"}` + "\n"},
	} {
		r := httptest.NewRequest(http.MethodPost, c.path, nil)
		r = r.WithContext(identity.WithRequest(r.Context(), &identity.Request{ID: "r1"}))
		w := httptest.NewRecorder()
		g.renderError(c.err, echo.New().NewContext(r, w))
		if w.Body.String() != c.want || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v %s", c.path, w.Header(), w.Body)
		}
	}
}
