package http1

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newTransport(t testing.TB) *Transport {
	t.Helper()
	var d net.Dialer
	tr := &Transport{Next: &http.Transport{}, DialContext: d.DialContext, IdlePerHost: 100, IdleTimeout: time.Minute, HeaderBytes: 64 << 10}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// counted is a server that counts its connections.
func counted(t testing.TB, h http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var made atomic.Int64
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &made
}

// scripted is a server that reads a request and then writes what it was told, connection by connection.
func scripted(t testing.TB, serve func(n int, nc net.Conn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for n := 0; ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				serve(n, nc, bufio.NewReader(nc))
			})
		}
	})
	return "http://" + l.Addr().String()
}

func reply(nc net.Conn, r *bufio.Reader, text string) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, req.Body)
	_, err = io.WriteString(nc, text)
	return err == nil
}

func do(t testing.TB, tr http.RoundTripper, method, url, body string) (*http.Response, string, error) {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	s, _ := counted(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Saw", fmt.Sprintf("%s %s %s %s %d", r.Method, r.Host, r.URL, body, r.ContentLength))
		switch r.URL.Path {
		case "/empty":
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		case "/hints":
			w.Header().Set("Link", "<a>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "after hints")
		case "/chunks":
			w.Header().Set("Trailer", "X-Sum")
			for range 3 {
				_, _ = io.WriteString(w, "chunk ")
				_ = http.NewResponseController(w).Flush()
			}
			w.Header().Set("X-Sum", "18")
		case "/zip":
			w.Header().Set("X-Asked", r.Header.Get("Accept-Encoding"))
			if r.Header.Get("Accept-Encoding") != "gzip" {
				_, _ = io.WriteString(w, "plain")
				return
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "zipped")
			_ = z.Close()
		default:
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 200_000))
		}
	})
	ours, theirs := newTransport(t), &http.Transport{}
	defer theirs.CloseIdleConnections()
	for _, path := range []string{"/empty", "/204", "/304", "/hints", "/chunks", "/zip", "/long?a=b%20c&d"} {
		for method, body := range map[string]string{"GET": "", "HEAD": "", "POST": `{"a":1}`, "PUT": "", "DELETE": "", "PATCH": "x", "OPTIONS": ""} {
			t.Run(method+path, func(t *testing.T) {
				got, gotText, err := do(t, ours, method, s.URL+path, body)
				want, wantText, err2 := do(t, theirs, method, s.URL+path, body)
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				got.Header.Del("Date")
				want.Header.Del("Date")
				if got.StatusCode != want.StatusCode || gotText != wantText || got.ContentLength != want.ContentLength || got.Uncompressed != want.Uncompressed {
					t.Errorf("%d %q %d, want %d %q %d", got.StatusCode, gotText, got.ContentLength, want.StatusCode, wantText, want.ContentLength)
				}
				if a, b := fmt.Sprint(got.Header, got.Trailer), fmt.Sprint(want.Header, want.Trailer); a != b {
					t.Errorf("headers\n%s\nwant\n%s", a, b)
				}
			})
		}
	}
}

