package upstream

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

func TestAListIsReadOnceForAsLongAsItHolds(t *testing.T) { // T3
	up := mcptest.NewUpstream(t)
	var asked atomic.Int64
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		asked.Add(1)
		if string(m.Params) != "" && len(m.Params) > 0 && json.Valid(m.Params) && cursor(m) == "2" {
			mcptest.JSON(w, m.ID, `{"tools":[{"name":"b"}],"ttlMs":20000}`)
			return
		}
		mcptest.JSON(w, m.ID, `{"tools":[{"name" : "a","n":1.00}],"nextCursor":"2","ttlMs":30000}`)
	})
	l, c := newLeg(t, up.URL, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			list, err := l.List(t.Context(), as("a"), "tools/list")
			if err != nil || len(list.Items) != 2 || string(list.Items[0]) != `{"name" : "a","n":1.00}` || list.TTL != 20*time.Second {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("%d pages were read", n)
	}
	c.add(21 * time.Second)
	if _, err := l.List(t.Context(), as("b"), "tools/list"); err != nil || asked.Load() != 4 {
		t.Errorf("after its time: %d pages, %v", asked.Load(), err)
	}
}

// A list is for all who come after, so nobody's language or baggage goes up with the question for it; with a call they do.
func TestSharedAnswersAreNotMadeForOneCaller(t *testing.T) { // T3, §9.2
	for _, legacy := range []bool{false, true} {
		up := mcptest.NewUpstream(t)
		if legacy {
			legacyOnly(up)
		}
		l, _ := newLeg(t, up.URL, nil)
		on := as("a")
		on.HTTP = &http.Request{Header: http.Header{
			"Accept-Language": {"de"}, "Baggage": {"tenant=other"}, "User-Agent": {"theirs"}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		}}
		if _, err := l.List(t.Context(), on, "tools/list"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Info(t.Context(), on, !legacy); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Do(t.Context(), &Request{On: on, Modern: !legacy, Method: "tools/call", Params: json.RawMessage(`{"name":"x"}`)}); err != nil {
			t.Fatal(err)
		}
		for _, r := range up.Requests() {
			theirs := r.Header.Get("Accept-Language") + r.Header.Get("Baggage")
			if r.Header.Get("Traceparent") == "" && r.Method != "notifications/initialized" {
				t.Errorf("%s is not traced", r.Method)
			}
			switch r.Method {
			case "tools/call":
				if theirs != "detenant=other" || !strings.Contains(r.Header.Get("User-Agent"), "theirs") {
					t.Errorf("the call went up with %v", r.Header)
				}
			case "tools/list", "server/discover":
				if theirs != "" || strings.Contains(r.Header.Get("User-Agent"), "theirs") {
					t.Errorf("%s went up with %v", r.Method, r.Header)
				}
			}
		}
	}
}

func cursor(m mcptest.UpstreamMessage) string {
	var p struct{ Cursor string }
	_ = json.Unmarshal(m.Params, &p)
	return p.Cursor
}

func TestAListThatChangedIsReadAgain(t *testing.T) { // T3
	up := mcptest.NewUpstream(t)
	legacyOnly(up)
	var asked atomic.Int64
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		asked.Add(1)
		mcptest.JSON(w, m.ID, `{"tools":[]}`)
	})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.Stream(w)(event(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`) + event(`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{}}`))
	})
	l, c := newLeg(t, up.URL, nil)
	list := func() {
		if _, err := l.List(t.Context(), as("a"), "tools/list"); err != nil {
			t.Fatal(err)
		}
	}
	list()
	list()
	do(t, l, &Request{On: as("a"), Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)})
	list()
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	c.add(61 * time.Second) // list_ttl
	list()
	if n := asked.Load(); n != 3 {
		t.Errorf("after list_ttl asked %d times", n)
	}
}

func TestAPrivateListIsOneCallersOwn(t *testing.T) { // T3, T4
	up := mcptest.NewUpstream(t)
	var asked atomic.Int64
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		asked.Add(1)
		mcptest.JSON(w, m.ID, `{"tools":[],"ttlMs":60000,"cacheScope":"private"}`)
	})
	l, _ := newLeg(t, up.URL, nil)
	for _, who := range []string{"a", "a", "b", "b"} {
		if list, err := l.List(t.Context(), as(who), "tools/list"); err != nil || !list.Private {
			t.Fatal(list, err)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times for two people", n)
	}
}

func TestWhatFailedIsNotKept(t *testing.T) { // T3
	up := mcptest.NewUpstream(t)
	bad := true
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		if bad {
			w.WriteHeader(500)
			return
		}
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"a"}]}`)
	})
	l, _ := newLeg(t, up.URL, nil)
	if _, err := l.List(t.Context(), as("a"), "tools/list"); err == nil {
		t.Error("a failure was taken for a list")
	}
	bad = false
	if list, err := l.List(t.Context(), as("a"), "tools/list"); err != nil || len(list.Items) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	up.On("prompts/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(404)
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":{"code":-32601,"message":"no"}}`))
	})
	if list, err := l.List(t.Context(), as("a"), "prompts/list"); err != nil || len(list.Items) != 0 {
		t.Errorf("an upstream without prompts: %v, %v", list, err)
	}
	up.On("resources/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.JSON(w, m.ID, `{"resources":[{"uri":"a"}],"nextCursor":"again"}`)
	})
	if _, err := l.List(t.Context(), as("a"), "resources/list"); err == nil {
		t.Error("a list without end was read")
	}
}

