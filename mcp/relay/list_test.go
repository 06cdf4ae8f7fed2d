package relay_test

import (
	"bufio"
	"encoding/json"
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

// shelf is an upstream that counts how often each list was asked for.
type shelf struct {
	*mcptest.Upstream
	result atomic.Value // string, of every list; "" fails
	stream atomic.Bool
	asked  atomic.Int32
}

func newShelf(t *testing.T, result string) *shelf {
	s := &shelf{Upstream: mcptest.NewUpstream(t)}
	s.Session = true
	s.result.Store(result)
	for _, method := range []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"} {
		s.On(method, func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) { s.serve(w, m) })
	}
	return s
}

func (s *shelf) serve(w http.ResponseWriter, m mcptest.UpstreamMessage) {
	s.asked.Add(1)
	result := s.result.Load().(string)
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	if result == "" {
		body = fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"no"}}`, m.ID)
	}
	if s.stream.Load() {
		mcptest.Stream(w)("event: message\ndata: " + body + "\n\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body)
}

// list asks as a modern client, with an id of its own, and returns the result.
func (g *gateway) list(method, id, params string, header ...string) string {
	g.t.Helper()
	if params != "" {
		params += ","
	}
	_, body := g.do(g.modern(method, "", `{"jsonrpc":"2.0","id":`+id+`,"method":"`+method+`","params":{`+params+meta+`}}`, header...))
	return resultOf(g.t, id, body)
}

// listLegacy asks in a session.
func (g *gateway) listLegacy(session, method, id string) string {
	g.t.Helper()
	_, body := g.do(g.legacy(session, `{"jsonrpc":"2.0","id":`+id+`,"method":"`+method+`"}`))
	return resultOf(g.t, id, body)
}

// resultOf reads an answer in either form, and whether it is the one to this request.
func resultOf(t *testing.T, id, body string) string {
	t.Helper()
	if at := strings.Index(body, "data: "); at >= 0 {
		body = strings.TrimSpace(body[at+len("data: "):])
	}
	var m struct{ ID, Result, Error json.RawMessage }
	if err := json.Unmarshal([]byte(body), &m); err != nil || string(m.ID) != id {
		t.Errorf("the answer to %s is %q", id, body)
	}
	return string(m.Result) + string(m.Error)
}

func (s *shelf) want(t *testing.T, what string, times int32) {
	t.Helper()
	if n := s.asked.Swap(0); n != times {
		t.Errorf("%s: the upstream was asked %d times, want %d", what, n, times)
	}
}

// A list is asked for once and given to everybody as the upstream wrote it, each with the id of their own request, until the
// time has passed that the upstream names, or list_ttl where it names none.
func TestListsAreKeptAsLongAsTheUpstreamSays(t *testing.T) { // T3, T8
	const list = `{"tools":[{"name":"a","x":1.50}], "prompts":[],"ttlMs":2000 ,"z":"\u0061"}`
	for _, method := range []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(method, stream), func(t *testing.T) {
				var later atomic.Int64
				up := newShelf(t, list)
				up.stream.Store(stream)
				g := newKeeping(t, up.URL, time.Minute, func(c *relay.Config, _ *proxy.BackendConfig) {
					c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
				})
				for i, who := range []string{"alice", "bob", "alice"} {
					if got := g.list(method, fmt.Sprint(i), "", "Authorization", "Bearer "+who); got != list {
						t.Errorf("%s got %s", who, got)
					}
				}
				up.want(t, "modern clients", 1)
				g.list(method, `"p"`, `"cursor":"2"`)
				up.want(t, "another page", 1)
				g.list(method, `"p"`, `"also":"2"`)
				g.list(method, `"p"`, `"also":"2"`)
				up.want(t, "a question with more in it", 2)
				session := g.open()
				for _, id := range []string{`"a"`, `12345678901234567890`} {
					if got := g.listLegacy(session, method, id); got != list {
						t.Errorf("the legacy client got %s", got)
					}
				}
				up.want(t, "legacy clients", 1)
				later.Store(int64(2 * time.Second))
				g.list(method, "1", "")
				up.want(t, "after its time", 1)

				up.result.Store(`{"tools":[]}`)
				later.Store(int64(5 * time.Second))
				g.list(method, "1", "")
				g.list(method, "1", "")
				later.Store(int64(64 * time.Second))
				g.list(method, "1", "")
				up.want(t, "a list without a time", 1)
				later.Store(int64(66 * time.Second))
				g.list(method, "1", "")
				up.want(t, "after list_ttl", 1)
			})
		}
	}
}

// What nobody may keep is asked for each time: errors, lists that hold for no time, and answers that are very long. What is
// one caller's own is that caller's.
func TestListsThatMayNotBeKept(t *testing.T) { // T3
	long := `{"tools":[{"name":"a","description":"` + strings.Repeat("x", 1<<20) + `"}]}`
	for what, c := range map[string]struct {
		result       string
		alice, twice int32
	}{
		"an error":      {"", 2, 3},
		"no time":       {`{"tools":[],"ttlMs":0}`, 2, 3},
		"no such time":  {`{"tools":[],"ttlMs":"60000"}`, 2, 3},
		"a minus":       {`{"tools":[],"ttlMs":-5}`, 2, 3},
		"very long":     {long, 2, 3},
		"one's own":     {`{"tools":[],"ttlMs":60000,"cacheScope":"private"}`, 1, 2},
		"everybody's":   {`{"tools":[],"ttlMs":60000,"cacheScope":"public"}`, 1, 1},
		"with fraction": {`{"tools":[],"ttlMs":60000.0}`, 1, 1},
	} {
		for _, method := range []string{"tools/list", "prompts/list"} {
			t.Run(what+" "+method, func(t *testing.T) {
				up := newShelf(t, c.result)
				g := newKeeping(t, up.URL, time.Minute, nil)
				for range 2 {
					if got := g.list(method, "1", ""); c.result != "" && got != c.result {
						t.Errorf("got %.100s", got)
					}
				}
				if n := up.asked.Load(); n != c.alice {
					t.Errorf("alice asked the upstream %d times, want %d", n, c.alice)
				}
				g.list(method, "1", "", "Authorization", "Bearer bob")
				if n := up.asked.Load(); n != c.twice {
					t.Errorf("both asked the upstream %d times, want %d", n, c.twice)
				}
			})
		}
	}
}

// Nobody has a list made for others by what only they sent: it goes up with each who sends it, and is kept for those alone who
// send the same.
func TestKeptListsAreNotMadeByStrangers(t *testing.T) { // T3
	body := func(id, params, more string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/list","params":{` + params + strings.Replace(meta, `"_meta":{`, `"_meta":{`+more, 1) + `}}`
	}
	for what, c := range map[string]struct {
		request func(g *gateway) *http.Request
		kept    bool
	}{
		"a language": {func(g *gateway) *http.Request {
			return g.modern("tools/list", "", body("1", "", ""), "Accept-Language", "de")
		}, true},
		"an extension": {func(g *gateway) *http.Request {
			text := strings.Replace(body("1", "", ""), `clientCapabilities":{}`, `clientCapabilities":{"extensions":{"io.example/ui":{}}}`, 1)
			return g.modern("tools/list", "", text)
		}, true},
		"baggage": {func(g *gateway) *http.Request {
			return g.modern("tools/list", "", body("1", "", ""), "Baggage", "tenant=other")
		}, false},
		"a header of an argument": {func(g *gateway) *http.Request {
			return g.modern("tools/list", "", body("1", "", ""), "Mcp-Param-Region", "eu")
		}, false},
		"something in _meta": {func(g *gateway) *http.Request {
			return g.modern("tools/list", "", body("1", "", `"com.example/view":"other",`))
		}, false},
		"something new in _meta": {func(g *gateway) *http.Request {
			return g.modern("tools/list", "", body("1", "", `"io.modelcontextprotocol/view":"other",`))
		}, false},
		"a name, where none is asked for": {func(g *gateway) *http.Request {
			return g.modern("tools/list", "other", body("1", "", ""))
		}, false},
		"a long cursor": {func(g *gateway) *http.Request {
			return g.modern("tools/list", "", body("1", `"cursor":"`+strings.Repeat("x", 4000)+`",`, ""))
		}, false},
	} {
		t.Run(what, func(t *testing.T) {
			up := newShelf(t, `{"tools":[]}`)
			g := newKeeping(t, up.URL, time.Minute, nil)
			for range 2 {
				if resp, text := g.do(c.request(g)); resp.StatusCode != http.StatusOK {
					t.Fatal(text)
				}
			}
			want := int32(2)
			if c.kept {
				want = 1
			}
			up.want(t, "the stranger", want)
			g.list("tools/list", "1", "")
			up.want(t, "others", 1)
			g.do(g.modern("tools/list", "", body("2", "", `"progressToken":7,"traceparent":"00-a",`), "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
			up.want(t, "what says nothing of the list", 0)
		})
	}
}

// Everybody's view is cut from the same page.
func TestAKeptListIsCutForEachCaller(t *testing.T) { // T3, §9.1, T5
	up := newShelf(t, `{"tools":[{"name":"safe"},{"name":"danger"}],"cacheScope":"public","ttlMs":60000}`)
	g := newKeeping(t, up.URL, time.Minute, guarded)
	for range 2 {
		if got := g.list("tools/list", "1", ""); got != `{"tools":[{"name":"safe"}],"cacheScope":"private","ttlMs":60000}` {
			t.Errorf("alice sees %s", got)
		}
		if got := g.list("tools/list", "1", "", "Authorization", "Bearer root Admin"); !strings.Contains(got, "danger") {
			t.Errorf("root sees %s", got)
		}
	}
	up.want(t, "both", 1)
}

// An upstream that says that a list is another now is asked again, however its word travels and wherever it was cut.
func TestAChangedListIsAskedForAgain(t *testing.T) { // T3
	const word = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/tools\\/list_changed\"}\n\n"
	for cut := range len(word) {
		if cut%7 != 0 && word[cut] != '_' {
			continue
		}
		up := newShelf(t, `{"tools":[]}`)
		up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
			say := mcptest.Stream(w)
			say(word[:cut])
			say(word[cut:] + "data: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":{}}\n\n")
		})
		g := newKeeping(t, up.URL, time.Minute, nil)
		session := g.open()
		g.listLegacy(session, "tools/list", "1")
		g.listLegacy(session, "tools/list", "2")
		up.want(t, "before", 1)
		if _, body := g.do(g.legacy(session, `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a"}}`)); !strings.Contains(body, "list_changed") {
			t.Fatalf("the call brought %q", body)
		}
		g.listLegacy(session, "tools/list", "4")
		up.want(t, fmt.Sprint("afterwards, cut at ", cut), 1)
	}
}

