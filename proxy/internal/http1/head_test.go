package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nx-request-id: 7\r\nContent-Length: 27\r\n\r\n" +
	`{"id":"42","name":"item-42"`

// twice reads an answer here and by net/http. declined: it was not taken here.
func twice(t *testing.T, text []byte, method string) (declined bool) {
	t.Helper()
	req := &http.Request{Method: method}
	theirs := bufio.NewReader(bytes.NewReader(text))
	want, wantErr := http.ReadResponse(theirs, req)
	ours := bufio.NewReader(bytes.NewReader(text))
	came, _ := ours.Peek(min(len(text), ours.Size()))
	got, length := parseHead(came, req)
	if got == nil {
		return true
	}
	if wantErr != nil {
		t.Fatalf("%q was taken, net/http says %v", text, wantErr)
	}
	_, _ = ours.Discard(length)
	body := &got.body
	body.c, body.left, body.stop = &conn{r: ours}, got.ContentLength, func() bool { return true }
	gotText, gotErr := io.ReadAll(readerFunc(body.read))
	wantText, wantErr := io.ReadAll(want.Body)
	if string(gotText) != string(wantText) || gotErr != wantErr { //nolint:errorlint // the very same
		t.Errorf("%q: body %q, %v, want %q, %v", text, gotText, gotErr, wantText, wantErr)
	}
	if ours.Buffered() != theirs.Buffered() {
		t.Errorf("%q: %d bytes are left, want %d", text, ours.Buffered(), theirs.Buffered())
	}
	if a, b := keepable(&got.Response), keepable(want); a != b {
		t.Errorf("%q: kept: %v, want %v", text, a, b)
	}
	got.Body, want.Body = nil, nil
	if !reflect.DeepEqual(&got.Response, want) {
		t.Errorf("%q:\n%#v\nwant\n%#v", text, &got.Response, want)
	}
	return false
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestPlainHeadsAreReadHere(t *testing.T) {
	for name, text := range map[string]string{
		"plain": plainAnswer, "empty": "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "cut body": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
		"kept":   "HTTP/1.1 503 \r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nab",
		"values": "HTTP/1.1 200 Fine\xe9\r\nA:\t x y \t\r\nb: \r\nB_c: \xff\"\r\nContent-Length: 02\r\n\r\nab",
	} {
		if twice(t, []byte(text), http.MethodPost) {
			t.Errorf("%s was left to net/http", name)
		}
	}
}

func TestWhatIsNotPlainIsLeftToNetHTTP(t *testing.T) {
	const end = "\r\n\r\nab"
	for name, text := range map[string]string{
		"two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2" + end, "a list of lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2, 2" + end,
		"a signed length": "HTTP/1.1 200 OK\r\nContent-Length: +2" + end, "no number": "HTTP/1.1 200 OK\r\nContent-Length: 0x2" + end,
		"a huge length": "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618" + end, "an empty length": "HTTP/1.1 200 OK\r\nContent-Length:" + end,
		"no length": "HTTP/1.1 200 OK\r\nA: b" + end, "no headers": "HTTP/1.1 200 OK" + end,
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunks and length": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2" + end,
		"length and chunks": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ntransfer-encoding: x" + end, "a space before the colon": "HTTP/1.1 200 OK\r\nContent-Length : 2\r\nContent-Length: 2" + end,
		"a continued line": "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2" + end, "a first continued line": "HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 2" + end,
		"a bare LF": "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2" + end, "a bare CR": "HTTP/1.1 200 OK\r\nA: b\rContent-Length: 3\r\nContent-Length: 2" + end,
		"an early end by LF": "HTTP/1.1 200 OK\r\nContent-Length: 2\n\nHTTP/1.1 200 OK\r\nContent-Length: 2" + end, "a NUL": "HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 2" + end,
		"no colon": "HTTP/1.1 200 OK\r\nA\r\nContent-Length: 2" + end, "no name": "HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2" + end,
		"no token": "HTTP/1.1 200 OK\r\nA\xc3: a\r\nContent-Length: 2" + end, "a trailer": "HTTP/1.1 200 OK\r\nTrailer: A\r\nContent-Length: 2" + end,
		"closing": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2" + end, "two connections": "HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2" + end,
		"1.0": "HTTP/1.0 200 OK\r\nContent-Length: 2" + end, "2.0": "HTTP/2.0 200 OK\r\nContent-Length: 2" + end, "lower case": "http/1.1 200 OK\r\nContent-Length: 2" + end,
		"two spaces": "HTTP/1.1  200 OK\r\nContent-Length: 2" + end, "no reason": "HTTP/1.1 200\r\nContent-Length: 2" + end, "a long status": "HTTP/1.1 2000 OK\r\nContent-Length: 2" + end,
		"hints": "HTTP/1.1 103 Early Hints\r\nContent-Length: 2" + end, "switching": "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 2" + end,
		"204": "HTTP/1.1 204 No Content\r\nContent-Length: 2" + end, "304": "HTTP/1.1 304 Not Modified\r\nContent-Length: 2" + end,
		"half a head": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "nothing": "", "an empty head": end, "too many lines": "HTTP/1.1 200 OK\r\nContent-Length: 2" + strings.Repeat("\r\nA: b", maxFields) + end,
		"a name twice": "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\na: c" + end,
		"pragma":       "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2" + end,
	} {
		if !twice(t, []byte(text), http.MethodPost) {
			t.Errorf("%s was read here", name)
		}
	}
	if !twice(t, []byte(plainAnswer), http.MethodHead) {
		t.Error("the answer to HEAD was read here")
	}
}

// FuzzHead holds what is read here against net/http: the same answer, the same body, the same bytes left for the next one.
func FuzzHead(f *testing.F) {
	f.Add([]byte(plainAnswer))
	f.Add([]byte(strings.ReplaceAll(plainAnswer, "\r", "")))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length : 2\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab"))
	f.Add([]byte("HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, method := range []string{http.MethodPost, http.MethodHead} {
			twice(t, text, method)
		}
	})
}

func BenchmarkHead(b *testing.B) {
	req := &http.Request{Method: http.MethodPost}
	text := []byte(plainAnswer)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if a, _ := parseHead(text, req); a == nil {
				b.Fatal("left to net/http")
			}
		}
	})
	b.Run("net/http", func(b *testing.B) {
		b.ReportAllocs()
		from := bytes.NewReader(text)
		r := bufio.NewReader(from)
		for b.Loop() {
			from.Reset(text)
			r.Reset(from)
			if _, err := http.ReadResponse(r, req); err != nil {
				b.Fatal(err)
			}
		}
	})
}
