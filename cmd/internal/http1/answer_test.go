package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

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
