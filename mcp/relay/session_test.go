package relay_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const pingBody = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

func TestSessionsAreOneToOne(t *testing.T) { // S1, S4, §9.3
	up := mcptest.NewUpstream(t)
	up.Session = true
	g := newGateway(t, up.URL, nil)
	first, second := g.open(), g.open()
	if !strings.HasPrefix(first, "d1.") || strings.Contains(first, "upstream") {
		t.Errorf("session id %q", first)
	}
	g.do(g.legacy(second, pingBody))
	requests := up.Requests()
	if last := requests[len(requests)-1]; last.Header.Get("Mcp-Session-Id") != "upstream-2" || last.Method != "ping" {
		t.Errorf("the upstream got %s in session %q", last.Method, last.Header.Get("Mcp-Session-Id"))
	}
	t.Run("DELETE is passed", func(t *testing.T) {
		resp, _ := g.do(g.request(http.MethodDelete, "", "Mcp-Session-Id", first))
		requests := up.Requests()
		if last := requests[len(requests)-1]; resp.StatusCode != 204 || last.HTTP != "DELETE" || last.Header.Get("Mcp-Session-Id") != "upstream-1" {
			t.Errorf("DELETE = %d, the upstream got %s %v", resp.StatusCode, last.HTTP, last.Header)
		}
		if resp, body := g.do(g.legacy(first, pingBody)); resp.StatusCode != 404 {
			t.Errorf("afterwards %d %s", resp.StatusCode, body)
		}
	})
	t.Run("an upstream that knows no DELETE is no error", func(t *testing.T) {
		up.On("DELETE", answerWith(405, nil, ""))
		third := g.open()
		if resp, _ := g.do(g.request(http.MethodDelete, "", "Mcp-Session-Id", third)); resp.StatusCode != 204 {
			t.Errorf("DELETE = %d", resp.StatusCode)
		}
	})
	t.Run("a session that the upstream forgot ends", func(t *testing.T) {
		up.Forget()
		for range 2 {
			before := len(up.Requests())
			resp, body := g.do(g.legacy(second, pingBody))
			if resp.StatusCode != 404 || !strings.Contains(body, `"code":-32001,"message":"session not found"`) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if n := len(up.Requests()) - before; n > 1 {
				t.Errorf("%d requests went up", n)
			}
		}
	})
}

func TestTheUpstreamAsksInTheMiddleOfACall(t *testing.T) { // §9.1: sampling, elicitation, roots
	up := mcptest.NewUpstream(t)
	up.Session = true
	answered := make(chan string, 1)
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		send := mcptest.Stream(w)
		send("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{}}\n\n")
		select {
		case <-answered:
			send("data: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":{\"ok\":true}}\n\n")
		case <-r.Context().Done():
		}
	})
	up.On("", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
		answered <- "yes"
		w.WriteHeader(http.StatusAccepted)
	})
	g := newGateway(t, up.URL, nil)
	session := g.open()
	resp, err := http.DefaultClient.Do(g.legacy(session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "elicitation/create") {
		t.Fatalf("first event %q, %v", line, err)
	}
	const answer = `{"jsonrpc":"2.0", "id":1, "result":{"action":"accept","content":{"n":1.50}}}`
	if resp, _ := g.do(g.legacy(session, answer)); resp.StatusCode != 202 {
		t.Errorf("the answer = %d", resp.StatusCode)
	}
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), `{"ok":true}`) {
		t.Errorf("rest %q, %v", rest, err)
	}
	requests := up.Requests()
	if last := requests[len(requests)-1]; last.Body != answer {
		t.Errorf("the upstream got %s", last.Body)
	}
}

func TestGETStreamsPass(t *testing.T) { // E3, E7, E8, L4
	up := mcptest.NewUpstream(t)
	up.Session = true
	up.On("GET", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)("id: " + r.Header.Get("Last-Event-Id") + "x\nretry: 10\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
		<-r.Context().Done()
	})
	g := newGateway(t, up.URL, nil)
	session := g.open()
	get := func(header ...string) (*bufio.Reader, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "", append([]string{"Mcp-Session-Id", session}, header...)...).WithContext(ctx))
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("GET = %v, %v", resp, err)
		}
		return bufio.NewReader(resp.Body), func() { cancel(); _ = resp.Body.Close() }
	}
	first, closeFirst := get()
	defer closeFirst()
	if line, _ := first.ReadString('\n'); line != "id: x\n" {
		t.Errorf("first line %q", line)
	}
	resumed, closeResumed := get("Last-Event-Id", "s-9")
	defer closeResumed()
	if line, _ := resumed.ReadString('\n'); line != "id: s-9x\n" {
		t.Errorf("resumed line %q", line)
	}
	_, closeSecond := get()
	defer closeSecond()
	if _, err := io.ReadAll(first); err != nil {
		t.Errorf("the first stream ended with %v", err)
	}
	g.edge.Close()
	if _, err := io.ReadAll(resumed); err != nil {
		t.Errorf("at the stop the stream ended with %v", err)
	}
}

