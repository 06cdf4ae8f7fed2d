// Package secret holds credentials so that they never print, and seals what is stored.
//
//	env:NAME, file:PATH ─ configuration ─▶ Value ─ Reveal ─▶ the one place that sends it
//	storage.keys ─▶ Keyring ─ Seal, Open, MAC, signing keys ─▶ stores, tokens, sessions
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const hidden = "[secret]"

// A Value holds a credential. Every way of printing it, by accident or on purpose, hides the text. The zero value holds
// nothing.
type Value struct{ p *string } // a pointer, so that fmt cannot reach the text through an unexported field

// New returns a Value that holds s.
func New(s string) Value { return Value{&s} }

// Reveal returns the text: the only way out, and easy to search for in review.
func (v Value) Reveal() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}

// IsZero reports whether v holds no text.
func (v Value) IsZero() bool { return v.p == nil || *v.p == "" }

// Equal compares in constant time, whatever the lengths.
func (v Value) Equal(text string) bool {
	a, b := sha256.Sum256([]byte(v.Reveal())), sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && !v.IsZero()
}

func (v Value) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, hidden) }
func (v Value) String() string               { return hidden }
func (v Value) GoString() string             { return hidden }
func (v Value) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (v Value) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes the text as it is.
func (v *Value) UnmarshalText(text []byte) error { *v = New(string(text)); return nil }

// Reference is a credential as configuration writes it: env:NAME or file:PATH. Reading the file gives only Source;
// cmd/drawbridge resolves it to Value.
type Reference struct {
	Source string
	Value
}

// UnmarshalText keeps the reference; it resolves nothing.
func (r *Reference) UnmarshalText(text []byte) error { r.Source = string(text); return nil }

// MarshalText writes the reference, which is no secret.
func (r Reference) MarshalText() ([]byte, error) { return []byte(r.Source), nil }
