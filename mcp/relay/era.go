package relay

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

// speaks says what the upstream speaks, as it is remembered, or as it says now.
func (s *Server) speaks(ctx context.Context, r *edge.Request) (upstream.Verdict, error) {
	return s.cfg.Leg.Speaks(ctx, behalf(r))
}

func behalf(r *edge.Request) *upstream.Behalf {
	return &upstream.Behalf{Caller: r.Caller, Capabilities: r.Capabilities, HTTP: r.HTTP, Arrived: r.Arrived}
}

// Crosses implements edge.Crosser: a client whose era the upstream does not speak is served by translation, if there is any.
func (s *Server) Crosses(ctx context.Context, r *edge.Request) (bool, error) {
	if s.cfg.Crossing == nil || r.Upstream != "" { // a session of the upstream's is of its era
		return false, nil
	}
	v, err := s.speaks(ctx, r)
	if err != nil {
		return false, s.unheard(ctx, r, err)
	}
	return r.Modern && !v.Modern || !r.Modern && (!v.Legacy || v.SSE), nil // a stream of 2024-11-05 is not passed on as it is
}

// unheard is an upstream that does not say what it speaks because it does not answer: a call of a tool gets a result (§9.3),
// once it is decided that the tool is the caller's.
func (s *Server) unheard(ctx context.Context, r *edge.Request, err error) error {
	text, ok := upstream.Failed(err)
	if m := r.Message; !ok || m == nil || m.Kind != strictjson.Request || m.Method != "tools/call" {
		return err
	}
	x := &exchange{s: s, r: r}
	if err := x.mayCall(ctx); err != nil {
		return err
	}
	p, _ := x.failed(0, text, err)
	return &edge.Error{Code: edge.CodeServer, Msg: text, Result: p.Result, Err: err}
}

// sameEra refuses a client whose era the upstream does not speak, where nothing is translated.
func (s *Server) sameEra(ctx context.Context, r *edge.Request) error {
	v, err := s.speaks(ctx, r)
	switch {
	case err != nil:
		return s.unheard(ctx, r, err)
	case r.Modern && !v.Modern:
		return unsupported(edge.Supported()[1:], edge.Modern)
	case !r.Modern && (!v.Legacy || v.SSE):
		return unsupported(edge.Supported()[:1], r.Revision)
	}
	return nil
}

// unsupported names what the client could speak instead: one that speaks both eras goes on with the other.
func unsupported(supported []string, requested string) error {
	data, _ := json.Marshal(map[string]any{"supported": supported, "requested": requested})
	return &edge.Error{
		Status: http.StatusBadRequest, Code: edge.CodeUnsupportedVersion, Data: data,
		Msg: "the server behind this gateway does not speak this revision of the protocol",
	}
}

// noteEra drops the verdict when an upstream says that it does not speak this era (§16.1).
func (x *exchange) noteEra(m *strictjson.Message) {
	if code := string(m.Bytes(m.Member(m.Error, "code"))); code == "-32022" {
		x.refused = true
		x.s.cfg.Leg.ForgetEra()
	}
}

// Handle implements edge.Server, for clients whose era is translated. For others the edge passes everything on instead.
func (s *Server) Handle(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	if s.cfg.Crossing == nil {
		return nil, edge.MethodNotFound(r.Message.Method)
	}
	return s.cfg.Crossing.Handle(ctx, r)
}

// Listen implements edge.Teller.
func (s *Server) Listen(ctx context.Context, r *edge.Request, want edge.Interest, tell func(json.RawMessage)) (edge.Interest, error) {
	if t, ok := s.cfg.Crossing.(edge.Teller); ok {
		return t.Listen(ctx, r, want, tell)
	}
	return edge.Interest{}, nil
}

// Notified implements edge.Notified.
func (s *Server) Notified(ctx context.Context, r *edge.Request) {
	if n, ok := s.cfg.Crossing.(edge.Notified); ok {
		n.Notified(ctx, r)
	}
}

// Left implements edge.Leaver.
func (s *Server) Left(ctx context.Context, session string) {
	if l, ok := s.cfg.Crossing.(edge.Leaver); ok {
		l.Left(ctx, session)
	}
}
