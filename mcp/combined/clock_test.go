package combined_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// clock goes only when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(seconds int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Duration(seconds) * time.Second)
}

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