// A list that was under way when the word came may be the old one.
func TestAListThatChangesUnderWayIsNotKept(t *testing.T) { // T3
	up := newShelf(t, `{"tools":[]}`)
	asked, go1 := make(chan struct{}), make(chan struct{})
	var once sync.Once
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		once.Do(func() { close(asked); <-go1 })
		up.serve(w, m)
	})
	up.On("tools/call", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		mcptest.Stream(w)("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":{}}\n\n")
	})
	g := newKeeping(t, up.URL, time.Minute, nil)
	session := g.open()
	done := make(chan struct{})
	go func() { defer close(done); g.listLegacy(session, "tools/list", "1") }()
	<-asked
	g.do(g.legacy(session, `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a"}}`))
	close(go1)
	<-done
	g.listLegacy(session, "tools/list", "2")
	up.want(t, "both", 2)
}

// Callers who come while one asks get what that one got.
func TestOneAsksForAllWhoCome(t *testing.T) { // T3: single flight
	up := newShelf(t, `{"tools":[]}`)
	first, asked := make(chan struct{}), make(chan struct{}, 1)
	up.On("tools/list", func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) {
		asked <- struct{}{}
		<-first
		up.serve(w, m)
	})
	g := newKeeping(t, up.URL, time.Minute, nil)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if got := g.list("tools/list", fmt.Sprint(i), ""); got != `{"tools":[]}` {
				t.Errorf("caller %d got %s", i, got)
			}
		})
	}
	<-asked
	close(first)
	group.Wait()
	up.want(t, "all", 1)
}

