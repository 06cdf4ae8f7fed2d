package egress

import "net/netip"

// table is the block table of operations.md §12: everything that is not the public internet, or that leads back into
// an IPv4 address that would have to be judged again (mapped, NAT64, 6to4, Teredo).
type table struct{ v4, v6 []netip.Prefix }

// blocked reports whether a may not be dialled. An IPv4 address in its IPv6 clothes is always blocked.
func (t *table) blocked(a netip.Addr) bool {
	switch {
	case !a.IsValid() || a.Zone() != "" || a.Is4In6():
		return true
	case a.Is4():
		return contains(t.v4, a)
	default:
		return contains(t.v6, a)
	}
}

// newTable is a function and not a variable, so that nothing can change the table.
func newTable() *table {
	return &table{
		v4: prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
			"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
			"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
			"255.255.255.255/32"),
		v6: prefixes("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
			"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10",
			"ff00::/8"),
	}
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}
