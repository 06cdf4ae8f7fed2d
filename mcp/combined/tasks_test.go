package combined_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// tasker is a source whose calls become tasks of this id. It answers for no other.
func tasker(as, id string, modern bool) *fake {
	made := `{"task":{"taskId":"` + id + `","status":"working","n":1.10}}`
	about := `"capabilities":{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}}`
	if modern {
		made = `{"resultType":"task","taskId":"` + id + `","status":"working","n":1.10}`
		about = `"capabilities":{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`
	}
	return &fake{tools: tools("x", "secret"), about: about, other: func(_ context.Context, r *edge.Request) (json.RawMessage, error) {
		if r.Message.Method == "tools/call" {
			return json.RawMessage(made), nil
		}
		if got, _ := r.Message.Text(r.Message.TaskID); got != id {
			return nil, edge.InvalidParams("no such task")
		}
		return json.RawMessage(`{"from":"` + as + `","method":"` + r.Message.Method + `","n":1.10}`), nil
	}}
}

func TestATaskIsAskedOfTheSourceThatMadeIt(t *testing.T) { // §9.1 tasks, C8
	for _, modern := range []bool{false, true} {
		a, b := tasker("A", "t-1", modern), tasker("B", "t-2", modern)
		cfg := combined.Config{Sources: []combined.Source{of("a", a), of("b", b), made(t, &mcptest.Road{}, "rest", "get")},
			Tools: map[string]combined.Tool{"b__secret": {Roles: []string{"Admin"}}}}
		s := build(t, cfg)
		if got := must(t, s, modern, "tools/call", `{"name":"b__x","task":{}}`); !strings.Contains(got, `"taskId":"t-2","status":"working","n":1.10`) {
			t.Errorf("%s", got)
		}
		cfg.Previous = s
		s = build(t, cfg) // a reload forgets nothing
		methods := []string{"tasks/get", "tasks/update", "tasks/cancel"}
		if !modern {
			methods = append(methods, "tasks/result")
		}
		for _, method := range methods {
			if got := must(t, s, modern, method, `{"taskId":"t-2","x":1.10}`); got != `{"from":"B","method":"`+method+`","n":1.10}` {
				t.Errorf("%s", got)
			}
		}
		if a.times("tasks/get") != 0 || string(b.last(t, "tasks/get").Message.Bytes(b.last(t, "tasks/get").Message.Params)) != `{"taskId":"t-2","x":1.10}` {
			t.Errorf("asked %v and %v", a.asked, b.asked)
		}
		// Somebody else's task, and one that nobody knows, are the same to a stranger, and no source hears of either.
		for _, id := range []string{"t-2", "t-3"} {
			_, err := s.Handle(t.Context(), request(t, mcptest.Caller("mallory"), modern, "tasks/get", `{"taskId":"`+id+`"}`))
			if e := wantCode(t, err, edge.CodeInvalidParams); e.Msg != "unknown task: "+id {
				t.Errorf("%s", e.Msg)
			}
		}
		if n := b.times("tasks/get"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		// A1: a task of a tool that is no longer the caller's is not either.
		boss := mcptest.Caller("alice", "Admin")
		if _, err := s.Handle(t.Context(), request(t, boss, modern, "tools/call", `{"name":"b__secret","task":{}}`)); err != nil {
			t.Fatal(err)
		}
		_, err := ask(t, s, modern, "tasks/get", `{"taskId":"t-2"}`)
		wantCode(t, err, edge.CodeInvalidParams)
	}
}

func TestATaskOfBeforeARestartIsAskedOfTheOnlySourceThatMakesAny(t *testing.T) {
	a := tasker("A", "t-1", true)
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", &fake{tools: tools("y")})}})
	if got := must(t, s, true, "tasks/get", `{"taskId":"t-1"}`); !strings.Contains(got, `"from":"A"`) {
		t.Errorf("%s", got)
	}
	_, err := ask(t, s, true, "tasks/get", `{"taskId":"t-9"}`)
	wantCode(t, err, edge.CodeInvalidParams)
	_, err = ask(t, s, true, "tasks/get", `{"taskId":7}`)
	wantCode(t, err, edge.CodeInvalidParams)
	down := &fake{before: func(context.Context, *edge.Request) error { return errors.New("down") }}
	s = build(t, combined.Config{Sources: []combined.Source{of("a", a), of("b", down)}}) // it may be that one's
	_, err = ask(t, s, true, "tasks/get", `{"taskId":"t-1"}`)
	wantCode(t, err, edge.CodeInvalidParams)
}

func TestNewsOfATaskReachWhoMadeItAlone(t *testing.T) { // L3
	a := tasker("A", "t-1", false)
	s := build(t, combined.Config{Sources: []combined.Source{of("a", a)}})
	must(t, s, false, "tools/call", `{"name":"a__x","task":{}}`)
	heard := map[string]int{}
	for _, who := range []string{"alice", "bob"} {
		r := request(t, mcptest.Caller(who), false, "ping", "{}")
		if _, err := s.Listen(t.Context(), r, edge.Interest{Tools: true}, func(json.RawMessage) { heard[who]++ }); err != nil {
			t.Fatal(err)
		}
	}
	a.say(`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t-1","status":"completed"}}`)
	a.say(`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"status":"completed"}}`)
	if heard["alice"] != 1 || heard["bob"] != 0 {
		t.Errorf("heard %v", heard)
	}
}