func TestOneConnectionServesOneCallAfterTheOther(t *testing.T) {
	s, made := counted(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	tr := newTransport(t)
	for i := range 20 {
		path := fmt.Sprint("/", i)
		if _, text, err := do(t, tr, "POST", s.URL+path, "body"); err != nil || text != path {
			t.Fatalf("%q, %v", text, err)
		}
	}
	if n := made.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAConnectionThatTheServerClosedIsNotUsed(t *testing.T) {
	var made atomic.Int64
	closed := make(chan struct{}, 8)
	url := scripted(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		made.Add(1)
		reply(nc, r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_ = nc.Close()
		closed <- struct{}{}
	})
	tr := newTransport(t)
	for range 3 { // POST: it must never be sent twice, and never fail because of what happened between two calls
		if _, text, err := do(t, tr, "POST", url, "body"); err != nil || text != "ok" {
			t.Fatalf("%q, %v", text, err)
		}
		<-closed
		waitFor(t, func() bool { return !peek(tr) })
	}
	if made.Load() != 3 {
		t.Errorf("%d connections", made.Load())
	}
}

// peek reports whether the kept connection looks open.
func peek(tr *Transport) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, list := range tr.idle {
		for _, c := range list {
			_ = c.nc.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := c.nc.Read(make([]byte, 1))
			_ = c.nc.SetReadDeadline(time.Time{})
			return errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
	return false
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !what(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it did not come")
		}
	}
}

func TestARequestIsSentAgainOnlyWhenThatIsSafe(t *testing.T) {
	for method, want := range map[string]int64{"GET": 2, "POST": 1} {
		t.Run(method, func(t *testing.T) {
			var seen atomic.Int64
			url := scripted(t, func(n int, nc net.Conn, r *bufio.Reader) {
				if !reply(nc, r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
					return
				}
				if n == 0 { // the second request on it is read and left without an answer
					if _, err := http.ReadRequest(r); err == nil {
						seen.Add(1)
					}
					return
				}
				seen.Add(1)
			})
			tr := newTransport(t)
			if _, _, err := do(t, tr, method, url, ""); err != nil {
				t.Fatal(err)
			}
			_, _, err := do(t, tr, method, url, "")
			if method == "GET" && err != nil || method == "POST" && err == nil {
				t.Errorf("got %v", err)
			}
			waitFor(t, func() bool { return seen.Load() == want })
		})
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no http": "hello\r\n\r\n", "cut head": "HTTP/1.1 200 OK\r\nContent-Le", "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"switched": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "hints for ever": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10),
		"huge head": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "cut body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
		"bad chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			url := scripted(t, func(_ int, nc net.Conn, r *bufio.Reader) { reply(nc, r, text) })
			tr := newTransport(t)
			if _, body, err := do(t, tr, "GET", url, ""); err == nil {
				t.Errorf("took %q", body)
			}
			if len(tr.idle) != 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

func TestBytesBehindAnAnswerAreNotTheNextOne(t *testing.T) { // response splitting, queue poisoning
	var made atomic.Int64
	url := scripted(t, func(n int, nc net.Conn, r *bufio.Reader) {
		made.Add(1)
		reply(nc, r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		reply(nc, r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
	})
	tr := newTransport(t)
	for range 2 {
		if _, text, err := do(t, tr, "GET", url, ""); err != nil || text != "ok" {
			t.Fatalf("%q, %v", text, err)
		}
	}
	if made.Load() != 2 {
		t.Errorf("%d connections", made.Load())
	}
}

func TestAnAnswerWithoutLengthEndsWithItsConnection(t *testing.T) {
	url := scripted(t, func(_ int, nc net.Conn, r *bufio.Reader) { reply(nc, r, "HTTP/1.1 200 OK\r\n\r\nall of it") })
	tr := newTransport(t)
	if _, text, err := do(t, tr, "GET", url, ""); err != nil || text != "all of it" || len(tr.idle) != 0 {
		t.Errorf("%q, %v, %d kept", text, err, len(tr.idle))
	}
}

func TestTheContextEndsAnExchangeWhereverItIs(t *testing.T) {
	for _, where := range []string{"head", "body"} {
		t.Run(where, func(t *testing.T) {
			gone := make(chan struct{})
			url := scripted(t, func(_ int, nc net.Conn, r *bufio.Reader) {
				text := ""
				if where == "body" {
					text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin"
				}
				reply(nc, r, text)
				_, _ = io.Copy(io.Discard, nc) // until we are gone
				close(gone)
			})
			tr := newTransport(t)
			ctx, cancel := context.WithCancel(t.Context())
			req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
			if where == "head" {
				time.AfterFunc(10*time.Millisecond, cancel)
				if _, err := tr.RoundTrip(req); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			} else {
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(10*time.Millisecond, cancel)
				if _, err := io.ReadAll(resp.Body); err == nil {
					t.Error("the body ended well")
				}
				_ = resp.Body.Close()
			}
			<-gone
		})
	}
}

func TestClosingABodyEarlyStopsTheServerAtOnce(t *testing.T) {
	gone := make(chan struct{})
	url := scripted(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		reply(nc, r, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		_, _ = io.Copy(io.Discard, nc)
		close(gone)
	})
	tr := newTransport(t)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() { _, err := io.ReadAll(resp.Body); read <- err }() // a reader that waits must not keep Close waiting
	_ = resp.Body.Close()
	<-gone
	if err := <-read; err == nil {
		t.Error("the reader heard nothing of it")
	}
	if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
		t.Error("a closed body was read")
	}
}

func TestNothingGetsOutOfALine(t *testing.T) { // header and request injection
	s, made := counted(t, func(http.ResponseWriter, *http.Request) {})
	tr := newTransport(t)
	for name, change := range map[string]func(r *http.Request){
		"value":  func(r *http.Request) { r.Header.Set("X", "a\r\nY: b") },
		"name":   func(r *http.Request) { r.Header["X Y"] = []string{"a"} },
		"colon":  func(r *http.Request) { r.Header["X:Y"] = []string{"a"} },
		"nul":    func(r *http.Request) { r.Header.Set("X", "a\x00") },
		"query":  func(r *http.Request) { r.URL.RawQuery = "a b\r\nX: y" },
		"method": func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX: y" },
		"short":  func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("ab")), 3 },
		"long":   func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("abcd")), 3 },
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/a", nil)
		change(req)
		if resp, err := tr.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was sent", name)
		} else if strings.Contains(err.Error(), "Y: b") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
	if made.Load() > 2 {
		t.Errorf("%d connections were made", made.Load())
	}
}

