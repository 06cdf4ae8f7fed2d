package upstream

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

const (
	earIdle    = 30 * time.Second // a stream nobody listens on is closed (L5)
	ackWithin  = 5 * time.Second
	maxWait    = 60 * time.Second // between two tries to open a stream
	maxTries   = 10               // that failed one after the other
	maxListens = 100              // addresses of one stream (§11.2)
)

// Listen tells what the upstream says outside requests, on one stream for everybody with the same credential, opened with
// the first listener and closed 30 s after the last (L5). It returns what of want the upstream can tell. tell runs until ctx
// ends, one message at a time, and must not block.
func (l *Leg) Listen(ctx context.Context, on *Behalf, want edge.Interest, tell func(*strictjson.Message)) (edge.Interest, error) {
	v, err := l.Speaks(ctx, on)
	if err != nil {
		return edge.Interest{}, err
	}
	me := &listener{owner: ownerOf(on), want: want, tell: tell}
	e, err := l.cfg.Memory.ears.join(l, on, v.Modern, me)
	if err != nil {
		return edge.Interest{}, err
	}
	context.AfterFunc(ctx, func() { e.leave(me) })
	return e.agreed(ctx, want)
}

// listener is one of ours.
type listener struct {
	owner string // who listens
	want  edge.Interest
	tell  func(*strictjson.Message)
}

// ears are the streams that are open, by credential.
type ears struct {
	mu       sync.Mutex
	open     map[key]*ear
	stopping bool
}

func (s *ears) init() { s.open = map[key]*ear{} }

func (s *ears) join(l *Leg, on *Behalf, modern bool, me *listener) (*ear, error) {
	what := "legacy"
	if modern {
		what = "modern"
	}
	k := key{l.cfg.Server, l.cfg.Backend, l.owner(on), what}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, errors.New("the gateway is stopping")
	}
	e := s.open[k]
	if e == nil || !e.add(me) {
		ctx, cancel := context.WithCancel(context.Background())
		e = &ear{l: l, on: on.Nobody().quiet(), of: s, key: k, modern: modern, listeners: map[*listener]bool{me: true},
			ctx: ctx, cancel: cancel, known: make(chan struct{}), left: make(chan struct{})}
		s.open[k] = e
		go e.run()
	}
	return e, nil
}

func (s *ears) close() {
	s.mu.Lock()
	s.stopping = true
	var all []*ear
	for _, e := range s.open {
		all = append(all, e)
	}
	s.mu.Unlock()
	for _, e := range all {
		e.cancel()
		<-e.left
	}
}

// ear is one stream of an upstream, kept open while somebody listens.
type ear struct {
	l      *Leg
	on     *Behalf
	of     *ears
	key    key
	modern bool
	ctx    context.Context
	cancel context.CancelFunc
	left   chan struct{} // closed when run has ended

	mu        sync.Mutex
	listeners map[*listener]bool
	idle      *time.Timer
	asked     edge.Interest      // of the stream that is open
	reopen    context.CancelFunc // ends it, so that it is opened anew with other wishes; nil: none is open
	can       edge.Interest      // what the upstream tells
	err       error              // why nothing is told
	known     chan struct{}      // closed when can or err is known for what is asked; made anew with other wishes
	over      bool
}

// add takes in a listener; false when the ear is closing.
func (e *ear) add(me *listener) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return false
	}
	if e.idle != nil {
		e.idle.Stop()
		e.idle = nil
	}
	e.listeners[me] = true
	if !covers(e.asked, me.want) || e.err != nil {
		e.renew()
	}
	return true
}

// renew has the stream opened anew, with what everybody wants now.
func (e *ear) renew() {
	select {
	case <-e.known:
		e.known = make(chan struct{})
	default:
	}
	e.err = nil
	if e.reopen != nil {
		e.reopen()
	}
}

func (e *ear) leave(me *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listeners, me)
	if len(e.listeners) == 0 && !e.over {
		e.idle = time.AfterFunc(earIdle, e.expire)
	}
}

func (e *ear) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) == 0 {
		e.cancel()
	}
}

