package combined_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson/hostile"
)

// careless reads the body it is sent as encoding/json does: without regard to case, the last duplicate wins.
func careless(t testing.TB, ran *[]string) func(context.Context, *edge.Request) (json.RawMessage, error) {
	return func(_ context.Context, r *edge.Request) (json.RawMessage, error) {
		var m struct{ Params struct{ Name string } }
		if err := json.Unmarshal(r.Message.Body, &m); err != nil {
			t.Errorf("the source was sent %s: %v", r.Message.Body, err)
		}
		strict, _ := r.Message.Text(r.Message.Name)
		header := r.HTTP.Header.Get("Mcp-Name")
		if m.Params.Name != strict || r.Modern && header != strict {
			t.Errorf("a careless source reads %q, we read %q, the header says %q", m.Params.Name, strict, header)
		}
		*ran = append(*ran, m.Params.Name)
		return json.RawMessage(`{"content":[]}`), nil
	}
}

func TestHostileBodiesRunNothingElse(t *testing.T) { // §4, corpus: what a careless upstream runs is what was allowed
	for _, modern := range []bool{false, true} {
		var ran []string
		a := &fake{tools: tools("safe", "danger", "n", "a"), other: careless(t, &ran)}
		s := build(t, combined.Config{
			Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__danger": {Roles: []string{"Nobody"}}},
		})
		h := handler(t, s)
		session := connect(t, h, "alice", false).session
		served := 0
		for _, b := range hostile.Bodies() {
			ran = nil
			text := strings.NewReplacer(`"safe"`, `"a__safe"`, `"danger"`, `"a__danger"`, `"n"`, `"a__n"`).Replace(b.Text)
			r := httptest.NewRequest(http.MethodPost, "/mcp/all", nil)
			r.Header = http.Header{"Authorization": {"Bearer alice"}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
			if modern {
				text = strings.Replace(text, `"params":{"name"`, `"params":{`+modernMeta+`,"name"`, 1)
				r.Header["Mcp-Protocol-Version"], r.Header["Mcp-Method"], r.Header["Mcp-Name"] = []string{edge.Modern}, []string{"tools/call"}, []string{"a__safe"}
			} else {
				r.Header["Mcp-Session-Id"] = []string{session}
			}
			body := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
			r.Body, r.ContentLength = body.Body, body.ContentLength
			h.ServeHTTP(httptest.NewRecorder(), r)
			served += len(ran)
			for _, name := range ran {
				if b.Code != 0 || name == "danger" || modern && name != "safe" {
					t.Errorf("%s: %s ran", b.Name, name)
				}
			}
		}
		if served == 0 {
			t.Error("no body was served: the test shows nothing")
		}
	}
}

func FuzzCall(f *testing.F) {
	for _, b := range hostile.Bodies() {
		f.Add([]byte(strings.ReplaceAll(b.Text, `"safe"`, `"a__safe"`)))
	}
	var ran []string
	a := &fake{tools: tools("safe", "danger"), other: careless(f, &ran)}
	s := build(f, combined.Config{
		Sources: []combined.Source{of("a", a)}, Tools: map[string]combined.Tool{"a__danger": {Roles: []string{"Nobody"}}},
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := edge.Decode(body, edge.Limits{})
		if err != nil || m.Method != "tools/call" {
			return
		}
		ran = nil
		r := request(t, nil, false, "ping", "{}")
		r.Message = m
		r.Caller = nobody()
		_, _ = s.Handle(t.Context(), r)
		for _, name := range ran {
			if name != "safe" {
				t.Errorf("%q ran", name)
			}
		}
	})
}
