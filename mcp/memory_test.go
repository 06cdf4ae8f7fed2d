package mcp_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

func TestMemorySessions(t *testing.T) {
	mcptest.RunSessionStore(t, func(*testing.T) mcp.SessionStore { return mcp.NewMemorySessions() })
}

func TestAnIdleSessionCostsHalfAKilobyte(t *testing.T) { // S9
	const n = 20_000
	store, now := mcp.NewMemorySessions(), time.Now()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	for i := range n {
		s := mcp.Session{
			ID: fmt.Sprintf("d1.%022d.%022d", i, i), Server: "orders", Owner: fmt.Sprintf("tenant/%032d", i), Client: "client",
			Grant: fmt.Sprintf("grant-%016d", i), Revision: "2025-11-25", Created: now, Used: now, Capabilities: []byte(`{"roots":{"listChanged":true}}`),
		}
		if err := store.Create(t.Context(), s, mcp.SessionLimits{Total: n, PerCaller: 10, Idle: time.Hour, Max: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.0f bytes a session", each)
	if each > 512 {
		t.Errorf("%.0f bytes a session", each)
	}
	if got := runtime.NumGoroutine(); got > goroutines {
		t.Errorf("%d goroutines for idle sessions", got-goroutines)
	}
	runtime.KeepAlive(store)
}
