package policy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

func cacheCall(sub, key string) *proxy.Call {
	c := keyed(sub)
	c.CacheKey = func() string { return key }
	return c
}

// ask runs the cache phase; on a miss the answer is stored.
func ask(t *testing.T, p *proxy.Policies, call *proxy.Call, answer string) (kind, body string) {
	t.Helper()
	v, err := admit(t, p, proxy.PhaseCache, call)
	if err != nil {
		t.Fatal(err)
	}
	if v.Answer != nil {
		return v.Kind, string(v.Answer.Body)
	}
	if v.Settle != nil {
		v.Settle(proxy.Outcome{Ending: proxy.EndOK, Cacheable: &proxy.CacheEntry{Status: 200, Body: []byte(answer)}})
	}
	return v.Kind, answer
}

func cacheOf(ttl time.Duration, change func(*CacheExact)) Entry {
	c := &CacheExact{TTL: ttl, SingleFlight: true}
	if change != nil {
		change(c)
	}
	return Entry{Cache: c}
}

// CA-1, CA-3, CA-6, CA-10: an answer is given again until it is too old, to the same subscription, for the same request.
func TestAnAnswerIsGivenAgainToTheSameSubscription(t *testing.T) {
	ck := proxytest.NewClock()
	p := compiled(t, newTestEnv(t, Deps{Now: ck.Now}), product, cacheOf(time.Minute, nil))
	steps := []struct {
		sub, key, kind, body string
		after                time.Duration
	}{
		{"a", "k", "miss", "1", 0}, {"a", "k", "hit", "1", 59 * time.Second}, {"b", "k", "miss", "3", 0}, {"a", "other", "miss", "4", 0},
		{"a", "k", "miss", "5", time.Second}, {"a", "k", "hit", "5", 0}, {"a", "", "", "7", 0},
	}
	for i, s := range steps {
		ck.Advance(s.after)
		kind, body := ask(t, p, cacheCall(s.sub, s.key), fmt.Sprint(i+1))
		if kind != s.kind || body != s.body {
			t.Errorf("step %d: %q %q, want %q %q", i+1, kind, body, s.kind, s.body)
		}
	}
}

// CA-2, CA-3: vary parts the cache, shared joins it.
func TestVaryPartsAndSharedJoins(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, cacheOf(time.Minute, func(c *CacheExact) {
		c.Shared, c.Vary = true, `request.headers["x-lang"]`
	}))
	call := func(sub, lang string) *proxy.Call {
		c := cacheCall(sub, "k")
		c.Request.Header = http.Header{"X-Lang": {lang}}
		return c
	}
	_, _ = ask(t, p, call("a", "de"), "de")
	if kind, _ := ask(t, p, call("b", "de"), "x"); kind != "hit" {
		t.Errorf("another subscription: %s", kind)
	}
	if kind, _ := ask(t, p, call("a", "fr"), "fr"); kind != "miss" {
		t.Errorf("another vary: %s", kind)
	}
	if kind, _ := ask(t, p, cacheCall("a", "k"), "x"); kind != "" {
		t.Errorf("a vary that fails: %s", kind)
	}
}

// CA-4, CA-5, CA-8: what is not stored.
func TestWhatIsNotStored(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, cacheOf(time.Minute, func(c *CacheExact) { c.MaxBytes = 10 }))
	for name, entry := range map[string]*proxy.CacheEntry{
		"nothing": nil, "large": {Status: 200, Body: make([]byte, 11)}, "tool calls": {Status: 200, Body: []byte("x"), ToolCalls: true},
	} {
		v, _ := admit(t, p, proxy.PhaseCache, cacheCall("a", name))
		v.Settle(proxy.Outcome{Ending: proxy.EndOK, Cacheable: entry})
		if v, _ = admit(t, p, proxy.PhaseCache, cacheCall("a", name)); v.Answer != nil {
			t.Errorf("%s was stored", name)
		}
		v.Settle(proxy.Outcome{})
	}
}

// CA-11: cache-control of the request.
func TestTheRequestMayGoPastTheCache(t *testing.T) {
	p := compiled(t, newTestEnv(t, Deps{}), product, cacheOf(time.Minute, nil))
	call := func(control string) *proxy.Call {
		c := cacheCall("a", "k")
		c.Request.Header = http.Header{"Cache-Control": {control}}
		return c
	}
	steps := []struct{ control, kind, body string }{
		{"no-store", "miss", "1"}, {"", "miss", "2"}, {"no-cache", "miss", "3"}, {"", "hit", "3"}, {"max-age=0, No-Store", "miss", "5"}, {"", "hit", "3"},
	}
	for i, s := range steps {
		if kind, body := ask(t, p, call(s.control), fmt.Sprint(i+1)); kind != s.kind || body != s.body {
			t.Errorf("step %d: %s %s, want %s %s", i+1, kind, body, s.kind, s.body)
		}
	}
}

// CA-12: identical misses wait for the first; when it fails, each goes by itself; nobody waits longer than 30 s.
func TestIdenticalMissesWaitForTheFirst(t *testing.T) {
	tests := map[string]struct {
		settle *proxy.Outcome
		kind   string
		after  time.Duration
	}{
		"good":   {&proxy.Outcome{Ending: proxy.EndOK, Cacheable: &proxy.CacheEntry{Status: 200, Body: []byte("1")}}, "hit", 5 * time.Second},
		"failed": {&proxy.Outcome{Ending: proxy.EndUpstreamError}, "miss", 5 * time.Second},
		"slow":   {nil, "miss", 30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := compiled(t, newTestEnv(t, Deps{}), product, cacheOf(time.Minute, nil))
				first, _ := admit(t, p, proxy.PhaseCache, cacheCall("a", "k"))
				start := time.Now()
				type result struct {
					kind string
					took time.Duration
				}
				results := make(chan result, 3)
				for range 3 {
					go func() {
						v, err := p.ByPhase[proxy.PhaseCache][0].Admit(context.Background(), cacheCall("a", "k"))
						if err != nil {
							t.Error(err)
						}
						results <- result{v.Kind, time.Since(start)}
					}()
				}
				time.Sleep(5 * time.Second) // bubble time
				if tt.settle != nil {
					first.Settle(*tt.settle)
				}
				for range 3 {
					if r := <-results; r.kind != tt.kind || r.took != tt.after {
						t.Errorf("%+v, want %s after %v", r, tt.kind, tt.after)
					}
				}
				if tt.settle == nil {
					first.Settle(proxy.Outcome{})
				}
			})
		})
	}
}

// CA-13: the cache holds at most its bytes; the least recently used leave.
func TestTheCacheHoldsAtMostItsBytes(t *testing.T) {
	c, now := NewCache(cacheShards*8<<10), time.Now()
	body := []byte(strings.Repeat("x", 1000))
	for i := range 1000 {
		var key cacheKey
		key[0], key[1], key[2] = byte(i), byte(i>>8), 1
		c.put(key, &proxy.CacheEntry{Body: body}, now.Add(time.Hour))
	}
	if n := c.Bytes(); n > cacheShards*8<<10 || n < cacheShards*4<<10 {
		t.Errorf("%d bytes are kept", n)
	}
	var last cacheKey
	last[0], last[1], last[2] = 999&0xff, 999>>8, 1
	if c.get(last, now) == nil {
		t.Error("the newest has left")
	}
}
