package tokens

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func begin(t *testing.T, c *Counter, model string, bytes int) *Tally {
	t.Helper()
	tally, err := c.Begin(t.Context(), ForModel(model, ""), bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tally.End)
	return tally
}

func TestCountsAreExactUpToTheLimitAndFollowTheRatioBeyond(t *testing.T) { // TK-9
	c := NewCounter(1000)
	text := strings.Repeat("7 ", 500) // two bytes, two tokens
	tally := begin(t, c, "gpt-4o", 3000)
	if got, want := tally.Count(text), Count(O200k, text); got != want || tally.Estimated {
		t.Errorf("within the limit: %d, want %d; estimated %v", got, want, tally.Estimated)
	}
	if got, want := tally.Count(text), Count(O200k, text); got != want || !tally.Estimated {
		t.Errorf("beyond the limit: %d, want %d; estimated %v", got, want, tally.Estimated)
	}
}

func TestBeyondTheLimitFourBytesAreATokenAtLeast(t *testing.T) { // TK-9
	tally := begin(t, NewCounter(800), "gpt-4o", 0)
	spaces := strings.Repeat(" ", 800) // far more than four bytes a token
	if got, want := tally.Count(spaces+spaces), Count(O200k, spaces)+200; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestTheLimitDoesNotCutACharacter(t *testing.T) { // TK-9
	tally := begin(t, NewCounter(4), "gpt-4o", 0)
	want := Count(O200k, "龍") + 2*Count(O200k, "龍")
	if got := tally.Count("龍龍龍"); got < want-1 || got > want+1 {
		t.Errorf("got %d, want about %d", got, want)
	}
}

func TestWaitingForAPlaceEndsWithTheRequest(t *testing.T) { // TK-9
	c := NewCounter(0)
	for range runtime.GOMAXPROCS(0) {
		begin(t, c, "gpt-4o", 10)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Begin(ctx, Family{}, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin = %v, want canceled", err)
	}
	if _, err := c.Begin(ctx, Family{}, 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin of a large request = %v, want canceled", err)
	}
	if len(c.large) != 0 {
		t.Error("a cancelled large request keeps its place")
	}
}

func TestLargeRequestsLeaveAPlaceToSmallOnes(t *testing.T) { // TK-9
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("needs two cores")
	}
	c := NewCounter(0)
	for range runtime.GOMAXPROCS(0) - 1 {
		begin(t, c, "gpt-4o", 1<<20)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Begin(ctx, Family{}, 1<<20); err == nil {
		t.Error("as many large requests as cores")
	}
	begin(t, c, "gpt-4o", 100)
}

func TestEndGivesThePlaceBackOnce(t *testing.T) {
	c := NewCounter(0)
	tally := begin(t, c, "gpt-4o", 1<<20)
	tally.End()
	tally.End()
	if len(c.slots) != 0 || len(c.large) != 0 {
		t.Errorf("%d and %d places taken", len(c.slots), len(c.large))
	}
}

func TestLongSystemPromptsAreRemembered(t *testing.T) { // TK-11
	c := NewCounter(0)
	text := strings.Repeat("You answer briefly. ", 100)
	first := begin(t, c, "gpt-4o", 0).CountSystem(text)
	again := begin(t, c, "gpt-4o", 0)
	if got := again.CountSystem(text); got != first || first != Count(O200k, text) {
		t.Errorf("remembered %d, counted %d", got, first)
	}
	if again.bytes != 0 {
		t.Error("the second time counted again")
	}
	again.CountSystem("short")
	if again.bytes == 0 || c.memo.recent.Len() != 1 {
		t.Error("a short prompt was remembered")
	}
	again.End()
	if other := begin(t, c, "gpt-4", 0).CountSystem(text); other != Count(CL100k, text) {
		t.Errorf("another encoding took the count of this one: %d", other)
	}
}

func TestTheMemoryOfPromptsIsBounded(t *testing.T) { // TK-11
	var m memo
	for i := range memoSize + 10 {
		m.put(memoKey{O200k, i, 0}, i)
		m.get(memoKey{O200k, 0, 0})
	}
	if len(m.entries) != memoSize || m.recent.Len() != memoSize {
		t.Errorf("%d entries, %d in the list", len(m.entries), m.recent.Len())
	}
	if _, ok := m.get(memoKey{O200k, 0, 0}); !ok {
		t.Error("the one used last was dropped")
	}
	if _, ok := m.get(memoKey{O200k, 1, 0}); ok {
		t.Error("the one used first was kept")
	}
}

func ExampleCount() {
	fmt.Println(Count(O200k, "hello world"))
	// Output: 2
}
