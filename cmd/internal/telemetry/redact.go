package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxValue = 1 << 10 // bytes of a logged text
	hidden   = "[secret]"
)

// Options say how the log is written.
type Options struct {
	Format string     // text or json
	Level  slog.Level // zero: info
}

// NewLogger returns a logger that drops what must not be logged (operations.md §4.1).
func NewLogger(w io.Writer, o Options) *slog.Logger {
	ho := &slog.HandlerOptions{Level: o.Level, ReplaceAttr: redact}
	out := &lines{w: w}
	if o.Format == "json" {
		return slog.New(&handler{Handler: slog.NewJSONHandler(out, ho), json: out, plain: true})
	}
	return slog.New(&handler{Handler: slog.NewTextHandler(out, ho)})
}

// handler redacts the message too; attributes pass through redact.
type handler struct {
	slog.Handler
	json  *lines // where lines of requests go without a detour; nil: nowhere
	own   []byte // attributes that every line has, as they are written
	plain bool   // own is all of them
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if plain(r.Message) {
		return h.Handler.Handle(ctx, r)
	}
	clean := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool { clean.AddAttrs(a); return true })
	return h.Handler.Handle(ctx, clean)
}

func (h *handler) WithAttrs(a []slog.Attr) slog.Handler {
	next := &handler{Handler: h.Handler.WithAttrs(a), json: h.json, own: h.own[:len(h.own):len(h.own)], plain: h.plain}
	for i := 0; i < len(a) && next.plain; i++ {
		next.own, next.plain = appendAttr(next.own, a[i])
	}
	return next
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{Handler: h.Handler.WithGroup(name)}
}

// suspicious reports whether a key, in lower case, contains a word that makes its value unprintable, but for the keys of
// harmless. One pass over the key: every line has some thirty of them.
func suspicious(key string) bool {
	for i := range len(key) {
		rest := key[i:]
		switch key[i] {
		case 'a':
			if strings.HasPrefix(rest, "authorization") || strings.HasPrefix(rest, "assertion") {
				return true
			}
		case 'c':
			if strings.HasPrefix(rest, "cookie") || strings.HasPrefix(rest, "code") || strings.HasPrefix(rest, "credential") {
				return true
			}
		case 'k':
			if strings.HasPrefix(rest, "key") {
				return true
			}
		case 'p':
			if strings.HasPrefix(rest, "password") {
				return true
			}
		case 's':
			if strings.HasPrefix(rest, "secret") {
				return true
			}
		case 't':
			if strings.HasPrefix(rest, "token") {
				return true
			}
		case 'v':
			if strings.HasPrefix(rest, "verifier") {
				return true
			}
		}
	}
	return false
}

// harmless keys hold counts, names and closed sets although they contain a suspicious word.
var harmless = map[string]bool{
	"tokens_in": true, "tokens_out": true, "tokens_cached": true, "tokens": true, "code": true, "status_code": true, "key_id": true, "kid": true,
	"token_kind": true, "rpc_code": true,
}

// secretText matches texts that look like a credential wherever they stand: JWTs, bearer headers, keys of providers and
// ours (access codes dbc_, refresh tokens dbr_, client secrets dbs_, subscription keys dbk_).
var secretText = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*|(?i:bearer|basic) +[A-Za-z0-9._~+/=-]{6,}|sk-[A-Za-z0-9_-]{8,}|db[ckrs]_[A-Za-z0-9_.-]{6,}|AKIA[A-Z0-9]{12,}`)

func redact(_ []string, a slog.Attr) slog.Attr {
	if reserved(a.Key) {
		return a
	}
	if key := strings.ToLower(a.Key); suspicious(key) && !harmless[key] {
		return slog.String(a.Key, hidden)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		if plain(a.Value.String()) {
			return a
		}
		return slog.String(a.Key, Redact(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			return slog.String(a.Key, Redact(v.Error()))
		case fmt.Stringer:
			return slog.String(a.Key, Redact(v.String()))
		case slog.LogValuer:
			return a
		default:
			return slog.String(a.Key, Redact(fmt.Sprintf("%+v", v)))
		}
	}
	return a
}

// Redact replaces what looks like a credential, cuts at 1 KiB, and escapes control characters so that nobody can forge a
// line.
func Redact(s string) string {
	if plain(s) {
		return s
	}
	s = secretText.ReplaceAllString(s, hidden)
	if len(s) > maxValue {
		cut := maxValue
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool {
	return r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029
}
