package http1

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// verdict says what became of the bytes at the front of a connection.
type verdict int

const (
	partial verdict = iota // the head is not all there
	plain                  // it was taken
	strange                // net/http shall read it
)

const usualFields = 12

var (
	headEnd = []byte("\r\n\r\n")
	space   = []byte(" ")
)

// head is a request line and its fields, as net/http would have read them.
type head struct {
	method, target, host string
	url                  *url.URL
	fields               http.Header
	length               int64 // of the body; 0 where there is none
}

// parseHead reads the head at the front of b and says how long it is. It takes only what has one reading: origin-form
// targets, CRLF line ends, token names, visible values, one host, at most one length.
func parseHead(b []byte) (h head, size int, v verdict) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		if bareLineEnd(b) {
			return h, 0, strange
		}
		return h, 0, partial
	}
	size = end + len(headEnd)
	lines := b[:size-2] // every line with its end
	line := bytes.IndexByte(lines, '\r')
	if !h.requestLine(lines[:line]) || !h.readFields(lines[line:]) {
		return head{}, 0, strange
	}
	return h, size, plain
}

// bareLineEnd finds lines that end in LF alone: the end of such a head would be waited for in vain.
func bareLineEnd(b []byte) bool {
	for i, c := range b {
		if c == '\n' && (i == 0 || b[i-1] != '\r') {
			return true
		}
	}
	return false
}

func (h *head) requestLine(line []byte) bool {
	method, rest, ok := bytes.Cut(line, space)
	target, proto, also := bytes.Cut(rest, space)
	if !ok || !also || string(proto) != "HTTP/1.1" || len(target) == 0 || target[0] != '/' {
		return false
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	h.target = string(target)
	if h.url = address(h.target); h.url == nil {
		return false
	}
	switch string(method) {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		h.method = string(method)
		return true
	}
	return false
}

// readFields takes the lines of fields, each after its CRLF. The slices of all values are parts of one; the values are
// texts of their own, since whoever keeps one shall not keep the whole head.
func (h *head) readFields(lines []byte) bool {
	values := make([]string, 0, usualFields)
	h.fields = make(http.Header, usualFields)
	for {
		if len(lines) < 2 || lines[1] != '\n' {
			return false // a CR that ends no line
		}
		lines = lines[2:]
		if len(lines) == 0 {
			return h.host != ""
		}
		colon := 0
		for tokenByte[lines[colon]] { // a line ends in what is no token
			colon++
		}
		if colon == 0 || lines[colon] != ':' {
			return false
		}
		end := bytes.IndexByte(lines, '\r')
		value := bytes.Trim(lines[colon+1:end], " \t")
		if !visible(value) || !h.field(canonical(lines[:colon]), string(value), &values) {
			return false
		}
		lines = lines[end:]
	}
}

// field takes one field, unless it makes the request anything but plain.
func (h *head) field(name, value string, values *[]string) bool {
	switch name {
	case "Host":
		if h.host != "" || !plainHost(value) {
			return false
		}
		h.host = value
		return true // net/http keeps it out of the fields, too
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil || h.fields[name] != nil {
			return false
		}
		h.length = int64(n) //nolint:gosec // 62 bits
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Transfer-Encoding", "Upgrade", "Expect", "Trailer", "Pragma", "Http2-Settings":
		return false
	}
	if have := h.fields[name]; have != nil {
		h.fields[name] = append(have, value)
		return true
	}
	*values = append(*values, value)
	n := len(*values)
	h.fields[name] = (*values)[n-1 : n : n]
	return true
}

// address is the target as net/http reads it, nil where it does not; what is only path needs no reading.
func address(target string) *url.URL {
	if all(target, &pathByte) {
		return &url.URL{Path: target}
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil
	}
	return u
}

// canonical spells a name as net/http does. Names that are usual cost nothing.
func canonical(name []byte) string {
	if known, ok := usualNames[string(name)]; ok {
		return known
	}
	return textproto.CanonicalMIMEHeaderKey(string(name))
}

// usualNames are fields of the clients we know, as they spell them and as net/http does.
var usualNames = spellings(
	"Accept", "Accept-Encoding", "Accept-Language", "Api-Key", "Authorization", "Baggage", "Cache-Control", "Connection", "Content-Encoding",
	"Content-Length", "Content-Type", "Cookie", "Forwarded", "Host", "Keep-Alive", "Last-Event-Id", "Mcp-Method", "Mcp-Name", "Mcp-Protocol-Version",
	"Mcp-Session-Id", "Openai-Organization", "Openai-Project", "Origin", "Ocp-Apim-Subscription-Key", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
	"Sec-Fetch-Site", "Traceparent", "Tracestate", "User-Agent", "X-Api-Key", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
	"X-Request-Id", "X-Stainless-Arch", "X-Stainless-Async", "X-Stainless-Lang", "X-Stainless-Os", "X-Stainless-Package-Version",
	"X-Stainless-Read-Timeout", "X-Stainless-Retry-Count", "X-Stainless-Runtime", "X-Stainless-Runtime-Version", "X-Stainless-Timeout",
)

func spellings(names ...string) map[string]string {
	m := make(map[string]string, 2*len(names))
	for _, n := range names {
		m[n], m[strings.ToLower(n)] = n, n
	}
	return m
}

var (
	tokenByte = bytesOf("!#$%&'*+-.^_`|~")
	pathByte  = bytesOf("-_.~/")
	hostByte  = bytesOf("-_.:[]")
)

// bytesOf is a table of ASCII letters, digits and what else.
func bytesOf(also string) (t [256]bool) {
	for c := byte('0'); c <= 'z'; c++ {
		t[c] = c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a'
	}
	for i := range len(also) {
		t[also[i]] = true
	}
	return t
}

func isToken(s string) bool { return s != "" && all(s, &tokenByte) }

func plainHost(s string) bool { return s != "" && all(s, &hostByte) }

func all(s string, table *[256]bool) bool {
	for i := range len(s) {
		if !table[s[i]] {
			return false
		}
	}
	return true
}

// visible reports a value without control characters but tabs. Tokens are long: eight bytes are looked at in one go.
func visible(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		del := x ^ 0x7f*ones
		if ((x-' '*ones)&^x|(del-ones)&^del)&highs != 0 && !visibleBytes(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return visibleBytes(b)
}

func visibleBytes(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
