package openapi

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
)

// byLibrary decodes as encoding/json does.
func byLibrary(raw []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, err == io.EOF
}

func sameAsLibrary(t *testing.T, raw []byte) {
	t.Helper()
	want, good := byLibrary(raw)
	got, err := decodeJSON(raw)
	if (err == nil) != good || good && !reflect.DeepEqual(got, want) {
		t.Errorf("%q: %#v, %v; encoding/json says %#v, %t", raw, got, err, want, good)
	}
}

var jsonSeeds = []string{
	`{}`, `[]`, ` { "a" : [ 1 , 2.50 , -0 , 1e5 , 1E-7 ] , "b" : null } `, `"\u00e9\ud83d\ude00\ud83d x \udc00\ud83d\u0041"`, `"a\/\b\f\n\r\t\"\\"`,
	`01`, `1.`, `.5`, `-`, `1e`, `+1`, `tru`, `nul`, `{"a"}`, `{"a":}`, `{,}`, `[1,]`, `[1 2]`, `{"a":1,}`, `{"a":1}x`, `"a`, "\"a\nb\"", `"\x"`, `"\u12g4"`, `"\`, ``, ` `,
	"\"a\xffb\xe2\x82\"", "\"\\n\xff\xfe\"", "\"\xff\\n\"", `{"a":1,"a":2}`, `{"__proto__":{}}`, `[[[[[[]]]]]]`, "\ufeff{}", "{\"\xff\":1}",
}

func TestOurDecoderIsTheLibrarys(t *testing.T) { // B11, O6
	for _, s := range jsonSeeds {
		sameAsLibrary(t, []byte(s))
	}
	for _, n := range []int{9_999, 10_000, 10_001} {
		sameAsLibrary(t, []byte(strings.Repeat("[", n)+strings.Repeat("]", n)))
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { sameAsLibrary(t, raw) })
}