func TestWhatIsNotPlainGoesToNetHTTP(t *testing.T) {
	s, _ := counted(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, r.Header.Get("Te"))
	})
	tr := newTransport(t)
	tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("not here") }
	for name, change := range map[string]func(r *http.Request){
		"long body": func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", maxBody+1))), maxBody+1
		},
		"unknown length": func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), -1 },
		"te":             func(r *http.Request) { r.Header.Set("Te", "trailers") },
		"close":          func(r *http.Request) { r.Close = true },
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL, nil)
		change(req)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = resp.Body.Close()
	}
}

func TestARequestThatDoesNotFitIntoTheSocketArrivesWhole(t *testing.T) {
	s, made := counted(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprint(w, len(body))
	})
	tr := newTransport(t)
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, network, address)
		if err == nil {
			err = nc.(*net.TCPConn).SetWriteBuffer(1)
		}
		return nc, err
	}
	for range 20 {
		if _, text, err := do(t, tr, "POST", s.URL, strings.Repeat("x", maxBody)); err != nil || text != fmt.Sprint(maxBody) {
			t.Fatalf("%q, %v", text, err)
		}
	}
	if n := made.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// ending is a context that calls what waits for its end itself.
type ending struct {
	context.Context
	waits chan func()
}

func (e ending) AfterFunc(f func()) func() bool {
	e.waits <- f
	return func() bool { return true }
}

func TestAContextMayEndAnExchangeItself(t *testing.T) {
	url := scripted(t, func(_ int, nc net.Conn, r *bufio.Reader) {
		reply(nc, r, "")
		_, _ = io.Copy(io.Discard, nc) // until we are gone
	})
	e := ending{t.Context(), make(chan func(), 1)}
	req, _ := http.NewRequestWithContext(e, "GET", url, nil)
	go func() { (<-e.waits)() }()
	if resp, err := newTransport(t).RoundTrip(req); err == nil {
		_ = resp.Body.Close()
		t.Error("the exchange went on")
	}
}

func TestManyCallersGetTheirOwnAnswers(t *testing.T) {
	s, _ := counted(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	tr := newTransport(t)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for n := range 50 {
				want := fmt.Sprint(i, "-", n)
				if _, got, err := do(t, tr, "POST", s.URL, want); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestKeptConnectionsAreClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		tr := newTransport(t)
		tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			open.Add(1)
			go func() {
				defer open.Add(-1)
				r := bufio.NewReader(there)
				for reply(there, r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
				}
			}()
			return here, nil
		}
		if _, _, err := do(t, tr, "GET", "http://a/", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second) // of the bubble
		if _, _, err := do(t, tr, "GET", "http://b/", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Second)
		if n := open.Load(); n != 1 {
			t.Errorf("%d connections after a minute, want the one to b", n)
		}
		time.Sleep(2 * time.Minute)
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if n := open.Load(); n != 0 || tr.tidy != nil {
			t.Errorf("%d connections are left", n)
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	s, _ := counted(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"42","name":"item"}`) })
	std := &http.Transport{MaxIdleConnsPerHost: 100}
	defer std.CloseIdleConnections()
	for name, tr := range map[string]http.RoundTripper{"ours": newTransport(b), "net/http": std} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := do(b, tr, "POST", s.URL, `{"a":1}`); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
