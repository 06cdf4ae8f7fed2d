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
	if o.Format == "json" {
		return slog.New(&handler{slog.NewJSONHandler(w, ho)})
	}
	return slog.New(&handler{slog.NewTextHandler(w, ho)})
}

// handler redacts the message too; attributes pass through redact.
type handler struct{ slog.Handler }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool { clean.AddAttrs(a); return true })
	return h.Handler.Handle(ctx, clean)
}

func (h *handler) WithAttrs(a []slog.Attr) slog.Handler { return &handler{h.Handler.WithAttrs(a)} }
func (h *handler) WithGroup(name string) slog.Handler   { return &handler{h.Handler.WithGroup(name)} }

// suspicious words in an attribute's key make its value unprintable, but for the keys of harmless.
var suspicious = []string{"authorization", "cookie", "token", "secret", "password", "key", "code", "verifier", "assertion", "credential"}

// harmless keys hold counts, names and closed sets although they contain a suspicious word.
var harmless = map[string]bool{
	"tokens_in": true, "tokens_out": true, "tokens_cached": true, "tokens": true, "code": true, "status_code": true, "key_id": true, "kid": true,
	"token_kind": true,
}

// secretText matches texts that look like a credential wherever they stand: JWTs, bearer headers, keys of providers and
// ours (access codes dbc_, refresh tokens dbr_, client secrets dbs_, subscription keys dbk_).
var secretText = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*|(?i:bearer|basic) +[A-Za-z0-9._~+/=-]{6,}|sk-[A-Za-z0-9_-]{8,}|db[ckrs]_[A-Za-z0-9_.-]{6,}|AKIA[A-Z0-9]{12,}`)

func redact(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey {
		return a
	}
	key := strings.ToLower(a.Key)
	if !harmless[key] {
		for _, w := range suspicious {
			if strings.Contains(key, w) {
				return slog.String(a.Key, hidden)
			}
		}
	}
	switch a.Value.Kind() {
	case slog.KindString:
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
