package listing

import (
	"log/slog"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// maxOnce is how many things one Once tells apart: names of tools are chosen elsewhere.
const maxOnce = 1000

// Once says whether something comes for the first time, so that what is wrong with a list is written down once and not for
// each who asks for it. The zero value is ready. Safe for concurrent use.
type Once struct {
	mu   sync.Mutex
	seen map[string]bool
}

// First reports whether key was not there before. When there are very many, all others were.
func (o *Once) First(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[key] || len(o.seen) >= maxOnce {
		return false
	}
	if o.seen == nil {
		o.seen = map[string]bool{}
	}
	o.seen[key] = true
	return true
}

// LeftOut warns of an upstream's tool that cannot be offered: once, however often it is listed.
func (o *Once) LeftOut(log *slog.Logger, server, tool, why string) {
	if tool, why = mcp.Clip(tool), mcp.Clip(why); o.First(tool + "\x00" + why) {
		log.Warn("a tool of an upstream is left out", "server", server, "tool", tool, "err", why)
	}
}
