package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; what must not happen is never waited for.
const patience = 10 * time.Second

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type webServer interface {
	Serve(l net.Listener) error
	Close() error
}

// serve serves h at an address of its own.
func serve(t testing.TB, s webServer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

func ours(h http.Handler) *Server {
	return &Server{Handler: h, Rest: &http.Server{Handler: h, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}}
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	check(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	check(t, nc.SetDeadline(time.Now().Add(patience)))
	return nc.(*net.TCPConn) //nolint:forcetypeassert // as dialled
}

// answers are ways in which handlers answer.
var answers = map[string]http.HandlerFunc{
	"nothing": func(http.ResponseWriter, *http.Request) {},
	"text":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
	"page":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><p>hello") },
	"no type": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil; fmt.Fprint(w, "hello") },
	"no date": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil },
	"encoded": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		fmt.Fprint(w, "?")
	},
	"status":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot); fmt.Fprint(w, "short") },
	"odd status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) },
	"twice":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(500) },
	"error":      func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
	"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"not modified": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.WriteHeader(http.StatusNotModified)
	},
	"accepted": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) },
	"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) },
	"lines": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "1\r\nX-B: 2")
		w.Header()["X C"] = []string{"3"}
	},
	"many values": func(w http.ResponseWriter, _ *http.Request) { w.Header()["X-A"] = []string{"1", " 2 "} },
	"late field":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.Header().Set("X-Late", "1") },
	"close": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "bye")
	},
	"length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		fmt.Fprint(w, "hello")
	},
	"too much": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2")
		fmt.Fprint(w, "he")
		fmt.Fprint(w, "llo")
	},
	"long": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("0123456789abcdef"), 5000))
	},
	"long in parts": func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3000 {
			fmt.Fprintf(w, "line %d\n", i)
		}
	},
	"long length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50000")
		for range 50 {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
		}
	},
	"flushed": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
	},
	"flushed empty": func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
	"early hints": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, "then")
	},
	"echo": func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(b), err, r.ContentLength)
	},
	"request": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Method, r.URL, r.Proto, r.Host, r.RequestURI, r.RemoteAddr != "", r.TLS, r.Close, r.Trailer, r.TransferEncoding, r.Form)
		for _, k := range slices.Sorted(maps.Keys(r.Header)) {
			fmt.Fprintln(w, k, r.Header[k])
		}
	},
}

// told is what a client learns from an answer; the date apart.
func told(t *testing.T, address, request, method string) string {
	t.Helper()
	nc := dial(t, address)
	_, err := io.WriteString(nc, request)
	check(t, err)
	var out strings.Builder
	in := bufio.NewReader(nc)
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		check(t, err)
		body, err := io.ReadAll(res.Body)
		res.Header.Del("Date")
		fmt.Fprintln(&out, res.Status, res.Header, res.ContentLength, res.TransferEncoding, res.Close, len(body), string(body[:min(len(body), 300)]), err)
		if res.StatusCode >= 200 {
			return out.String()
		}
	}
}

// Whoever cannot tell the two servers apart cannot be harmed by there being two.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.Header.Get("Answer")](w, r) })
	taken := atomic.Int64{}
	s := ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(*response); ok {
			taken.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	here, there := serve(t, s), serve(t, &http.Server{Handler: h, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)})
	n := int64(0)
	for name := range answers {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			n++
			request := fmt.Sprintf("%s /a/b?c=d HTTP/1.1\r\nHost: example.test\r\nAnswer: %s\r\n", method, name)
			if method == "POST" {
				request += "Content-Length: 12\r\n\r\nhello, world"
			} else {
				request += "\r\n"
			}
			if got, want := told(t, here, request, method), told(t, there, request, method); got != want {
				t.Errorf("%s %s\n%s\nnet/http:\n%s", method, name, got, want)
			}
		}
	}
	if taken.Load() != n {
		t.Errorf("%d of %d requests were served here", taken.Load(), n)
	}
}

