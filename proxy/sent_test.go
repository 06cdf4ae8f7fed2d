package proxy

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/proxytest"
)

// A request counts as sent once its tool call goes to a backend: not while a policy may refuse it, nor for the lists and
// handshakes ahead of it. Whoever answers it decides by that between a status and a stream (mcp.md E1, §3 row 14).
func TestARequestIsSentWhenItsToolCallGoesToABackend(t *testing.T) {
	no := &Error{Kind: Refused, Status: http.StatusForbidden, Code: "no", Msg: "no"}
	for _, c := range []struct {
		name, tool string
		refuse     *Error
		local      bool
		sent       bool // when the backend is asked, and afterwards
	}{
		{"a tool call", "t", nil, false, true},
		{"a refused one", "t", no, false, false},
		{"one that is answered here", "t", nil, true, false},
		{"a list", "", nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := single(t, proxytest.New(t, proxytest.Step{}), BackendConfig{Timeout: time.Minute}, Deps{})
			facts := &identity.Request{}
			call := get("a")
			call.Tool, call.Local, call.Policies = c.tool, c.local, &Policies{}
			call.Policies.ByPhase[PhaseCalls] = []Policy{before{&witness{refuse: c.refuse}, func() {
				if facts.Sent() {
					t.Error("sent before the policies")
				}
			}}}
			build := call.Build
			call.Build = func(ctx context.Context, b *Backend) (*http.Request, error) {
				if facts.Sent() != c.sent {
					t.Errorf("sent = %t when the backend is asked, want %t", facts.Sent(), c.sent)
				}
				return build(ctx, b)
			}
			a, err := p.Do(identity.WithRequest(t.Context(), facts), call)
			switch {
			case (err != nil) != (c.refuse != nil):
				t.Fatal(err)
			case err == nil && a.Body != nil:
				done(a)
			}
			if facts.Sent() != c.sent {
				t.Errorf("sent = %t in the end, want %t", facts.Sent(), c.sent)
			}
		})
	}
}

// before is a policy that something happens ahead of.
type before struct {
	Policy
	run func()
}

func (b before) Admit(ctx context.Context, c *Call) (Verdict, error) {
	b.run()
	return b.Policy.Admit(ctx, c)
}
