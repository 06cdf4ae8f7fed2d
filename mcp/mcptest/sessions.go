package mcptest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// RunSessionStore checks what every SessionStore must do (mcp.md §6). newStore returns an empty store.
func RunSessionStore(t *testing.T, newStore func(*testing.T) mcp.SessionStore) {
	start := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	limits := mcp.SessionLimits{Total: 5, PerCaller: 3, Idle: 30 * time.Minute, Max: 24 * time.Hour}
	s := sessions{limits: limits, start: start}
	for name, check := range map[string]func(*testing.T, mcp.SessionStore){
		"a session is read as it was made":         s.readBack,
		"an unknown session is none":               s.unknown,
		"an ended session stays ended":             s.ended,             // S4
		"an idle session ends":                     s.idle,              // S7
		"an old session ends":                      s.old,               // S7
		"a late touch brings nothing back":         s.lateTouch,         // S4
		"one too many ends the longest idle":       s.perCaller,         // S8
		"everybody together have a limit":          s.total,             // S8
		"sessions that ran out make room":          s.room,              // S8
		"a revoked grant ends its sessions only":   s.grant,             // S10
		"what a client says of itself is cut":      s.largeCapabilities, // S3
		"the log level is kept until the next one": s.logLevel,
	} {
		t.Run(name, func(t *testing.T) { check(t, newStore(t)) })
	}
}

type sessions struct {
	limits mcp.SessionLimits
	start  time.Time
}

func (s sessions) create(t *testing.T, store mcp.SessionStore, id, owner string, at time.Time) error {
	t.Helper()
	return store.Create(t.Context(), mcp.Session{
		ID: id, Server: "orders", Owner: owner, Client: "c", Grant: "g-" + owner, Revision: "2025-11-25", Created: at, Used: at,
		Capabilities: []byte(`{"roots":{}}`), ClientInfo: []byte(`{"name":"n"}`),
	}, s.limits)
}

func (s sessions) must(t *testing.T, store mcp.SessionStore, id, owner string, at time.Time) {
	t.Helper()
	if err := s.create(t, store, id, owner, at); err != nil {
		t.Fatalf("Create(%s) = %v", id, err)
	}
}

func alive(t *testing.T, store mcp.SessionStore, id string, at time.Time, want bool) {
	t.Helper()
	_, err := store.Get(t.Context(), id, at)
	if want && err != nil || !want && !errors.Is(err, mcp.ErrNoSession) {
		t.Errorf("Get(%s) = %v, want alive: %t", id, err, want)
	}
}

func (s sessions) readBack(t *testing.T, store mcp.SessionStore) {
	s.must(t, store, "1", "a", s.start)
	got, err := store.Get(t.Context(), "1", s.start)
	if err != nil || got.Server != "orders" || got.Owner != "a" || got.Client != "c" || got.Grant != "g-a" ||
		got.Revision != "2025-11-25" || string(got.Capabilities) != `{"roots":{}}` || string(got.ClientInfo) != `{"name":"n"}` || !got.Created.Equal(s.start) {
		t.Errorf("Get = %+v, %v", got, err)
	}
}

func (s sessions) unknown(t *testing.T, store mcp.SessionStore) {
	alive(t, store, "1", s.start, false)
	if err := store.End(t.Context(), "1", s.start); !errors.Is(err, mcp.ErrNoSession) {
		t.Errorf("End = %v", err)
	}
	if err := store.Touch(t.Context(), "1", s.start, ""); !errors.Is(err, mcp.ErrNoSession) {
		t.Errorf("Touch = %v", err)
	}
}

func (s sessions) ended(t *testing.T, store mcp.SessionStore) {
	s.must(t, store, "1", "a", s.start)
	if err := store.End(t.Context(), "1", s.start); err != nil {
		t.Fatal(err)
	}
	alive(t, store, "1", s.start, false)
	if err := store.End(t.Context(), "1", s.start); !errors.Is(err, mcp.ErrNoSession) {
		t.Errorf("second End = %v, want ErrNoSession", err)
	}
}

