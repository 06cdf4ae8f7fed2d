package relay

import (
	"bytes"
	"sync/atomic"
	"time"
)

// silence ends a stream on which the answer to a request does not come: after the backend's timeout without an event, as if
// the answer were no stream (§9.3). From when the upstream asked something it may be silent, since it may be waiting for
// somebody; how long is the pipeline's to say.
type silence struct {
	most  time.Duration
	timer *time.Timer // nil: not watched
	done  atomic.Bool
}

func (s *silence) watch(most time.Duration, end func()) {
	if most <= 0 {
		return
	}
	s.most = most
	s.timer = time.AfterFunc(most, func() {
		s.done.Store(true)
		end()
	})
}

// broken takes note of bytes that came. What has a method and an id may be a question.
func (s *silence) broken(by []byte) {
	if s.timer == nil || len(by) == 0 || !s.timer.Stop() {
		return
	}
	if !bytes.Contains(by, []byte(`"method"`)) || !bytes.Contains(by, []byte(`"id"`)) {
		s.timer.Reset(s.most)
	}
}

func (s *silence) over() bool { return s.done.Load() }

func (s *silence) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
