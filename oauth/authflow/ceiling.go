package authflow

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// maxOfBrowser is how many transactions one browser may have open (oauth.md §17): over it its oldest goes, so that one
// page that reloads for ever does not use up what everybody shares.
const maxOfBrowser = 200

// openOnes remembers the transactions of each browser in the order in which they began. It is this process's own
// memory: a ceiling need not be exact, and a replica that does not know of a transaction only evicts it later.
type openOnes struct {
	mu    sync.Mutex
	by    map[string][]opened // by the cookie's start half
	total int
}

type opened struct {
	id      string
	expires time.Time
}

// add notes a transaction and returns the id of one to evict, or "".
func (o *openOnes) add(start string, t *oauth.Transaction, now time.Time) (evict string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by == nil || o.total >= 2*maxOpen {
		o.sweep(now)
	}
	list := o.alive(o.by[start], now)
	if len(list) >= maxOfBrowser {
		evict = list[0].id
		list = list[1:]
		o.total--
	}
	o.by[start] = append(list, opened{id: t.ID, expires: t.Expires})
	o.total++
	return evict
}

// alive drops what has expired; the oldest are in front.
func (o *openOnes) alive(list []opened, now time.Time) []opened {
	for len(list) > 0 && now.After(list[0].expires) {
		list = list[1:]
		o.total--
	}
	return list
}

// sweep bounds the memory. When too little has expired everything is forgotten, so that a busy hour does not pay for a
// sweep at every sign-in: the ceiling starts anew, no transaction ends.
func (o *openOnes) sweep(now time.Time) {
	next := map[string][]opened{}
	for start, list := range o.by {
		if list = o.alive(list, now); len(list) > 0 {
			next[start] = list
		}
	}
	if o.total >= maxOpen {
		next, o.total = map[string][]opened{}, 0
	}
	o.by = next
}

// evict ends a transaction that made room, in whichever state it waits.
func (h *Handler) evict(ctx context.Context, id string) {
	t, err := h.Store.Transaction(ctx, id)
	if err != nil || t.Status != oauth.AtProvider && t.Status != oauth.Consenting {
		return
	}
	from := t.Status
	t.Status, t.Upstream, t.Identity = oauth.Failed, nil, nil
	if err := h.Store.SwapTransaction(ctx, from, t); err != nil && !errors.Is(err, oauth.ErrConflict) {
		h.Log.WarnContext(ctx, "transaction could not be ended", "error", err.Error())
	}
}
