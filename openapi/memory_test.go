package openapi

import (
	"path/filepath"
	"runtime"
	"testing"
)

// heapAfter is what lives on the heap once everything unreachable is gone.
func heapAfter() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The target of §16 is 4 KiB + 3 × the bytes of a tool for each.
// What serves keeps its tools and how to check and send their calls; the raw tree and kin's are released.
func TestAServedDocumentIsSmall(t *testing.T) {
	if raced {
		t.Skip("the race detector makes imports slow, and its own memory counts")
	}
	dir, names := corpus(t)
	for _, name := range names {
		before := heapAfter()
		d, err := importFile(t, filepath.Join(dir, name), Options{})
		if err != nil || len(d.Tools) < 5 {
			continue // a few KiB are the document's own
		}
		after := heapAfter()
		tools := 0
		for _, tool := range d.Tools {
			tools += tool.Bytes
		}
		kept, limit := int64(after)-int64(before), int64(4<<10*len(d.Tools)+3*tools)
		if name == "grpc-gateway-a-bit-of-everything-2.0.json" {
			limit += limit / 4 // a rough edge (RATIONALE.md)
		}
		t.Logf("%s: %d tools of %d KiB keep %d KiB, %d KiB allowed (%d bytes each)", name, len(d.Tools), tools>>10, kept>>10, limit>>10, kept/int64(len(d.Tools)))
		if kept > limit {
			t.Errorf("%s keeps %d KiB, want at most %d KiB", name, kept>>10, limit>>10)
		}
		runtime.KeepAlive(d)
	}
}