func TestAnUpstreamWithoutGETStreams(t *testing.T) { // §2
	up := mcptest.NewUpstream(t)
	g := newGateway(t, up.URL, nil)
	if resp, body := g.do(g.request(http.MethodGet, "", "Mcp-Session-Id", g.open())); resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "POST") {
		t.Errorf("GET = %d %s", resp.StatusCode, body)
	}
}

func TestEqualIdsNeverMeet(t *testing.T) { // E10
	up := mcptest.NewUpstream(t)
	up.Session = true
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		if strings.Contains(string(m.Params), `"odd"`) {
			mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":" + string(m.Params) + "}\n\n")
			return
		}
		mcptest.JSON(w, m.ID, string(m.Params))
	})
	g := newGateway(t, up.URL, nil)
	var wg sync.WaitGroup
	for client := range 50 {
		wg.Go(func() {
			as := []string{"Authorization", fmt.Sprintf("Bearer person%d", client)}
			session := g.open(as...)
			for n := range 20 {
				kind := []string{"odd", "even"}[n%2]
				mine := fmt.Sprintf(`"arguments":{"client":%d,"n":%d,"kind":%q}`, client, n, kind)
				_, body := g.do(g.legacy(session, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"t",%s}}`, n, mine), as...))
				if !strings.Contains(body, mine) || !strings.Contains(body, fmt.Sprintf(`"id":%d,`, n)) {
					t.Errorf("client %d call %d got %s", client, n, body)
				}
				_, body = g.do(g.call("t", fmt.Sprintf(`{"client":%d,"n":%d,"kind":%q}`, client, n, kind), as...))
				if !strings.Contains(body, mine) {
					t.Errorf("client %d modern call %d got %s", client, n, body)
				}
			}
		})
	}
	wg.Wait()
}

func TestCancellationReachesTheUpstreamAtOnce(t *testing.T) { // E6
	started, ended := make(chan struct{}, 1), make(chan time.Time, 1)
	up := mcptest.NewUpstream(t)
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) {
		mcptest.Stream(w)(": started\n\n")
		started <- struct{}{}
		<-r.Context().Done()
		ended <- time.Now()
	})
	g := newGateway(t, up.URL, nil)
	within := func(t *testing.T, since time.Time) {
		t.Helper()
		select {
		case at := <-ended:
			if took := at.Sub(since); took > 100*time.Millisecond {
				t.Errorf("after %v", took)
			}
		case <-time.After(10 * time.Second):
			t.Error("never")
		}
	}
	t.Run("a modern client closes", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := http.DefaultClient.Do(g.call("t", `{}`).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		<-started
		since := time.Now()
		cancel()
		_ = resp.Body.Close()
		within(t, since)
	})
	t.Run("a legacy client says so", func(t *testing.T) {
		session := g.open()
		resp, err := http.DefaultClient.Do(g.legacy(session, `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"t"}}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		<-started
		since := time.Now()
		const cancelled = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}`
		if resp, _ := g.do(g.legacy(session, cancelled)); resp.StatusCode != 202 {
			t.Errorf("cancelled = %d", resp.StatusCode)
		}
		within(t, since)
		rest, err := io.ReadAll(resp.Body)
		if err != nil || strings.Contains(string(rest), "jsonrpc") {
			t.Errorf("after cancelling %q, %v", rest, err) // B6
		}
		requests := up.Requests()
		if last := requests[len(requests)-1]; last.Body != cancelled {
			t.Errorf("the upstream got %s", last.Body)
		}
	})
	t.Run("a legacy client that closes does not", func(t *testing.T) {
		session := g.open()
		resp, err := http.DefaultClient.Do(g.legacy(session, `{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"t"}}`))
		if err != nil {
			t.Fatal(err)
		}
		<-started
		_ = resp.Body.Close()
		select {
		case <-ended:
			t.Error("the call ended with the connection")
		case <-time.After(200 * time.Millisecond): // the proof of something that does not happen
		}
		since := time.Now()
		g.do(g.legacy(session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}`))
		within(t, since)
	})
}

func TestASlowReaderHurtsOnlyItself(t *testing.T) { // E5, E9
	const event = 64 << 10
	up := mcptest.NewUpstream(t)
	sent := make(chan int, 1)
	up.On("tools/call", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		if !strings.Contains(string(m.Params), "flood") {
			mcptest.JSON(w, m.ID, `{}`)
			return
		}
		send, n := mcptest.Stream(w), 0
		line := "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"x\":\"" + strings.Repeat("x", event) + "\"}}\n\n"
		for ; n < 2000 && r.Context().Err() == nil; n++ {
			select {
			case sent <- n:
			default:
			}
			send(line)
		}
	})
	g := newGateway(t, up.URL, nil)
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := http.DefaultClient.Do(g.call("flood", `{}`).WithContext(ctx)) // never read
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer cancel()
	start := time.Now()
	for range 50 {
		if resp, body := g.do(g.call("t", `{}`)); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("others took %v", took)
	}
	if n := <-sent; n > 1000 {
		t.Errorf("the upstream was read %d events ahead of the client", n)
	}
}

