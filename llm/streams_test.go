package llm

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
)

func TestEveryExchangeHearsOfTheCut(t *testing.T) {
	var s streams
	start := func(drain bool) (context.Context, func()) {
		return s.track(httptest.NewRequestWithContext(t.Context(), "POST", "/", nil), drain)
	}
	quiet, releaseQuiet := start(false)
	waiting, releaseWaiting := start(false)
	over, releaseOver := start(false)
	draining, releaseDraining := start(true)
	done := waiting.Done()
	releaseOver()
	if quiet.Err() != nil || waiting.Err() != nil || draining.Err() != nil {
		t.Fatal("ended too early")
	}
	s.cut()
	<-done
	late, releaseLate := start(false)
	for name, ctx := range map[string]context.Context{"quiet": quiet, "waiting": waiting, "draining": draining, "late": late} {
		if ctx.Err() == nil || context.Cause(ctx) != errShutdown { //nolint:errorlint // the very same
			t.Errorf("%s: %v, %v", name, ctx.Err(), context.Cause(ctx))
		}
		<-ctx.Done()
	}
	if over.Err() != nil {
		t.Error("an exchange that was over was cut")
	}
	for _, release := range []func(){releaseWaiting, releaseLate, releaseQuiet, releaseDraining} {
		release()
	}
	if s.running != nil {
		t.Error("an exchange is still known")
	}
}

func TestAnExchangeEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s streams
		for _, waits := range []bool{false, true} {
			caller, leave := context.WithCancelCause(t.Context())
			ctx, release := s.track(httptest.NewRequestWithContext(caller, "POST", "/", nil), false)
			called := false
			if waits {
				context.AfterFunc(ctx, func() { called = true })
			}
			leave(context.DeadlineExceeded)
			synctest.Wait()
			if ctx.Err() == nil || context.Cause(ctx) != context.DeadlineExceeded || called != waits { //nolint:errorlint // the very same
				t.Errorf("waits %v: %v, %v, %v", waits, ctx.Err(), context.Cause(ctx), called)
			}
			<-ctx.Done()
			release()
		}
	})
}

func TestAnExchangeThatIsOverHoldsNoOther(t *testing.T) {
	var s streams
	var all []context.Context
	var releases []func()
	for range 3 {
		ctx, release := s.track(httptest.NewRequestWithContext(t.Context(), "POST", "/", nil), false)
		all, releases = append(all, ctx), append(releases, release)
	}
	for _, i := range []int{1, 0, 2} {
		releases[i]()
		if e := all[i].(*running); e.prev != nil || e.next != nil {
			t.Errorf("exchange %d holds its neighbours", i)
		}
	}
}

func TestExchangesComeAndGoWhileTheyAreCut(t *testing.T) {
	var s streams
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 300 {
				caller, leave := context.WithCancel(t.Context())
				ctx, release := s.track(httptest.NewRequestWithContext(caller, "POST", "/", nil), i%3 == 0)
				switch (i + worker) % 4 {
				case 0:
					leave()
				case 1:
					child, cancel := context.WithCancel(ctx)
					leave()
					if i%3 != 0 { // else it goes on without its caller
						<-child.Done()
					}
					cancel()
				case 2:
					_ = ctx.Done()
				}
				if worker == 0 && i == 150 {
					s.cut()
				}
				if release(); i%2 == 0 {
					_ = ctx.Err()
				}
				leave()
			}
		})
	}
	wait.Wait()
	if s.running != nil {
		t.Error("an exchange is still known")
	}
}
