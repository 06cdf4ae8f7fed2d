package relay

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

// headersAgree compares the arguments that a modern client repeats in headers with the body, as far as a list that passed
// told which those are: whoever routed by the headers must not have been told something else than the upstream (H10).
func (x *exchange) headersAgree() error {
	if !x.r.Modern {
		return nil
	}
	m := x.r.Message
	return paramheader.Check(x.s.cfg.Leg.Known(behalf(x.r), x.tool), m.Bytes(m.Arguments), x.r.HTTP.Header)
}

// learn takes note of what a page of a list says about such arguments.
func (x *exchange) learn(m *strictjson.Message, tools []strictjson.Span) {
	if !x.r.Modern {
		return
	}
	seen := make([]upstream.Tool, 0, len(tools))
	for _, t := range tools {
		name, _ := m.Text(m.Member(t, "name"))
		seen = append(seen, upstream.Tool{Name: name, Wire: m.Bytes(t)})
	}
	ms, _ := strconv.ParseInt(string(m.Bytes(m.Member(m.Result, "ttlMs"))), 10, 32) // nonsense is no time
	x.s.cfg.Leg.Learn(behalf(x.r), seen, time.Duration(ms)*time.Millisecond)
}

// undeclarable reports whether modern clients must drop a tool, for how it declares headers (U1).
func (x *exchange) undeclarable(tool string, schema json.RawMessage) bool {
	if !x.r.Modern {
		return false
	}
	err := paramheader.Fault(schema)
	if err != nil {
		x.s.odd.LeftOut(x.s.log, x.s.cfg.Name, tool, err.Error())
	}
	return err != nil
}
