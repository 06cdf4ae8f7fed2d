package upstream

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// mute is a road to a server whose GET stream does not begin.
type mute struct{}

func (mute) Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error) {
	r, err := call.Build(ctx, &proxy.Backend{Name: "up", URL: &url.URL{Scheme: "http", Host: "up.test"}})
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	answer := proxy.NewAnswer(func(proxy.Outcome) {})
	answer.Status, answer.Upstream, answer.Body = http.StatusAccepted, http.Header{"Content-Type": {"application/json"}}, io.NopCloser(strings.NewReader(""))
	if r.Method != http.MethodPost {
		return answer, nil
	}
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, err
	}
	if m.ID != nil {
		result := `{"content":[]}`
		if m.Method == "initialize" {
			result = `{"protocolVersion":"2025-11-25","capabilities":{}}`
		}
		answer.Status, answer.Body = http.StatusOK, io.NopCloser(strings.NewReader(`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":`+result+`}`))
	}
	return answer, nil
}

func TestACallDoesNotWaitForAStreamThatDoesNotBegin(t *testing.T) { // §11.1
	synctest.Test(t, func(t *testing.T) {
		memory := NewMemory()
		l, err := New(Config{Server: "s", Backend: "up", Era: Legacy, Doer: mute{}, Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		on, began := as("a"), time.Now()
		on.Capabilities = json.RawMessage(`{"elicitation":{}}`)
		call := &Request{On: on, Method: "tools/call", Tool: "t", Params: json.RawMessage(`{"name":"t"}`)}
		if m := do(t, l, call); result(m) != `{"content":[]}` || time.Since(began) > streamWithin {
			t.Errorf("%s after %v", result(m), time.Since(began))
		}
		began = time.Now()
		if do(t, l, call); time.Since(began) != 0 {
			t.Errorf("the next call waited %v", time.Since(began))
		}
		memory.Close()
	})
}