// What an upstream says ahead of a list that nobody looks into does not wait for the list.
func TestWhatComesAheadOfAListDoesNotWait(t *testing.T) { // §9.1
	up := newShelf(t, `{"prompts":[]}`)
	seen := make(chan struct{})
	up.On("prompts/list", func(w http.ResponseWriter, r *http.Request, m mcptest.UpstreamMessage) {
		up.asked.Add(1)
		say := mcptest.Stream(w)
		say("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n")
		select {
		case <-seen:
		case <-r.Context().Done():
		}
		say("data: {\"jsonrpc\":\"2.0\",\"id\":" + string(m.ID) + ",\"result\":{\"prompts\":[]}}\n\n")
	})
	g := newKeeping(t, up.URL, time.Minute, nil)
	session := g.open()
	resp, err := http.DefaultClient.Do(g.legacy(session, `{"jsonrpc":"2.0","id":7,"method":"prompts/list"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("before the notification: %v", err)
		}
		if strings.Contains(line, "notifications/message") {
			break
		}
	}
	close(seen)
	if rest, _ := io.ReadAll(lines); !strings.Contains(string(rest), `"id":7,"result":{"prompts":[]}`) {
		t.Errorf("the rest is %q", rest)
	}
}

// A client that takes JSON only gets the list, and the exchange with the upstream ends once.
func TestListsForClientsThatTakeJSONOnly(t *testing.T) { // E1
	up := newShelf(t, `{"tools":[{"name":"safe"},{"name":"danger"}]}`)
	up.stream.Store(true)
	for _, change := range []func(*relay.Config, *proxy.BackendConfig){nil, guarded} {
		g := newKeeping(t, up.URL, 0, change)
		session := g.open()
		resp, body := g.do(g.legacy(session, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, "Accept", "application/json"))
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || strings.Contains(body, "danger") != (change == nil) {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
}
