package edge

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What is kept of a legacy stream, for a client whose connection broke (E7).
const (
	keptEvents    = 100
	keptBytes     = 256 << 10
	keptFor       = 60 * time.Second // after the end of the stream
	maxTapes      = 4096             // of everybody together; the oldest go first
	maxTapeBytes  = 64 << 20
	lastEventID   = "Last-Event-Id"
	changesPrefix = "g." // ids on GET streams; what follows names the view
)

// tape is one legacy stream as it was sent. Only the session it belongs to hears it again.
type tape struct {
	id, session string

	// Of tapes; its lock.
	counted int           // bytes of it in tapes.bytes
	age     *list.Element // nil: forgotten
	over    *list.Element // nil: it goes on
	until   time.Time     // once it is over

	mu      sync.Mutex
	events  []event
	bytes   int
	next    int
	ended   bool
	readers []*queue // resumed streams that still wait
}

// tapes are the streams that can be resumed.
type tapes struct {
	mu    sync.Mutex
	byID  map[string]*tape
	byAge *list.List  // oldest first
	over  *list.List  // those that have ended, in that order
	timer *time.Timer // for the first of them; one each would outlive the tapes that have to go early
	bytes int         // of the events on them
}

func (t *tapes) init() { t.byID, t.byAge, t.over = map[string]*tape{}, list.New(), list.New() }

func (t *tapes) start(session string) *tape {
	var random [9]byte
	_, _ = rand.Read(random[:])
	made := &tape{id: base64.RawURLEncoding.EncodeToString(random[:]), session: session}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID[made.id] = made
	made.age = t.byAge.PushBack(made)
	t.shrink()
	return made
}

// shrink forgets the oldest tapes when there are too many.
func (t *tapes) shrink() {
	for t.byAge.Len() > maxTapes || t.bytes > maxTapeBytes {
		t.forget(t.byAge.Front().Value.(*tape))
	}
}

func (t *tapes) forget(gone *tape) {
	t.byAge.Remove(gone.age)
	gone.age = nil
	if gone.over != nil {
		t.over.Remove(gone.over)
	}
	delete(t.byID, gone.id)
	t.bytes -= gone.counted
}

// add keeps an event of a stream and returns it with its id.
func (t *tapes) add(to *tape, e event) event {
	e, size := to.add(e)
	t.mu.Lock()
	defer t.mu.Unlock()
	if to.age != nil {
		t.bytes += size - to.counted
		to.counted = size
		t.shrink()
	}
	return e
}

// find returns the tape an event id belongs to, if it is the session's, and the number of the event.
func (t *tapes) find(id, session string) (*tape, int) {
	// The number follows the last dash: a stream's own name may hold one.
	cut := strings.LastIndexByte(id, '-')
	if cut < 0 {
		return nil, 0
	}
	n, err := strconv.Atoi(id[cut+1:])
	if err != nil {
		return nil, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.byID[id[:cut]]
	if !ok || found.session != session {
		return nil, 0
	}
	return found, n
}

// end lets the tape be heard for a while longer.
func (t *tapes) end(ended *tape) {
	ended.close()
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended.age == nil { // it had to go before its time
		return
	}
	ended.until = time.Now().Add(keptFor)
	ended.over = t.over.PushBack(ended)
	if t.timer == nil {
		t.timer = time.AfterFunc(keptFor, t.sweep)
	}
}

// sweep forgets what was kept for long enough, and comes back for the next.
func (t *tapes) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.timer = nil
	for e := t.over.Front(); e != nil; e = t.over.Front() {
		first := e.Value.(*tape)
		if wait := first.until.Sub(now); wait > 0 {
			t.timer = time.AfterFunc(wait, t.sweep)
			return
		}
		t.forget(first)
	}
}

// add numbers an event and keeps it; resumed streams get it too. size is what the tape holds now.
func (t *tape) add(e event) (numbered event, size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.id = t.id + "-" + strconv.Itoa(t.next)
	t.next++
	t.events = append(t.events, e)
	t.bytes += len(e.data)
	for len(t.events) > keptEvents || t.bytes > keptBytes && len(t.events) > 0 {
		t.bytes -= len(t.events[0].data)
		t.events = t.events[1:]
	}
	for _, q := range t.readers {
		q.put(e)
	}
	return e, t.bytes
}

// replay puts everything after event n into q, and what is still to come.
func (t *tape) replay(n int, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range t.events {
		if t.next-len(t.events)+i > n {
			q.put(event{kind: answerEvent, data: e.data, id: e.id}) // none of them is dropped
		}
	}
	if t.ended {
		q.close()
		return
	}
	t.readers = append(t.readers, q)
}

func (t *tape) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for _, q := range t.readers {
		q.close()
	}
	t.readers = nil
}

// resume goes on with the stream of a call (E7). An id that nobody knows, and one of another session, give an empty
// stream: there is nothing to wait for.
func (x *exchange) resume(id string) {
	q := newQueue()
	if t, n := x.tapes.find(id, x.session); t != nil {
		t.replay(n, q)
	} else {
		q.close()
	}
	s := newWriter(x.w, q)
	s.alive = x.stillThere
	if s.open() != nil {
		return
	}
	s.run(x.r.Context())
}

// changesID is the id of an event on a GET stream. It names the view the client knows now, so that a client that comes
// back with it is told of what changed meanwhile, and nothing has to be kept.
func changesID(view string, n int) string {
	sum := sha256.Sum256([]byte(view))
	return changesPrefix + base64.RawURLEncoding.EncodeToString(sum[:9]) + "-" + strconv.Itoa(n)
}

// missed reports whether a client that comes back to its GET stream knows another view than this one.
func missed(h http.Header, view string) bool {
	id := h.Get(lastEventID)
	cut := strings.LastIndexByte(id, '-')
	return strings.HasPrefix(id, changesPrefix) && cut > 0 && !strings.HasPrefix(changesID(view, 0), id[:cut+1])
}