func TestWhatIsNotPlainIsNetHTTPs(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		_, taken := w.(*response)
		fmt.Fprint(w, taken, " ", string(b), err)
	})
	address := serve(t, ours(h))
	for name, c := range map[string]struct{ request, want string }{
		"chunked":   {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "200 false hello<nil>"},
		"expect":    {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "100  200 false hello<nil>"},
		"close":     {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 false <nil>"},
		"1.0":       {"GET / HTTP/1.0\r\n\r\n", "200 false <nil>"},
		"long head": {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 10<<10) + "\r\n\r\n", "200 false <nil>"},
		"no host":   {"GET / HTTP/1.1\r\n\r\n", "400 400 Bad Request: missing required Host header"},
		"two hosts": {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 400 Bad Request"},
		"smuggled":  {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 false <nil>"},
		"plain":     {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 true hello<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			nc := dial(t, address)
			_, err := io.WriteString(nc, c.request)
			check(t, err)
			in, got := bufio.NewReader(nc), ""
			for status := 100; status < 200; {
				res, err := http.ReadResponse(in, nil)
				check(t, err)
				b, err := io.ReadAll(res.Body)
				check(t, err)
				status = res.StatusCode
				got += fmt.Sprint(status, " ", string(b), " ")
			}
			if got = strings.TrimSpace(got); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// One connection: plain requests, then one that is not, then plain ones again. All are answered, in order.
func TestAConnectionIsGivenAwayWithEveryByte(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s:%s", r.URL.Path, b)
	})
	nc := dial(t, serve(t, ours(h)))
	_, err := io.WriteString(nc, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"+
		"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"+
		"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n"+
		"GET /4 HTTP/1.1\r\nHost: a\r\n\r\n")
	check(t, err)
	in := bufio.NewReader(nc)
	for _, want := range []string{"/1:abc", "/2:", "/3:def", "/4:"} {
		res, err := http.ReadResponse(in, nil)
		check(t, err)
		if b, err := io.ReadAll(res.Body); err != nil || string(b) != want {
			t.Errorf("%q, %v, want %q", b, err, want)
		}
	}
}

// RFC 9112 section 2.2: some clients send a line end after the body of a POST, which is no part of the next request.
func TestALineEndAfterAPostIsSkipped(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	std := &http.Server{Handler: h, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}
	here, there := serve(t, ours(h)), serve(t, std)
	for _, c := range []struct{ first, blanks, then string }{
		{"POST", "\r\n", "GET / HTTP/1.1"},
		{"POST", "\n\n", "GET / HTTP/1.1"},
		{"POST", "\r\n\r\n", "GET / HTTP/1.0"},
		{"POST", "\r\n\r\n\r\n", "GET / HTTP/1.1"},
		{"PUT", "\r\n", "GET / HTTP/1.1"},
	} {
		var got [2]string
		for i, address := range []string{here, there} {
			nc := dial(t, address)
			_, err := fmt.Fprintf(nc, "%s / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello%s%s\r\nHost: a\r\nConnection: close\r\n\r\n", c.first, c.blanks, c.then)
			check(t, err)
			for in := bufio.NewReader(nc); len(got[i]) < 6; {
				res, err := http.ReadResponse(in, nil)
				check(t, err)
				_, err = io.Copy(io.Discard, res.Body)
				check(t, err)
				got[i] += fmt.Sprint(res.StatusCode)
			}
		}
		if got[0] != got[1] {
			t.Errorf("%s and %q: %s, net/http %s", c.first, c.blanks, got[0], got[1])
		}
	}
}

// A connection without a name must not end the loop that accepts the others, and with it the program.
func TestAConnectionNeedsNoRemoteAddress(t *testing.T) {
	s := ours(http.NotFoundHandler())
	c := newConn(s, nameless{serverSide(t)}, nil)
	if c.remote != "" || c.ctx.Value(http.ServerContextKey) != s.Rest || c.ctx.Value(http.LocalAddrContextKey) == nil {
		t.Errorf("%q, %v", c.remote, c.ctx)
	}
}

type nameless struct{ net.Conn }

func (nameless) RemoteAddr() net.Addr { return nil }

// operations.md section 14: a head has header_timeout from its first byte, whoever reads the rest of it.
func TestAHeadThatIsGivenAwayHasNoMoreTime(t *testing.T) {
	s := ours(http.NotFoundHandler())
	s.start.Do(s.prepare)
	l := pipeEnds(t)
	c := newConn(s, l.server, nil)
	began := time.Now()
	go func() {
		_, _ = io.WriteString(l.client, "GET / HTTP/1.1\r\n")
		for c.nc.(*timedConn).deadline.Load() == nil { //nolint:forcetypeassert // as made
			time.Sleep(time.Millisecond)
		}
		_, _ = io.WriteString(l.client, "\n")
	}()
	go c.run()
	given, err := s.aside.Accept()
	check(t, err)
	check(t, given.SetReadDeadline(began.Add(time.Hour)))
	if at := *l.server.deadline.Load(); at.IsZero() || at.After(began.Add(2*patience)) {
		t.Errorf("the head may come until %s", at.Sub(began))
	}
	check(t, given.SetReadDeadline(time.Time{}))
	if at := *l.server.deadline.Load(); !at.IsZero() {
		t.Error("what follows the head has its time, too")
	}
	check(t, s.Close())
}

// timedConn tells the read deadline that was set last.
type timedConn struct {
	net.Conn
	deadline atomic.Pointer[time.Time]
}

func (c *timedConn) SetReadDeadline(t time.Time) error {
	c.deadline.Store(&t)
	return c.Conn.SetReadDeadline(t)
}

func pipeEnds(t *testing.T) (ends struct {
	client net.Conn
	server *timedConn
}) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	ends.client, ends.server = client, &timedConn{Conn: server}
	return ends
}

// net/http ends an answer over an unread body by closing one half of the connection, if it finds how.
func TestOneHalfOfAConnectionThatWasGivenAwayCanBeClosed(t *testing.T) {
	b := &begun{Conn: serverSide(t)}
	check(t, b.CloseWrite())
	if _, err := b.Conn.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a write after CloseWrite: %v", err)
	}
}