// A list may not be larger than one answer, however many pages it comes in (§9.3).
func TestAListThatFloodsIsRefused(t *testing.T) {
	up := mcptest.NewUpstream(t)
	n := 0
	up.On("resources/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		n++
		mcptest.JSON(w, m.ID, `{"resources":[{"uri":"`+strings.Repeat("a", 10<<10)+`"}],"nextCursor":"`+strconv.Itoa(n)+`"}`)
	})
	l, _ := newLeg(t, up.URL, func(c *Config) { c.Limits.Body = 64 << 10 })
	if _, err := l.List(t.Context(), as("a"), "resources/list"); err == nil || n > 7 {
		t.Errorf("%d pages were read, %v", n, err)
	}
}

func TestAListThatLeadsBackToItselfIsRefused(t *testing.T) { // C5
	up := mcptest.NewUpstream(t)
	var asked atomic.Int64
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		asked.Add(1)
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"a"}],"nextCursor":"same"}`)
	})
	l, _ := newLeg(t, up.URL, nil)
	if _, err := l.List(t.Context(), as("a"), "tools/list"); err == nil || asked.Load() != 2 {
		t.Errorf("%v, after %d pages", err, asked.Load())
	}
}

func TestErasOfAnUpstream(t *testing.T) { // §16.1
	say := func(status int, body string) mcptest.Handler {
		return func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, c := range map[string]struct {
		h    mcptest.Handler
		want Verdict
		bad  bool
	}{
		"both": {nil, Verdict{Modern: true, Legacy: true}, false},
		"modern": {func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
			mcptest.JSON(w, m.ID, `{"supportedVersions":["2026-07-28"]}`)
		}, Verdict{Modern: true}, false},
		"-32022":    {say(400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}}`), Verdict{Legacy: true}, false},
		"400":       {say(400, `no`), Verdict{Legacy: true}, false},
		"404":       {say(404, ``), Verdict{Legacy: true}, false},
		"405":       {say(405, ``), Verdict{Legacy: true}, false},
		"200 page":  {say(200, `<html>`), Verdict{Legacy: true}, false},
		"500":       {say(500, `oops`), Verdict{Legacy: true}, false}, // whatever it does not know
		"401":       {say(401, ``), Verdict{}, true},
		"503":       {say(503, ``), Verdict{}, true},
		"no method": {say(200, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}`), Verdict{Legacy: true}, false},
	} {
		up := mcptest.NewUpstream(t)
		if c.h != nil {
			up.On("server/discover", c.h)
		}
		l, _ := newLeg(t, up.URL, nil)
		if v, err := l.Speaks(t.Context(), as("a")); v != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestAnEraThatIsRefusedIsAskedForAgain(t *testing.T) { // §16.1, U2
	up := mcptest.NewUpstream(t)
	l, c := newLeg(t, up.URL, nil)
	if v, err := l.Speaks(t.Context(), as("a")); err != nil || !v.Modern {
		t.Fatal(v, err)
	}
	legacyOnly(up)
	up.On("x", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":{"code":-32022,"message":"no"}}`))
	})
	if v, _ := l.Speaks(t.Context(), as("a")); !v.Modern {
		t.Error("the verdict was not kept")
	}
	if _, err := l.Do(t.Context(), &Request{On: as("a"), Modern: true, Method: "x"}); !errors.Is(err, ErrEra) {
		t.Errorf("got %v", err)
	}
	if v, err := l.Speaks(t.Context(), as("a")); err != nil || v.Modern || !v.Legacy {
		t.Errorf("%+v, %v", v, err)
	}
	c.add(11 * time.Minute)
	up.On("server/discover", nil)
	if v, err := l.Speaks(t.Context(), as("a")); err != nil || !v.Modern {
		t.Errorf("after ten minutes %+v, %v", v, err)
	}
}

