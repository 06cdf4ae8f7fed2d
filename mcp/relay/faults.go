package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Texts for clients and models: what happened and never where. No host, port or dial error (§9.3).
const (
	unavailable = "upstream is unavailable"
	refusedOurs = "the gateway's credential for this upstream was refused"
	brokeOff    = "the connection to the upstream broke off"
	otherThing  = "upstream sent something that is not MCP"
)

// fault turns an error of the road into what the client sees.
func (x *exchange) fault(err error) (*edge.Passed, error) {
	var ours *edge.Error
	if errors.As(err, &ours) {
		return nil, ours
	}
	var e *proxy.Error
	if !errors.As(err, &e) {
		return nil, &edge.Error{Code: edge.CodeInternal, Msg: "internal error", Err: err}
	}
	switch e.Kind {
	case proxy.Refused:
		return nil, edge.Refused(e)
	case proxy.Cancelled:
		return nil, e // nobody is there to read it
	case proxy.Internal:
		return nil, &edge.Error{Code: edge.CodeInternal, Msg: "internal error", Err: e}
	case proxy.Invalid:
		return nil, &edge.Error{Code: edge.CodeInvalidParams, Msg: "the request could not be made from these arguments", Err: e}
	case proxy.Timeout:
		return x.failed(http.StatusGatewayTimeout, x.tooSlow(), e)
	case proxy.Credential:
		return x.failed(http.StatusBadGateway, refusedOurs, e)
	case proxy.Unavailable, proxy.Overloaded:
		return x.failed(http.StatusServiceUnavailable, unavailable, e)
	default:
		return x.failed(http.StatusBadGateway, unavailable, e)
	}
}

// failed is an upstream that gave no answer: for a tool a result, since models read those and hosts swallow protocol
// errors, else a JSON-RPC error.
func (x *exchange) failed(status int, text string, err error) (*edge.Passed, error) {
	if x.tool == "" {
		e := &edge.Error{Status: status, Code: edge.CodeServer, Msg: text, Err: err}
		var road *proxy.Error
		if errors.As(err, &road) && road.RetryAfter > 0 {
			e.Header = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(road.RetryAfter.Seconds())))}}
		}
		return nil, e
	}
	quoted, _ := json.Marshal(text)
	result := `{"content":[{"type":"text","text":` + string(quoted) + `}],"isError":true`
	if x.r.Modern {
		result += `,"resultType":"complete"`
	}
	return &edge.Passed{Result: json.RawMessage(result + "}")}, nil
}

// refusedCredential is a 401 or 403 of the upstream. Never a 401 to the client: it would throw away a good token.
func (x *exchange) refusedCredential() (*edge.Passed, error) {
	return x.failed(http.StatusBadGateway, refusedOurs, errors.New("the upstream answered 401 or 403"))
}

// broke is a body that ended before its end. Status is for answers that were not begun; a stream has had its own.
func (x *exchange) broke(err error) error {
	var e *proxy.Error
	if errors.As(err, &e) && e.Kind == proxy.Timeout {
		return &edge.Error{Status: http.StatusGatewayTimeout, Code: edge.CodeServer, Msg: x.tooSlow(), Err: err}
	}
	return &edge.Error{Status: http.StatusBadGateway, Code: edge.CodeServer, Msg: brokeOff, Err: err}
}

func notMCP(what string) error {
	return &edge.Error{Status: http.StatusBadGateway, Code: edge.CodeServer, Msg: otherThing, Err: fmt.Errorf("the upstream's answer has %s", what)}
}

func (x *exchange) tooSlow() string {
	if x.s.cfg.Timeout <= 0 {
		return "the upstream did not answer in time"
	}
	return "the upstream did not answer within " + short(x.s.cfg.Timeout)
}

// short writes a duration as people do: 30s, 2m, 1m30s.
func short(d time.Duration) string {
	s := d.Round(time.Millisecond).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}
