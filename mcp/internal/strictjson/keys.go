package strictjson

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// key is one key of an open object, as decoded. text refers to the body unless the key was escaped.
type key struct{ text []byte }

// manyKeys is the number of keys up to which comparing each with each is cheaper than a map.
const manyKeys = 16

// key reads the key of the next member of f and returns where its value belongs.
func (d *decoder) key(f *frame) (*Span, position, error) {
	if d.peek() != '"' {
		return nil, elsewhere, d.syntax("expected a key")
	}
	start := d.pos + 1
	escaped, lone, err := d.text()
	if err != nil {
		return nil, elsewhere, err
	}
	text := d.buf[start : d.pos-1]
	if escaped {
		text = []byte(unquote(text))
	}
	if lone { // J10; also keeps U+FFFD from making two keys equal or unequal by parser
		return nil, elsewhere, d.invalid("a key must not hold half a surrogate pair")
	}
	if d.repeated(f, text) {
		return nil, elsewhere, d.invalid("duplicate key %s at %s", show(text), d.path()) // J3
	}
	d.keys = append(d.keys, key{text})
	d.most = max(d.most, len(d.keys))
	return d.place(f, text)
}

// repeated reports whether the innermost object has this key already (J3). From the 17th key on it looks in a map, so
// that the cost stays linear however the keys are chosen.
func (d *decoder) repeated(f *frame, text []byte) bool {
	own := d.keys[f.first:]
	if len(own) < manyKeys {
		for i := range own {
			if bytes.Equal(own[i].text, text) {
				return true
			}
		}
		return false
	}
	if f.index == nil {
		f.index = make(map[string]struct{}, 4*manyKeys)
		for i := range own {
			f.index[string(own[i].text)] = struct{}{}
		}
	}
	if _, ok := f.index[string(text)]; ok {
		return true
	}
	f.index[string(text)] = struct{}{}
	return false
}

// place returns the slot for the value of a key, by the object it is in, and refuses look-alikes of known keys (J4) and
// unknown keys of the envelope (J5).
func (d *decoder) place(f *frame, text []byte) (*Span, position, error) {
	var slot *Span
	at := elsewhere
	var known []string
	switch f.at {
	case envelope:
		slot, at = d.inEnvelope(text)
		known = envelopeKeys
	case params:
		slot, at = d.inParams(text)
		known = paramsKeys
	case meta:
		slot = d.inMeta(text)
		known = metaKeys
	default:
		return nil, elsewhere, nil
	}
	if slot != nil || d.limits.Upstream {
		return slot, at, nil
	}
	if spelt := resembles(text, known); spelt != "" {
		return nil, elsewhere, d.invalid("key %s must be spelt %q", show(text), spelt)
	}
	if f.at == envelope {
		return nil, elsewhere, d.invalid("unknown key %s in the message", show(text))
	}
	return nil, elsewhere, nil
}

var envelopeKeys = []string{"jsonrpc", "id", "method", "params", "result", "error"}

func (d *decoder) inEnvelope(text []byte) (*Span, position) {
	m := d.msg
	switch string(text) {
	case "jsonrpc":
		return &m.version, elsewhere
	case "id":
		return &m.ID, elsewhere
	case "method":
		return &m.method, elsewhere
	case "params":
		return &m.Params, params
	case "result":
		return &m.Result, elsewhere
	case "error":
		return &m.Error, elsewhere
	}
	return nil, elsewhere
}

var paramsKeys = []string{
	"name", "uri", "arguments", "cursor", "requestState", "inputResponses", "_meta", "taskId", "task", "level", "requestId",
	"protocolVersion", "capabilities", "clientInfo", "notifications",
}

func (d *decoder) inParams(text []byte) (*Span, position) {
	m := d.msg
	switch string(text) {
	case "name":
		return &m.Name, elsewhere
	case "uri":
		return &m.URI, elsewhere
	case "arguments":
		return &m.Arguments, elsewhere
	case "cursor":
		return &m.Cursor, elsewhere
	case "requestState":
		return &m.RequestState, elsewhere
	case "inputResponses":
		return &m.InputResponses, elsewhere
	case "_meta":
		return &m.Meta, meta
	case "taskId":
		return &m.TaskID, elsewhere
	case "task":
		return &m.Task, elsewhere
	case "level":
		return &m.Level, elsewhere
	case "requestId":
		return &m.RequestID, elsewhere
	case "protocolVersion":
		return &m.ProtocolVersionParam, elsewhere
	case "capabilities":
		return &m.CapabilitiesParam, elsewhere
	case "clientInfo":
		return &m.ClientInfoParam, elsewhere
	case "notifications":
		return &m.Notifications, elsewhere
	}
	return nil, elsewhere
}

// Keys of _meta that the protocol defines for every request.
const (
	metaPrefix         = "io.modelcontextprotocol/"
	protocolVersionKey = metaPrefix + "protocolVersion"
	capabilitiesKey    = metaPrefix + "clientCapabilities"
	clientInfoKey      = metaPrefix + "clientInfo"
	logLevelKey        = metaPrefix + "logLevel"
	subscriptionKey    = metaPrefix + "subscriptionId"
	progressTokenKey   = "progressToken"
)

var metaKeys = []string{protocolVersionKey, capabilitiesKey, clientInfoKey, logLevelKey, subscriptionKey, progressTokenKey}

func (d *decoder) inMeta(text []byte) *Span {
	m := d.msg
	switch string(text) {
	case protocolVersionKey:
		return &m.ProtocolVersion
	case capabilitiesKey:
		return &m.ClientCapabilities
	case clientInfoKey:
		return &m.ClientInfo
	case logLevelKey:
		return &m.LogLevel
	case subscriptionKey:
		return &m.SubscriptionID
	case progressTokenKey:
		return &m.ProgressToken
	}
	return nil
}

// resembles returns the known key that a careless parser might take text for: equal after simple folding and after
// leaving out what does not show (J4).
func resembles(text []byte, known []string) string {
	visible := strings.Map(func(r rune) rune {
		switch {
		case r <= 0x20, r >= 0x200B && r <= 0x200F, r == 0x2060, r == 0xFEFF:
			return -1
		}
		return r
	}, string(text))
	for _, k := range known {
		if strings.EqualFold(visible, k) {
			return k
		}
	}
	return ""
}

// path names the innermost object for the caller: params.arguments.items[2].
func (d *decoder) path() string {
	if len(d.stack) == 1 {
		return "the top level"
	}
	var b strings.Builder
	for i := 1; i < len(d.stack) && b.Len() < 200; i++ {
		outer := &d.stack[i-1]
		if outer.array {
			b.WriteString("[" + strconv.Itoa(outer.count-1) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		// The key that leads into frame i is the last one of the frame outside it.
		b.WriteString(clip(d.keys[d.stack[i].first-1].text))
	}
	return b.String()
}

func show(text []byte) string { return strconv.Quote(clip(text)) }

// clip keeps what we repeat to a caller short and on a rune boundary.
func clip(text []byte) string {
	const most = 64
	if len(text) <= most {
		return string(text)
	}
	text = text[:most]
	for len(text) > 0 && !utf8.Valid(text) {
		text = text[:len(text)-1]
	}
	return string(text) + "…"
}
