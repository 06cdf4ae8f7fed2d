package upstream

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// Entries of a list keep the pages they came on: what a page has beside them counts, too.
func TestPagesWithMoreThanTheirEntriesAreBounded(t *testing.T) {
	up, asked := mcptest.NewUpstream(t), 0
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		asked++
		mcptest.JSON(w, m.ID, fmt.Sprintf(`{"tools":[{"name":"t%d"}],"nextCursor":"%d","x":%q}`, asked, asked, strings.Repeat("x", 10<<10)))
	})
	l, _ := newLeg(t, up.URL, func(c *Config) { c.Limits.Body = 100 << 10 })
	if list, err := l.List(t.Context(), as("a"), "tools/list"); err == nil || asked > 10 {
		t.Errorf("%d pages were read, %d entries kept", asked, len(list.Items))
	}
}

// How many lists there are callers and upstreams choose: by what clients offer, by whom a list is for.
func TestListsTakeUpNoMoreThanTheyMay(t *testing.T) {
	b := &book[string]{size: func(s string) int { return len(s) }, most: 10}
	now := time.Unix(0, 0)
	kept := func() (n int) {
		for _, p := range b.pages {
			if v, ok := p.read(now); ok {
				n += len(v)
			}
		}
		return n
	}
	put := func(name, value string) {
		t.Helper()
		got, err := b.get(t.Context(), key{what: name}, func() time.Time { return now }, func(context.Context) (string, time.Duration, error) {
			return value, time.Minute, nil
		})
		if err != nil || got != value {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	put("a", "aaaa")
	put("b", "bbbb")
	if kept() != 8 {
		t.Errorf("%d bytes are kept of 8 that have room", kept())
	}
	put("c", "cccc")
	if kept() != 4 || b.bytes != 4 {
		t.Errorf("%d bytes are kept, %d counted", kept(), b.bytes)
	}
	b.forget(func(key) bool { return true })
	if put("d", "dddddddd"); kept() != 8 || b.bytes != 8 {
		t.Errorf("%d bytes are kept, %d counted", kept(), b.bytes)
	}
	for i := range maxKept + 100 {
		put(fmt.Sprint(i), "x")
	}
	if kept() != b.bytes || b.bytes > b.most {
		t.Errorf("%d bytes are kept, %d counted", kept(), b.bytes)
	}
	var values int
	for _, p := range b.pages {
		values += len(p.value)
	}
	if values != b.bytes {
		t.Errorf("%d bytes are held, %d counted", values, b.bytes)
	}
}
