package upstream

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Bounds of the pages that are kept: a larger one is asked for each time, and more than all of them together are forgotten.
const (
	maxPage  = 1 << 20
	allPages = 32 << 20
)

// PageOf names a page of a list that a relay passes on. Clients of one revision that offer the same and speak the same
// language are answered alike.
type PageOf struct {
	Method, Revision, Offers, Cursor, Language string
}

func (p PageOf) String() string {
	return p.Method + "\x00" + p.Revision + "\x00" + p.Offers + "\x00" + p.Language + "\x00" + p.Cursor
}

// Page returns the answer in which a page of a list passed on before, as long as it holds (T3); nil: ask has asked for it
// now and knows the answer. One caller asks, those who come meanwhile wait for what it brings, and ask themselves when that
// is nothing to keep: no result, too large, somebody else's alone. ask returns nil for what must not be kept. It is not
// called when ctx ends before it is its turn.
func (l *Leg) Page(ctx context.Context, on *Behalf, of PageOf, ask func() *strictjson.Message) *strictjson.Message {
	pages := &l.cfg.Memory.pages
	shared := key{l.cfg.Server, l.cfg.Backend, l.owner(on), of.String()}
	own := shared
	own.owner = private(on)
	page, wait := pages.look(own, shared, l.now())
	switch {
	case page != nil:
		return page
	case wait == nil:
		defer pages.asked(shared)
	default:
		select {
		case <-wait:
		case <-ctx.Done():
			return nil
		}
		if page := pages.read(own, shared, l.now()); page != nil {
			return page
		}
	}
	edition := pages.edition()
	pages.keep(own, shared, edition, l.heldPage(ask()))
	return nil
}

// private is the owner of what the upstream says is one caller's own.
func private(on *Behalf) string {
	return "private\x00" + ownerOf(on)
}

// heldPage reads how long an answer holds, and for whom. The zero value is not kept.
func (l *Leg) heldPage(m *strictjson.Message) keptPage {
	if m == nil || !m.Result.Present() || len(m.Body) > maxPage {
		return keptPage{}
	}
	hints := &List{TTL: math.MaxInt64}
	l.hints(m, hints)
	if l.held(hints).TTL <= 0 {
		return keptPage{}
	}
	return keptPage{message: m, private: hints.Private, expires: l.now().Add(hints.TTL)}
}

// Changed drops what is kept of the upstream's lists: it said that one is another now.
func (l *Leg) Changed() { l.forgetLists("") }

// pages are answers to lists, as they came. Safe for concurrent use.
type pages struct {
	mu     sync.Mutex
	kept   map[key]keptPage
	size   int
	asking map[key]chan struct{} // closed when the answer is there, or will not be
	forgot int                   // counts what was forgotten: an answer that was under way then is old already
}

type keptPage struct {
	message *strictjson.Message
	private bool
	expires time.Time
}

// look returns the page that holds, or what to wait for; with neither the caller is the one who asks, and asked follows.
func (p *pages) look(own, shared key, now time.Time) (*strictjson.Message, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.find(own, shared, now); m != nil {
		return m, nil
	}
	if wait := p.asking[shared]; wait != nil {
		return nil, wait
	}
	if p.asking == nil {
		p.asking = map[key]chan struct{}{}
	}
	p.asking[shared] = make(chan struct{})
	return nil, nil
}

func (p *pages) asked(shared key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.asking[shared])
	delete(p.asking, shared)
}

func (p *pages) read(own, shared key, now time.Time) *strictjson.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(own, shared, now)
}

func (p *pages) find(own, shared key, now time.Time) *strictjson.Message {
	for _, k := range [2]key{own, shared} {
		if page, ok := p.kept[k]; ok && now.Before(page.expires) {
			return page.message
		}
	}
	return nil
}

func (p *pages) edition() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forgot
}

func (p *pages) keep(own, shared key, edition int, page keptPage) {
	k := shared
	if page.private {
		k = own
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if page.message == nil || edition != p.forgot {
		return
	}
	p.drop(k)
	if p.size+len(page.message.Body) > allPages || len(p.kept) >= maxKept {
		p.kept, p.size = nil, 0 // rare; what is lost is asked for again
	}
	if p.kept == nil {
		p.kept = map[key]keptPage{}
	}
	p.kept[k] = page
	p.size += len(page.message.Body)
}

func (p *pages) drop(k key) {
	if page, ok := p.kept[k]; ok {
		p.size -= len(page.message.Body)
		delete(p.kept, k)
	}
}

// forget drops the pages of a backend's lists whose method begins so.
func (p *pages) forget(backend, prefix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgot++
	for k := range p.kept {
		if k.backend == backend && strings.HasPrefix(k.what, prefix) {
			p.drop(k)
		}
	}
}
