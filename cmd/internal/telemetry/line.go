package telemetry

import (
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// buffers is a cache and nothing else: an empty one changes no result.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2<<10); return &b }}

// maxKept bounds the buffers that are kept.
const maxKept = 64 << 10

// request writes the line of a request as slog's JSON handler does, in a fifth of the time: every request has one. false:
// there is something among the attributes that only the handler can write, and nothing was written.
func (h *handler) request(at time.Time, level slog.Level, attrs []slog.Attr) bool {
	if h.json == nil {
		return false
	}
	room := buffers.Get().(*[]byte)
	b := append((*room)[:0], `{"time":"`...)
	b = at.AppendFormat(b, time.RFC3339Nano)
	b = append(append(b, `","level":"`...), level.String()...)
	b = append(append(b, `","msg":"request"`...), h.own...)
	ok := h.plain
	for i := 0; i < len(attrs) && ok; i++ {
		b, ok = appendAttr(b, attrs[i])
	}
	if ok {
		h.json.add(append(b, '}', '\n'), at, level < slog.LevelError)
	}
	if cap(b) <= maxKept {
		*room = b
		buffers.Put(room)
	}
	return ok
}

func appendAttr(b []byte, a slog.Attr) ([]byte, bool) {
	if a.Value.Kind() == slog.KindString && a.Value.String() == "" {
		return b, true // what is empty says nothing
	}
	if key := openKeys.of(a.Key); key != "" {
		if b = append(b, key...); a.Value.Kind() == slog.KindString {
			return appendOpen(b, a.Value.String()), true
		}
		if a.Value.Kind() != slog.KindAny {
			return appendValue(b, a.Value)
		}
		return appendValue(b, redact(nil, a).Value)
	}
	a = redact(nil, a)
	b = appendText(append(b, ','), a.Key)
	return appendValue(append(b, ':'), a.Value)
}

// appendOpen writes a text of which only what looks like a secret is hidden.
func appendOpen(b []byte, s string) []byte {
	switch scan(s) {
	case clean:
		return append(append(append(b, '"'), s...), '"')
	case quoted:
		return appendEscaped(b, s)
	default:
		return appendText(b, Redact(s))
	}
}

func appendValue(b []byte, v slog.Value) ([]byte, bool) {
	switch v.Kind() {
	case slog.KindString:
		return appendText(b, v.String()), true
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10), true
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool()), true
	case slog.KindDuration:
		return strconv.AppendInt(b, int64(v.Duration()), 10), true
	case slog.KindFloat64:
		f := v.Float64()
		if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) || math.IsNaN(f) {
			return b, false
		}
		return strconv.AppendFloat(b, f, 'f', -1, 64), true
	}
	return b, false
}

// appendText writes a JSON string. What needs more than a backslash was escaped or left out by redact, or is written as
// slog writes it.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendEscaped(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendEscaped(b []byte, s string) []byte {
	b = append(b, '"')
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 && short[r] != 0:
			b = append(b, '\\', short[r])
		case r < 0x20 || r == 0x2028 || r == 0x2029:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			b = append(b, s[:size]...)
		}
		s = s[size:]
	}
	return append(b, '"')
}

// short are the control characters for which slog uses JSON's letters.
var short = [0x20]byte{'\n': 'n', '\r': 'r', '\t': 't'}
