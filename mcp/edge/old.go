package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// The transport of 2024-11-05, HTTP+SSE (mcp.md §8): one stream that carries everything, and an address beside it to which
// the client posts.
//
//	GET …/sse ─ rows 3 to 6 ─ session ─▶ stream: where to post, then every answer        (old.go)
//	POST …/message ─ rows 3 to 12 ─▶ 202, then Server.Handle, whose answer goes down there (old_message.go)

// oldestRevision is the revision that had this transport; what a client speaks until it said initialize.
const oldestRevision = "2024-11-05"

// deprecatedSince is the day on which 2025-03-26 replaced the transport, as a Deprecation header names it (RFC 9745).
const deprecatedSince = "@1742947200"

// maxOldCalls is how many calls may be under way on one stream: who posts is told 202 before the work is done, so nothing
// else holds them back.
const maxOldCalls = 64

// maxOldWaiting is how many bytes may wait for a client that reads slower than it asks.
const maxOldWaiting = 16 << 20

// oldStream is the stream of one such session.
type oldStream struct {
	ctx   context.Context
	queue *queue
	begin sync.Once // to tell what the server has to say

	mu           sync.Mutex
	revision     string
	capabilities json.RawMessage
	logLevel     string
	calls        int
	leaving      bool
}

// setLogLevel keeps the client's level. Safe on nil: most sessions have no such stream.
func (s *oldStream) setLogLevel(level string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logLevel = level
}

// oldStreams are those of this process.
type oldStreams struct {
	mu        sync.Mutex
	bySession map[string]*oldStream
	noted     map[string]bool // clients that were written down this day
	day       string
}

func (o *oldStreams) init() { o.bySession, o.noted = map[string]*oldStream{}, map[string]bool{} }

func (o *oldStreams) find(session string) *oldStream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bySession[session]
}

func (o *oldStreams) set(session string, s *oldStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s == nil {
		delete(o.bySession, session)
		return
	}
	o.bySession[session] = s
}

// maxNoted bounds the names of clients kept for a day: they choose them.
const maxNoted = 1000

// first reports whether a client of this name shows up for the first time this day (D5).
func (o *oldStreams) first(client string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if day := now.UTC().Format(time.DateOnly); day != o.day {
		o.day = day
		clear(o.noted)
	}
	if o.noted[client] || len(o.noted) >= maxNoted {
		return false
	}
	o.noted[client] = true
	return true
}

// serveOldStream serves GET /mcp/{server}/sse.
func (h *Handler) serveOldStream(w http.ResponseWriter, r *http.Request, name string) {
	x := h.oldExchange(w, r, name)
	if err := x.admit(); err != nil {
		if err != errAnswered {
			x.fail(err)
		}
		return
	}
	if r.Method != http.MethodGet {
		x.notAllowed("GET, OPTIONS")
		return
	}
	if err := x.oldSession(); err != nil {
		x.fail(err)
		return
	}
	x.holdOldStream()
}

func (h *Handler) oldExchange(w http.ResponseWriter, r *http.Request, name string) *exchange {
	s := h.init()
	x := &exchange{h: h, state: s, settings: s.current.Load(), w: w, r: r, name: name, old: true}
	x.arrive()
	w.Header().Set("Deprecation", deprecatedSince)
	return x
}

// oldSession opens the session that the stream is (D1). Its record is like every other, so that the same caps hold, and
// another replica can tell "elsewhere" from "never was" (D3).
func (x *exchange) oldSession() error {
	owner, client := ownerOf(x.caller)
	id, now := x.newSessionID(), x.now()
	err := x.sessions.Create(x.r.Context(), mcp.Session{
		ID: id, Server: x.name, Owner: owner, Client: client, Grant: x.caller.GrantID, Revision: oldestRevision, Created: now, Used: now,
	}, x.limits.sessions())
	switch {
	case errors.Is(err, mcp.ErrSessionsFull):
		return tooManySessions()
	case err != nil:
		return unavailable(err)
	}
	x.session = id
	x.farewells.watch(x.limits.SessionIdle)
	return nil
}

// holdOldStream writes the stream until somebody ends it; the session ends with it (D1).
func (x *exchange) holdOldStream() {
	ctx, cancel := context.WithTimeout(x.r.Context(), x.streamTime())
	owner, _ := ownerOf(x.caller)
	l := &listener{
		x: x, key: callerKey{x.name, owner}, queue: newQueue(), end: cancel, view: x.server.View(x.caller), plain: true,
		changes: []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`),
	}
	stream := &oldStream{ctx: ctx, queue: l.queue, revision: oldestRevision}
	l.leave = stream.leave
	x.streams.set(x.session, stream)
	defer x.endOldStream(cancel)
	if !x.hub.add(l, x.limits.ListensPerCaller) {
		x.fail(stopping())
		return
	}
	defer x.noteLost(l.queue)
	defer x.hub.remove(l)
	x.h.check(l)
	s := newWriter(x.w, l.queue)
	s.alive = x.stillThere
	if s.open() == nil && s.send([]byte("event: endpoint\ndata: "+x.messagePath()+"\n\n")) == nil {
		s.run(ctx)
	}
}

// messagePath is where the client posts: without an origin, so that it cannot be another's.
func (x *exchange) messagePath() string {
	base := ""
	if u, err := url.Parse(x.h.PublicURL); err == nil {
		base = strings.TrimSuffix(u.EscapedPath(), "/")
	}
	return base + "/mcp/" + url.PathEscape(x.name) + "/message?sessionId=" + url.QueryEscape(x.session)
}

func (x *exchange) endOldStream(cancel context.CancelFunc) {
	cancel()
	x.streams.set(x.session, nil)
	ctx := context.WithoutCancel(x.r.Context())
	_ = x.sessions.End(ctx, x.session, x.now())
	x.leave()
	if l, ok := x.server.(Leaver); ok {
		l.Left(ctx, x.session)
	}
}
