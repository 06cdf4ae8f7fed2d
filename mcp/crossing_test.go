package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/drawbridge-mcp/drawbridge/mcp/crossing"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/relay"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// TestTranscriptsAcrossEras plays the written requests of testdata/crossing to a server whose upstream is of the other era,
// those of testdata/relay where it is of the same, and compares the answers, and what the upstream was sent, byte for byte:
// the rows of mcp.md §11, §16.1, and §17 for relays.
//
//	on METHOD [NAME]  what the upstream answers: JSON, or events when it begins with one; a number before it is the status,
//	                  $ID the request's id; a line "wait" lets it wait until its question was answered, "linger" behind that for
//	                  200 ms more; behind "answered" stands what it answers to a request with inputResponses
//	anything else     a request; behind it stand the answer and what the upstream was sent
//	reply             what the client answers the question that came with the request before
func TestTranscriptsAcrossEras(t *testing.T) {
	files, err := filepath.Glob("testdata/[cr]*/*.txtar") // crossing, relay
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { newEras(t).play(t, file, archive) }) // no answer is late (E1)
		})
	}
}

// eras is a server whose upstream does what a transcript says.
type eras struct {
	house
	up *scripted
}

func newEras(t *testing.T) *eras {
	t.Helper()
	e := &eras{up: &scripted{on: map[string]string{}, answered: make(chan struct{}, 8)}}
	memory, parked := upstream.NewMemory(), crossing.NewMemory()
	t.Cleanup(func() {
		parked.Close()
		memory.Close()
	})
	client := serveInMemory(t, e.up)
	pipeline, err := proxy.New(proxy.Config{Backends: []proxy.BackendConfig{{Name: "up", URL: "http://up.example/mcp", Timeout: 10 * time.Second}}}, proxy.NewState(),
		proxy.Deps{Transport: func(proxy.BackendConfig) http.RoundTripper { return client }})
	if err != nil {
		t.Fatal(err)
	}
	leg, err := upstream.New(upstream.Config{Server: "orders", Backend: "up", Doer: pipeline, Memory: memory, ListTTL: time.Minute, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	other, err := crossing.New(crossing.Config{Name: "orders", Upstream: "up", Leg: leg, Keyring: keys, Memory: parked, ListTTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	server, err := relay.New(relay.Config{Name: "orders", Upstream: "up", Leg: leg, Crossing: other, Doer: pipeline, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	e.handler = &edge.Handler{
		PublicURL: "https://gw.example.com", Keyring: keys, Authenticate: fakeAuthenticate,
		Lookup: func(string) (edge.Server, edge.State) { return server, edge.Serving },
	}
	return e
}

// serveInMemory serves h without a machine's network, until the test ends, and returns the way there.
func serveInMemory(t *testing.T, h http.Handler) *http.Transport {
	wires := &inMemory{conns: make(chan net.Conn), closed: make(chan struct{})}
	backend := &http.Server{Handler: h}
	go func() { _ = backend.Serve(wires) }()
	way := &http.Transport{DialContext: wires.dial}
	t.Cleanup(func() {
		way.CloseIdleConnections()
		_ = backend.Close()
	})
	return way
}

// inMemory is a network of two.
type inMemory struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (n *inMemory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case n.conns <- there:
		return here, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *inMemory) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *inMemory) Close() error   { n.once.Do(func() { close(n.closed) }); return nil }
func (n *inMemory) Addr() net.Addr { return &net.TCPAddr{} }

var eventID = regexp.MustCompile(`(?m)^id: [A-Za-z0-9_-]{12}-`)

var stateText = regexp.MustCompile(`"requestState":"([^"]{60,})"`)

func (e *eras) play(t *testing.T, file string, archive *txtar.Archive) {
	t.Helper()
	out := &txtar.Archive{Comment: archive.Comment}
	session, state := "", ""
	for i, f := range archive.Files {
		switch {
		case f.Name == "answer" || f.Name == "upstream" || f.Name == "reply":
			continue
		case strings.HasPrefix(f.Name, "on "):
			e.up.script(strings.TrimPrefix(f.Name, "on "), string(f.Data))
			out.Files = append(out.Files, f)
			continue
		}
		out.Files = append(out.Files, f)
		request := strings.ReplaceAll(string(f.Data), "$STATE", state)
		var got string
		if i+1 < len(archive.Files) && archive.Files[i+1].Name == "reply" {
			out.Files = append(out.Files, archive.Files[i+1])
			got = e.asked(t, request, string(archive.Files[i+1].Data), &session)
		} else {
			got = e.exchange(t, request, &session)
		}
		if m := stateText.FindStringSubmatch(got); m != nil {
			state = m[1]
			got = strings.ReplaceAll(got, state, "$STATE")
		}
		answers := []txtar.File{{Name: "answer", Data: []byte(got)}, {Name: "upstream", Data: []byte(e.up.received())}}
		e.compare(t, archive.Files[i+1:], f.Name, answers)
		out.Files = append(out.Files, answers...)
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *eras) compare(t *testing.T, written []txtar.File, name string, answers []txtar.File) {
	t.Helper()
	if *update {
		return
	}
	written = slices.DeleteFunc(slices.Clone(written[:min(3, len(written))]), func(f txtar.File) bool { return f.Name == "reply" })
	for i, got := range answers {
		if i >= len(written) || written[i].Name != got.Name {
			t.Fatalf("%s has no %s; run with -update", name, got.Name)
		}
		if want := string(written[i].Data); want != string(got.Data) {
			t.Errorf("%s, %s\ngot:\n%s\nwant:\n%s", name, got.Name, got.Data, want)
		}
	}
}

// asked sends a request and, once the server has asked something on its stream, the client's reply.
func (e *eras) asked(t *testing.T, request, reply string, session *string) string {
	t.Helper()
	heard := &watched{found: make(chan string, 1)}
	done, own := make(chan string, 1), *session
	go func() { done <- e.serveTo(t, request, &own, heard) }()
	select {
	case id := <-heard.found:
		e.exchange(t, "POST /mcp/orders HTTP/1.1\nAuthorization: Bearer alice\nContent-Type: application/json\nAccept: application/json, text/event-stream\nMcp-Session-Id: $SESSION\n\n"+
			strings.ReplaceAll(reply, "$ASKED", id), session)
		got := <-done
		return strings.ReplaceAll(got, id, `"$ASKED"`)
	case got := <-done:
		return got
	}
}

// watched looks in what is written for a question of the server's.
type watched struct {
	mu    sync.Mutex
	text  bytes.Buffer
	found chan string // its id, as JSON
	told  bool
}

var question = regexp.MustCompile(`"id":("[^"]*"|[0-9]+),"method":"(?:elicitation|sampling|roots)/`)

func (w *watched) saw(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if m := question.FindSubmatch(w.text.Bytes()); m != nil && !w.told {
		w.told = true
		w.found <- string(m[1])
	}
}

// tapped is a recorder that shows what is written to it.
type tapped struct {
	*httptest.ResponseRecorder
	to *watched // nil: nobody looks
}

func (w tapped) Write(p []byte) (int, error) {
	if w.to != nil {
		w.to.saw(p)
	}
	return w.ResponseRecorder.Write(p)
}

// scripted is an upstream that answers as written.
type scripted struct {
	answered chan struct{}

	mu     sync.Mutex
	on     map[string]string
	opened int
	seen   strings.Builder
}

func (s *scripted) script(what, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on[what] = answer
}

// received is what came since it was asked last.
func (s *scripted) received() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.seen.Reset()
	return s.seen.String()
}

// shown are the headers of transcripts: those of the protocol, and what must never be there.
var shown = []string{"Accept", "Content-Type", "Authorization", "Last-Event-Id", "Mcp-Method", "Mcp-Name", "Mcp-Param-Region", "Mcp-Protocol-Version", "Mcp-Session-Id"}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct {
			Name, URI      string
			InputResponses json.RawMessage
		}
	}
	_ = json.Unmarshal(body, &m)
	s.mu.Lock()
	fmt.Fprintf(&s.seen, "%s %s\n", r.Method, m.Method)
	for _, name := range shown {
		for _, v := range r.Header[name] {
			fmt.Fprintf(&s.seen, "%s: %s\n", name, v)
		}
	}
	s.seen.Write(append(body, '\n'))
	answer, ok := s.on[strings.TrimSpace(m.Method+" "+m.Params.Name+m.Params.URI)]
	if !ok {
		answer, ok = s.on[m.Method]
	}
	if again := s.on[m.Method+" "+m.Params.Name+" answered"]; m.Params.InputResponses != nil && again != "" {
		answer = again
	}
	if m.Method == "initialize" && ok {
		s.opened++
		w.Header().Set("Mcp-Session-Id", "up-"+strconv.Itoa(s.opened))
	}
	s.mu.Unlock()
	switch {
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case m.Method == "":
		w.WriteHeader(http.StatusAccepted)
		s.answered <- struct{}{}
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		s.say(w, strings.ReplaceAll(answer, "$ID", string(m.ID)))
	}
}

func (s *scripted) say(w http.ResponseWriter, answer string) {
	status := http.StatusOK
	if line, rest, _ := strings.Cut(answer, "\n"); len(line) == 3 {
		status, _ = strconv.Atoi(line)
		answer = rest
	}
	kind := "application/json"
	if !strings.HasPrefix(answer, "{") {
		kind = "text/event-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	for i, part := range strings.Split(answer, "wait\n") {
		if i > 0 {
			<-s.answered
		}
		if rest, late := strings.CutPrefix(part, "linger\n"); late {
			time.Sleep(200 * time.Millisecond)
			part = rest
		}
		_, _ = io.WriteString(w, part)
		_ = http.NewResponseController(w).Flush()
	}
}
