package proxy

import (
	"context"
	"sync"
	"time"
)

// unheard is how long a try goes on before it listens to its caller. Most are over by then, and never do: to ask a context
// for its end and to take that back costs more than all else that the pipeline does for a call. Whoever leaves early is
// noticed that much later (openapi.md T1 and llm.md TO-6 ask for 100 and 200 ms).
const unheard = 20 * time.Millisecond

// vigil watches over the tries under way at one backend: it makes those listen to their callers that take longer than
// most, and ends those whose time is over (llm.md TO-2). All of them have the same time, so they stand in line as they
// began, and one timer serves them all.
type vigil struct {
	time  time.Duration // of each
	now   func() time.Time
	epoch time.Time // what began is counted from

	mu          sync.Mutex
	first, last *place
	young       *place // the first of those that do not listen yet
	timer       *time.Timer
	at          time.Duration // when timer looks, since epoch; nothing is due before
}

// place is a try's place in the line. Owner: vigil.mu.
type place struct {
	life       *lifetime
	cause      error         // of the end when the time is over
	began      time.Duration // since epoch
	prev, next *place
	waits      bool
}

func newVigil(d time.Duration, now func() time.Time) *vigil {
	return &vigil{time: d, now: now, epoch: now()}
}

// add begins the time of a try.
func (v *vigil) add(p *place, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p.began, p.waits = now.Sub(v.epoch), true
	if p.prev = v.last; v.last == nil {
		v.first = p
	} else {
		v.last.next = p
	}
	v.last = p
	if v.young == nil {
		v.young = p
	}
	v.arm(p.began)
}

// remove takes a try out of the line; one that is not there stays as it is.
func (v *vigil) remove(p *place) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.unlink(p)
}

func (v *vigil) unlink(p *place) {
	if !p.waits {
		return
	}
	if v.young == p {
		v.young = p.next
	}
	if p.prev == nil {
		v.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		v.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next, p.waits = nil, nil, false
}

// arm sets the timer for what comes next, unless it looks by then anyway: it may wait for the end of a long try while a
// young one begins.
func (v *vigil) arm(now time.Duration) {
	if v.first == nil {
		return
	}
	at := v.first.began + v.time
	if v.young != nil {
		at = min(at, v.young.began+unheard)
	}
	if v.timer != nil {
		if v.at <= at {
			return
		}
		v.timer.Stop()
	}
	v.at, v.timer = at, time.AfterFunc(at-now, func() { v.look(at) })
}

// look does what is due. It is at or later, whatever the clock says.
func (v *vigil) look(at time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.timer == nil || v.at != at {
		return // this timer was stopped too late, and another one looks
	}
	v.timer = nil
	now := max(v.now().Sub(v.epoch), at)
	for ; v.young != nil && v.young.began+unheard <= now; v.young = v.young.next {
		v.young.life.listen()
	}
	for v.first != nil && v.first.began+v.time <= now {
		p := v.first
		v.unlink(p)
		p.life.end(context.Canceled, p.cause)
	}
	v.arm(now)
}
