package combined

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// source is a Source with what it told of itself.
type source struct {
	Source
	s     *Server
	about *book[*about]
	lists map[string]*book[*list] // by method
	read  *listing.Kept[*list]    // by hash of what was read: callers with equal lists share one

	mu     sync.Mutex
	warned time.Time

	showing sync.Mutex
	shown   shown // the last list of tools that was shown to who pins them
}

// shown is a list by its hash, and what clients offer that see it.
type shown struct {
	offers string
	hash   [sha256.Size]byte
}

// Bounds of what is read of one list of one source.
const (
	maxPages   = 100
	maxBytes   = 64 << 20
	maxMembers = 10_000_000
	maxDepth   = 512
)

func newSource(s *Server, of Source) *source {
	src := &source{Source: of, s: s, lists: map[string]*book[*list]{}, read: listing.NewKept[*list](256, maxBytes)}
	src.about = newBook[*about](src, s.keep, s.now)
	src.about.ask, src.about.fail = src.askAbout, src.failed
	for _, method := range listMethods() {
		kind, _ := kindOf(method)
		b := newBook[*list](src, s.keep, s.now)
		b.ask = func(ctx context.Context, r *edge.Request) (told[*list], error) {
			return src.askList(ctx, r, method, kind)
		}
		b.fail, b.byOffers = src.failed, !of.Made
		src.lists[method] = b
	}
	return src
}

// failed warns of a source that could not be asked, once a minute (C5).
func (src *source) failed(ctx context.Context, err error) {
	now := src.s.now()
	src.mu.Lock()
	quiet := !src.warned.IsZero() && now.Before(src.warned.Add(time.Minute))
	if !quiet {
		src.warned = now
	}
	src.mu.Unlock()
	if !quiet {
		src.s.log.WarnContext(ctx, "a part of a combined server does not answer; its last lists are used", "server", src.s.cfg.Name,
			"source", src.As, "request_id", identity.RequestID(ctx), "err", err.Error())
	}
}

// question is a request of ours to the source, on behalf of a caller. It is a modern one: its answers say how long they
// hold and for whom, and definitions are the same in both eras.
func (src *source) question(r *edge.Request, method string, params string) (*edge.Request, error) {
	offers := json.RawMessage("{}")
	if _, ok := kindOf(method); ok { // some upstreams list by what a client can be asked
		offers = edge.Offers(r.Capabilities)
	}
	body := `{"jsonrpc":"2.0","id":"drawbridge","method":"` + method + `","params":{` + params + `"_meta":{"io.modelcontextprotocol/protocolVersion":"` +
		edge.Modern + `","io.modelcontextprotocol/clientCapabilities":` + string(offers) + `}}}`
	m, err := strictjson.Decode([]byte(body), strictjson.Limits{})
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", method, err)
	}
	return &edge.Request{
		Message: m, Modern: true, Revision: edge.Modern, Caller: r.Caller, HTTP: withoutProtocol(r.HTTP), Arrived: r.Arrived,
		Notify: func(json.RawMessage, bool) {}, SetLogLevel: func(string) {}, Capabilities: offers,
	}, nil
}

// aside is the context of what is asked or told beside the client's own request: what becomes of it is not noted on the line
// of that request, which would show one source's failure as its own.
func aside(ctx context.Context) context.Context {
	of := identity.RequestFrom(ctx)
	if of == nil {
		return ctx
	}
	return identity.WithRequest(ctx, &identity.Request{ID: of.ID, ClientID: of.ClientID, IP: of.IP, Time: of.Time})
}

// withoutProtocol is the request as it came, without the headers that belong to its own message.
func withoutProtocol(r *http.Request) *http.Request {
	if r == nil {
		return nil
	}
	clean := *r
	clean.Header = make(http.Header, len(r.Header))
	for name, values := range r.Header {
		if !strings.HasPrefix(name, "Mcp-") && name != "Last-Event-Id" {
			clean.Header[name] = values
		}
	}
	return &clean
}

// put asks the source one question; the message is its answer, read as strictly as a client's.
func (src *source) put(ctx context.Context, r *edge.Request, method, params string) (*strictjson.Message, error) {
	q, err := src.question(r, method, params)
	if err != nil {
		return nil, err
	}
	result, err := src.Server.Handle(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	if len(result) > maxBytes {
		return nil, fmt.Errorf("%s: an answer of %d bytes", method, len(result))
	}
	const head = `{"jsonrpc":"2.0","id":1,"result":`
	body := append(append(append(make([]byte, 0, len(head)+len(result)+1), head...), result...), '}')
	m, err := strictjson.Decode(body, strictjson.Limits{Depth: maxDepth, Members: maxMembers, Upstream: true})
	if err != nil {
		return nil, fmt.Errorf("read answer to %s: %w", method, err)
	}
	if !m.IsObject(m.Result) {
		return nil, fmt.Errorf("read answer to %s: the result is no object", method)
	}
	return m, nil
}

// hints reads how long an answer holds, at most as long as we say ourselves, and whether it is the caller's own.
func (src *source) hints(m *strictjson.Message, most time.Duration) (ttl time.Duration, private bool) {
	ttl = most
	var ms json.Number
	if raw := m.Bytes(m.Member(m.Result, "ttlMs")); raw != nil && json.Unmarshal(raw, &ms) == nil {
		if n, err := ms.Int64(); err == nil && n >= 0 && n < int64(ttl/time.Millisecond) {
			ttl = time.Duration(n) * time.Millisecond
		}
	}
	scope, _ := m.Text(m.Member(m.Result, "cacheScope"))
	return ttl, scope == "private"
}

// lacks reports whether an error says that the source has no such list: that is an empty list, not a failure.
func lacks(err error) bool {
	var e *edge.Error
	return errors.As(err, &e) && e.Code == edge.CodeMethodNotFound
}

func (src *source) warn(text string, args ...any) {
	src.s.log.Warn(text, append([]any{slog.String("server", src.s.cfg.Name), slog.String("source", src.As)}, args...)...)
}
