package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Speaks says which eras the upstream speaks: as configured, as remembered, or as it says now (§16.1).
func (l *Leg) Speaks(ctx context.Context, on *Behalf) (Verdict, error) {
	switch l.cfg.Era {
	case Modern:
		return Verdict{Modern: true}, nil
	case Legacy:
		return Verdict{Legacy: true}, nil
	case SSE:
		return Verdict{Legacy: true, SSE: true}, nil
	}
	return l.cfg.Memory.verdicts.get(ctx, key{"", l.cfg.Backend, "", ""}, l.now, func(ctx context.Context) (Verdict, time.Duration, error) {
		v, err := l.probe(ctx, on.Nobody())
		return v, verdictFor, err
	})
}

// ForgetEra drops what is known of the upstream's era, after it refused one.
func (l *Leg) ForgetEra() {
	match := func(k key) bool { return k.backend == l.cfg.Backend }
	l.cfg.Memory.verdicts.forget(match)
	l.cfg.Memory.infos.forget(match)
}

// OnlyModern notes that the upstream, which lists revisions of both eras, refuses the legacy one all the same.
func (l *Leg) OnlyModern() { l.learn(Verdict{Modern: true}) }

// OldTransport reports whether an upstream that answered initialize with status speaks the transport of 2024-11-05, and
// notes it. Servers of that time know no POST there: 400, 404 or 405 (§16.1).
func (l *Leg) OldTransport(ctx context.Context, on *Behalf, status int) bool {
	if l.cfg.Era != Auto || !refusesHandshake(status) || !l.hasLine(ctx, on.Nobody()) {
		return false
	}
	l.learn(Verdict{Legacy: true, SSE: true})
	return true
}

func refusesHandshake(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusMethodNotAllowed
}

// hasLine reports whether the upstream opens a stream of 2024-11-05.
func (l *Leg) hasLine(ctx context.Context, on *Behalf) bool {
	ln, err := l.openLine(ctx, on)
	if err != nil {
		return false
	}
	ln.w.close(true)
	return true
}

// probeOld tells the two legacy transports apart by a handshake, which servers that say nothing of eras have to be asked for.
// Clients that are here already, after a restart, send none.
func (l *Leg) probeOld(ctx context.Context, on *Behalf) (Verdict, error) {
	s := &session{l: l, on: on, key: l.poolKey(on)}
	status, answer, err := s.shake(ctx)
	switch {
	case refusesHandshake(status) && code(answer) != "-32022" && l.hasLine(ctx, on):
		return Verdict{Legacy: true, SSE: true}, nil
	case ctx.Err() != nil:
		return Verdict{}, context.Cause(ctx)
	case status == 0:
		return Verdict{}, l.final(ctx, err)
	case answer != nil && s.agree(answer) == nil && s.notify(ctx, "notifications/initialized", nil) == nil:
		go s.goodbye()
	}
	return Verdict{Legacy: true}, nil // what else is wrong with it, whoever is to be served is told
}

func (l *Leg) learn(v Verdict) {
	p := l.cfg.Memory.verdicts.page(key{"", l.cfg.Backend, "", ""})
	p.mu.Lock()
	p.value, p.expires = v, l.now().Add(verdictFor)
	p.mu.Unlock()
}

// probe sends server/discover as a modern client does. Only an answer counts: a silent upstream is down, not old.
func (l *Leg) probe(ctx context.Context, on *Behalf) (Verdict, error) {
	old := Verdict{Legacy: true}
	answer, err := l.discover(ctx, on)
	var e *edge.Error
	switch {
	case errors.Is(err, errNotFound), errors.Is(err, errNotAllowed):
		return l.probeOld(ctx, on)
	case errors.As(err, &e) && e.Msg == otherThing && ctx.Err() == nil:
		if broken(e) {
			return l.probeBroken(ctx, on, e)
		}
		return l.probeOld(ctx, on)
	case err != nil:
		return Verdict{}, l.final(ctx, err)
	}
	list := answer.Member(answer.Result, "supportedVersions")
	if code(answer) == "-32022" {
		list = answer.Member(answer.Member(answer.Error, "data"), "supported")
	}
	var v Verdict
	for _, one := range answer.Elements(list) {
		text, _ := answer.Text(one)
		v.Modern = v.Modern || text == edge.Modern
		v.Legacy = v.Legacy || text != edge.Modern && text != ""
	}
	if !v.Modern && !v.Legacy {
		return old, nil
	}
	return v, nil
}

