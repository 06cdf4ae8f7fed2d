package combined_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// fake is a source that is set up by its fields. Lists hold raw definitions.
type fake struct {
	tools, prompts, resources, templates []string
	about                                string // members of server/discover; "": tools only
	hints                                string // members that end a list; "": ,"ttlMs":60000,"cacheScope":"public"
	page                                 int    // entries in one page; 0: all
	// before runs ahead of every answer; an error is the answer.
	before func(ctx context.Context, r *edge.Request) error
	// other answers what is no list.
	other func(ctx context.Context, r *edge.Request) (json.RawMessage, error)

	mu     sync.Mutex
	view   string
	asked  []string // methods
	got    []*edge.Request
	tells  []func(json.RawMessage)
	wants  []edge.Interest
	left   []string
	notes  []string // notifications
	refuse error    // of Listen
}

func (f *fake) Name() string                            { return "fake" }
func (f *fake) Allowed(*identity.Caller) (bool, string) { return true, "" }

func (f *fake) View(*identity.Caller) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

// change sets lists and the like while the source serves.
func (f *fake) change(with func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	with(f)
}

func (f *fake) times(method string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.asked {
		if m == method {
			n++
		}
	}
	return n
}

// last is the last request of this method.
func (f *fake) last(t testing.TB, method string) *edge.Request {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.got) - 1; i >= 0; i-- {
		if f.got[i].Message.Method == method {
			return f.got[i]
		}
	}
	t.Fatalf("no %s came", method)
	return nil
}

func (f *fake) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	method := r.Message.Method
	f.mu.Lock()
	f.asked, f.got = append(f.asked, method), append(f.got, r)
	before, other, about, hints := f.before, f.other, f.about, f.hints
	lists := map[string][]string{"tools/list": f.tools, "prompts/list": f.prompts, "resources/list": f.resources, "resources/templates/list": f.templates}
	f.mu.Unlock()
	if before != nil {
		if err := before(ctx, r); err != nil {
			return nil, err
		}
	}
	if hints == "" {
		hints = `,"ttlMs":60000,"cacheScope":"public"`
	}
	if entries, ok := lists[method]; ok {
		return f.list(r, method, entries, hints)
	}
	switch {
	case method == "server/discover":
		if about == "" {
			about = `"capabilities":{"tools":{}}`
		}
		return json.RawMessage(`{` + about + hints + `}`), nil
	case other != nil:
		return other(ctx, r)
	}
	return json.RawMessage(`{"content":[{"type":"text","text":"` + method + `"}]}`), nil
}

func (f *fake) list(r *edge.Request, method string, entries []string, hints string) (json.RawMessage, error) {
	if entries == nil && method != "tools/list" {
		return nil, edge.MethodNotFound(method)
	}
	member := map[string]string{"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates"}[method]
	from, next := 0, ""
	if text, ok := r.Message.Text(r.Message.Cursor); ok {
		_, _ = fmt.Sscanf(text, "at%d", &from)
	}
	if f.page > 0 && from+f.page < len(entries) {
		next = fmt.Sprintf(`,"nextCursor":"at%d"`, from+f.page)
		entries = entries[:from+f.page]
	}
	return json.RawMessage(`{"` + member + `":[` + strings.Join(entries[from:], ",") + `]` + next + hints + `}`), nil
}

// Listen implements edge.Teller.
func (f *fake) Listen(ctx context.Context, r *edge.Request, want edge.Interest, tell func(json.RawMessage)) (edge.Interest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tells, f.wants = append(f.tells, tell), append(f.wants, want)
	return want, f.refuse
}

// listens is how often somebody began to listen.
func (f *fake) listens() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.tells)
}

func (f *fake) say(notification string) {
	f.mu.Lock()
	tells := append([]func(json.RawMessage){}, f.tells...)
	f.mu.Unlock()
	for _, tell := range tells {
		tell(json.RawMessage(notification))
	}
}

// Notified implements edge.Notified.
func (f *fake) Notified(_ context.Context, r *edge.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, string(r.Message.Body))
}

// Left implements edge.Leaver.
func (f *fake) Left(_ context.Context, session string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = append(f.left, session)
}

func tool(name string) string {
	return `{"name":"` + name + `", "description":"Does ` + name + `.","inputSchema":{"type":"object","$schema":"https://json-schema.org/draft/2020-12/schema","n":12345678901234567890.1200}}`
}

func tools(names ...string) (list []string) {
	for _, n := range names {
		list = append(list, tool(n))
	}
	return list
}

// echo answers calls with what the source was sent.
func echo(as string) func(context.Context, *edge.Request) (json.RawMessage, error) {
	return func(_ context.Context, r *edge.Request) (json.RawMessage, error) {
		name, _ := r.Message.Text(r.Message.Name)
		args := string(r.Message.Bytes(r.Message.Arguments))
		text, _ := json.Marshal(as + " " + name + " " + args)
		return json.RawMessage(`{"content":[{"type":"text","text":` + string(text) + `}],"x-unknown":1.10}`), nil
	}
}

