package resource

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	freeFailures  = 20
	failureWindow = time.Minute
	failureDelay  = 250 * time.Millisecond
	maxAddresses  = 50_000
)

// wrongKeys slows down who tries keys (llm.md KEY-9): after 20 failures in a minute from one address, further failures
// wait. Good calls never do, so that a neighbour behind the same address is not punished.
type wrongKeys struct {
	mu        sync.Mutex
	byAddress map[string]failures
}

type failures struct {
	since time.Time
	count int
}

// delay counts a failure and waits when there were too many, or until the caller has gone.
func (f *wrongKeys) delay(ctx context.Context, address string, now time.Time) {
	if f.count(address, now) <= freeFailures {
		return
	}
	timer := time.NewTimer(failureDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (f *wrongKeys) count(address string, now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byAddress == nil || len(f.byAddress) >= maxAddresses {
		f.byAddress = map[string]failures{} // forgetting is cheaper than being filled by strangers
	}
	seen := f.byAddress[address]
	if age := now.Sub(seen.since); age < 0 || age >= failureWindow {
		seen = failures{since: now}
	}
	seen.count++
	f.byAddress[address] = seen
	return seen.count
}

// addressOf is the caller's address: as the listener found it behind trusted proxies, else the peer.
func addressOf(r *http.Request) string {
	if req := identity.RequestFrom(r.Context()); req != nil && req.IP != "" {
		return req.IP
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
