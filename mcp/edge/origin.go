package edge

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	exposedHeaders = "Mcp-Session-Id, WWW-Authenticate, MCP-Protocol-Version, X-Request-Id, Retry-After"
	corsMethods    = "GET, POST, DELETE"
	corsHeaders    = "authorization, content-type, accept, last-event-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name"
	paramPrefix    = "mcp-param-"
	maxAskedNames  = 64 // Mcp-Param-* names a preflight may ask for
)

// Values of headers that are the same on all answers. Nobody changes them in place: who wants another value sets one.
var (
	noStore    = []string{"no-store"}
	varyOrigin = []string{"Origin"}
	typeJSON   = []string{"application/json"}
)

// commonHeaders are on every answer, errors too (mcp.md §3).
func (x *exchange) commonHeaders(facts *identity.Request) {
	head := x.w.Header()
	if facts != nil && facts.ID != "" {
		head["X-Request-Id"] = x.value(0, facts.ID)
	}
	head["Cache-Control"] = noStore
	head["Vary"] = varyOrigin
}

// value is the one value of a header, in memory that the exchange has for it.
func (x *exchange) value(at int, v string) []string {
	x.values[at] = v
	return x.values[at : at+1 : at+1]
}

// checkOrigin refuses browsers that were led here by a page of somebody else (row 3). An allowed origin is named in the
// answer, itself and never *; credentials are never allowed, since tokens do not come from cookies.
func (x *exchange) checkOrigin() error {
	values := x.r.Header["Origin"]
	if len(values) == 0 {
		return nil
	}
	if len(values) != 1 || !x.allowed(values[0]) {
		return refuse(http.StatusForbidden, CodeInvalidRequest, "origin not allowed")
	}
	head := x.w.Header()
	head.Set("Access-Control-Allow-Origin", values[0])
	head.Set("Access-Control-Expose-Headers", exposedHeaders)
	return nil
}

func (s *settings) allowed(origin string) bool {
	if s.origins[origin] {
		return true
	}
	if !s.loopback {
		return false
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Host == "" {
		return false
	}
	// The whole text must be what the parts make, so that nothing hides in it.
	if origin != "http://"+u.Host {
		return false
	}
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

// isLoopback reports whether a host of ours is on this computer only.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() && addr.Zone() == ""
}

// preflight answers OPTIONS (row 4). Mcp-Param-* names cannot be listed ahead and have no wildcard, so those that were
// asked for are named again.
func (x *exchange) preflight() {
	head := x.w.Header()
	if head.Get("Access-Control-Allow-Origin") == "" {
		head.Set("Allow", allMethods)
		x.w.WriteHeader(http.StatusNoContent)
		return
	}
	head.Del("Access-Control-Expose-Headers")
	head.Set("Access-Control-Allow-Methods", corsMethods)
	head.Set("Access-Control-Allow-Headers", corsHeaders+askedParams(x.r.Header.Values("Access-Control-Request-Headers")))
	head.Set("Access-Control-Max-Age", "86400")
	x.w.WriteHeader(http.StatusNoContent)
}

func askedParams(asked []string) string {
	var b strings.Builder
	n := 0
	for _, line := range asked {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			if !strings.HasPrefix(name, paramPrefix) || !httpguts.ValidHeaderFieldName(name) || n >= maxAskedNames {
				continue
			}
			n++
			b.WriteString(", " + name)
		}
	}
	return b.String()
}
