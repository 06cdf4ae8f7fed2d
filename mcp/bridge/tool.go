package bridge

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/paramheader"
	"github.com/drawbridge-mcp/drawbridge/openapi"
)

// Operation makes the request of a call and reads the answer; *openapi.Tool.
type Operation interface {
	BuildRequest(ctx context.Context, base *url.URL, args json.RawMessage) (*http.Request, error)
	ReadResult(resp *http.Response, o openapi.ReadOptions) (*openapi.Result, error)
}

// tool is a Tool with what is made of it once.
type tool struct {
	Tool
	op      Operation
	wire    []byte // as it stands in tools/list
	headers []paramheader.Param
}

func newTool(t Tool) *tool {
	var op Operation = t.Tool
	if t.Operation != nil {
		op = t.Operation
	}
	return &tool{Tool: t, op: op, wire: wireOf(t), headers: paramheader.Declared(t.InputSchema)}
}

const defaultMaxBytes = 256 << 10 // of responses.max_bytes

// wireOf writes the tool as tools/list shows it. Schemas go out as the bytes that openapi made (B9).
func wireOf(t Tool) []byte {
	b := append([]byte(`{"name":`), quoted(t.Name)...)
	b = appendMember(b, "title", t.Title)
	b = appendMember(b, "description", t.Description)
	b = append(b, `,"inputSchema":`...)
	if len(t.InputSchema) == 0 {
		b = append(b, `{"type":"object"}`...)
	}
	b = append(b, t.InputSchema...)
	if len(t.OutputSchema) > 0 {
		b = append(append(b, `,"outputSchema":`...), t.OutputSchema...)
	}
	annotations, _ := json.Marshal(t.Annotations)
	b = append(append(b, `,"annotations":`...), annotations...)
	most := t.Responses.MaxBytes
	if most <= 0 {
		most = defaultMaxBytes
	}
	b = append(b, `,"_meta":{"anthropic/maxResultSizeChars":`...)
	b = strconv.AppendInt(b, most, 10)
	return append(b, "}}"...)
}

// risk sorts a tool for people: what could it do? Overwriting (PUT, PATCH) is destructive in the protocol's sense and
// still a change to people; delete is what takes something away.
func (t *tool) risk() string { return Risk(t.Tool.Tool) }

// Risk is read, change or delete, as consent page and portal word it.
func Risk(t *openapi.Tool) string {
	overwrites := t.Method == http.MethodPut || t.Method == http.MethodPatch
	switch {
	case t.Annotations.ReadOnly:
		return "read"
	case t.Annotations.Destructive && !overwrites:
		return "delete"
	default:
		return "change"
	}
}

func (t *tool) info() ToolInfo {
	return ToolInfo{
		Name: t.Name, Title: t.Title, Description: t.Description, Risk: t.risk(), Scope: t.Scope, API: t.API, Tool: t.Tool.Tool,
	}
}
