package edge

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Interest is what a client wants to hear outside its requests (mcp.md §7.1 L2).
type Interest struct {
	Tools     bool     `json:"toolsListChanged,omitempty"`
	Prompts   bool     `json:"promptsListChanged,omitempty"`
	Resources bool     `json:"resourcesListChanged,omitempty"`
	URIs      []string `json:"resourceSubscriptions,omitempty"` // of resources whose updates are told
}

// maxURIs bounds the resources that one stream tells about (§11.2).
const maxURIs = 100

// Teller is a Server that has more to tell than changes of the caller's own view (L4), which the edge tells by itself.
type Teller interface {
	// Listen begins to tell and returns what of want it can serve; what is left out is not acknowledged. tell takes a whole
	// notification of JSON-RPC, without the id of the subscription; it never blocks, and must not be called once ctx has
	// ended. On the GET stream of a legacy session want is everything but URIs: the server knows what r.Session subscribed to.
	Listen(ctx context.Context, r *Request, want Interest, tell func(notification json.RawMessage)) (agreed Interest, err error)
}

// Notified is a Server that wants to know what clients notify: cancelled, progress, roots/list_changed. The client was
// told 202 whatever comes of it.
type Notified interface {
	Notified(ctx context.Context, r *Request)
}

// Leaver is a Server that keeps something for a legacy session, and wants to know when its client ended it.
type Leaver interface {
	Left(ctx context.Context, session string)
}

// Crosser is a Relay that can also translate: for a client whose era its upstream does not speak the edge calls Handle and
// the interfaces above, as for any other server, instead of Pass (mcp.md §11).
type Crosser interface {
	Relay
	Crosses(ctx context.Context, r *Request) (bool, error)
}

// described is the request as servers see it.
func (x *exchange) described() *Request {
	m := x.message
	r := &Request{
		Message: m, Modern: x.modern, Revision: x.revision, Caller: x.caller, Session: x.session, Upstream: x.upstream,
		HTTP: x.r, Arrived: x.arrived, JSONOnly: x.jsonOnly, SetLogLevel: x.setLogLevel,
		Capabilities: x.capabilities, ClientInfo: x.clientInfo, LogLevel: x.logLevel, Notify: func(json.RawMessage, bool) {},
	}
	if m == nil {
		return r
	}
	switch {
	case x.modern:
		r.Capabilities, r.ClientInfo = m.Bytes(m.ClientCapabilities), m.Bytes(m.ClientInfo)
		r.LogLevel, _ = m.Text(m.LogLevel)
	case m.Method == "initialize":
		r.Capabilities, r.ClientInfo = m.Bytes(m.CapabilitiesParam), m.Bytes(m.ClientInfoParam)
	}
	return r
}

// relays returns the relay that passes this request on, or nil when the server answers it itself.
func (x *exchange) relays() (Relay, error) {
	to, ok := x.server.(Relay)
	if !ok {
		return nil, nil
	}
	if c, ok := to.(Crosser); ok {
		crosses, err := c.Crosses(x.r.Context(), x.described())
		if err != nil || crosses {
			return nil, err
		}
	}
	return to, nil
}

// listensTo asks a Teller to begin, and returns what the client is told it will hear. Other servers have the changes of
// their tools to tell of.
func (x *exchange) listensTo(ctx context.Context, want Interest, tell func(json.RawMessage)) (Interest, error) {
	t, ok := x.server.(Teller)
	if !ok {
		return Interest{Tools: want.Tools}, nil
	}
	return t.Listen(ctx, x.described(), want, tell)
}

// tagged is a notification as a listen stream carries it: it names the subscription (L1). The server's own bytes stay.
func tagged(notification, id []byte) []byte {
	m, err := strictjson.Decode(notification, strictjson.Limits{Upstream: true})
	if err != nil {
		return nil // a server's own fault: not sent rather than sent untold
	}
	member := append([]byte(`"io.modelcontextprotocol/subscriptionId":`), id...)
	switch {
	case m.SubscriptionID.Present():
		return replaced(m.Body, m.SubscriptionID.Start, m.SubscriptionID.End, id)
	case m.IsObject(m.Meta):
		return inserted(m, m.Meta, member)
	case m.IsObject(m.Params):
		return inserted(m, m.Params, append(append([]byte(`"_meta":{`), member...), '}'))
	default:
		end := bytes.LastIndexByte(m.Body, '}')
		return replaced(m.Body, end, end, append(append([]byte(`,"params":{"_meta":{`), member...), "}}"...))
	}
}

// inserted puts a member at the end of the object at s.
func inserted(m *Message, s strictjson.Span, member []byte) []byte {
	if len(m.Members(s)) > 0 {
		member = append([]byte{','}, member...)
	}
	return replaced(m.Body, s.End-1, s.End-1, member)
}

func replaced(body []byte, start, end int, with []byte) []byte {
	out := make([]byte, 0, len(body)+len(with))
	return append(append(append(out, body[:start]...), with...), body[end:]...)
}
