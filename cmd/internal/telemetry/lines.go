package telemetry

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	crowded   = time.Millisecond     // lines that follow each other faster share a write
	gathering = 5 * time.Millisecond // for so long at most
	maxGather = 32 << 10             // bytes, beyond which a write does not wait
)

// lines is where a logger writes: whole lines, in order. A write of its own for each of ten thousand lines a second costs
// more than making them, so that lines of requests wait for each other while they come that fast; any other line, and any
// error, takes along what waits. The longest a line is held back is gathering.
type lines struct {
	mu     sync.Mutex
	w      io.Writer
	waits  []byte
	due    bool      // a write of what waits is on its way
	latest time.Time // when the last line was added
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.flush() // what waits may be lost, but not this line with it
	return l.w.Write(p)
}

// add writes a line of now; soon is enough for those that may wait.
func (l *lines) add(line []byte, now time.Time, may bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := now.Sub(l.latest)
	l.latest = now
	if len(l.waits) == 0 && (!may || since >= crowded) {
		_, _ = l.w.Write(line) // a log that cannot be written is told nowhere
		return
	}
	l.waits = append(l.waits, line...)
	switch {
	case !may || len(l.waits) >= maxGather:
		_ = l.flush()
	case !l.due:
		l.due = true
		time.AfterFunc(gathering, l.later)
	}
}

// Flush writes the lines of a logger that wait: the program may end at once. A logger that writes nothing from here on
// needs it, whatever the level of its last line.
func Flush(log *slog.Logger) {
	if h, ok := log.Handler().(*handler); ok && h.json != nil {
		h.json.mu.Lock()
		defer h.json.mu.Unlock()
		_ = h.json.flush()
	}
}

func (l *lines) later() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = false
	_ = l.flush()
}

// flush writes what waits. mu is held.
func (l *lines) flush() error {
	if len(l.waits) == 0 {
		return nil
	}
	_, err := l.w.Write(l.waits)
	l.waits = l.waits[:0]
	return err
}