// serverSide is the accepted end of a connection.
func serverSide(t *testing.T) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	dial(t, l.Addr().String())
	nc, err := l.Accept()
	check(t, err)
	t.Cleanup(func() { _, _ = nc.Close(), l.Close() })
	return nc
}

func TestABodyIsReadAsItComes(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 64<<10)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body.(interface{ Whole() bool }).Whole() { //nolint:forcetypeassert // that is the test
			t.Error("a body that comes in parts is said to be there")
		}
		b, err := io.ReadAll(r.Body)
		fmt.Fprint(w, string(b) == long, err)
	})
	nc := dial(t, serve(t, ours(h)))
	for range 2 {
		_, err := fmt.Fprintf(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(long))
		check(t, err)
		_, err = io.WriteString(nc, long)
		check(t, err)
		res, err := http.ReadResponse(bufio.NewReader(nc), nil)
		check(t, err)
		if b, err := io.ReadAll(res.Body); err != nil || string(b) != "true <nil>" {
			t.Errorf("%q, %v", b, err)
		}
	}
}

func TestABodyThatEndsEarlyIsAnError(t *testing.T) {
	got := make(chan error, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		got <- err
	})
	nc := dial(t, serve(t, ours(h)))
	_, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
	check(t, err)
	check(t, nc.CloseWrite())
	if err := <-got; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// Whoever goes on reading a body after the answer must not get what follows on the connection.
func TestABodyEndsWithItsRequest(t *testing.T) {
	bodies := make(chan io.Reader, 2)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { bodies <- r.Body })
	nc := dial(t, serve(t, ours(h)))
	_, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
	check(t, err)
	in := bufio.NewReader(nc)
	for range 2 { // the body that was not read does not stand in the way of the next request
		res, err := http.ReadResponse(in, nil)
		check(t, err)
		check(t, res.Body.Close())
	}
	if n, err := (<-bodies).Read(make([]byte, 10)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("%d, %v", n, err)
	}
}

