package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

const maxRevision = 32

// connect opens a session with exactly the capabilities of this behalf, never more (§11.1).
func (l *Leg) connect(ctx context.Context, on *Behalf, k poolKey) (*session, error) {
	if v, err := l.Speaks(ctx, on); err != nil || v.SSE {
		if err != nil {
			return nil, err
		}
		return l.connectLine(ctx, on, k)
	}
	s := &session{l: l, on: on, key: k}
	status, answer, err := s.shake(ctx)
	if code(answer) != "-32022" && l.OldTransport(ctx, on, status) {
		return l.connectLine(ctx, on, k)
	}
	if err != nil {
		return nil, l.final(ctx, err)
	}
	if err := s.begin(ctx, answer); err != nil {
		return nil, err
	}
	if k.mayAsk() {
		s.listen(ctx)
	}
	return s, nil
}

// hello is the handshake.
func (l *Leg) hello(on *Behalf) (*strictjson.Message, error) {
	return message(l.nextID(), "initialize", object(map[string][]byte{
		"protocolVersion": []byte(`"` + edge.LatestLegacy + `"`), "capabilities": on.capabilities(), "clientInfo": l.clientInfo(on),
	}))
}

// shake sends the handshake. status is 0 when nothing came.
func (s *session) shake(ctx context.Context) (status int, answer *strictjson.Message, err error) {
	m, err := s.l.hello(s.on)
	if err != nil {
		return 0, nil, err
	}
	w, err := s.l.open(ctx, (&sending{l: s.l, on: s.on, http: http.MethodPost, m: m, quiet: true}).call(ctx))
	if err != nil {
		return 0, nil, err
	}
	answer, err = w.answerTo(m, nil, nil)
	s.id = w.answer.Upstream.Get(sessionHeader)
	w.close(answer != nil)
	return w.answer.Status, answer, err
}

// begin takes the answer to the handshake and ends it.
func (s *session) begin(ctx context.Context, answer *strictjson.Message) error {
	if err := s.agree(answer); err != nil {
		return err
	}
	if err := s.notify(ctx, "notifications/initialized", nil); err != nil {
		return err
	}
	return s.setLevel(ctx)
}

// agree reads the answer to initialize.
func (s *session) agree(answer *strictjson.Message) error {
	if code(answer) == "-32022" && s.l.cfg.Era == Auto {
		s.l.OnlyModern()
		return ErrEra
	}
	if answer.Error.Present() {
		return Error(answer)
	}
	revision, ok := answer.Text(answer.Member(answer.Result, "protocolVersion"))
	if !ok || len(revision) > maxRevision {
		return notMCP("no protocolVersion")
	}
	if len(s.id) > mcp.MaxUpstreamSession {
		return notMCP("a session id of more than 512 bytes")
	}
	s.revision, s.info = revision, readInfo(answer)
	s.info.Revision = revision
	return nil
}

// setLevel asks for log messages where they are wanted (§11.1).
func (s *session) setLevel(ctx context.Context) error {
	if s.key.level == "" || !has(s.info.Capabilities, "logging") {
		return nil
	}
	level, _ := json.Marshal(s.key.level)
	_, err := s.ask(ctx, "logging/setLevel", append(append([]byte(`{"level":`), level...), '}'))
	return err
}

// has reports whether capabilities name one of this key.
func has(capabilities json.RawMessage, name string) bool {
	var all map[string]json.RawMessage
	return json.Unmarshal(capabilities, &all) == nil && all[name] != nil && !bytes.Equal(all[name], []byte("null"))
}

func (s *session) header() http.Header {
	h := http.Header{}
	if s.revision != "" {
		h[versionHeader] = []string{s.revision}
	}
	if s.id != "" {
		h[sessionHeader] = []string{s.id}
	}
	return h
}

// ask sends a request of ours in the session.
func (s *session) ask(ctx context.Context, method string, params []byte) (*strictjson.Message, error) {
	m, err := message(s.l.nextID(), method, params)
	if err != nil {
		return nil, err
	}
	if s.line != nil {
		return s.line.request(ctx, s, m)
	}
	w, err := s.l.open(ctx, (&sending{l: s.l, on: s.on, http: http.MethodPost, m: m, header: s.header(), quiet: true}).call(ctx))
	if err != nil {
		return nil, err
	}
	answer, err := w.answerTo(m, nil, nil)
	w.close(answer != nil)
	if err != nil {
		return nil, s.l.final(ctx, err)
	}
	return answer, nil
}

// notify sends what wants no answer.
func (s *session) notify(ctx context.Context, method string, params []byte) error {
	m, err := message(nil, method, params)
	if err != nil {
		return err
	}
	return s.send(ctx, m)
}

// send posts a notification or an answer of the client's. What the upstream makes of it is its own affair.
func (s *session) send(ctx context.Context, m *strictjson.Message) error {
	if s.line != nil {
		return s.line.post(ctx, s, m)
	}
	w, err := s.l.open(ctx, (&sending{l: s.l, on: s.on, http: http.MethodPost, m: m, header: s.header(), quiet: true}).call(ctx))
	if err != nil {
		return err
	}
	status := w.answer.Status
	w.close(status < http.StatusBadRequest)
	if status == http.StatusNotFound {
		return errNotFound
	}
	return nil
}

// goodbye tells the upstream that a session is over; one that keeps none, or has no way to say so, hears nothing.
func (s *session) goodbye() {
	s.hush()
	if s.id == "" || s.line != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeWithin)
	defer cancel()
	w, err := s.l.open(ctx, (&sending{l: s.l, on: s.on.quiet(), http: http.MethodDelete, header: s.header(), quiet: true}).call(ctx))
	if err != nil {
		s.l.log.Info("an upstream was not told of a session's end", "server", s.l.cfg.Server, "err", err.Error())
		return
	}
	w.close(true)
}

// quiet is the behalf without the request it came with, which is over by now.
func (b *Behalf) quiet() *Behalf {
	q := *b
	q.HTTP = nil
	return &q
}

func (l *Leg) legacyInfo(ctx context.Context, on *Behalf) (*Info, error) {
	s, err := l.lease(ctx, on)
	if err != nil {
		return nil, err
	}
	defer l.cfg.Memory.pools.free(s, false, l.now())
	return s.info, nil
}

// errSessionGone is a session that the upstream no longer knows.
var errSessionGone = errors.New("the upstream ended the session")
