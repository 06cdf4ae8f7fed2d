package proxytest

import (
	"sync"
	"time"
)

// Clock is a time that goes only when it is told to. Safe for use by the goroutines that look at it meanwhile.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a clock that shows noon, UTC, of some day.
func NewClock() *Clock { return &Clock{at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

// Now is what it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance puts it forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
