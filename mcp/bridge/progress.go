package bridge

import (
	"fmt"
	"sync"
	"time"
)

const (
	firstProgress = 2 * time.Second // openapi.md T3
	nextProgress  = 5 * time.Second
)

// progress tells a waiting client, if it asked for that, how long the API takes already (B5). It costs no goroutine.
type progress struct {
	c     *call
	token []byte // with its JSON type
	start time.Time

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
	last    int // the value told last; it only grows
}

// startProgress returns nil when nobody asked; stop works on it.
func (c *call) startProgress() *progress {
	m := c.r.Message
	token := m.Bytes(m.ProgressToken)
	if len(token) == 0 || c.r.Notify == nil {
		return nil
	}
	if first := token[0]; first != '"' && first != '-' && (first < '0' || first > '9') {
		return nil // neither a string nor a number names anything
	}
	p := &progress{c: c, token: token, start: time.Now()}
	p.mu.Lock() // tell reads the timer
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(firstProgress, p.tell)
	return p
}

// tell sends one notification. Holding the lock while sending is what keeps it ahead of the result.
func (p *progress) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	waited := int(time.Since(p.start).Round(time.Second).Seconds())
	p.say(waited, fmt.Sprintf("waiting for the API, %ds", waited))
	p.timer.Reset(nextProgress)
}

// event tells that an event of a stream came (openapi.md §12); count is how many there were.
func (p *progress) event(count int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.say(count, fmt.Sprintf("event %d", count))
	}
}

// say sends a notification. Seconds and events share one number, which must grow.
func (p *progress) say(progress int, message string) {
	p.last = max(p.last+1, progress)
	p.c.r.Notify(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d,"message":%q}}`,
		p.token, p.last, message), true)
}

func (p *progress) stop() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.timer.Stop()
}
