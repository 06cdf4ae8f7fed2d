package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// One stream has room for so many addresses. Who names many leaves room for everybody else's.
func TestTheAddressesOfOneCallerDoNotCrowdOutAnothers(t *testing.T) { // L5, §11.2
	many := func(name string, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("%s://%03d", name, i))
		}
		return list
	}
	for _, c := range []struct {
		of   map[string][]string
		want int // of the first caller's
	}{
		{map[string][]string{"a": {"z://1", "z://2"}, "b": many("a", 500)}, 2},
		{map[string][]string{"a": many("z", 80), "b": many("a", 500), "c": {"z://079", "c://1"}}, 50},
		{map[string][]string{"a": many("a", 7)}, 7},
		{map[string][]string{"a": many("a", 100), "b": many("a", 100)}, 100},
		{map[string][]string{"a": nil}, 0},
	} {
		mine := slices.Clone(c.of["a"])
		got := shared(c.of, 100)
		n := 0
		for _, uri := range got {
			if slices.Contains(mine, uri) {
				n++
			}
		}
		if n < c.want || len(got) > 100 || len(slices.Compact(slices.Clone(got))) != len(got) || !slices.IsSorted(got) {
			t.Errorf("%d of mine, %d in all, want %d", n, len(got), c.want)
		}
	}
}

// An upstream that refuses a stream for an address in it is heard without addresses: others listen there, too.
func TestAnAddressThatIsRefusedSilencesNobody(t *testing.T) { // L5
	up := mcptest.NewUpstream(t)
	up.On("subscriptions/listen", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		if strings.Contains(string(m.Params), "bad://") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"no such address"}}`, m.ID)
			return
		}
		mcptest.Stream(w)(event(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true}}}`) +
			event(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`))
		<-r.Context().Done()
	})
	l, _ := newLeg(t, up.URL, nil)
	heard := make(chan string, 8)
	agreed, err := l.Listen(t.Context(), as("bob"), edge.Interest{URIs: []string{"bad://"}}, func(*strictjson.Message) {})
	if err != nil || len(agreed.URIs) > 0 {
		t.Errorf("bob is told %v, %v", agreed, err)
	}
	agreed, err = l.Listen(t.Context(), as("alice"), edge.Interest{Tools: true}, func(m *strictjson.Message) { heard <- m.Method })
	if err != nil || !agreed.Tools {
		t.Errorf("alice is told %v, %v", agreed, err)
	}
	if method := <-heard; method != "notifications/tools/list_changed" {
		t.Error(method)
	}
}
