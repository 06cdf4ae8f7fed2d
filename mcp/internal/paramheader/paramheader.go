// Package paramheader knows the arguments of tools that modern clients repeat in headers, Mcp-Param-{Name} (SEP-2243), so
// that proxies can route by them.
//
//	inputSchema ─ Declared ─▶ params ─┬ Check: what a client sent, against the body (H8)
//	                                  └ Write: what an upstream is to get (U1)
package paramheader

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Prefix begins the names of the headers.
const Prefix = "Mcp-Param-"

// deepest is how far below the top of a schema an argument is looked for.
const deepest = 32

// Param is one declared argument.
type Param struct {
	path []string // of the argument
	key  string   // canonical name of the header
	name string   // as declared
	kind string   // JSON Schema type of the argument; "" when it says none
}

type schema struct {
	Header     json.RawMessage   `json:"x-mcp-header"`
	Type       json.RawMessage   `json:"type"`
	Properties map[string]schema `json:"properties"`
}

// Declared collects what a schema declares; names that no header can have declare nothing.
func Declared(inputSchema json.RawMessage) []Param {
	if !bytes.Contains(inputSchema, []byte("x-mcp-header")) {
		return nil
	}
	var s schema
	if json.Unmarshal(inputSchema, &s) != nil {
		return nil
	}
	var found []Param
	collect(s.Properties, nil, &found)
	sort.Slice(found, func(i, j int) bool { return found[i].key < found[j].key })
	return found
}

func collect(properties map[string]schema, path []string, found *[]Param) {
	for name, p := range properties {
		here := append(path[:len(path):len(path)], name)
		var header, kind string
		if json.Unmarshal(p.Header, &header) == nil && header != "" && !strings.ContainsAny(header, " \t\r\n:") {
			_ = json.Unmarshal(p.Type, &kind) // a list of types is none
			*found = append(*found, Param{here, http.CanonicalHeaderKey(Prefix + header), header, kind})
		}
		if len(path) < deepest {
			collect(p.Properties, here, found)
		}
	}
}

// Fault says why a tool with this schema must not be offered to modern clients, who would drop it (U1); nil when it may.
func Fault(inputSchema json.RawMessage) error {
	if !bytes.Contains(inputSchema, []byte("x-mcp-header")) {
		return nil
	}
	params := Declared(inputSchema)
	if n := bytes.Count(inputSchema, []byte(`"x-mcp-header"`)); n != len(params) {
		return fmt.Errorf("x-mcp-header stands %d times, %d of them at arguments and with a name that a header can have", n, len(params))
	}
	for i, p := range params {
		switch {
		case !httpguts.ValidHeaderFieldName(p.name):
			return fmt.Errorf("x-mcp-header %q is no name of a header", p.name)
		case p.kind != "string" && p.kind != "integer" && p.kind != "boolean":
			return fmt.Errorf("x-mcp-header %q stands at an argument that is no string, integer or boolean", p.name)
		case i > 0 && params[i-1].key == p.key:
			return fmt.Errorf("x-mcp-header %q stands at two arguments", p.name)
		}
	}
	return nil
}

// Check is H8: each declared argument that is there has its header, and the header says the same.
func Check(declared []Param, args json.RawMessage, h http.Header) error {
	for _, p := range declared {
		want, present, comparable := text(args, p.path)
		values := h[p.key]
		switch {
		case !present && len(values) == 0:
			continue
		case !present:
			return edge.HeaderMismatch("Mcp-Param-%s was sent, the argument was not", p.name)
		case len(values) == 0:
			return edge.HeaderMismatch("Mcp-Param-%s is missing", p.name)
		case len(values) > 1:
			return edge.HeaderMismatch("Mcp-Param-%s was sent %d times", p.name, len(values)) // H7
		}
		got, ok := edge.HeaderValue(values[0])
		if !ok || !comparable || got != want {
			return edge.HeaderMismatch("Mcp-Param-%s says %q, the body says %q", p.name, mcp.Clip(got), mcp.Clip(want))
		}
	}
	return nil
}

// Write sets the headers of the declared arguments that are there.
func Write(declared []Param, args json.RawMessage, h http.Header) {
	for _, p := range declared {
		if value, present, comparable := text(args, p.path); present && comparable {
			h[p.key] = []string{Value(value)}
		}
	}
}

// Rewrite has the headers say what a message says whose arguments were changed on the way, by a policy for one.
func Rewrite(declared []Param, message []byte, h http.Header) error {
	if len(declared) == 0 {
		return nil
	}
	m, err := strictjson.Decode(message, strictjson.Limits{Upstream: true, Depth: 512, Members: 10_000_000})
	if err != nil {
		return fmt.Errorf("read the changed arguments: %w", err)
	}
	for _, p := range declared {
		delete(h, p.key)
	}
	Write(declared, m.Bytes(m.Arguments), h)
	return nil
}

// Value is a text as an Mcp-* header carries it (H6): as it is when that is unmistakable, else in the base64 form.
func Value(s string) string {
	plain := s != "" && !strings.HasPrefix(s, "=?") && s[0] != ' ' && s[len(s)-1] != ' '
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
}

// text returns an argument as its header must write it: a string as it is, an integer in decimal, true or false.
func text(args json.RawMessage, path []string) (value string, present, comparable bool) {
	at := args
	for _, name := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(at, &members) != nil || members[name] == nil {
			return "", false, false
		}
		at = members[name]
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(at))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "", true, false
	}
	switch v := v.(type) {
	case nil:
		return "", false, false
	case string:
		return v, true, true
	case bool:
		return strconv.FormatBool(v), true, true
	case json.Number:
		return v.String(), true, !strings.ContainsAny(v.String(), ".eE")
	default:
		return string(at), true, false
	}
}
