package main

import (
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// deadlines records what a connection was told.
type deadlines struct {
	*httptest.ResponseRecorder
	mu  sync.Mutex
	all []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, t)
	return nil
}

func (d *deadlines) set() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.all)
}

func TestABodyHasItsTimeAndTheConnectionKeepsNothingOfIt(t *testing.T) {
	const limit = time.Minute
	for name, c := range map[string]struct {
		use  func(b *timedBody)
		want []time.Duration // deadlines from the start; -1: none any more, -2: at once
	}{
		"read to its end": {func(b *timedBody) { _, _ = io.ReadAll(b) }, nil},
		"closed early":    {func(b *timedBody) { _, _ = b.Read(make([]byte, 1)); _ = b.Close() }, nil},
		"too slow":        {func(b *timedBody) { _, _ = b.Read(make([]byte, 1)); time.Sleep(2 * limit); _, _ = io.ReadAll(b) }, []time.Duration{-2, -1}},
		"left in the middle": {func(b *timedBody) {
			_, _ = b.Read(make([]byte, 1))
			time.Sleep(limit / 2)
		}, []time.Duration{limit}},
		"never read": {func(*timedBody) { time.Sleep(limit / 2) }, []time.Duration{limit + limit/2}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, start := &deadlines{ResponseRecorder: httptest.NewRecorder()}, time.Now()
				b := &timedBody{ReadCloser: io.NopCloser(strings.NewReader("body")), w: w, limit: limit}
				c.use(b)
				b.leave()
				time.Sleep(10 * limit) // a later request on the same connection
				synctest.Wait()
				var got []time.Duration
				for _, at := range w.set() {
					switch {
					case at.IsZero():
						got = append(got, -1)
					case at.Before(start):
						got = append(got, -2)
					default:
						got = append(got, at.Sub(start))
					}
				}
				if len(got) != len(c.want) {
					t.Fatalf("deadlines %v, want %v", got, c.want)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("deadlines %v, want %v", got, c.want)
					}
				}
			})
		})
	}
}

// drip is a body of which so many bytes come each second.
type drip struct{ rate, left int }

func (d *drip) Read(p []byte) (int, error) {
	if d.left <= 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second)
	n := min(d.rate, d.left, len(p))
	d.left -= n
	return n, nil
}

func TestABodyComesAtARate(t *testing.T) { // operations.md §14: min rate 1 KiB/s
	for _, c := range []struct {
		name        string
		rate, bytes int
		pause       time.Duration // of the handler between two reads
		cut         time.Duration // 0: never
	}{
		{"a byte a second", 1, 100, 0, 5 * time.Second},
		{"half of what it should", bodyRate / 2, 64 << 10, 0, 5 * time.Second},
		{"twice as much", 2 * bodyRate, 40 << 10, 0, 0},
		{"that, but for too long", 2 * bodyRate, 128 << 10, 0, 30 * time.Second},
		{"a short one", 1, 4, 0, 0},
		{"slow where it goes", 8 << 10, 48 << 10, 3 * time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, start := &deadlines{ResponseRecorder: httptest.NewRecorder()}, time.Now()
				b := &timedBody{ReadCloser: io.NopCloser(&drip{c.rate, c.bytes}), w: w, limit: 30 * time.Second}
				var cut time.Duration
				for buf := make([]byte, 32<<10); len(w.set()) == 0; time.Sleep(c.pause) {
					if _, err := b.Read(buf); err != nil {
						break
					}
				}
				if len(w.set()) > 0 {
					cut = time.Since(start)
				}
				_ = b.Close()
				if cut < c.cut || cut > c.cut+time.Second {
					t.Errorf("cut after %v, want %v", cut, c.cut)
				}
			})
		})
	}
}