// agreed waits until it is known what the upstream tells, and returns what of want that is.
func (e *ear) agreed(ctx context.Context, want edge.Interest) (edge.Interest, error) {
	e.mu.Lock()
	known := e.known
	e.mu.Unlock()
	timer := time.NewTimer(ackWithin)
	defer timer.Stop()
	select {
	case <-known:
	case <-timer.C:
		return edge.Interest{}, nil // it may still come: what it tells is passed on
	case <-ctx.Done():
		return edge.Interest{}, context.Cause(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	both := edge.Interest{Tools: want.Tools && e.can.Tools, Prompts: want.Prompts && e.can.Prompts, Resources: want.Resources && e.can.Resources}
	for _, uri := range want.URIs {
		if slices.Contains(e.can.URIs, uri) {
			both.URIs = append(both.URIs, uri)
		}
	}
	return both, e.err
}

// run opens the stream, again and again, until nobody listens or it is hopeless.
func (e *ear) run() {
	defer close(e.left)
	defer e.finish()
	wait, tries := firstWait, 0
	for e.ctx.Err() == nil {
		ctx, stop := context.WithCancel(e.ctx)
		want := e.wishes(stop)
		heard, err := e.hear(ctx, want)
		if refused := (*edge.Error)(nil); !heard && len(want.URIs) > 0 && ctx.Err() == nil && errors.As(err, &refused) && refused.Status == 0 {
			want.URIs = nil // an address that one caller names must not have everybody hear nothing
			heard, err = e.hear(ctx, want)
		}
		renewed := ctx.Err() != nil && e.ctx.Err() == nil
		stop()
		switch {
		case renewed:
			wait, tries = firstWait, 0
			continue
		case heard:
			wait, tries = firstWait, 0
		}
		if tries++; err != nil && !errors.Is(err, io.EOF) {
			e.l.log.Info("an upstream's stream ended", "server", e.l.cfg.Server, "err", err.Error())
		}
		if e.settle(edge.Interest{}, err); tries >= maxTries || errors.Is(err, errNotAllowed) {
			<-e.hopeless()
			continue
		}
		if !sleep(e.ctx, wait) {
			return
		}
		wait = min(2*wait, maxWait)
	}
}

// hopeless waits until somebody new wants to listen, or nobody does.
func (e *ear) hopeless() <-chan struct{} {
	ctx, stop := context.WithCancel(e.ctx)
	e.mu.Lock()
	e.reopen = stop
	e.mu.Unlock()
	return ctx.Done()
}

// wishes is what all listeners want together.
func (e *ear) wishes(reopen context.CancelFunc) edge.Interest {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all edge.Interest
	of := map[string][]string{}
	for me := range e.listeners {
		all = together(all, edge.Interest{Tools: me.want.Tools, Prompts: me.want.Prompts, Resources: me.want.Resources})
		of[me.owner] = append(of[me.owner], me.want.URIs...)
	}
	all.URIs = shared(of, maxListens)
	e.asked, e.reopen = all, reopen
	return all
}

// shared is what of everybody's addresses fits into one stream: one of each caller in turn, so that nobody's crowd out
// another's. The same wishes give the same addresses.
func shared(of map[string][]string, most int) (all []string) {
	for _, uris := range of {
		slices.Sort(uris)
	}
	owners := slices.Sorted(maps.Keys(of))
	for taken, left := map[string]bool{}, true; left && len(all) < most; {
		left = false
		for _, owner := range owners {
			uris := of[owner]
			for len(uris) > 0 && taken[uris[0]] {
				uris = uris[1:]
			}
			if len(uris) > 0 && len(all) < most {
				taken[uris[0]], all, uris, left = true, append(all, uris[0]), uris[1:], true
			}
			of[owner] = uris
		}
	}
	slices.Sort(all)
	return all
}

func together(a, b edge.Interest) edge.Interest {
	a.Tools, a.Prompts, a.Resources = a.Tools || b.Tools, a.Prompts || b.Prompts, a.Resources || b.Resources
	return a
}

// covers reports whether who asked for a hears b too.
func covers(a, b edge.Interest) bool {
	if b.Tools && !a.Tools || b.Prompts && !a.Prompts || b.Resources && !a.Resources {
		return false
	}
	return !slices.ContainsFunc(b.URIs, func(uri string) bool { return !slices.Contains(a.URIs, uri) })
}

// settle makes known what the upstream tells, once for each opening.
func (e *ear) settle(can edge.Interest, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.known:
		return
	default:
	}
	if errors.Is(err, errNotAllowed) || errors.Is(err, io.EOF) {
		err = nil // it has no such stream, which is no fault
	}
	e.can, e.err = can, err
	close(e.known)
}

func (e *ear) finish() {
	e.of.mu.Lock()
	if e.of.open[e.key] == e {
		delete(e.of.open, e.key)
	}
	e.of.mu.Unlock()
	e.mu.Lock()
	e.over = true
	if e.idle != nil {
		e.idle.Stop()
	}
	e.mu.Unlock()
	e.settle(edge.Interest{}, nil)
	e.cancel()
}

// hear opens the stream and tells what comes, until it ends. heard says that it had begun.
func (e *ear) hear(ctx context.Context, want edge.Interest) (heard bool, err error) {
	if e.modern {
		return e.hearModern(ctx, want)
	}
	return e.hearLegacy(ctx, want)
}

// tell passes a message on to those who want it.
func (e *ear) tell(m *strictjson.Message) {
	e.l.heard(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	for me := range e.listeners {
		if me.wants(m) {
			me.tell(m)
		}
	}
}

func (me *listener) wants(m *strictjson.Message) bool {
	switch m.Method {
	case "notifications/tools/list_changed":
		return me.want.Tools
	case "notifications/prompts/list_changed":
		return me.want.Prompts
	case "notifications/resources/list_changed":
		return me.want.Resources
	case "notifications/resources/updated":
		uri, ok := m.Text(m.URI)
		return ok && slices.Contains(me.want.URIs, uri)
	}
	return false
}
