package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNoWayOfPrintingShowsTheText(t *testing.T) { // operations.md K9
	const text = "hunter2-hunter2"
	v := New(text)
	holder := struct {
		Exported Value
		hidden   Value
		List     []Value
		Map      map[string]*Value
		Ref      Reference
	}{v, v, []Value{v}, map[string]*Value{"k": &v}, Reference{Source: "env:X", Value: v}}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "value", v, "pointer", &v, "holder", holder, "string", fmt.Sprint(v))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", v, "holder", holder)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out := log.String() + string(encoded) + v.String() + v.GoString()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out += fmt.Sprintf(verb, v) + fmt.Sprintf(verb, &v) + fmt.Sprintf(verb, holder) + fmt.Sprintf(verb, &holder)
	}
	for _, shown := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
		if strings.Contains(out, shown) {
			t.Errorf("shows %q", shown)
		}
	}
	_ = holder.hidden
}

func TestAValueComparesWithItsTextOnly(t *testing.T) {
	v := New("secret-text")
	if !v.Equal("secret-text") || v.Equal("secret-tex") || v.Equal("") || v.Equal("secret-text2") {
		t.Error("Equal is wrong")
	}
	if (Value{}).Equal("") || New("").Equal("") {
		t.Error("nothing equals nothing: an unset secret would let everybody in")
	}
}

func TestAReferenceKeepsItsSource(t *testing.T) {
	var r Reference
	if err := r.UnmarshalText([]byte("env:NAME")); err != nil || r.Source != "env:NAME" || !r.IsZero() {
		t.Errorf("%+v, %v", r.Source, err)
	}
	if text, err := r.MarshalText(); err != nil || string(text) != "env:NAME" {
		t.Errorf("%s, %v", text, err)
	}
}