func TestOneStreamServesAllListeners(t *testing.T) { // L5
	for _, modern := range []bool{true, false} {
		up := mcptest.NewUpstream(t)
		var opened atomic.Int64
		say := make(chan string)
		stream := func(first string) mcptest.Handler {
			return func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
				opened.Add(1)
				write := mcptest.Stream(w)
				write(first)
				for {
					select {
					case text := <-say:
						write(event(text))
					case <-r.Context().Done():
						return
					}
				}
			}
		}
		if modern {
			up.On("subscriptions/listen", stream(event(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]}}}`)))
		} else {
			legacyOnly(up)
			up.On("initialize", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
				mcptest.JSON(w, m.ID, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}}}`)
			})
			up.Session = false
			up.On("GET", stream(": hello\n\n"))
		}
		l, _ := newLeg(t, up.URL, nil)
		ctx, cancel := ctxWithCancel(t)
		heard := make(chan string, 4)
		want := edge.Interest{Tools: true, Prompts: true, URIs: []string{"a:1"}}
		for range 2 {
			agreed, err := l.Listen(ctx, as("a"), want, func(m *strictjson.Message) { heard <- m.Method })
			if err != nil || !agreed.Tools || agreed.Prompts || len(agreed.URIs) != 1 {
				t.Fatalf("modern %v: %+v, %v", modern, agreed, err)
			}
		}
		say <- `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"other"}}`
		say <- `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:1"}}`
		say <- `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
		for range 2 {
			<-heard
			<-heard
		}
		if n := opened.Load(); n != 1 {
			t.Errorf("modern %v: %d streams", modern, n)
		}
		if subscribed := sent(up, "resources/subscribe"); !modern && (len(subscribed) != 1 || params(subscribed[0].Body) != `{"uri":"a:1"}`) {
			t.Errorf("subscribed %v", subscribed)
		}
		cancel()
		l.cfg.Memory.Close()
		if len(heard) != 0 {
			t.Errorf("modern %v: %d messages too many", modern, len(heard))
		}
	}
}

func TestAnUpstreamThatTellsNothingAgreesToNothing(t *testing.T) { // L2
	for _, modern := range []bool{true, false} {
		up := mcptest.NewUpstream(t)
		if !modern {
			legacyOnly(up)
		} else {
			up.On("subscriptions/listen", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":{"code":-32601,"message":"no"}}`))
			})
		}
		l, _ := newLeg(t, up.URL, nil)
		ctx, cancel := ctxWithCancel(t)
		agreed, err := l.Listen(ctx, as("a"), edge.Interest{Tools: true}, func(*strictjson.Message) {})
		if err != nil || agreed.Tools {
			t.Errorf("modern %v: %+v, %v", modern, agreed, err)
		}
		cancel()
	}
}

// picky lists the tool ask only in sessions of clients that can be asked.
func picky(up *mcptest.Upstream) (declared func() []string) {
	legacyOnly(up)
	up.Session = false // it has sessions of its own
	var mu sync.Mutex
	var all []string
	asking := map[string]bool{}
	up.On("initialize", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		var p struct{ Capabilities json.RawMessage }
		_ = json.Unmarshal(m.Params, &p)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, string(p.Capabilities))
		id := strconv.Itoa(len(all))
		w.Header().Set("Mcp-Session-Id", id)
		asking[id] = strings.Contains(string(p.Capabilities), "elicitation")
		mcptest.JSON(w, m.ID, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"p","version":"1"}}`)
	})
	up.On("tools/list", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		mu.Lock()
		defer mu.Unlock()
		if asking[r.Header.Get("Mcp-Session-Id")] {
			mcptest.JSON(w, m.ID, `{"tools":[{"name":"plain"},{"name":"ask"}]}`)
			return
		}
		mcptest.JSON(w, m.ID, `{"tools":[{"name":"plain"}]}`)
	})
	return func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(all) }
}

func TestAnUpstreamMayListByWhatAClientCanBeAsked(t *testing.T) { // §11.1: exactly the capabilities, T3
	up := mcptest.NewUpstream(t)
	declared := picky(up)
	l, _ := newLeg(t, up.URL, nil)
	for _, c := range []struct {
		capabilities string
		tools        int
	}{{`{}`, 1}, {`{"elicitation":{},"experimental":{"x":{}}}`, 2}, {`{"experimental":{"y":{}}}`, 1}, {`{"elicitation":{}}`, 2}} {
		on := as("a")
		on.Capabilities = json.RawMessage(c.capabilities)
		list, err := l.List(t.Context(), on, "tools/list")
		if err != nil || len(list.Items) != c.tools {
			t.Errorf("%s: %+v, %v", c.capabilities, list, err)
		}
	}
	if n, all := len(sent(up, "tools/list")), declared(); n != 2 || slices.Compact(all)[0] != "{}" || all[len(all)-1] != `{"elicitation":{}}` {
		t.Errorf("%d lists were read in sessions with %v", n, all)
	}
}

func TestABrokenUpstreamIsNotOld(t *testing.T) { // §16.1
	for status, body := range map[int]string{500: "oops", 502: "<html>", 200: "{}"} {
		up := mcptest.NewUpstream(t)
		up.On("server/discover", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) { w.WriteHeader(500) })
		up.On("initialize", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
		l, _ := newLeg(t, up.URL, nil)
		if v, err := l.Speaks(t.Context(), as("a")); v != (Verdict{}) || err == nil || !strings.HasPrefix(err.Error(), unavailable) {
			t.Errorf("%d: %+v, %v", status, v, err)
		}
	}
}
