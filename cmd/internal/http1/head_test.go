package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// heads are requests that clients send, that they should not send, and that were used to smuggle others.
var heads = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /mcp/orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer eyJ\r\ncontent-type: application/json\r\nContent-Length: 17\r\n\r\n",
	"GET /a%2Fb?x=1&y=%zz#f HTTP/1.1\r\nhost: [::1]:80\r\naccept: text/event-stream\r\naccept: application/json\r\n\r\n",
	"GET //a/./b HTTP/1.1\r\nHost: a\r\nX-Odd:\t tabs \t\r\nX-Empty:\r\n\r\n",
	"DELETE /a%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
	"GET /ü HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\n\n",
	"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: b\x00\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: 12345678901234567890\x7f\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
	"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
	"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"get / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
}

// asNetHTTP fails where a head that was taken is not what net/http reads there.
func asNetHTTP(t *testing.T, data []byte) verdict {
	t.Helper()
	h, size, v := parseHead(data)
	if v != plain {
		return v
	}
	rest := bytes.NewReader(data)
	in := bufio.NewReaderSize(rest, len(data)+16)
	want, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("taken, and net/http says: %v\n%q", err, data)
	}
	if want.Close || len(want.TransferEncoding) > 0 || want.ProtoMajor != 1 || want.ProtoMinor != 1 {
		t.Fatalf("taken, and it is not plain: %+v\n%q", want, data)
	}
	if h.method != want.Method || h.target != want.RequestURI || h.host != want.Host || h.length != want.ContentLength ||
		!reflect.DeepEqual(h.url, want.URL) || !reflect.DeepEqual(h.fields, want.Header) {
		t.Fatalf("read as\n%+v\nnet/http reads\n%+v\n%q", h, want, data)
	}
	if left := len(data) - in.Buffered() - rest.Len(); left != size {
		t.Fatalf("%d bytes taken, net/http takes %d\n%q", size, left, data)
	}
	return v
}

func TestAHeadThatIsTakenIsReadAsNetHTTPReadsIt(t *testing.T) {
	taken := 0
	for _, text := range heads {
		if asNetHTTP(t, []byte(text)) == plain {
			taken++
		}
	}
	if taken != 7 {
		t.Errorf("%d heads were taken", taken)
	}
}

func TestWhatHasTwoReadingsIsNotTaken(t *testing.T) {
	for _, text := range heads {
		_, _, v := parseHead([]byte(text))
		for _, bad := range []string{"Transfer-Encoding", "Expect", "Upgrade", "Connection: close", "HTTP/1.0", "\x00", "Host: a\r\nHost", "\nX: b", "\rY", "GET  /"} {
			if v != strange && strings.Contains(text, bad) {
				t.Errorf("taken: %q", text)
			}
		}
	}
}

func TestAHeadIsWaitedForUntilItIsWhole(t *testing.T) {
	whole := heads[1]
	for i := range len(whole) {
		if _, _, v := parseHead([]byte(whole[:i])); v != partial {
			t.Fatalf("%q: %v", whole[:i], v)
		}
	}
	if _, _, v := parseHead([]byte("GET / HTTP/1.1\nHost: a\n")); v != strange {
		t.Error("lines that end in LF alone are waited for")
	}
}

// The space that all values share must not let one of them grow into its neighbour.
func TestAddingToAFieldLeavesTheOthers(t *testing.T) {
	h, _, _ := parseHead([]byte("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\nX-A: 3\r\n\r\n"))
	h.fields.Add("X-A", "4")
	if !reflect.DeepEqual(h.fields, http.Header{"X-A": {"1", "3", "4"}, "X-B": {"2"}}) {
		t.Error(h.fields)
	}
}

func FuzzHeads(f *testing.F) {
	for _, text := range heads {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { asNetHTTP(t, data) })
}

func BenchmarkHead(b *testing.B) {
	data := []byte("POST /mcp/orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 117\r\n" +
		"Accept: application/json, text/event-stream\r\nAuthorization: Bearer " + strings.Repeat("eyJhbGci", 72) + "\r\nContent-Type: application/json\r\n" +
		"Mcp-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: " + strings.Repeat("s", 80) + "\r\nAccept-Encoding: gzip\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, v := parseHead(data); v != plain {
			b.Fatal(v)
		}
	}
}

// Sessions and caches keep the value of a field, or a part of the address, for hours.
func TestWhoeverKeepsAValueDoesNotKeepTheHead(t *testing.T) {
	text := []byte("GET /kept HTTP/1.1\r\nHost: a\r\nX-Kept: short\r\nX-Long: " + strings.Repeat("x", 3000) + "\r\n\r\n")
	const heads = 5000
	kept := make([]string, 0, 3*heads)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range heads {
		h, _, _ := parseHead(text)
		kept = append(kept, h.url.Path, h.host, h.fields["X-Kept"][0])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grew := int64(after.HeapAlloc) - int64(before.HeapAlloc); grew > heads*1000 { //nolint:gosec // far below
		t.Errorf("%d values hold %d bytes", len(kept), grew)
	}
}
