package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

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
