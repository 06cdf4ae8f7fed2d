package crossing

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

const (
	parkedPerCaller = 20                    // P4
	gather          = 20 * time.Millisecond // questions that come together are asked together (§11.3)
)

// Causes with which a parked call is cancelled by us.
var (
	errParkOver = errors.New("nobody answered in time")
	errStopping = errors.New("the gateway is stopping")
)

// Memory holds calls of modern clients whose legacy upstream waits for an answer (§11.3), and what legacy sessions subscribed
// to. It lives in this process: the upstreams' streams do.
type Memory struct {
	replica string
	subs    subscriptions

	mu      sync.Mutex
	calls   map[string]*parked
	callers map[string]int
	closed  bool
}

// NewMemory returns an empty one.
func NewMemory() *Memory {
	var random [8]byte
	_, _ = rand.Read(random[:])
	m := &Memory{replica: hex.EncodeToString(random[:]), calls: map[string]*parked{}, callers: map[string]int{}}
	m.subs.init()
	return m
}

// Close cancels every call that waits, and takes no more.
func (p *Memory) Close() {
	p.mu.Lock()
	p.closed = true
	var all []*parked
	for _, c := range p.calls {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		c.cancel(errStopping)
		<-c.done
	}
}

// put lets a call wait for its client; false when the caller has too many waiting (P4).
func (p *Memory) put(c *parked, most time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.callers[c.owner] >= parkedPerCaller {
		return false
	}
	p.calls[c.id] = c
	p.callers[c.owner]++
	c.timer = time.AfterFunc(most, func() {
		if p.take(c.id, c.turn) != nil {
			c.cancel(errParkOver) // the leg tells the upstream
		}
	})
	return true
}

// take gets a waiting call back, once for each turn of questions (P1); nil when there is none.
func (p *Memory) take(id string, turn int) *parked {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[id]
	if c == nil || c.turn != turn {
		return nil
	}
	delete(p.calls, id)
	if p.callers[c.owner]--; p.callers[c.owner] == 0 {
		delete(p.callers, c.owner)
	}
	c.timer.Stop()
	c.turn++
	return c
}

// parked is a call that its legacy upstream may interrupt with questions.
type parked struct {
	id, owner string
	turn      int // of questions; the Memory's lock, or whoever serves the call
	timer     *time.Timer
	cancel    context.CancelCauseFunc
	asked     chan struct{} // capacity 1: there are questions
	done      chan struct{} // closed when the upstream's part is over
	answer    *strictjson.Message
	err       error

	mu    sync.Mutex
	sink  *edge.Request // who hears notifications now; nil while the call is parked
	open  []*question
	count int
	token []byte // progress token of the request that began the call
}

// question is one that the upstream asked and the client has not answered.
type question struct {
	key    string
	m      *strictjson.Message
	answer chan json.RawMessage
}

func newParked(owner string, r *edge.Request, cancel context.CancelCauseFunc) *parked {
	var random [12]byte
	_, _ = rand.Read(random[:])
	return &parked{
		id: hex.EncodeToString(random[:]), owner: owner, cancel: cancel, asked: make(chan struct{}, 1), done: make(chan struct{}),
		sink: r, token: r.Message.Bytes(r.Message.ProgressToken),
	}
}

// ask is how the upstream's questions come in; it waits for the client's answer.
func (p *parked) ask(ctx context.Context, m *strictjson.Message) (json.RawMessage, error) {
	q := &question{m: m, answer: make(chan json.RawMessage, 1)}
	p.mu.Lock()
	p.count++
	q.key = "q" + strconv.Itoa(p.count)
	p.open = append(p.open, q)
	p.mu.Unlock()
	p.signal()
	select {
	case answer := <-q.answer:
		return answer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *parked) signal() {
	select {
	case p.asked <- struct{}{}:
	default:
	}
}

// questions are the inputRequests of what is open now.
func (p *parked) questions() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := []byte{'{'}
	for i, q := range p.open {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(append(b, quote(q.key)...), `:{"method":`...), quote(q.m.Method)...), `,"params":`...)
		params := q.m.Bytes(q.m.Params)
		if params == nil {
			params = []byte("{}")
		}
		b = append(append(b, params...), '}')
	}
	return append(b, '}')
}

// attach gives the call to the request that goes on with it, with its answers. What was not answered is asked again (P3).
func (p *parked) attach(r *edge.Request) {
	m := r.Message
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sink = r
	p.open = slices.DeleteFunc(p.open, func(q *question) bool {
		answer := m.Member(m.InputResponses, q.key)
		if !m.IsObject(answer) {
			return false
		}
		q.answer <- m.Bytes(answer)
		return true
	})
	if len(p.open) > 0 {
		p.signal()
	}
}

func (p *parked) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sink = nil
}

// notify tells whoever waits now. While nobody does, progress and log messages are lost: they are of the moment.
func (p *parked) notify(m *strictjson.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sink == nil || withheld(p.sink, m) {
		return
	}
	body := m.Body
	if m.Method == "notifications/progress" {
		token := p.sink.Message.Bytes(p.sink.Message.ProgressToken)
		at := m.Member(m.Params, "progressToken")
		if token == nil || !at.Present() {
			return
		}
		if string(token) != string(p.token) { // the request that goes on has a token of its own
			body = splice.Apply(body, []splice.Piece{{At: at, With: token}})
		}
	}
	p.sink.Notify(body, m.Method == "notifications/progress")
}
