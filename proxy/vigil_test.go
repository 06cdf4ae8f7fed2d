package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
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
		if late.Err() == nil || v.first != nil || v.last != nil || v.young != nil || v.timer != nil {
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

func TestATryBesideALongOneHearsOfItsCallersEnd(t *testing.T) { // openapi.md T1, llm.md TO-6
	for name, long := range map[string]bool{"a long one goes on": true, "a long one has just ended": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVigil(time.Hour, time.Now)
				before := &place{life: &lifetime{Context: t.Context()}}
				v.add(before, v.now())
				time.Sleep(time.Second)
				if !long {
					v.remove(before)
				}
				call, leave := context.WithCancel(t.Context())
				closed := make(chan struct{})
				watched(v, call, errHeaderTimeout).AfterFunc(func() { close(closed) })
				time.Sleep(unheard / 2)
				gone := time.Now()
				leave()
				<-closed
				if took := time.Since(gone); took > unheard {
					t.Errorf("the exchange ended %s after its caller had gone", took)
				}
			})
		})
	}
}

// modelled is a try of the model below, and what must become of it.
type modelled struct {
	place
	leave      context.CancelFunc
	begun      time.Time
	left, over time.Time                 // its caller's leaving, and its removal; zero: not yet
	end        atomic.Pointer[time.Time] // nil: it goes on
}

// check compares a try with the rules: it ends at its time, or with its caller, whom it hears at most unheard after it
// began, and not otherwise.
func (m *modelled) check(t *testing.T, d time.Duration, now time.Time) {
	t.Helper()
	due, ended := m.begun.Add(d), time.Time{}
	if end := m.end.Load(); end != nil {
		ended = *end
	}
	if heard := m.begun.Add(unheard); !m.left.IsZero() && m.left.Before(due) {
		if due = m.left; due.Before(heard) {
			due = heard
		}
	}
	switch {
	case !m.over.IsZero() && m.over.Before(due) && !m.left.IsZero():
		// Removed and left by its caller: it may have listened already.
	case !m.over.IsZero() && m.over.Before(due):
		if !ended.IsZero() {
			t.Fatalf("ended %s after it began, although it was over after %s", ended.Sub(m.begun), m.over.Sub(m.begun))
		}
	case ended.IsZero() && due.Before(now), !ended.IsZero() && !ended.Equal(due):
		t.Fatalf("now %s after its beginning: ended after %s, due after %s", now.Sub(m.begun), ended.Sub(m.begun), due.Sub(m.begun))
	}
}

func (v *vigil) check(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	young := v.young == nil
	var last *place
	for p := v.first; p != nil; last, p = p, p.next {
		young = young || p == v.young
		if p.prev != last || !p.waits {
			t.Fatal("the line is broken")
		}
	}
	if last != v.last || !young || v.first != nil && v.timer == nil {
		t.Fatalf("the line is broken at its end: %+v", v)
	}
}

func TestTheLineOfTriesKeepsItsRules(t *testing.T) { // TO-2, TO-6, T1: a model of it, with random steps
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			d := time.Duration(10+random.IntN(200)) * time.Millisecond
			v := newVigil(d, time.Now)
			var all []*modelled
			for range 300 {
				switch n := random.IntN(10); {
				case n < 4:
					call, leave := context.WithCancel(t.Context())
					m := &modelled{leave: leave, begun: time.Now()}
					m.life, m.cause = &lifetime{Context: call}, errHeaderTimeout
					m.life.AfterFunc(func() { now := time.Now(); m.end.Store(&now) })
					all = append(all, m)
					v.add(&m.place, m.begun)
				case n < 7 && len(all) > 0:
					if m := all[len(all)-1-random.IntN(min(len(all), 8))]; m.over.IsZero() {
						v.remove(&m.place)
						m.over = time.Now()
					}
				case n < 8 && len(all) > 0:
					if m := all[len(all)-1-random.IntN(min(len(all), 8))]; m.left.IsZero() {
						m.leave()
						m.left = time.Now()
					}
				default:
					time.Sleep(time.Duration(random.IntN(50)) * time.Millisecond)
				}
				synctest.Wait()
				v.check(t)
				for _, m := range all {
					m.check(t, d, time.Now())
				}
			}
			time.Sleep(d)
			synctest.Wait()
			if v.first != nil || v.timer != nil {
				t.Errorf("left behind: %+v", v)
			}
			for _, m := range all {
				m.check(t, d, time.Now())
				m.leave()
			}
		})
	}
}

func TestTheLineIsSafeForMany(t *testing.T) {
	v := newVigil(time.Millisecond, time.Now)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 500 {
				call, leave := context.WithCancel(t.Context())
				l := &lifetime{Context: call}
				p := &place{life: l, cause: errHeaderTimeout}
				v.add(p, time.Now())
				switch i % 3 {
				case 0:
					child, cancel := context.WithCancel(l)
					leave()
					<-child.Done()
					cancel()
				case 1:
					if i%7 == 0 {
						<-l.Done() // its time
					}
				}
				v.remove(p)
				l.finish()
				leave()
			}
		})
	}
	wait.Wait()
	v.check(t)
	if v.first != nil {
		t.Error("somebody stands in line")
	}
}
