package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	resolveTime = 3 * time.Second
	connectTime = 5 * time.Second
)

// CheckURL reports what is wrong with an address before anything is resolved: for feedback on what an administrator
// types. Its texts tell causes; for what strangers send, use Fetch.
func (g *Guard) CheckURL(raw string) error {
	_, err := g.checkURL(raw)
	return err
}

func (g *Guard) checkURL(raw string) (*url.URL, error) {
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("scheme is not https")
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	dest, err := g.checkHost(u.Hostname(), port)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" && !dest.trusted {
		return nil, errors.New("scheme is not https")
	}
	if dest.port == "80" && u.Scheme == "https" && !g.allow.port(dest.name, "80") && !dest.loopback {
		return nil, errors.New("port is not allowed")
	}
	return u, nil
}

// destination is a host whose name passed; its addresses are still to be judged.
type destination struct {
	name     string
	port     string
	addr     netip.Addr // valid for literals
	trusted  bool       // the operator listed the host, or it is an allowed loopback
	loopback bool
}

func (g *Guard) checkHost(host, port string) (destination, error) {
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return destination{}, errors.New("port is not a port")
	}
	d := destination{port: strconv.Itoa(n)}
	if d.name, d.addr, err = canonicalHost(host); err != nil {
		return d, err
	}
	d.loopback = g.cfg.AllowLoopback && (loopbackName(d.name) || d.addr.IsValid() && d.addr.IsLoopback())
	d.trusted = d.loopback || g.allow.host(d.name, d.port) || d.addr.IsValid() && g.allow.addr(d.addr)
	switch {
	case g.deny.host(d.name, d.port) || d.addr.IsValid() && g.deny.addr(d.addr):
		return d, errors.New("host is denied")
	case g.own.host(d.name, d.port):
		return d, errors.New("host is our own")
	case !d.addr.IsValid() && !d.trusted && reserved(d.name):
		return d, errors.New("name is reserved")
	case !g.portAllowed(d):
		return d, errors.New("port is not allowed")
	}
	return d, nil
}

func (g *Guard) portAllowed(d destination) bool {
	return d.loopback || d.port == "443" || d.port == "80" && d.trusted || g.allow.port(d.name, d.port)
}

// DialContext resolves once, judges every answer, and dials a checked address itself. It is for transports of clients
// whose addresses someone else chose.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("split address: %w", err)
	}
	dest, err := g.checkHost(host, port)
	if err != nil {
		return nil, err
	}
	addrs, err := g.resolve(ctx, dest)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: connectTime}
	var failed error
	for _, a := range addrs {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), dest.port))
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}

// resolve returns the addresses of a destination when all of them may be dialled: one bad answer spoils the name, since
// whoever serves it chooses the order.
func (g *Guard) resolve(ctx context.Context, dest destination) ([]netip.Addr, error) {
	addrs := []netip.Addr{dest.addr}
	if !dest.addr.IsValid() {
		ctx, cancel := context.WithTimeout(ctx, resolveTime)
		defer cancel()
		found, err := g.resolver.LookupNetIP(ctx, "ip", dest.name)
		if err != nil {
			return nil, fmt.Errorf("resolve: %w", err)
		}
		addrs = make([]netip.Addr, len(found))
		for i, a := range found {
			addrs[i] = a.Unmap() // resolvers may write IPv4 answers as mapped ones
		}
	}
	if len(addrs) == 0 {
		return nil, errors.New("resolve: no address")
	}
	for _, a := range addrs {
		if err := g.checkAddr(dest, a); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

func (g *Guard) checkAddr(dest destination, a netip.Addr) error {
	switch {
	case g.deny.addr(a):
		return fmt.Errorf("address %s is denied", a)
	case dest.loopback:
		if !a.IsLoopback() {
			return fmt.Errorf("address %s is not a loopback address", a)
		}
	case dest.trusted || g.allow.addr(a):
	case g.table.blocked(a):
		return fmt.Errorf("address %s is not public", a)
	}
	return nil
}

func (g *Guard) newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            g.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.cfg.RootCAs},
		TLSHandshakeTimeout:    connectTime,
		DisableKeepAlives:      true, // strangers' hosts are rarely asked twice
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
