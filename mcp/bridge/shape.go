package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// shaped returns the arguments with what set_argument policies wrote; values that are not touched keep their bytes.
func shaped(args json.RawMessage, set []proxy.Argument) (json.RawMessage, error) {
	if len(set) == 0 {
		return args, nil
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(args, &members); err != nil {
		return nil, fmt.Errorf("read arguments: %w", err)
	}
	for _, a := range set {
		members[a.Name] = a.Value
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quoted(name))
		b.WriteByte(':')
		b.Write(members[name])
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