func TestTheErasOfAnUpstreamAreAskedForOnce(t *testing.T) { // §16.1
	for name, c := range map[string]struct {
		discover             mcptest.Handler
		modern, legacy, kept bool
	}{
		"both":           {answerWith(200, map[string]string{"Content-Type": "application/json"}, `{"jsonrpc":"2.0","id":"drawbridge","result":{"supportedVersions":["2026-07-28","2025-06-18"]}}`), true, true, true},
		"modern only":    {answerWith(200, map[string]string{"Content-Type": "application/json"}, `{"jsonrpc":"2.0","id":"drawbridge","result":{"supportedVersions":["2026-07-28"]}}`), true, false, true},
		"-32022":         {answerWith(400, map[string]string{"Content-Type": "application/json"}, `{"jsonrpc":"2.0","id":"drawbridge","error":{"code":-32022,"message":"","data":{"supported":["2025-11-25"]}}}`), false, true, true},
		"400":            {answerWith(400, nil, `Bad Request: Missing session ID`), false, true, true},
		"404":            {answerWith(404, nil, ``), false, true, true},
		"405":            {answerWith(405, nil, ``), false, true, true},
		"no JSON-RPC":    {answerWith(200, nil, `hello`), false, true, true},
		"unknown method": {answerWith(200, map[string]string{"Content-Type": "application/json"}, `{"jsonrpc":"2.0","id":"drawbridge","error":{"code":-32601,"message":"x"}}`), false, true, true},
		"in a stream": {func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
			mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":{\"supportedVersions\":[\"2026-07-28\"]}}\n\n")
		}, true, false, true},
		"down":            {answerWith(503, nil, ``), false, false, false},
		"credential":      {answerWith(401, nil, ``), false, false, false},
		"never an answer": {func(_ http.ResponseWriter, r *http.Request, _ mcptest.UpstreamMessage) { <-r.Context().Done() }, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			up := mcptest.NewUpstream(t)
			var asked atomic.Int64
			up.On("server/discover", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
				asked.Add(1)
				c.discover(w, r, m)
			})
			now := time.Now()
			g := newGateway(t, up.URL, func(r *relay.Config, b *proxy.BackendConfig) {
				b.Timeout, r.Now = 200*time.Millisecond, func() time.Time { return now }
			})
			for range 2 {
				resp, body := g.do(g.call("t", `{}`))
				if ok := resp.StatusCode == 200 && !strings.Contains(body, "isError"); ok != c.modern {
					t.Errorf("a modern call = %d %s", resp.StatusCode, body)
				}
				if failed := name == "credential" || name == "never an answer"; failed != strings.Contains(body, `"isError":true`) { // §9.3
					t.Errorf("a modern call = %s", body)
				}
				if c.legacy && !c.modern && !strings.Contains(body, `"code":-32022`) {
					t.Errorf("a modern client is told %s", body)
				}
				resp, body = g.do(g.request(http.MethodPost, initializeBody))
				if ok := resp.StatusCode == 200; ok != c.legacy {
					t.Errorf("initialize = %d %s", resp.StatusCode, body)
				}
			}
			want := int64(1)
			if !c.kept {
				want = 4
			}
			if n := asked.Load(); n != want {
				t.Errorf("asked %d times, want %d", n, want)
			}
			if now = now.Add(11 * time.Minute); c.kept {
				g.do(g.call("t", `{}`))
				if n := asked.Load(); n != 2 {
					t.Errorf("after 11 minutes asked %d times, want 2", n)
				}
			}
		})
	}
}

func TestASessionThatIsLostWithWordsEnds(t *testing.T) { // S4, §9.3
	up := mcptest.NewUpstream(t)
	up.Session = true
	g := newGateway(t, up.URL, nil)
	asJSON := map[string]string{"Content-Type": "application/json"}
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}`: `404 "session not found"`,
		`Bad Request: No valid session ID provided`:                                                       `404 "session not found"`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no session of that name"}}`:            `400 "no session of that name"`,
		`{"jsonrpc":"2.0","error":{"code":-32000,"message":"too many"}}`:                                  `400 "too many"`,
	} {
		session := g.open()
		up.On("ping", answerWith(http.StatusBadRequest, asJSON, body))
		for range 2 {
			resp, got := g.do(g.legacy(session, pingBody))
			if status, text, _ := strings.Cut(want, " "); fmt.Sprint(resp.StatusCode) != status || !strings.Contains(got, text) {
				t.Errorf("%s: %d %s, want %s", body, resp.StatusCode, got, want)
			}
		}
	}
}

func TestAHandshakeMayComeAmongEventsOfOtherTypes(t *testing.T) { // §9.1
	up := mcptest.NewUpstream(t)
	up.On("initialize", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		say := mcptest.Stream(w)
		say("event: ping\ndata: 2026-11-21\n\n")
		say("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}\n\n")
	})
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}`
	const answer = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\nevent: ping\ndata: {}\n\n"
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, _ mcptest.UpstreamMessage) { mcptest.Stream(w)(answer) })
	g := newGateway(t, up.URL, nil)
	if _, body := g.do(g.legacy(g.open(), call)); body != answer {
		t.Errorf("the call got %s", body)
	}
}
