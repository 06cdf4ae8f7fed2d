package mcp_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

var update = flag.Bool("update", false, "write what was answered into testdata")

// house is a handler with one server, orders, and the API behind it.
type house struct {
	handler *edge.Handler
	server  *bridge.Server
	road    *mcptest.Road
	config  bridge.Config
	api     http.HandlerFunc

	leaveAfter int                           // how often an answer is flushed until its client leaves; 0: it stays
	flushed    atomic.Pointer[chan struct{}] // closed when the answer that is being written was flushed
}

func newHouse(t testing.TB, api http.HandlerFunc) *house {
	t.Helper()
	h := &house{api: api}
	backend := httptest.NewServer(http.HandlerFunc(h.answer))
	t.Cleanup(backend.Close)
	t.Cleanup(backend.Client().CloseIdleConnections)
	return h.furnish(t, backend.Client(), backend.URL)
}

// newTimelessHouse is one for a bubble of synctest: no time passes while anybody in it has something to do.
func newTimelessHouse(t *testing.T, api http.HandlerFunc) *house {
	t.Helper()
	h := &house{api: api}
	return h.furnish(t, &http.Client{Transport: serveInMemory(t, http.HandlerFunc(h.answer))}, "http://orders.example")
}

func (h *house) answer(w http.ResponseWriter, r *http.Request) { h.api(w, r) }

// furnish puts a server behind the edge whose API is at url.
func (h *house) furnish(t testing.TB, client *http.Client, url string) *house {
	t.Helper()
	h.road = &mcptest.Road{Client: client, URL: parse(t, url)}
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.config = bridge.Config{
		Name: "orders", Title: "Orders", Version: "1.4.0", Keyring: keys, Doer: h.road, ListTTL: time.Minute, Page: 200,
		Access: func(c *identity.Caller) (bool, string) {
			return !c.HasRole("Nobody"), "you need one of the roles Orders.Reader"
		},
		Tools: []bridge.Tool{
			{Tool: mcptest.Tool("get_order"), Operation: mcptest.Operation{Path: "/get"}, API: "orders", Target: "orders"},
			{Tool: mcptest.Tool("delete_order"), Operation: mcptest.Operation{Path: "/delete"}, Roles: []string{"role:Orders.Admin"}},
			{Tool: mcptest.Tool("refund"), Operation: mcptest.Operation{Path: "/refund"}, Scope: "orders.refund"},
		},
	}
	h.server = h.build(t, h.config)
	h.handler = &edge.Handler{
		PublicURL: "https://gw.example.com", Keyring: keys, Authenticate: fakeAuthenticate,
		Lookup: func(name string) (edge.Server, edge.State) {
			switch name {
			case "orders":
				return h.server, edge.Serving
			case "old":
				return nil, edge.Retired
			}
			return nil, edge.Unknown
		},
	}
	return h
}

func (h *house) build(t testing.TB, cfg bridge.Config) *bridge.Server {
	t.Helper()
	s, err := bridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fakeAuthenticate takes "Bearer NAME ROLE…" for a person with these roles.
func fakeAuthenticate(w http.ResponseWriter, r *http.Request, server string) (*identity.Caller, bool) {
	fields := strings.Fields(r.Header.Get("Authorization"))
	if len(fields) < 2 || fields[0] != "Bearer" {
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="https://gw.example.com/.well-known/oauth-protected-resource/mcp/`+server+`", scope="mcp:`+server+`"`)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"invalid_request"}`)
		return nil, false
	}
	return mcptest.Caller(fields[1], fields[2:]...), true
}

func parse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var sessionID = regexp.MustCompile(`d1\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{22}`)

// exchange sends a written request and returns the written answer. $SESSION stands for the session id that came last.
func (h *house) exchange(t *testing.T, request string, session *string) string {
	t.Helper()
	return h.serveTo(t, request, session, nil)
}

