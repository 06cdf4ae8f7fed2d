package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const maxKey = 256

// defaultKey is CT-2: subscription, else caller, else address; of an IPv6 address its /64, since one household has all of
// that. The letter keeps the three apart.
func defaultKey(call *proxy.Call) string {
	c := &call.Caller
	switch {
	case c.Subscription.ID != "":
		return "s" + c.Subscription.ID
	case c.Subject != "":
		return shortKey("c" + c.Subject)
	}
	addr, err := netip.ParseAddr(call.Request.IP)
	if err != nil {
		return shortKey("i" + call.Request.IP)
	}
	addr = addr.Unmap()
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return "i" + p.String()
		}
	}
	return "i" + addr.String()
}

// shortKey replaces long keys by their hash, so that nobody fills the memory with one.
func shortKey(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
