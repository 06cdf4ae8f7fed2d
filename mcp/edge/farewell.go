package edge

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// sweepEvery is how long a session that ran out may stay unnoticed, when nobody asks for it.
const sweepEvery = time.Minute

// maxFarewells is how many sessions may wait for their upstreams to be told. Callers can open new ones in place of their oldest
// faster than an upstream takes leave.
const maxFarewells = 10_000

// farewells close what is open of sessions that ended by themselves, and tell the upstreams of relays (S7).
type farewells struct {
	h     *Handler
	store mcp.SelfEnding // nil: it ends nothing by itself

	mu      sync.Mutex
	armed   bool          // a sweep is going to come
	waiting []mcp.Session // to be taken leave of, by one goroutine
	busy    bool          // it runs
}

func (f *farewells) init(h *Handler) {
	f.h = h
	if f.store, _ = h.edge.sessions.(mcp.SelfEnding); f.store != nil {
		f.store.OnEnd(f.ended)
	}
}

// watch has the sessions swept from time to time, as long as there are any.
func (f *farewells) watch(idle time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.store == nil || f.armed {
		return
	}
	f.armed = true
	time.AfterFunc(min(sweepEvery, idle), func() {
		left := f.store.Sweep(f.h.edge.now())
		f.mu.Lock()
		f.armed = false
		f.mu.Unlock()
		if left > 0 {
			f.watch(idle)
		}
	})
}

// ended closes what is open here at once; whoever else must know is told behind.
func (f *farewells) ended(s mcp.Session) {
	state := &f.h.edge
	state.hub.endSession(s.ID)
	state.calls.endSession(s.ID)
	state.questions.endSession(s.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) >= maxFarewells { // its upstream finds out by itself
		return
	}
	f.waiting = append(f.waiting, s)
	if !f.busy {
		f.busy = true
		go f.run()
	}
}

// run takes leave of one session after the other: many may end at once, and nobody waits for it.
func (f *farewells) run() {
	for {
		f.mu.Lock()
		if len(f.waiting) == 0 {
			f.waiting, f.busy = nil, false
			f.mu.Unlock()
			return
		}
		s := f.waiting[0]
		f.waiting = f.waiting[1:]
		f.mu.Unlock()
		f.h.takeLeave(s)
	}
}

// takeLeave does what DELETE does for others than us. Nobody is calling: the caller is whom the record names.
func (h *Handler) takeLeave(s mcp.Session) {
	defer func() {
		if p := recover(); p != nil {
			h.edge.log.Error("panic while a session ended", "server", s.Server, "panic", fmt.Sprint(p))
		}
	}()
	server, state := h.Lookup(s.Server)
	if state != Serving {
		return
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, "/mcp/"+s.Server, nil)
	if err != nil {
		return
	}
	x := &exchange{
		h: h, state: &h.edge, settings: h.edge.current.Load(), r: r, name: s.Server, server: server, arrived: h.edge.now(),
		caller:  &identity.Caller{Subject: s.Owner, ClientID: s.Client, GrantID: s.Grant},
		session: s.ID, revision: s.Revision, upstream: s.Upstream, capabilities: s.Capabilities, logLevel: s.LogLevel,
	}
	if to, err := x.relays(); err == nil && to != nil {
		if s.Upstream != "" {
			x.relayDelete(to)
		}
	} else if l, ok := server.(Leaver); ok {
		l.Left(r.Context(), s.ID)
	}
}