func (s sessions) idle(t *testing.T, store mcp.SessionStore) {
	s.must(t, store, "1", "a", s.start)
	if err := store.Touch(t.Context(), "1", s.start.Add(20*time.Minute), ""); err != nil {
		t.Fatal(err)
	}
	alive(t, store, "1", s.start.Add(50*time.Minute), true)
	alive(t, store, "1", s.start.Add(51*time.Minute), false)
}

func (s sessions) old(t *testing.T, store mcp.SessionStore) {
	s.must(t, store, "1", "a", s.start)
	at := s.start
	for ; at.Before(s.start.Add(24 * time.Hour)); at = at.Add(20 * time.Minute) {
		if err := store.Touch(t.Context(), "1", at, ""); err != nil {
			t.Fatalf("Touch at %v: %v", at, err)
		}
	}
	alive(t, store, "1", s.start.Add(24*time.Hour+time.Second), false)
}

func (s sessions) lateTouch(t *testing.T, store mcp.SessionStore) {
	s.must(t, store, "1", "a", s.start)
	if err := store.End(t.Context(), "1", s.start); err != nil {
		t.Fatal(err)
	}
	if err := store.Touch(t.Context(), "1", s.start, "debug"); !errors.Is(err, mcp.ErrNoSession) {
		t.Errorf("Touch = %v, want ErrNoSession", err)
	}
	alive(t, store, "1", s.start, false)
}

func (s sessions) perCaller(t *testing.T, store mcp.SessionStore) {
	for i := range 3 {
		s.must(t, store, fmt.Sprint(i), "a", s.start.Add(time.Duration(i)*time.Second))
	}
	s.must(t, store, "other", "b", s.start.Add(-time.Minute))
	later := s.start.Add(time.Minute)
	if err := store.Touch(t.Context(), "0", later, ""); err != nil {
		t.Fatal(err)
	}
	s.must(t, store, "3", "a", later)
	for id, want := range map[string]bool{"0": true, "1": false, "2": true, "3": true, "other": true} {
		alive(t, store, id, later, want)
	}
}

func (s sessions) total(t *testing.T, store mcp.SessionStore) {
	for i := range 5 {
		s.must(t, store, fmt.Sprint(i), fmt.Sprint("owner", i), s.start)
	}
	if err := s.create(t, store, "5", "owner5", s.start); !errors.Is(err, mcp.ErrSessionsFull) {
		t.Errorf("Create = %v, want ErrSessionsFull", err)
	}
	alive(t, store, "0", s.start, true)
}

func (s sessions) room(t *testing.T, store mcp.SessionStore) {
	for i := range 5 {
		s.must(t, store, fmt.Sprint(i), fmt.Sprint("owner", i), s.start)
	}
	s.must(t, store, "5", "owner5", s.start.Add(31*time.Minute))
}

func (s sessions) grant(t *testing.T, store mcp.SessionStore) {
	s.must(t, store, "1", "a", s.start)
	s.must(t, store, "2", "b", s.start)
	if err := store.EndGrant(t.Context(), "g-a", s.start); err != nil {
		t.Fatal(err)
	}
	if err := store.EndGrant(t.Context(), "", s.start); err != nil {
		t.Fatal(err)
	}
	alive(t, store, "1", s.start, false)
	alive(t, store, "2", s.start, true)
}

func (s sessions) largeCapabilities(t *testing.T, store mcp.SessionStore) {
	err := store.Create(t.Context(), mcp.Session{
		ID: "1", Owner: "a", Created: s.start, Used: s.start, Capabilities: make([]byte, mcp.MaxClientState+1),
		ClientInfo: make([]byte, mcp.MaxClientState+1),
	}, s.limits)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get(t.Context(), "1", s.start); err != nil || got.Capabilities != nil || got.ClientInfo != nil {
		t.Errorf("%d bytes kept, %v", len(got.Capabilities), err)
	}
}

func (s sessions) logLevel(t *testing.T, store mcp.SessionStore) {
	s.must(t, store, "1", "a", s.start)
	for _, level := range []string{"debug", "", "error", ""} {
		if err := store.Touch(t.Context(), "1", s.start, level); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := store.Get(t.Context(), "1", s.start); err != nil || got.LogLevel != "error" {
		t.Errorf("level %q, %v", got.LogLevel, err)
	}
}
