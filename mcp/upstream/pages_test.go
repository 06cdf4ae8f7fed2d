package upstream

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

type nobodyAsks struct{}

func (nobodyAsks) Do(context.Context, *proxy.Call) (*proxy.Answer, error) {
	panic("the upstream is asked past Page")
}

func pagesLeg(t *testing.T, memory *Memory) *Leg {
	t.Helper()
	l, err := New(Config{Server: "s", Backend: "b", Doer: nobodyAsks{}, Memory: memory, ListTTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func answered(t *testing.T, result string) *strictjson.Message {
	t.Helper()
	m, err := strictjson.Decode([]byte(`{"jsonrpc":"2.0","id":1,"result":`+result+`}`), strictjson.Limits{Upstream: true})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func behalfOf(who string) *Behalf { return &Behalf{Caller: &identity.Caller{Subject: who}} }

// Those who wait for an answer that turns out to be nothing for them ask for themselves, side by side: none waits for
// another's time to run out.
func TestWhoWaitsInVainAsksAtOnce(t *testing.T) { // T3: single flight, errors are not kept
	for what, result := range map[string]string{"an error": "", "one's own": `{"tools":[],"cacheScope":"private"}`} {
		synctest.Test(t, func(t *testing.T) {
			l := pagesLeg(t, NewMemory())
			of := PageOf{Method: "tools/list"}
			free, asking, asked := make(chan struct{}), atomic.Int32{}, atomic.Int32{}
			for i := range 5 {
				go l.Page(t.Context(), behalfOf(fmt.Sprint(i)), of, func() *strictjson.Message {
					asking.Add(1)
					asked.Add(1)
					defer asking.Add(-1)
					<-free
					if result == "" {
						return nil
					}
					return answered(t, result)
				})
			}
			synctest.Wait()
			if n := asking.Load(); n != 1 {
				t.Errorf("%s: %d ask at first, want 1", what, n)
			}
			free <- struct{}{}
			synctest.Wait()
			if n := asking.Load(); n != 4 {
				t.Errorf("%s: then %d ask, want 4", what, n)
			}
			close(free)
			synctest.Wait()
			if n := asked.Load(); n != 5 {
				t.Errorf("%s: %d asked, want 5", what, n)
			}
		})
	}
}

// Who no longer waits is not made to ask.
func TestWhoLeavesAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pagesLeg(t, NewMemory())
		free := make(chan struct{})
		go l.Page(t.Context(), behalfOf("a"), PageOf{Method: "tools/list"}, func() *strictjson.Message { <-free; return nil })
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		done := false
		go func() {
			m := l.Page(ctx, behalfOf("b"), PageOf{Method: "tools/list"}, func() *strictjson.Message { t.Error("asked"); return nil })
			done = m == nil
		}()
		synctest.Wait()
		leave()
		synctest.Wait()
		if !done {
			t.Error("who left still waits")
		}
		close(free)
	})
}

// What is kept of all lists together has an end, whoever chooses the cursors.
func TestKeptPagesAreBounded(t *testing.T) {
	var p pages
	big, small := &strictjson.Message{Body: make([]byte, maxPage)}, &strictjson.Message{Body: []byte("{}")}
	for i := range 3 * maxKept {
		m := small
		if i%100 == 0 {
			m = big
		}
		k := key{"s", "b", "", fmt.Sprint("tools/list", i%maxKept+i/maxKept)}
		p.keep(k, k, 0, keptPage{message: m})
		if i%100 > 0 {
			continue
		}
		size := 0
		for _, page := range p.kept {
			size += len(page.message.Body)
		}
		if size != p.size || size > allPages || len(p.kept) > maxKept {
			t.Fatalf("%d pages of %d bytes, counted as %d", len(p.kept), size, p.size)
		}
	}
	p.forget("b", "tools/")
	if p.size != 0 || len(p.kept) != 0 {
		t.Errorf("%d pages of %d bytes outlive a change", len(p.kept), p.size)
	}
}

// An answer too long to be kept is asked for again.
func TestLongPagesAreNotKept(t *testing.T) {
	l := pagesLeg(t, NewMemory())
	for extra, want := range map[int]int{-1000: 1, 1: 2} {
		m := answered(t, `{"tools":[],"x":"`+strings.Repeat("x", maxPage+extra)+`"}`)
		asked := 0
		for range 2 {
			l.Page(t.Context(), behalfOf("a"), PageOf{Method: "tools/list", Cursor: fmt.Sprint(extra)}, func() *strictjson.Message { asked++; return m })
		}
		if asked != want {
			t.Errorf("%d bytes were asked for %d times, want %d", len(m.Body), asked, want)
		}
	}
}

// A page belongs to one server, one backend and one revision, and with a personal credential to one person (T4).
func TestPagesAreApart(t *testing.T) {
	memory := NewMemory()
	leg := func(server, backend string, personal bool) *Leg {
		l, err := New(Config{Server: server, Backend: backend, Doer: nobodyAsks{}, Memory: memory, ListTTL: time.Minute, Personal: personal})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	page := answered(t, `{}`)
	for what, c := range map[string]struct {
		l   *Leg
		who string
		of  PageOf
	}{
		"a":                    {leg("s", "b", false), "alice", PageOf{"tools/list", "2026-07-28", "{}", "", ""}},
		"another server":       {leg("t", "b", false), "alice", PageOf{"tools/list", "2026-07-28", "{}", "", ""}},
		"another backend":      {leg("s", "c", false), "alice", PageOf{"tools/list", "2026-07-28", "{}", "", ""}},
		"another revision":     {leg("s", "b", false), "alice", PageOf{"tools/list", "2025-11-25", "{}", "", ""}},
		"other offers":         {leg("s", "b", false), "alice", PageOf{"tools/list", "2026-07-28", `{"roots":{}}`, "", ""}},
		"another method":       {leg("s", "b", false), "alice", PageOf{"prompts/list", "2026-07-28", "{}", "", ""}},
		"another cursor":       {leg("s", "b", false), "alice", PageOf{"tools/list", "2026-07-28", "{}", `"x"`, ""}},
		"another language":     {leg("s", "b", false), "alice", PageOf{"tools/list", "2026-07-28", "{}", "", "de"}},
		"a person's own":       {leg("p", "b", true), "alice", PageOf{"tools/list", "2026-07-28", "{}", "", ""}},
		"another person's own": {leg("p", "b", true), "bob", PageOf{"tools/list", "2026-07-28", "{}", "", ""}},
	} {
		asked := false
		c.l.Page(t.Context(), behalfOf(c.who), c.of, func() *strictjson.Message { asked = true; return page })
		if !asked {
			t.Errorf("%s was not asked for", what)
		}
		if got := c.l.Page(t.Context(), behalfOf(c.who), c.of, func() *strictjson.Message { t.Errorf("%s is not kept", what); return nil }); got != page {
			t.Errorf("%s is not what was kept", what)
		}
	}
}
