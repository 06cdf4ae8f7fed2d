package relay

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Events restart the clock; a question stops it (§9.3).
func TestSilenceIsMeasuredFromTheLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, c := range map[string]struct {
			event string
			over  bool
		}{
			"progress":   {`data: {"jsonrpc":"2.0","method":"notifications/progress"}`, true},
			"a comment":  {": ping", true},
			"a question": {`data: {"jsonrpc":"2.0","id":1,"method":"elicitation/create"}`, false},
		} {
			var ended atomic.Bool
			s := &silence{}
			s.watch(time.Minute, func() { ended.Store(true) })
			for range 5 {
				time.Sleep(40 * time.Second)
				s.broken([]byte(": first\n\n"))
			}
			s.broken([]byte(c.event))
			time.Sleep(59 * time.Second)
			synctest.Wait()
			if ended.Load() || s.over() {
				t.Errorf("%s: it ended too early", what)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if ended.Load() != c.over || s.over() != c.over {
				t.Errorf("%s: ended %v", what, ended.Load())
			}
			s.stop()
		}
	})
}
