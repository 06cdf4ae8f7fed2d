package telemetry

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// clientIP returns the peer's address or, when the peer is a trusted proxy, the right-most X-Forwarded-For entry that
// is not one (operations.md §4.1). Entries left of it were written by strangers.
func clientIP(r *http.Request, trusted []netip.Prefix) string {
	peer := hostOnly(r.RemoteAddr)
	if len(trusted) == 0 {
		return peer
	}
	addr, err := netip.ParseAddr(peer)
	if err != nil || !within(addr, trusted) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return addr.String()
		}
		addr = hop.Unmap()
		if !within(addr, trusted) {
			return addr.String()
		}
	}
	return addr.String()
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

func isLoopback(hostport string) bool {
	a, err := netip.ParseAddr(hostOnly(hostport))
	return err == nil && a.Unmap().IsLoopback()
}

// Hosts decides which Host a request may carry (operations.md §1.4 allowed_hosts, mcp.md §3 row 2): against DNS
// rebinding a name that is not ours is refused. On a loopback public_url the port is not compared, since editors forward
// ports.
type Hosts struct {
	Allowed  []string // host or host:port, lower case
	AnyPort  bool     // public_url is loopback
	Listener string   // host:port of the listener; only for health and metrics
}

// Allows reports whether host may be served; health addresses also take the listener's own.
func (h Hosts) Allows(host, path string) bool {
	host = strings.ToLower(host)
	for _, a := range h.Allowed {
		if host == a || h.AnyPort && nameOf(host) != "" && nameOf(host) == nameOf(a) {
			return true
		}
	}
	return healthPath(path) && h.Listener != "" && host == strings.ToLower(h.Listener)
}

// nameOf returns the name of host or host:port without brackets; "" when the port is no number.
func nameOf(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return strings.Trim(host, "[]")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return ""
	}
	return name
}

func healthPath(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics"
}
