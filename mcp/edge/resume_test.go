package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

var eventIDs = regexp.MustCompile(`id: (\S+)\n`)

func resumed(session, id string) *http.Request {
	r := legacy(session, "")
	r.Method = http.MethodGet
	r.Header.Set("Last-Event-ID", id)
	return r
}

// talker sends three notifications a second apart and answers after three more seconds.
func talker(ctx context.Context, r *Request) (json.RawMessage, error) {
	for i := range 3 {
		time.Sleep(time.Second)
		r.Notify(json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)), false)
	}
	time.Sleep(3 * time.Second)
	return json.RawMessage(`{"done":true}`), nil
}

func TestALegacyStreamIsResumedWhereItBroke(t *testing.T) { // E2, E7
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{handle: talker}, nil)
		session := open(t, h, "alice")
		ctx, leave := context.WithCancel(t.Context())
		first, gone := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"x"}`).WithContext(ctx))
		time.Sleep(1500 * time.Millisecond)
		leave() // after the first notification
		ids := eventIDs.FindAllStringSubmatch(first.text(), -1)
		if len(ids) != 1 {
			t.Fatalf("sent before: %q", first.text())
		}
		time.Sleep(time.Second)
		w, wait := serve(h, resumed(session, ids[0][1]))
		wait()
		gone()
		var events []string
		for _, line := range strings.Split(w.text(), "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				events = append(events, data)
			}
		}
		want := `{"n":1} {"n":2} {"jsonrpc":"2.0","id":1,"result":{"done":true}}`
		if got := strings.Join(events, " "); got != want {
			t.Errorf("resumed: %s, want %s", got, want)
		}
		// Once more after the end, and from its very last event.
		again, heard := serve(h, resumed(session, ids[0][1]))
		heard()
		if again.text() != w.text() {
			t.Errorf("again: %q, want %q", again.text(), w.text())
		}
		time.Sleep(keptFor + time.Second)
		late, ended := serve(h, resumed(session, ids[0][1]))
		ended()
		if late.status != http.StatusOK || late.text() != "" {
			t.Errorf("after a minute: %d %q", late.status, late.text())
		}
	})
}

func TestNobodyElseHearsAStreamAgain(t *testing.T) { // E7, S2
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &server{handle: talker}, nil)
		session, second, other := open(t, h, "alice"), open(t, h, "alice"), open(t, h, "bob")
		w, wait := serve(h, legacy(session, `{"jsonrpc":"2.0","id":1,"method":"x"}`))
		wait()
		id := eventIDs.FindStringSubmatch(w.text())[1]
		for name, r := range map[string]*http.Request{
			"another session of the same person": resumed(second, id), "another person": resumed(other, id), "an unknown id": resumed(session, "x-0"),
			"no number": resumed(session, "x"), "a number alone": resumed(session, "-1"),
		} {
			if name == "another person" {
				r.Header.Set("Authorization", "bob")
			}
			heard, done := serve(h, r)
			done()
			if heard.status != http.StatusOK || heard.text() != "" {
				t.Errorf("%s: %d %q", name, heard.status, heard.text())
			}
		}
	})
}

func TestModernStreamsHaveNoIDs(t *testing.T) { // E2, H12
	h := newHandler(t, &server{handle: func(_ context.Context, r *Request) (json.RawMessage, error) {
		r.Notify(json.RawMessage(`{}`), false)
		return json.RawMessage(`{}`), nil
	}}, nil)
	w, wait := serve(h, modernRequest("x", ""))
	wait()
	if strings.Contains(w.text(), "id: ") || len(h.edge.tapes.byID) != 0 {
		t.Errorf("a modern stream: %q", w.text())
	}
}

func TestAReturningListenerIsToldWhatItMissed(t *testing.T) { // E7, L4
	for _, c := range []struct {
		knows string
		told  int
	}{{"v1", 1}, {"v2", 0}} {
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &server{view: "v2"}, nil)
			w, wait := serve(h, resumed(open(t, h, "alice"), changesID(c.knows, 3)))
			synctest.Wait()
			h.Close()
			wait()
			if n := strings.Count(w.text(), "list_changed"); n != c.told {
				t.Errorf("a client that knows %s was told %d times, want %d", c.knows, n, c.told)
			}
		})
	}
}

func TestATapeKeepsTheLastEvents(t *testing.T) { // E7
	var all tapes
	all.init()
	tp := all.start("s")
	for i := range 250 {
		all.add(tp, event{data: []byte(fmt.Sprint(i))})
	}
	q := newQueue()
	tp.replay(-1, q)
	events, _ := q.take()
	if len(events) != keptEvents || string(events[0].data) != "150" || events[0].id != tp.id+"-150" {
		t.Errorf("%d events from %s", len(events), events[0].id)
	}
	if all.bytes != 300 {
		t.Errorf("%d bytes counted, want 300", all.bytes)
	}
	for range maxTapes {
		all.start("s")
	}
	big := make([]byte, keptBytes)
	for range 300 {
		all.add(all.start("s"), event{data: big})
	}
	if all.bytes > maxTapeBytes || all.bytes < maxTapeBytes-keptBytes {
		t.Errorf("%d bytes are kept", all.bytes)
	}
	for range maxTapes {
		all.start("s")
	}
	if all.bytes != 0 {
		t.Errorf("%d bytes are counted after all is forgotten", all.bytes)
	}
	if got, _ := all.find(tp.id+"-0", "s"); got != nil || len(all.byID) != maxTapes {
		t.Errorf("%d tapes are kept", len(all.byID))
	}
}

func TestATapeThatHadToGoIsGone(t *testing.T) { // E7, E11: no clock holds what the limits let go
	var all tapes
	all.init()
	first := weak.Make(all.start("s"))
	all.end(first.Value())
	for range maxTapes {
		all.end(all.start("s"))
	}
	runtime.GC()
	runtime.GC()
	if first.Value() != nil {
		t.Error("a tape that was forgotten is still held")
	}
}
