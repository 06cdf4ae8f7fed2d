package bridge

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// headerParam is an argument that a modern client repeats in a header, Mcp-Param-{Name} (SEP-2243), so that proxies can
// route by it.
type headerParam struct {
	path []string // of the argument
	key  string   // canonical name of the header
	name string   // as declared
}

type headerSchema struct {
	Header     json.RawMessage         `json:"x-mcp-header"`
	Properties map[string]headerSchema `json:"properties"`
}

// headerParams collects what a schema declares; names that no header can have declare nothing.
func headerParams(schema json.RawMessage) []headerParam {
	if !bytes.Contains(schema, []byte("x-mcp-header")) {
		return nil
	}
	var s headerSchema
	if json.Unmarshal(schema, &s) != nil {
		return nil
	}
	var found []headerParam
	collect(s.Properties, nil, &found)
	sort.Slice(found, func(i, j int) bool { return found[i].key < found[j].key })
	return found
}

func collect(properties map[string]headerSchema, path []string, found *[]headerParam) {
	for name, p := range properties {
		here := append(path[:len(path):len(path)], name)
		var header string
		if json.Unmarshal(p.Header, &header) == nil && header != "" && !strings.ContainsAny(header, " \t\r\n:") {
			*found = append(*found, headerParam{here, http.CanonicalHeaderKey("Mcp-Param-" + header), header})
		}
		if len(path) < 32 {
			collect(p.Properties, here, found)
		}
	}
}

// checkHeaders is H8: each declared argument that is there has its header, and the header says the same.
func checkHeaders(declared []headerParam, args json.RawMessage, h http.Header) error {
	for _, p := range declared {
		want, present, comparable := argumentText(args, p.path)
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
			return edge.HeaderMismatch("Mcp-Param-%s says %q, the body says %q", p.name, clip(got), clip(want))
		}
	}
	return nil
}

// argumentText returns an argument as its header must write it: a string as it is, an integer in decimal, true or false.
func argumentText(args json.RawMessage, path []string) (text string, present, comparable bool) {
	value := args
	for _, name := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(value, &members) != nil || members[name] == nil {
			return "", false, false
		}
		value = members[name]
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
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
		return string(value), true, false
	}
}
