package edge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// listening is one open stream as its client sees it. It costs the client no goroutine, so that those that are there are
// the server's.
type listening struct {
	conn net.Conn
	body io.ReadCloser
	want string // everything it must carry, to its end
}

const (
	manyStreams = 2000
	perCaller   = 10 // of each kind: limits.listens_per_caller allows for 20 here
)

// listenTo sends a request by hand and reads the head of the answer.
func listenTo(t *testing.T, conn net.Conn, r *http.Request) *listening {
	t.Helper()
	r.Host = "gw"
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	return &listening{conn: conn, body: resp.Body}
}

func getStream(session, as string) *http.Request {
	r, _ := http.NewRequest(http.MethodGet, "http://gw/mcp/s", nil)
	r.Header = http.Header{"Accept": {"text/event-stream"}, "Mcp-Session-Id": {session}, "Authorization": {as}}
	return r
}

const (
	toldOnce   = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"
	taggedMeta = `"_meta":{"io.modelcontextprotocol/subscriptionId":"i1"}`
	wholeStory = `event: message` + "\n" + `data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},` + taggedMeta + "}}\n\n" +
		`event: message` + "\n" + `data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{` + taggedMeta + "}}\n\n" +
		`event: message` + "\n" + `data: {"jsonrpc":"2.0","id":"i1","result":{"resultType":"complete",` + taggedMeta + "}}\n\n"
)

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("descriptors cannot be counted here")
	}
	return len(list)
}

// Half of the streams are GET streams of sessions, half subscriptions/listen. Each is told of one change, once; a part of
// the clients leaves, the others stay to the end. What was opened is gone afterwards.
func TestTwoThousandStreamsAreToldOnceAndLeaveNothing(t *testing.T) { // E8, E11, L4, L6, X5
	leaks := goleak.IgnoreCurrent()
	s := &server{view: "v1"}
	h := newHandler(t, s, func(h *Handler) { h.Limits.ListensPerCaller = 2 * perCaller })
	web := httptest.NewServer(h)
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	streams := openMany(t, h, web.Listener.Addr().String())
	if n := runtime.NumGoroutine() - goroutines; n > 2*manyStreams+10 {
		t.Errorf("%d goroutines for %d streams", n, manyStreams)
	}
	for i, l := range streams[:len(streams)/4] { // they leave; of those that stay none has been told yet
		_ = l.conn.Close()
		streams[i] = nil
	}
	for len(h.edge.hub.all()) > manyStreams*3/4 {
		runtime.Gosched()
	}
	s.set("v2")
	for range 3 {
		h.Changed()
	}
	for _, l := range streams {
		if l != nil {
			l.awaitChange(t)
		}
	}
	h.Close()
	for i, l := range streams {
		if l == nil {
			continue
		}
		rest, err := io.ReadAll(l.body)
		if err != nil || string(rest) != "" && !strings.HasSuffix(l.want, string(rest)) {
			t.Fatalf("stream %d ends with %v, %q", i, err, rest)
		}
		_ = l.conn.Close()
	}
	web.Close()
	goleak.VerifyNone(t, leaks)
	if n := descriptors(t); n > files {
		t.Errorf("%d descriptors before, %d after", files, n)
	}
}

func openMany(t *testing.T, h *Handler, address string) []*listening {
	t.Helper()
	streams := make([]*listening, 0, manyStreams)
	for i := range manyStreams {
		as := fmt.Sprintf("person%d", i/(2*perCaller))
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		var l *listening
		if i%2 == 0 {
			l = listenTo(t, conn, getStream(open(t, h, as), as))
			l.want = toldOnce
		} else {
			r := modernRequest("subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
			r.Header.Set("Authorization", as)
			l = listenTo(t, conn, r)
			l.want = wholeStory
		}
		streams = append(streams, l)
	}
	return streams
}

// awaitChange reads to the end of the event that tells of the change.
func (l *listening) awaitChange(t *testing.T) {
	t.Helper()
	upTo, _, _ := strings.Cut(l.want, "list_changed")
	var got strings.Builder
	for buf := make([]byte, 1); !strings.Contains(got.String(), "list_changed") || !strings.HasSuffix(got.String(), "\n\n"); {
		n, err := l.body.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("ended with %v after %q", err, got.String())
		}
	}
	if !strings.Contains(got.String(), upTo) {
		t.Fatalf("got %q", got.String())
	}
}

