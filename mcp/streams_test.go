package mcp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// TestTranscriptsOfStreams plays testdata/streams: answers that do not end by themselves, or that become streams because
// the API lingers until they did (mcp.md §2, §7), and headers of parameters (H8).
func TestTranscriptsOfStreams(t *testing.T) {
	const file = "testdata/streams/streams.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { newLingering(t).play(t, file, archive) }) // time passes only while the API lingers
}

// newLingering is a house whose API lingers until the answer has begun, or breaks off, when it is told to.
func newLingering(t *testing.T) *house {
	t.Helper()
	var h *house
	h = newTimelessHouse(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("linger")) {
			<-*h.flushed.Load()
		}
		if bytes.Contains(body, []byte("panic")) {
			panic(http.ErrAbortHandler) // the API breaks off
		}
		_, _ = fmt.Fprintf(w, "%s", body)
	})
	routed := mcptest.Tool("routed")
	routed.InputSchema = []byte(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"},"flag":{"type":"boolean","x-mcp-header":"Flag"}}}`)
	cfg := h.config
	cfg.Tools = append(cfg.Tools, bridge.Tool{Tool: routed, Operation: mcptest.Operation{Path: "/routed"}})
	h.server = h.build(t, cfg)
	return h
}
