package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// events records what an Observer is told.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, fmt.Sprintf(format, args...))
}

func (e *events) Attempt(backend, outcome string, _ time.Duration) { e.add("%s %s", backend, outcome) }
func (e *events) Retry(backend, reason string)                     { e.add("%s retry %s", backend, reason) }
func (e *events) Breaker(backend string, state int)                { e.add("%s breaker %d", backend, state) }

// ME-6, BR-11: tries, retries and breakers are told one by one, with words from closed sets.
func TestTheObserverLearnsOfTriesRetriesAndBreakers(t *testing.T) {
	ck, seen := proxytest.NewClock(), &events{}
	first := proxytest.InMemory(t, step{Status: 429, Header: map[string]string{"Retry-After": "10"}}, step{Body: "good"})
	second := proxytest.InMemory(t, step{ResetBeforeHeaders: true}, step{Status: 404})
	p := two(t, first, second, func(c *Config) { c.Backends[0].Breaker = &BreakerConfig{Failures: 1, RetryAfter: true} }, Deps{Observer: seen, Now: ck.Now})
	call := get("p")
	_, _ = p.Do(t.Context(), call)
	ck.Advance(10 * time.Second)
	done(must(t, p, get("p")))
	const want = "[a breaker 2 a 4xx b retry 429 b reset a breaker 1 a breaker 0 a 2xx]"
	if got := fmt.Sprint(seen.list); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// ME-6: a call whose arguments cannot be sent is the caller's fault: no try at the backend, and its breaker stays closed.
func TestACallThatCannotBeBuiltSaysNothingAboutTheBackend(t *testing.T) {
	b, seen := proxytest.New(t), &events{}
	p := single(t, b, BackendConfig{Breaker: &BreakerConfig{Failures: 1}}, Deps{Observer: seen})
	for range 3 {
		call := get("a")
		call.Build = func(context.Context, *Backend) (*http.Request, error) {
			return nil, errors.New("argument limit: must be an integer")
		}
		if _, err := p.Do(t.Context(), call); err == nil {
			t.Fatal("no error")
		}
	}
	if len(seen.list) > 0 {
		t.Errorf("told %v, want nothing", seen.list)
	}
	done(must(t, p, get("a")))
}

// PX-15: the request id goes upstream, and into the record.
func TestTheRequestIDGoesUpstream(t *testing.T) {
	b, rows := proxytest.New(t), &ledger{}
	p := single(t, b, BackendConfig{}, Deps{Recorder: rows})
	call := get("a")
	call.ID = "abc.1"
	done(must(t, p, call))
	if b.Requests()[0].Header.Get("X-Request-Id") != "abc.1" || rows.only(t).RequestID != "abc.1" {
		t.Error("the request id was lost")
	}
}

// UR-1: a repeated request id does not escape the ledger.
func TestRecordsHaveTheirOwnUniqueID(t *testing.T) {
	seen, now := map[string]bool{}, time.Now()
	for range 10_000 {
		seen[newRecordID(now)] = true
	}
	if len(seen) != 10_000 || newRecordID(now) > newRecordID(now.Add(time.Second)) {
		t.Error("ids repeat or do not sort by time")
	}
}