func newKeys(t testing.TB) *secret.Keyring {
	t.Helper()
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func build(t testing.TB, cfg combined.Config) *combined.Server {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name, cfg.Title, cfg.Version, cfg.ListTTL = "all", "All of it", "1.2.3", time.Minute
	}
	if cfg.Keyring == nil {
		cfg.Keyring = newKeys(t)
	}
	s, err := combined.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// of is a source of this prefix.
func of(as string, server edge.Server) combined.Source {
	return combined.Source{As: as, Server: server}
}

func request(t testing.TB, caller *identity.Caller, modern bool, method, params string) *edge.Request {
	t.Helper()
	m, err := edge.Decode([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)), edge.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r := &edge.Request{
		Message: m, Modern: modern, Revision: "2025-11-25", Session: "s1", Caller: caller, HTTP: httptest.NewRequest(http.MethodPost, "/mcp/all", nil),
		Notify: func(json.RawMessage, bool) {}, SetLogLevel: func(string) {},
	}
	if modern {
		r.Revision, r.Session = edge.Modern, ""
	}
	return r
}

// ask sends a request of alice, who has no roles.
func ask(t testing.TB, s *combined.Server, modern bool, method, params string) (string, error) {
	t.Helper()
	raw, err := s.Handle(t.Context(), request(t, mcptest.Caller("alice"), modern, method, params))
	return string(raw), err
}

func must(t testing.TB, s *combined.Server, modern bool, method, params string) string {
	t.Helper()
	raw, err := ask(t, s, modern, method, params)
	if err != nil {
		t.Fatalf("%s %s: %v", method, params, err)
	}
	return raw
}

// names are the names in a list, in order.
func names(t testing.TB, result string) string {
	t.Helper()
	var lists map[string]json.RawMessage
	if err := json.Unmarshal([]byte(result), &lists); err != nil {
		t.Fatalf("%s: %v", result, err)
	}
	var all []string
	for _, member := range []string{"tools", "prompts", "resources", "resourceTemplates"} {
		var entries []struct{ Name, URI, URITemplate string }
		_ = json.Unmarshal(lists[member], &entries)
		for _, e := range entries {
			switch {
			case e.URI != "":
				all = append(all, e.URI)
			case e.URITemplate != "":
				all = append(all, e.URITemplate)
			default:
				all = append(all, e.Name)
			}
		}
	}
	return strings.Join(all, " ")
}

func wantCode(t testing.TB, err error, code int) *edge.Error {
	t.Helper()
	e, ok := err.(*edge.Error) //nolint:errorlint // what the client is told
	if !ok || e.Code != code {
		t.Fatalf("error %v, want code %d", err, code)
	}
	return e
}

// logged is a log whose lines can be counted.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) lines(with string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.SplitSeq(l.b.String(), "\n") {
		if strings.Contains(line, with) {
			n++
		}
	}
	return n
}

func newLog() (*logged, *slog.Logger) {
	l := &logged{}
	return l, slog.New(slog.NewJSONHandler(l, nil))
}

// handler serves s at /mcp/all; "Bearer NAME ROLE…" is a person with these roles.
func handler(t testing.TB, s edge.Server) *edge.Handler {
	t.Helper()
	return &edge.Handler{
		PublicURL: "https://gw.example.com", Keyring: newKeys(t),
		Authenticate: func(w http.ResponseWriter, r *http.Request, _ string) (*identity.Caller, bool) {
			fields := strings.Fields(r.Header.Get("Authorization"))
			if len(fields) < 2 {
				w.WriteHeader(http.StatusUnauthorized)
				return nil, false
			}
			return mcptest.Caller(fields[1], fields[2:]...), true
		},
		Lookup: func(string) (edge.Server, edge.State) { return s, edge.Serving },
	}
}

// client speaks one era to a handler.
type client struct {
	h       http.Handler
	who     string
	modern  bool
	session string
}

func connect(t testing.TB, h http.Handler, who string, modern bool) *client {
	t.Helper()
	c := &client{h: h, who: who, modern: modern}
	if !modern {
		w := c.post(t, "initialize", "", `{"protocolVersion":"2025-11-25","capabilities":{}}`, "1")
		c.session = w.Header().Get("Mcp-Session-Id")
		if w.Code != http.StatusOK || c.session == "" {
			t.Fatalf("initialize: %d %s", w.Code, w.Body)
		}
	}
	return c
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// post sends a request; params is an object, into which a modern client puts its _meta.
func (c *client) post(t testing.TB, method, name, params, id string) *httptest.ResponseRecorder {
	t.Helper()
	if c.modern {
		comma := ","
		if params == "{}" {
			comma = ""
		}
		params = "{" + modernMeta + comma + params[1:]
	}
	body := `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`
	r := httptest.NewRequest(http.MethodPost, "/mcp/all", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.who)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
	}
	if c.modern {
		r.Header.Set("Mcp-Protocol-Version", edge.Modern)
		r.Header.Set("Mcp-Method", method)
		r.Header.Set("Mcp-Param-Region", "eu")
		if name != "" {
			r.Header.Set("Mcp-Name", name)
		}
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w
}

// answer is the JSON-RPC answer, from plain JSON or the last event of a stream.
func answer(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	body, _ := io.ReadAll(w.Result().Body)
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		return string(body)
	}
	last := ""
	for line := range strings.SplitSeq(string(body), "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			last = data
		}
	}
	return last
}

// nobody is somebody without a role.
func nobody() *identity.Caller { return mcptest.Caller("nobody") }
