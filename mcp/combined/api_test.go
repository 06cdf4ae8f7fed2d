package combined_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// newAPI is a road to an API that sends back what it was sent.
func newAPI(t testing.TB) *mcptest.Road {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 1024)
		n, _ := r.Body.Read(b)
		_, _ = w.Write(b[:n])
	}))
	t.Cleanup(api.Close)
	at, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &mcptest.Road{Client: api.Client(), URL: at}
}
