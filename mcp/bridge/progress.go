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
	p.c.r.Notify(fmt.Appendf(nil,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d,"message":"waiting for the API, %ds"}}`,
		p.token, waited, waited), true)
	p.timer.Reset(nextProgress)
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
