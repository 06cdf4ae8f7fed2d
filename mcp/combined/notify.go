package combined

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// Notified implements edge.Notified: what the client notifies goes to the sources concerned (C7).
func (s *Server) Notified(ctx context.Context, r *edge.Request) {
	switch r.Message.Method {
	case "notifications/cancelled":
		// The edge has ended the call by its id, and with it the source's: an id of this client means nothing to a source.
	case "notifications/progress":
		s.progressed(ctx, r)
	default:
		s.toAll(ctx, r, func(ctx context.Context, to edge.Notified, q *edge.Request) { to.Notified(ctx, q) })
	}
}

// progressed passes progress of a question to who asked it, by the token it chose itself.
func (s *Server) progressed(ctx context.Context, r *edge.Request) {
	m := r.Message
	at := m.Member(m.Params, "progressToken")
	token, ok := m.Text(at)
	if !ok {
		return
	}
	of, ok := s.tokens.find(r.Session, token)
	if !ok {
		return
	}
	if to, ok := of.src.Server.(edge.Notified); ok {
		q := *r
		q.Message = m.WithValue(at, of.bytes)
		to.Notified(ctx, &q)
	}
}

// toAll tells every source that wants to know, all at once, and waits for them a little.
func (s *Server) toAll(ctx context.Context, r *edge.Request, tell func(context.Context, edge.Notified, *edge.Request)) {
	ctx, cancel := context.WithTimeout(aside(ctx), answerTime)
	defer cancel()
	var wait sync.WaitGroup
	for _, src := range s.sources {
		if to, ok := src.Server.(edge.Notified); ok {
			q := *r
			wait.Go(func() {
				defer src.caught(ctx)
				tell(ctx, to, &q)
			})
		}
	}
	wait.Wait()
}

// caught keeps a panic of a source from being more than that source's failure (B11).
func (src *source) caught(ctx context.Context) {
	if p := recover(); p != nil {
		src.s.log.ErrorContext(ctx, "panic in a part of a combined server", "server", src.s.cfg.Name, "source", src.As, "panic", p)
	}
}

// Left implements edge.Leaver.
func (s *Server) Left(ctx context.Context, session string) {
	var wait sync.WaitGroup
	for _, src := range s.sources {
		if l, ok := src.Server.(edge.Leaver); ok {
			wait.Go(func() {
				defer src.caught(ctx)
				l.Left(ctx, session)
			})
		}
	}
	wait.Wait()
}

// setLevel keeps the level with the session and passes it to the sources that log (C7). One that cannot take it now gets
// the session's level with the next call.
func (s *Server) setLevel(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	level, ok := r.Message.Text(r.Message.Level)
	if !ok || !slices.Contains([]string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}, level) {
		return nil, edge.InvalidParams("params.level must be one of debug, info, notice, warning, error, critical, alert, emergency")
	}
	r.SetLogLevel(level)
	ctx, cancel := context.WithTimeout(aside(ctx), answerTime)
	defer cancel()
	var wait sync.WaitGroup
	for _, src := range s.sources {
		if src.Made { // what is made here logs nothing of its own
			continue
		}
		wait.Go(func() {
			defer src.caught(ctx)
			if !src.offers(ctx, r, "logging") {
				return
			}
			q := *r
			q.LogLevel, q.SetLogLevel = level, func(string) {}
			if _, err := src.Server.Handle(ctx, &q); err != nil {
				src.failed(ctx, err)
			}
		})
	}
	wait.Wait()
	return json.RawMessage("{}"), nil
}