// A body that was not taken must not be read as a request (that is how requests are smuggled), and the answer arrives.
func TestABodyThatWasNotReadEndsTheConnection(t *testing.T) {
	var requests atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		http.Error(w, "no", http.StatusForbidden)
	})
	nc := dial(t, serve(t, ours(h)))
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	_, err := fmt.Fprintf(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 5000+len(smuggled))
	check(t, err)
	in := bufio.NewReader(nc)
	res, err := http.ReadResponse(in, nil)
	check(t, err)
	if !res.Close {
		t.Error("the caller is not told that the connection ends")
	}
	_, err = io.Copy(io.Discard, res.Body)
	check(t, err)
	_, _ = io.WriteString(nc, smuggled)
	if _, err := http.ReadResponse(in, nil); err == nil || requests.Load() != 1 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
}

func TestACallerThatLeavesEndsTheContext(t *testing.T) {
	began, ended := make(chan bool, 1), make(chan error, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		began <- true
		<-r.Context().Done()
		ended <- context.Cause(r.Context())
	})
	address := serve(t, ours(h))
	for name, request := range map[string]string{
		"without a body": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"with a body":    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			nc := dial(t, address)
			_, err := io.WriteString(nc, request)
			check(t, err)
			<-began
			check(t, nc.Close())
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// Close ends what waits for its caller to leave, or for its own context alone: a quiet stream writes nothing that could fail.
func TestCloseEndsTheContexts(t *testing.T) {
	began, ended := make(chan bool, 1), make(chan error, 1)
	s := ours(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began <- true
		select {
		case <-r.Context().Done():
		case <-time.After(patience):
		}
		ended <- r.Context().Err()
	}))
	nc := dial(t, serve(t, s))
	_, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	check(t, err)
	<-began
	for !s.watched() {
		time.Sleep(time.Millisecond)
	}
	check(t, s.Close())
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// What works for a request ends with its handler, and not when a slow caller has taken the answer.
func TestTheContextEndsWithTheHandler(t *testing.T) {
	contexts := make(chan context.Context, 1)
	nc := dial(t, serve(t, ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		contexts <- r.Context()
		fmt.Fprint(w, "hello")
	}))))
	_, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
	check(t, err)
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	check(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	check(t, err)
	if (<-contexts).Err() == nil {
		t.Error("the context outlives the handler")
	}
}

// io.Writer: what could not be sent is not counted as written.
func TestAWriteThatFailsCountsNothing(t *testing.T) {
	got := make(chan string, 1)
	nc := dial(t, serve(t, ours(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		check(t, http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)))
		n, err := w.Write(make([]byte, 2*bodyRoom))
		got <- fmt.Sprint(n, " ", errors.Is(err, os.ErrDeadlineExceeded))
	}))))
	_, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	check(t, err)
	if text := <-got; text != "0 true" {
		t.Error(text)
	}
}

// A request that takes long is followed by others on its connection, whoever waited at it.
func TestALongRequestIsFollowedByOthers(t *testing.T) {
	release := make(chan bool)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			<-release
		}
		fmt.Fprint(w, r.URL.Path, r.Context().Err())
	})
	s := ours(h)
	nc := dial(t, serve(t, s))
	in := bufio.NewReader(nc)
	for range 3 {
		_, err := io.WriteString(nc, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
		check(t, err)
		for !s.watched() {
			time.Sleep(time.Millisecond)
		}
		release <- true
		_, err = io.WriteString(nc, "GET /short HTTP/1.1\r\nHost: a\r\n\r\n")
		check(t, err)
		for _, want := range []string{"/long<nil>", "/short<nil>"} {
			res, err := http.ReadResponse(in, nil)
			check(t, err)
			if b, err := io.ReadAll(res.Body); err != nil || string(b) != want {
				t.Errorf("%q, %v, want %q", b, err, want)
			}
		}
	}
}

// watched reports whether somebody waits for the caller of a request under way.
func (s *Server) watched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, seen := range s.conns {
		if seen.watched && seen.state == c.state.Load() {
			return true
		}
	}
	return false
}

