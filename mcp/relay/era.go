package relay

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// verdictFor is how long it is remembered what an upstream speaks (§16.1).
const verdictFor = 10 * time.Minute

// Memory keeps what is known of upstreams across reloads. Safe for concurrent use.
type Memory struct {
	mu        sync.Mutex
	upstreams map[string]*known
}

// known is what one upstream speaks. asking is held by whoever finds out; others wait for the answer.
type known struct {
	asking chan struct{}

	mu      sync.Mutex
	speaks  verdict
	expires time.Time
}

// verdict says which eras an upstream speaks.
type verdict struct{ modern, legacy bool }

// NewMemory returns an empty memory.
func NewMemory() *Memory { return &Memory{upstreams: map[string]*known{}} }

func (m *Memory) of(upstream string) *known {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.upstreams[upstream]
	if k == nil {
		k = &known{asking: make(chan struct{}, 1)}
		m.upstreams[upstream] = k
	}
	return k
}

func (k *known) get(now time.Time) (verdict, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.speaks, now.Before(k.expires)
}

func (k *known) set(v verdict, expires time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.speaks, k.expires = v, expires
}

// speaks refuses a client whose era the upstream does not speak: nothing is translated here.
func (s *Server) speaks(ctx context.Context, r *edge.Request) error {
	v, err := s.verdict(ctx, r)
	switch {
	case err != nil:
		return err
	case r.Modern && !v.modern:
		return unsupported(edge.Supported()[1:], edge.Modern)
	case !r.Modern && !v.legacy:
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

// verdict is what the upstream speaks: as configured, as remembered, or as it says now. One request asks, the others
// wait for its answer.
func (s *Server) verdict(ctx context.Context, r *edge.Request) (verdict, error) {
	switch s.cfg.Era {
	case Modern:
		return verdict{modern: true}, nil
	case Legacy:
		return verdict{legacy: true}, nil
	}
	k := s.cfg.Memory.of(s.cfg.Upstream)
	if v, ok := k.get(s.now()); ok {
		return v, nil
	}
	select {
	case k.asking <- struct{}{}:
	case <-ctx.Done():
		return verdict{}, ctx.Err()
	}
	defer func() { <-k.asking }()
	if v, ok := k.get(s.now()); ok {
		return v, nil
	}
	v, err := s.ask(ctx, r)
	if err == nil {
		k.set(v, s.now().Add(verdictFor))
	}
	return v, err
}

// noteEra drops the verdict when an upstream says that it does not speak this era.
func (x *exchange) noteEra(m *strictjson.Message) {
	if code := string(m.Bytes(m.Member(m.Error, "code"))); code == "-32022" {
		x.s.cfg.Memory.of(x.s.cfg.Upstream).set(verdict{}, time.Time{})
	}
}

// ask sends server/discover as a modern client does. Only an answer counts: a silent upstream is down, not old.
func (s *Server) ask(ctx context.Context, r *edge.Request) (verdict, error) {
	x, err := s.question(r)
	if err != nil {
		return verdict{}, err
	}
	b, err := x.open(ctx)
	if err != nil {
		_, err = x.fault(err)
		return verdict{}, err
	}
	defer b.Close()
	answer := b.answer
	if _, err := b.look(); err != nil && answer.Status == http.StatusOK {
		return verdict{}, err
	}
	switch status := answer.Status; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		_, err := x.refusedCredential()
		return verdict{}, err
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		_, err := x.failed(http.StatusBadGateway, unavailable, nil)
		return verdict{}, err
	}
	return x.readVerdict(answer, b), nil
}

// readVerdict reads the answer to server/discover. What is not an answer of this era means the other one.
func (x *exchange) readVerdict(answer *proxy.Answer, b *body) verdict {
	old := verdict{legacy: true}
	p := &edge.Passed{Status: answer.Status, Body: b, Stream: isStream(answer.Upstream)}
	w, err := x.readAll(p)
	if err != nil {
		return old
	}
	m := w.message
	list := m.Member(m.Result, "supportedVersions")
	if m.Error.Present() && string(m.Bytes(m.Member(m.Error, "code"))) == "-32022" {
		list = m.Member(m.Member(m.Error, "data"), "supported")
	}
	var v verdict
	for _, one := range m.Elements(list) {
		text, _ := m.Text(one)
		v.modern = v.modern || text == edge.Modern
		v.legacy = v.legacy || text != edge.Modern && text != ""
	}
	if !v.modern && !v.legacy {
		return old
	}
	return v
}

// question is server/discover in our own name, on behalf of whoever needs the answer.
func (s *Server) question(r *edge.Request) (*exchange, error) {
	version := s.cfg.Version
	if version == "" {
		version = "dev"
	}
	name, _ := json.Marshal(version)
	text := `{"jsonrpc":"2.0","id":"drawbridge","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"` + edge.Modern +
		`","io.modelcontextprotocol/clientInfo":{"name":"drawbridge","version":` + string(name) + `},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	m, err := strictjson.Decode([]byte(text), strictjson.Limits{})
	if err != nil {
		return nil, err
	}
	head := http.Header{"Accept": {bothForms}, "Mcp-Method": {"server/discover"}}
	return &exchange{s: s, r: &edge.Request{
		Message: m, Modern: true, Revision: edge.Modern, Caller: &identity.Caller{}, Arrived: r.Arrived,
		HTTP: &http.Request{Method: http.MethodPost, URL: r.HTTP.URL, Header: head},
	}}, nil
}