// pipes is a listener whose connections are in memory: no buffer between the ends, and synctest's clock for deadlines.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }
func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

// A client that takes nothing is cut after 30 s, and neither the call it made nor anybody else waits for it.
func TestASlowReaderHurtsOnlyItself(t *testing.T) { // E5, E9
	synctest.Test(t, func(t *testing.T) {
		made := make(chan time.Duration, 1)
		s := &server{view: "v1", handle: func(_ context.Context, r *Request) (json.RawMessage, error) {
			start := time.Now()
			for range 2 * queueEvents {
				r.Notify(json.RawMessage(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"`+strings.Repeat("x", 4<<10)+`"}}`), false)
			}
			made <- time.Since(start)
			return json.RawMessage(`{}`), nil
		}}
		h := newHandler(t, s, nil)
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		facts := &identity.Request{ID: "r"}
		web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), facts)))
		})}
		go func() { _ = web.Serve(l) }()
		var others []*listening
		for i := range 20 {
			as := fmt.Sprintf("person%d", i)
			others = append(others, listenTo(t, l.dial(), getStream(open(t, h, as), as)))
		}
		slow := l.dial()
		start := time.Now()
		if err := modernRequestOver("x").Write(slow); err != nil {
			t.Fatal(err)
		}
		if d := <-made; d != 0 {
			t.Errorf("the call waited %v for its reader", d)
		}
		s.set("v2")
		h.Changed()
		for _, o := range others {
			o.want = toldOnce
			o.awaitChange(t)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the others waited %v", d)
		}
		time.Sleep(readerWithin + time.Second)
		synctest.Wait()
		_ = slow.SetReadDeadline(time.Now().Add(time.Minute))
		if left, err := io.Copy(io.Discard, slow); err != nil || time.Since(start) > readerWithin+time.Second {
			t.Errorf("the slow one is still served after %v: %d bytes, %v", time.Since(start), left, err)
		}
		// One event was being written with the others waiting behind it; what did not fit was counted.
		if noted := fmt.Sprint(facts.Attrs()); !strings.Contains(noted, "events_dropped=") {
			t.Errorf("noted %s", noted)
		}
		h.Close()
		for _, o := range others {
			_, _ = io.Copy(io.Discard, o.body)
			_ = o.conn.Close()
		}
		_ = web.Close()
	})
}

// An answer in one piece is no stream, and yet has a reader that may take nothing.
func TestALargeAnswerDoesNotWaitForItsReader(t *testing.T) { // E5
	large := json.RawMessage(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)
	for name, s := range map[string]Server{
		"own":     &server{handle: func(context.Context, *Request) (json.RawMessage, error) { return large, nil }},
		"relayed": &plain{body: large},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler(t, &server{}, func(h *Handler) { h.Lookup = func(string) (Server, State) { return s, Serving } })
				l := &pipes{make(chan net.Conn), make(chan struct{})}
				web := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
				go func() { _ = web.Serve(l) }()
				ask := func() net.Conn {
					c := l.dial()
					if err := modernRequestOver("x").Write(c); err != nil {
						t.Fatal(err)
					}
					return c
				}
				slow, patient := ask(), ask()
				start := time.Now()
				var got int
				for buf := make([]byte, 32<<10); got < len(large); time.Sleep(readerWithin / 10) { // slowly, and yet it takes some
					n, err := patient.Read(buf)
					if got += n; err != nil {
						t.Fatalf("cut after %v and %d bytes: %v", time.Since(start), got, err)
					}
				}
				_ = patient.Close()
				if n, err := slow.Read(make([]byte, 1)); err == nil {
					t.Errorf("%d bytes are there after %v", n, time.Since(start))
				}
				_ = web.Close()
			})
		})
	}
}

// plain is a relay whose upstream answers in one piece.
type plain struct {
	server
	body []byte
}

func (s *plain) Pass(context.Context, *Request) (*Passed, error) {
	return &Passed{Status: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(s.body)), Length: int64(len(s.body))}, nil
}

func modernRequestOver(method string) *http.Request {
	r := modernRequest(method, "")
	r.URL.Scheme, r.URL.Host = "http", "gw"
	return r
}
