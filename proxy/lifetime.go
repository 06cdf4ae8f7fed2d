package proxy

import (
	"context"
	"sync"
)

// lifetime is the context of one try, as a part of it. It ends with the call's, with its time, or with the try; the cause
// is ours to read. The chain that the standard library would make of a cancellable context and of what waits for its end
// is longer: most tries need one thing of it, that the connection is closed should the end come early.
//
// It listens to the call's context once somebody waits on Done, or once it is told to: see vigil.
type lifetime struct {
	context.Context // the call's

	mu    sync.Mutex
	leave func() bool   // stops listening; nil: it does not listen
	done  chan struct{} // nil: nobody asked for it
	err   error         // nil: it goes on
	cause error
	after []afterwards
	next  int // id in after
	room  [1]afterwards
}

// afterwards is what waits for the end.
type afterwards struct {
	id int
	f  func()
}

// listen makes it end with the call's context, and at once when that has ended.
func (l *lifetime) listen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leave == nil && l.err == nil {
		l.leave = context.AfterFunc(l.Context, l.follow)
	}
}

func (l *lifetime) follow() { l.end(l.Context.Err(), context.Cause(l.Context)) }

// end ends it, once: the first cause stays.
func (l *lifetime) end(err, cause error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.err, l.cause = err, cause
	if l.done != nil {
		close(l.done)
	}
	after := l.after
	l.after = nil
	l.mu.Unlock()
	for _, a := range after {
		go a.f()
	}
}

// finish ends it because the try has.
func (l *lifetime) finish() {
	l.end(context.Canceled, errDone)
	l.mu.Lock()
	leave := l.leave
	l.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// why is the cause of the end; nil: it goes on.
func (l *lifetime) why() error {
	_ = l.Err()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Done implements context.Context.
func (l *lifetime) Done() <-chan struct{} {
	l.listen()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.err != nil {
			close(l.done)
		}
	}
	return l.done
}

// Err implements context.Context.
func (l *lifetime) Err() error {
	if l.Context.Err() != nil {
		l.follow()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// AfterFunc is what context.AfterFunc asks of a context that is not its own: f runs in its own goroutine after the end,
// unless stop, which reports that, came before.
func (l *lifetime) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		go f()
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = l.room[:0]
	}
	l.next++
	id := l.next
	l.after = append(l.after, afterwards{id, f})
	return func() bool { return l.forget(id) }
}

func (l *lifetime) forget(id int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.after {
		if l.after[i].id == id {
			last := len(l.after) - 1
			l.after[i] = l.after[last]
			l.after[last] = afterwards{}
			l.after = l.after[:last]
			return true
		}
	}
	return false
}
