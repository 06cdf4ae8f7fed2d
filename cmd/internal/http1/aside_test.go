package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

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
			runtime.Gosched()
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
