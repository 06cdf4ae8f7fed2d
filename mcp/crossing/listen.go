package crossing

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

const (
	maxURIs     = 100 // of one session (§11.2)
	maxURI      = 4 << 10
	maxSessions = 10_000 // with subscriptions
)

// Listen implements edge.Teller. A legacy client's stream carries what its session subscribed to, and is opened anew
// upstream when that changes.
func (s *Server) Listen(ctx context.Context, r *edge.Request, want edge.Interest, tell func(json.RawMessage)) (edge.Interest, error) {
	on := behalf(r)
	if r.Modern {
		return s.cfg.Leg.Listen(ctx, on, want, func(m *strictjson.Message) { tell(m.Body) })
	}
	pass := func(m *strictjson.Message) { tell(untagged(m)) }
	uris, changed := s.cfg.Memory.subs.of(s.key(r.Session))
	inner, stop := context.WithCancel(ctx)
	want.URIs = uris
	agreed, err := s.cfg.Leg.Listen(inner, on, want, pass)
	if err != nil {
		stop()
		return agreed, err
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				stop()
				return
			case <-changed:
			}
			last := stop
			inner, stop = context.WithCancel(ctx)
			want.URIs, changed = s.cfg.Memory.subs.of(s.key(r.Session))
			if _, err := s.cfg.Leg.Listen(inner, on, want, pass); err != nil && ctx.Err() == nil {
				s.log.InfoContext(ctx, "an upstream tells nothing of a subscription", "server", s.cfg.Name, "err", err.Error())
			}
			last() // behind the new one, so that nothing falls between
		}
	}()
	return agreed, nil
}

// untagged is a notification without the id of our own subscription upstream, which is nothing to a legacy client.
func untagged(m *strictjson.Message) json.RawMessage {
	if !m.SubscriptionID.Present() {
		return m.Body
	}
	return splice.Apply(m.Body, splice.Members(m, m.Meta, map[string][]byte{"io.modelcontextprotocol/subscriptionId": nil}))
}

// Notified implements edge.Notified. Cancelling is the edge's business, which ends the call's context.
func (s *Server) Notified(ctx context.Context, r *edge.Request) {
	m := r.Message
	if r.Modern || m.Method == "notifications/cancelled" || m.Method == "notifications/initialized" {
		return
	}
	if modern, err := s.era(ctx, r); err != nil || modern {
		return // a modern upstream learns of roots when it asks for them
	}
	if err := s.cfg.Leg.Send(ctx, behalf(r), m.Method, m.Bytes(m.Params)); err != nil {
		s.log.InfoContext(ctx, "an upstream was not told of a notification", "server", s.cfg.Name, "method", mcp.Clip(m.Method), "err", err.Error())
	}
}

// Left implements edge.Leaver.
func (s *Server) Left(_ context.Context, session string) { s.cfg.Memory.subs.drop(s.key(session)) }

// key names a session at this upstream: a combined server has several.
func (s *Server) key(session string) string { return s.cfg.Upstream + "\x00" + session }

// subscriptions are the resources that legacy sessions subscribed to.
type subscriptions struct {
	mu        sync.Mutex
	bySession map[string]*subscription
}

type subscription struct {
	uris    []string
	changed chan struct{} // closed, and made anew, when uris change
}

func (s *subscriptions) init() { s.bySession = map[string]*subscription{} }

func (s *subscriptions) of(session string) (uris []string, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.at(session)
	return slices.Clone(one.uris), one.changed
}

func (s *subscriptions) at(session string) *subscription {
	one := s.bySession[session]
	if one == nil {
		if len(s.bySession) >= maxSessions { // sessions that fell idle told nobody
			for any := range s.bySession {
				delete(s.bySession, any)
				break
			}
		}
		one = &subscription{changed: make(chan struct{})}
		s.bySession[session] = one
	}
	return one
}

// change adds or removes an address; false when there are too many.
func (s *subscriptions) change(session, uri string, add bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.at(session)
	has := slices.Contains(one.uris, uri)
	switch {
	case add == has:
		return true
	case add && len(one.uris) >= maxURIs:
		return false
	case add:
		one.uris = append(one.uris, uri)
	default:
		one.uris = slices.DeleteFunc(one.uris, func(u string) bool { return u == uri })
	}
	close(one.changed)
	one.changed = make(chan struct{})
	return true
}

func (s *subscriptions) drop(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bySession, session)
}

// subscribe keeps what a legacy client wants to hear of; its GET stream tells (§11.2).
func (s *Server) subscribe(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	m := r.Message
	uri, ok := m.Text(m.URI)
	if !ok || uri == "" || len(uri) > maxURI {
		return nil, edge.InvalidParams("params.uri must be an address of at most %d bytes", maxURI)
	}
	info, err := s.info(ctx, r)
	if err != nil {
		return nil, err
	}
	all, at, ok := opened(info.Capabilities)
	if !ok || string(all.Bytes(all.Member(all.Member(at, "resources"), "subscribe"))) != "true" {
		return nil, edge.MethodNotFound(m.Method)
	}
	if !s.cfg.Memory.subs.change(s.key(r.Session), uri, m.Method == "resources/subscribe") {
		return nil, edge.InvalidParams("a session can subscribe to at most %d resources", maxURIs)
	}
	return json.RawMessage("{}"), nil
}