// broken tells a broken server's page from an old one's: 5xx says nothing of eras.
func broken(e *edge.Error) bool {
	return e.Err != nil && strings.Contains(e.Err.Error(), "status 5")
}

// probeBroken asks a server that answered with 5xx once more, by a handshake. One that takes it fails at methods it does not
// know; all others are down.
func (l *Leg) probeBroken(ctx context.Context, on *Behalf, e *edge.Error) (Verdict, error) {
	s := &session{l: l, on: on, key: l.poolKey(on)}
	_, answer, err := s.shake(ctx)
	if err != nil || s.agree(answer) != nil || s.notify(ctx, "notifications/initialized", nil) != nil {
		return Verdict{}, failed(http.StatusBadGateway, unavailable, e.Err)
	}
	go s.goodbye()
	return Verdict{Legacy: true}, nil
}

// discover asks a modern upstream what it is.
func (l *Leg) discover(ctx context.Context, on *Behalf) (*strictjson.Message, error) {
	m, err := message(l.nextID(), "server/discover", []byte("{}"))
	if err != nil {
		return nil, err
	}
	m = l.addressed(m, on, true)
	s := &sending{l: l, on: on, http: http.MethodPost, m: m, quiet: true, header: http.Header{versionHeader: {edge.Modern}, "Mcp-Method": {m.Method}}}
	w, err := l.open(ctx, s.call(ctx))
	if err != nil {
		return nil, err
	}
	answer, err := w.answerTo(m, nil, nil)
	w.close(answer != nil)
	return answer, err
}

// Info returns what the upstream says of itself, to modern clients or to legacy ones.
func (l *Leg) Info(ctx context.Context, on *Behalf, modern bool) (*Info, error) {
	what := "legacy"
	if modern {
		what = "modern"
	}
	return l.cfg.Memory.infos.get(ctx, key{l.cfg.Server, l.cfg.Backend, l.owner(on), what}, l.now, func(ctx context.Context) (*Info, time.Duration, error) {
		var info *Info
		var err error
		if modern {
			info, err = l.modernInfo(ctx, on.Nobody())
		} else {
			info, err = l.legacyInfo(ctx, on.Nobody())
		}
		return info, verdictFor, err
	})
}

func (l *Leg) modernInfo(ctx context.Context, on *Behalf) (*Info, error) {
	answer, err := l.discover(ctx, on)
	if err != nil {
		return nil, l.final(ctx, err)
	}
	if answer.Error.Present() {
		if code(answer) == "-32022" {
			l.ForgetEra()
			return nil, ErrEra
		}
		return nil, Error(answer)
	}
	info := readInfo(answer)
	info.Modern, info.Revision = true, edge.Modern
	meta := answer.Member(answer.Result, "_meta")
	if s := answer.Member(meta, metaPrefix+"serverInfo"); answer.IsObject(s) {
		info.ServerInfo = json.RawMessage(answer.Bytes(s))
	}
	return info, nil
}

// readInfo reads what both eras say alike.
func readInfo(m *strictjson.Message) *Info {
	info := &Info{Capabilities: json.RawMessage("{}")}
	if s := m.Member(m.Result, "capabilities"); m.IsObject(s) {
		info.Capabilities = json.RawMessage(m.Bytes(s))
	}
	if s := m.Member(m.Result, "serverInfo"); m.IsObject(s) {
		info.ServerInfo = json.RawMessage(m.Bytes(s))
	}
	info.Instructions, _ = m.Text(m.Member(m.Result, "instructions"))
	return info
}
