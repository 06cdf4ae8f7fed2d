package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Bounds of one list.
const (
	maxPages = 1000
	maxItems = 50_000
)

// Listed returns where a list stands in its result; "" for methods that list nothing.
func Listed(method string) string {
	switch method {
	case "tools/list":
		return "tools"
	case "prompts/list":
		return "prompts"
	case "resources/list":
		return "resources"
	case "resources/templates/list":
		return "resourceTemplates"
	}
	return ""
}

// List returns a list of the upstream, all pages together, kept as long as the upstream says (T3, T4). One caller asks, the
// others wait; an error is not kept. An upstream without such a list has an empty one. An upstream may list by the questions
// that a client answers: clients that answer the same ones share a list.
func (l *Leg) List(ctx context.Context, on *Behalf, method string) (*List, error) {
	on = on.lister()
	shared := key{l.cfg.Server, l.cfg.Backend, l.owner(on), method + string(on.Capabilities)}
	own := shared
	own.owner = private(on)
	if list, ok := l.cfg.Memory.lists.page(own).read(l.now()); ok {
		return list, nil
	}
	list, err := l.cfg.Memory.lists.get(ctx, shared, l.now, func(ctx context.Context) (*List, time.Duration, error) {
		list, err := l.gather(ctx, on, method)
		if err != nil {
			return nil, 0, err
		}
		if list.Private { // not to be shown to whoever waits with us
			p := l.cfg.Memory.lists.page(own)
			l.cfg.Memory.lists.keep(p, list, p.current(), l.now().Add(list.TTL))
			return nil, 0, errPrivate
		}
		return list, list.TTL, nil
	})
	if errors.Is(err, errPrivate) {
		if list, ok := l.cfg.Memory.lists.page(own).read(l.now()); ok {
			return list, nil
		}
		return l.gather(ctx, on, method)
	}
	return list, err
}

// errPrivate says that the list which was read is one caller's own.
var errPrivate = errors.New("the list is private")

func (l *Leg) forgetLists(prefix string) {
	match := func(k key) bool { return k.backend == l.cfg.Backend && strings.HasPrefix(k.what, prefix) }
	l.cfg.Memory.lists.forget(match)
	l.cfg.Memory.params.forget(match)
	l.cfg.Memory.pages.forget(l.cfg.Backend, prefix)
}

// gather reads all pages.
func (l *Leg) gather(ctx context.Context, on *Behalf, method string) (*List, error) {
	v, err := l.Speaks(ctx, on)
	if err != nil {
		return nil, err
	}
	list := &List{TTL: math.MaxInt64}
	hash, size := sha256.New(), int64(0)
	params := []byte("{}")
	for range maxPages {
		m, err := l.Do(ctx, &Request{On: on, Modern: v.Modern, Method: method, Params: params})
		if err != nil {
			return nil, err
		}
		if m.Error.Present() {
			if code(m) == strconv.Itoa(edge.CodeMethodNotFound) {
				break
			}
			return nil, Error(m)
		}
		if size += int64(len(m.Body)); size > l.cfg.Limits.Body { // entries are parts of the page, which stays with them
			return nil, notMCP("a list of more bytes than limits.upstream_body")
		}
		list.bytes = int(size)
		for _, item := range m.Elements(m.Member(m.Result, Listed(method))) {
			if len(list.Items) >= maxItems {
				return nil, notMCP("a list of more than 50,000 entries")
			}
			raw := m.Bytes(item)
			if v.Modern && method == "tools/list" && l.undeclarable(m, item) {
				continue
			}
			list.Items = append(list.Items, raw)
			_ = binary.Write(hash, binary.BigEndian, uint64(len(raw)))
			hash.Write(raw)
		}
		l.hints(m, list)
		next := m.Member(m.Result, "nextCursor")
		if text, ok := m.Text(next); !ok || text == "" {
			hash.Sum(list.Hash[:0])
			return l.held(list), nil
		}
		last := params
		if params = append(append([]byte(`{"cursor":`), m.Bytes(next)...), '}'); bytes.Equal(params, last) {
			return nil, notMCP("a list that leads back to itself")
		}
	}
	if list.Items != nil {
		return nil, notMCP("a list of more than 1,000 pages")
	}
	hash.Sum(list.Hash[:0])
	return l.held(list), nil
}

// undeclarable reports whether a tool declares headers in a way that clients of the modern era must drop it for (U1).
func (l *Leg) undeclarable(m *strictjson.Message, tool strictjson.Span) bool {
	err := paramheader.Fault(m.Bytes(m.Member(tool, "inputSchema")))
	if err != nil {
		name, _ := m.Text(m.Member(tool, "name"))
		l.odd.LeftOut(l.log, l.cfg.Server, name, err.Error())
	}
	return err != nil
}

// hints takes the shortest time and the narrowest scope that a page names.
func (l *Leg) hints(m *strictjson.Message, list *List) {
	if ttl := m.Member(m.Result, "ttlMs"); ttl.Present() {
		list.TTL = min(list.TTL, milliseconds(m.Bytes(ttl)))
	}
	if scope, _ := m.Text(m.Member(m.Result, "cacheScope")); scope == "private" {
		list.Private = true
	}
}

// milliseconds reads a time. What is no time, or none that a gateway should count on, is none at all.
func milliseconds(b []byte) time.Duration {
	n, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(n >= 0) {
		return 0
	}
	return time.Duration(min(n, float64(maxTTL/time.Millisecond))) * time.Millisecond
}

// maxTTL bounds how long a list is kept, whatever an upstream says: nobody could end it before.
const maxTTL = 24 * time.Hour

// size is what a list takes up, about.
func (l *List) size() int { return l.bytes + 64*len(l.Items) }

func (l *Leg) held(list *List) *List {
	if list.TTL == math.MaxInt64 {
		list.TTL = l.cfg.ListTTL
	}
	return list
}

// declared returns the arguments of a tool that go into headers. The upstream decides what it takes: a list that cannot be
// read stops nothing (H10).
func (l *Leg) declared(ctx context.Context, on *Behalf, tool string) []paramheader.Param {
	on = on.lister()
	all, err := l.cfg.Memory.params.get(ctx, key{l.cfg.Server, l.cfg.Backend, l.owner(on), "tools/list" + string(on.Capabilities)}, l.now,
		func(ctx context.Context) (map[string][]paramheader.Param, time.Duration, error) {
			list, err := l.List(ctx, on, "tools/list")
			if err != nil {
				return nil, 0, err
			}
			return declaredBy(list), max(list.TTL, paramsFor), nil
		})
	if err != nil {
		return nil
	}
	return all[tool]
}

// paramsFor is how long declared arguments are known at least: a list that nobody may keep would else be read for each call.
const paramsFor = time.Minute

// declaredBy collects what the tools of a list declare; most declare nothing.
func declaredBy(list *List) map[string][]paramheader.Param {
	all := map[string][]paramheader.Param{}
	for _, item := range list.Items {
		if !bytes.Contains(item, []byte("x-mcp-header")) {
			continue
		}
		m, err := message(nil, "tool", item)
		if err != nil {
			continue
		}
		if name, ok := m.Text(m.Member(m.Params, "name")); ok {
			all[name] = paramheader.Declared(m.Bytes(m.Member(m.Params, "inputSchema")))
		}
	}
	return all
}

// Declared returns the arguments of a tool that modern clients repeat in headers, for the check of what a client sent (H8).
func (l *Leg) Declared(ctx context.Context, on *Behalf, tool string) []paramheader.Param {
	return l.declared(ctx, on, tool)
}
