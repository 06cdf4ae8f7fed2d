package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink counts the writes of a log.
type sink struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.text.Write(p)
}

func (s *sink) lines() (n, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), "\n"), s.writes
}

func line(q *Requests, level slog.Level, id string) {
	q.write(context.Background(), time.Now(), level, []slog.Attr{slog.String("request_id", id)})
}

func TestLinesThatComeApartAreWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		q := &Requests{Log: NewLogger(s, Options{Format: "json"})}
		for i := range 5 {
			line(q, slog.LevelInfo, "x")
			if n, _ := s.lines(); n != i+1 {
				t.Errorf("%d lines after %d", n, i+1)
			}
			time.Sleep(crowded)
		}
	})
}

func TestLinesThatCrowdShareAWriteAndWaitAMomentAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		q := &Requests{Log: NewLogger(s, Options{Format: "json"})}
		for i := range 100 {
			line(q, slog.LevelInfo, fmt.Sprint(i))
		}
		time.Sleep(gathering)
		synctest.Wait()
		if n, writes := s.lines(); n != 100 || writes > 3 {
			t.Errorf("%d lines in %d writes", n, writes)
		}
		at := -1
		for i := range 100 {
			next := strings.Index(s.text.String(), fmt.Sprintf(`"request_id":"%d"`, i))
			if next <= at {
				t.Fatalf("line %d stands out of order", i)
			}
			at = next
		}
	})
}

// What matters at once, and what a program says last, goes out with everything before it.
func TestErrorsAndOtherLinesTakeAlongWhatWaits(t *testing.T) {
	for name, last := range map[string]func(q *Requests){
		"an error of a request": func(q *Requests) { line(q, slog.LevelError, "last") },
		"another line":          func(q *Requests) { q.Log.Info("stopped", "request_id", "last") },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &sink{}
			q := &Requests{Log: NewLogger(s, Options{Format: "json"})}
			for range 10 {
				line(q, slog.LevelInfo, "x")
			}
			last(q)
			if n, _ := s.lines(); n != 11 || !strings.HasSuffix(s.text.String(), "\"request_id\":\"last\"}\n") {
				t.Errorf("%s: %d lines\n%s", name, n, s.text.String())
			}
		})
	}
}

// The level may keep the last words of a program from being written; the lines before them are not lost.
func TestNothingWaitsAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		log := NewLogger(s, Options{Format: "json", Level: slog.LevelWarn})
		q := &Requests{Log: log}
		for range 10 {
			line(q, slog.LevelWarn, "x")
		}
		log.Info("stopped")
		Flush(log.With("a", "b"))
		if n, _ := s.lines(); n != 10 {
			t.Errorf("%d of 10 lines", n)
		}
		Flush(NewLogger(s, Options{}))
		Flush(slog.New(slog.DiscardHandler))
	})
}

// full is a sink that takes a line again after one it could not take.
type full struct {
	sink
	times int
}

func (f *full) Write(p []byte) (int, error) {
	if f.times--; f.times >= 0 {
		return 0, errors.New("no space left")
	}
	return f.sink.Write(p)
}

func TestALineIsNotLostWithThoseBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &full{}
		q := &Requests{Log: NewLogger(s, Options{Format: "json"})}
		line(q, slog.LevelInfo, "written")
		line(q, slog.LevelInfo, "waits")
		s.times = 1
		q.Log.Error("last")
		if text := s.text.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, `"msg":"last"`) {
			t.Errorf("written: %s", text)
		}
	})
}

func TestManyLinesDoNotWaitForTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		q := &Requests{Log: NewLogger(s, Options{Format: "json"})}
		for range 1000 {
			line(q, slog.LevelInfo, strings.Repeat("x", 100))
		}
		if n, _ := s.lines(); n < 500 {
			t.Errorf("%d of 1000 lines", n)
		}
	})
}

// The short way of writing a text and the plain one agree, whatever the text and the key.
func FuzzLinesAreWhatTheLogHandlerWrites(f *testing.F) {
	for _, s := range []string{"", "plain", `"\`, "Bearer abcdefghij", "xeyJabcdefghijk", "sk-aaaaaaaaaa", "dbk_aaaaaaaaa", "AKIA234567890123", "é\u2028\x00", strings.Repeat("b", 2000)} {
		f.Add("server", s)
		f.Add(s, "plain")
	}
	at := time.Date(2026, 11, 21, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, key, value string) {
		if reserved(key) || key == "" || value == "" {
			return
		}
		attrs := []slog.Attr{slog.String(key, value)}
		var direct, through bytes.Buffer
		q := &Requests{Log: NewLogger(&direct, Options{Format: "json"})}
		q.write(t.Context(), at, slog.LevelInfo, attrs)
		q.Log = slog.New(&handler{Handler: slog.NewJSONHandler(&through, &slog.HandlerOptions{ReplaceAttr: redact})})
		q.write(t.Context(), at, slog.LevelInfo, attrs)
		if got, want := direct.String(), through.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}
