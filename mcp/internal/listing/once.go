package listing

import "sync"

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
