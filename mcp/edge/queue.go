package edge

import (
	"cmp"
	"sync"
)

// What a stream holds for a reader that is slower than we are (E5).
const (
	queueEvents = 256
	queueBytes  = 256 << 10
)

type eventKind int

const (
	plainEvent    eventKind = iota // dropped with a count when the queue is full
	progressEvent                  // a newer one takes its place
	changeEvent                    // list changes collapse
	answerEvent                    // never dropped
)

type event struct {
	kind eventKind
	data []byte
	id   string // of the event on a legacy stream; "" on modern ones
	of   string // of a changeEvent: its method
}

// queue holds the events of one stream between those who make them and the one goroutine that writes them. Order is the
// order of sending (E4); put never blocks.
type queue struct {
	mu      sync.Mutex
	events  []event
	bytes   int
	dropped int
	closed  bool
	wake    chan struct{} // capacity 1: something to write, or closed
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put adds an event, unless the queue is closed or so full that this kind is dropped.
func (q *queue) put(e event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.collapse(e) {
		return
	}
	full := len(q.events) >= queueEvents || q.bytes+len(e.data) > queueBytes
	if full && e.kind != answerEvent && e.kind != changeEvent {
		q.dropped++
		return
	}
	q.events = append(q.events, e)
	q.bytes += len(e.data)
	q.signal()
}

// collapse lets e take the place of an older event that it makes superfluous.
func (q *queue) collapse(e event) bool {
	if e.kind != progressEvent && e.kind != changeEvent {
		return false
	}
	for i := len(q.events) - 1; i >= 0; i-- {
		old := &q.events[i]
		if old.kind != e.kind {
			continue
		}
		if e.kind == changeEvent && e.of != old.of {
			continue
		}
		q.bytes += len(e.data) - len(old.data)
		old.data, old.id = e.data, cmp.Or(e.id, old.id)
		return true
	}
	return false
}

// close lets the writer end once everything was written.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns everything that waits, and whether more may come.
func (q *queue) take() (events []event, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, q.events, q.bytes = q.events, nil, 0
	return events, !q.closed
}

// waiting is how many bytes were not taken yet.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

func (q *queue) lost() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