// serveTo is exchange while somebody looks at the answer as it is written.
func (h *house) serveTo(t *testing.T, request string, session *string, tap *watched) string {
	request = strings.ReplaceAll(request, "$SESSION", *session)
	head, body, _ := strings.Cut(request, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	raw := strings.ReplaceAll(head, "\n", "\r\n") + "\r\nHost: gw.example.com\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Errorf("request %q: %v", head, err)
		return ""
	}
	facts := &identity.Request{ID: "01JREQUEST0000000000000000", IP: "192.0.2.1"}
	ctx, leave := context.WithCancel(identity.WithRequest(t.Context(), facts))
	defer leave()
	w := httptest.NewRecorder()
	first := make(chan struct{})
	h.flushed.Store(&first)
	h.handler.ServeHTTP(&flushing{tapped: tapped{w, tap}, first: first, leaveAfter: h.leaveAfter, leave: leave}, req.WithContext(ctx))
	if id := w.Header().Get("Mcp-Session-Id"); id != "" {
		*session = id
	}
	return write(w)
}

// flushing is a recorder of somebody who may leave before the end.
type flushing struct {
	tapped
	first      chan struct{}
	n          int
	leaveAfter int
	leave      func()
}

func (w *flushing) Flush() {
	w.ResponseRecorder.Flush()
	if w.n++; w.n == 1 {
		close(w.first)
	}
	if w.n == w.leaveAfter {
		w.leave()
	}
}

func write(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", w.Code)
	names := make([]string, 0, len(w.Header()))
	for name := range w.Header() {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if name == "Content-Length" {
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(w.Header()[name], ", "))
	}
	if w.Body.Len() > 0 {
		b.WriteString("\n" + w.Body.String() + "\n")
	}
	return eventID.ReplaceAllString(sessionID.ReplaceAllString(b.String(), "$$SESSION"), "id: $$STREAM-")
}

// TestTranscripts plays the written requests of testdata and compares the answers byte for byte: the rows of mcp.md §2,
// §3, §5, §6, §13 and §17. In each file requests and answers take turns.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { // no answer is late (E1)
				h := newTimelessHouse(t, echo)
				h.road.Refuse = refuseSome
				h.play(t, file, archive)
			})
		})
	}
}

// flushes is how the name of a request says that its client leaves after so many.
var flushes = regexp.MustCompile(`, ([0-9]+) flush`)

func (h *house) play(t *testing.T, file string, archive *txtar.Archive) {
	t.Helper()
	out := &txtar.Archive{Comment: archive.Comment}
	session := ""
	for i, f := range archive.Files {
		if strings.HasPrefix(f.Name, "answer") {
			continue
		}
		h.leaveAfter = 0
		if m := flushes.FindStringSubmatch(f.Name); m != nil {
			h.leaveAfter, _ = strconv.Atoi(m[1])
		}
		got := h.exchange(t, string(f.Data), &session)
		out.Files = append(out.Files, f, txtar.File{Name: "answer", Data: []byte(got)})
		if *update {
			continue
		}
		if i+1 >= len(archive.Files) || archive.Files[i+1].Name != "answer" {
			t.Fatalf("%s: %s has no answer; run with -update", file, f.Name)
		}
		if want := string(archive.Files[i+1].Data); got != want {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", f.Name, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// echo answers what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s", r.URL.Path, body)
}

// refuseSome stands for policies and faults on the road, chosen by the argument.
func refuseSome(c *proxy.Call) error {
	has := func(word string) bool { return strings.Contains(string(c.Arguments), word) }
	switch {
	case has("too often"):
		return &proxy.Error{Kind: proxy.Refused, Status: 429, Code: "rate_limit_exceeded", Msg: "Too many calls. Try again in 12 seconds.", RetryAfter: 11500 * time.Millisecond}
	case has("quota"):
		return &proxy.Error{Kind: proxy.Refused, Status: 403, Code: "quota_exceeded", Msg: "The quota is used up.", RetryAfter: time.Hour}
	case has("slow"):
		return &proxy.Error{Kind: proxy.Timeout, Msg: "The backend did not answer.", Err: fmt.Errorf("dial tcp 10.0.0.1:443: i/o timeout")}
	case has("gone"):
		return &proxy.Error{Kind: proxy.Unreachable, Msg: "The backend cannot be reached.", Err: fmt.Errorf("dial tcp 10.0.0.1:443: refused")}
	case has("credential"):
		return &proxy.Error{Kind: proxy.Credential, Msg: "The credential was refused."}
	case has("tripped"):
		return &proxy.Error{Kind: proxy.Unavailable, Msg: "No backend.", RetryAfter: 30 * time.Second}
	case has("ours"):
		return fmt.Errorf("secret host 10.0.0.1 broke")
	case has("panic"):
		panic("boom")
	}
	return nil
}
