package proxy

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a try as a vigil sees it.
func watched(v *vigil, call context.Context, cause error) *lifetime {
	l := &lifetime{Context: call}
	v.add(&place{life: l, cause: cause}, v.now())
	return l
}

func TestEachTryHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVigil(30*time.Second, time.Now)
		early := watched(v, t.Context(), errHeaderTimeout)
		answered := &place{life: &lifetime{Context: t.Context()}}
		v.add(answered, v.now())
		time.Sleep(10 * time.Second)
		late := watched(v, t.Context(), errHeaderTimeout)
		v.remove(answered)
		v.remove(answered)
		time.Sleep(20*time.Second - 1)
		if early.Err() != nil {
			t.Error("ended before its time")
		}
		time.Sleep(1)
		synctest.Wait()
		if !errors.Is(early.Err(), context.Canceled) || early.why() != errHeaderTimeout || late.Err() != nil || answered.life.Err() != nil { //nolint:errorlint // the very same
			t.Errorf("after 30 s: %v (%v), %v, %v", early.Err(), early.why(), late.Err(), answered.life.Err())
		}
		time.Sleep(10*time.Second - 1)
		if late.Err() != nil {
			t.Error("the second ended before its time")
		}
		time.Sleep(1)
		synctest.Wait()
		if late.Err() == nil || v.first != nil || v.last != nil || v.young != nil || v.armed {
			t.Errorf("after 40 s: %v, %+v", late.Err(), v)
		}
	})
}

func TestATryHearsOfItsCallersEnd(t *testing.T) {
	left := errors.New("left")
	for name, after := range map[string]time.Duration{"before it began": -1, "at once": 0, "soon": unheard / 2, "late": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVigil(time.Hour, time.Now)
				call, leave := context.WithCancelCause(t.Context())
				if after < 0 {
					leave(left)
				}
				closed := make(chan struct{})
				l := watched(v, call, errHeaderTimeout)
				l.AfterFunc(func() { close(closed) })
				time.Sleep(after)
				gone := time.Now()
				leave(left)
				<-closed
				if took := time.Since(gone); took > unheard {
					t.Errorf("the exchange ended %s after its caller had gone", took)
				}
				if l.why() != left || !errors.Is(l.Err(), context.Canceled) { //nolint:errorlint // the very same
					t.Errorf("ended with %v, %v", l.Err(), l.why())
				}
			})
		})
	}
}

func TestWhoeverWaitsForATrysEndHearsItAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call, leave := context.WithCancel(t.Context())
		l := &lifetime{Context: call}
		child, cancel := context.WithCancel(l) // as net/http's transport does
		defer cancel()
		leave()
		synctest.Wait()
		if child.Err() == nil || l.Err() == nil {
			t.Error("the end did not come through")
		}
		<-l.Done()
	})
}

func TestATryThatIsOverLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call, leave := context.WithCancel(t.Context())
		l := &lifetime{Context: call}
		l.listen()
		called := make([]bool, 3)
		stops := make([]func() bool, len(called))
		for i := range called {
			stops[i] = l.AfterFunc(func() { called[i] = true })
		}
		if !stops[0]() || stops[0]() {
			t.Error("stopping says the wrong thing")
		}
		l.finish()
		l.finish()
		leave()
		synctest.Wait()
		if called[0] || !called[1] || !called[2] || stops[1]() {
			t.Errorf("called %v", called)
		}
		if l.why() != errDone { //nolint:errorlint // the very same
			t.Errorf("the cause is %v", l.why())
		}
		late := make(chan struct{})
		if l.AfterFunc(func() { close(late) })() {
			t.Error("what came after the end was stopped")
		}
		<-late
		<-l.Done()
	})
}