func TestConnectionsThatWaitTooLongAreEnded(t *testing.T) {
	s := ours(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Rest.ReadHeaderTimeout, s.Rest.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
	address := serve(t, s)
	for name, first := range map[string]string{
		"silent": "", "begun": "GET / HTTP/1.1\r\nHos", "idle": "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "given away and idle": "GET / HTTP/1.1\r\nHost: a\r\nPragma: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc := dial(t, address)
			_, err := io.WriteString(nc, first)
			check(t, err)
			b, err := io.ReadAll(nc)
			if err != nil || strings.HasPrefix(string(b), "HTTP/1.1 200") != strings.HasSuffix(first, "\r\n\r\n") {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

func TestADeadlineEndsWithItsRequest(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			rc := http.NewResponseController(w)
			if err := errors.Join(rc.EnableFullDuplex(), rc.SetReadDeadline(time.Unix(1, 0)), rc.SetWriteDeadline(time.Now().Add(patience))); err != nil {
				t.Error(err)
			}
		}
		_, err := io.ReadAll(r.Body)
		fmt.Fprint(w, err != nil)
	})
	nc := dial(t, serve(t, ours(h)))
	in := bufio.NewReader(nc)
	for _, c := range []struct{ request, want string }{
		{"GET /late HTTP/1.1\r\nHost: a\r\n\r\n", "false"},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "false"},
		{"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "true"},
	} {
		_, err := io.WriteString(nc, c.request)
		check(t, err)
		res, err := http.ReadResponse(in, nil)
		check(t, err)
		if b, err := io.ReadAll(res.Body); err != nil || string(b) != c.want {
			t.Errorf("%s: %q, %v", c.request, b, err)
		}
	}
}

func TestAPanicEndsTheConnectionAndIsTold(t *testing.T) {
	var out lockedBuffer
	s := ours(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half")
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("boom")
	}))
	s.Rest.ErrorLog = log.New(&out, "", 0)
	address := serve(t, s)
	for _, path := range []string{"/abort", "/"} {
		nc := dial(t, address)
		_, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
		check(t, err)
		if b, err := io.ReadAll(nc); err != nil || len(b) != 0 {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	if text := out.String(); strings.Count(text, "panic serving") != 1 || !strings.Contains(text, "boom") || !strings.Contains(text, "server_test.go") {
		t.Error(text)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAShutdownWaitsForRequestsAndForNothingElse(t *testing.T) {
	began, release := make(chan bool), make(chan bool)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			began <- true
			<-release
		}
		fmt.Fprint(w, "done")
	})
	s := ours(h)
	address := serve(t, s)
	idle, busy := dial(t, address), dial(t, address)
	_, err := io.WriteString(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	check(t, err)
	in := bufio.NewReader(idle)
	res, err := http.ReadResponse(in, nil)
	check(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	check(t, err)
	_, err = io.WriteString(busy, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
	check(t, err)
	<-began
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown with a request under way: %v", err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection: %v", err)
	}
	if nc, err := net.Dial("tcp", address); err == nil {
		_ = nc.Close()
		t.Error("a connection was taken")
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	release <- true
	b, err := io.ReadAll(busy)
	if check(t, err); !strings.Contains(string(b), "Connection: close\r\n") || !strings.HasSuffix(string(b), "done") {
		t.Errorf("%q", b)
	}
	check(t, <-ended)
}

// A client of the standard library, many at once: nobody gets what is another's.
func TestManyClientsAtOnce(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.URL.Path, r.Header.Get("X-Own"), b)
	})
	url := "http://" + serve(t, ours(h))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20}}
	t.Cleanup(client.CloseIdleConnections)
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			for i := range 100 {
				own := fmt.Sprint(n, "-", i)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/"+own, strings.NewReader(strings.Repeat(own, 1+i*20)))
				check(t, err)
				r.Header.Set("X-Own", own)
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if want := fmt.Sprintf("/%s %s %s", own, own, strings.Repeat(own, 1+i*20)); err != nil || string(b) != want {
					t.Errorf("%q, %v", b, err)
				}
			}
		})
	}
	wg.Wait()
}
