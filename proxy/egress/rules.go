package egress

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// rules are the entries of egress.allow or egress.deny: hosts, host:port pairs and CIDRs.
type rules struct {
	hosts    map[string]bool // canonical
	ports    map[string]bool // canonical host:port
	prefixes []netip.Prefix
}

func (r *rules) add(entry string) error {
	if strings.Contains(entry, "/") {
		p, err := netip.ParsePrefix(entry)
		if err != nil {
			return fmt.Errorf("must be a host, host:port or CIDR")
		}
		r.prefixes = append(r.prefixes, p.Masked())
		return nil
	}
	if addr, err := netip.ParseAddr(entry); err == nil {
		r.addHost(addr.String())
		r.prefixes = append(r.prefixes, netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	host, port, err := net.SplitHostPort(entry)
	if err != nil {
		host, port = entry, ""
	}
	name, _, err := canonicalHost(host)
	if err != nil {
		return fmt.Errorf("must be a host, host:port or CIDR: %w", err)
	}
	if port == "" {
		r.addHost(name)
		return nil
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("must be a host, host:port or CIDR")
	}
	if r.ports == nil {
		r.ports = map[string]bool{}
	}
	r.ports[net.JoinHostPort(name, strconv.Itoa(n))] = true
	return nil
}

func (r *rules) addHost(host string) {
	if r.hosts == nil {
		r.hosts = map[string]bool{}
	}
	r.hosts[host] = true
}

// host reports whether an entry names the host, with any port or with this one.
func (r *rules) host(host, port string) bool {
	return r.hosts[host] || r.port(host, port)
}

// port reports whether an entry names exactly this host and port.
func (r *rules) port(host, port string) bool { return r.ports[net.JoinHostPort(host, port)] }

func (r *rules) addr(a netip.Addr) bool { return contains(r.prefixes, a) }

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
