package combined

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// tokens are progress tokens of questions that sources put to clients and that wait for an answer. Two sources may choose
// the same one, so the client gets ours (C7). They mean something only inside their session (E10).
type tokens struct {
	mu   sync.Mutex
	last uint64
	open map[tokenKey]tokenOf
}

type tokenKey struct{ session, token string }

type tokenOf struct {
	src   *source
	bytes []byte // as the source wrote it
}

func newTokens() *tokens { return &tokens{open: map[tokenKey]tokenOf{}} }

func (t *tokens) add(session string, of tokenOf) tokenKey {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	key := tokenKey{session, "drawbridge-" + strconv.FormatUint(t.last, 10)}
	t.open[key] = of
	return key
}

func (t *tokens) find(session, token string) (tokenOf, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of, ok := t.open[tokenKey{session, token}]
	return of, ok
}

func (t *tokens) remove(key tokenKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, key)
}

// asks is how the source asks the client of this call. The edge gives each question an id of its own (C7).
func (src *source) asks(r *edge.Request) func(context.Context, string, json.RawMessage) (*edge.Message, error) {
	if r.Ask == nil {
		return nil
	}
	return func(ctx context.Context, method string, params json.RawMessage) (*edge.Message, error) {
		m, ok := questionOf(params)
		if !ok {
			return r.Ask(ctx, method, params)
		}
		key := src.s.tokens.add(r.Session, tokenOf{src, m.Bytes(m.ProgressToken)})
		defer src.s.tokens.remove(key)
		token, _ := json.Marshal(key.token)
		m = m.WithValue(m.ProgressToken, token)
		return r.Ask(ctx, method, m.Bytes(m.Params))
	}
}

// questionOf reads the params of a source's question; ok is false when no progress is wanted.
func questionOf(params json.RawMessage) (m *strictjson.Message, ok bool) {
	if params == nil {
		return nil, false
	}
	body := append(append([]byte(`{"jsonrpc":"2.0","method":"ask","params":`), params...), '}')
	m, err := strictjson.Decode(body, strictjson.Limits{Upstream: true, Depth: maxDepth})
	if err != nil || !m.ProgressToken.Present() || m.IsObject(m.ProgressToken) {
		return nil, false
	}
	return m, true
}
