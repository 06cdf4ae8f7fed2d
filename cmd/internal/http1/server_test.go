package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
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

// waitFor waits for what must come to be.
func waitFor(t testing.TB, what func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !what(); runtime.Gosched() {
		if time.Now().After(until) {
			t.Fatal("it did not come")
		}
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
	waitFor(t, s.watched)
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
		waitFor(t, s.watched)
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
