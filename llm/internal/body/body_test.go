package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func mustParse(t testing.TB, text string) *View {
	t.Helper()
	v, err := Parse([]byte(text), 1000)
	if err != nil {
		t.Fatalf("Parse(%s) = %v", text, err)
	}
	return v
}

func TestParseFindsWhatAGatewayReads(t *testing.T) { // WF-6
	v := mustParse(t, ` {"model":"gpt-\u0034o", "stream" : true,"stream_options":{"x":1,"include_usage":true},"n":2,
		"max_tokens":1e3,"max_completion_tokens":null,"messages":[{"role":"user","content":"hé\n"},
		{"role":"user","content":[{"type":"text","text":"abc"},{"type":"image_url","image_url":{"url":"data:xyz"}}]}],"tools":[]} `)
	if got := fmt.Sprintln(v.ModelName(), v.Streams(), v.IncludesUsage(), v.Choices(), v.Cap()); got != "gpt-4o true true 2 1000\n" {
		t.Errorf("view = %s", got)
	}
	if v.MessageCount != 2 || v.Images != 1 || v.ImageBytes != len("data:xyz") {
		t.Errorf("messages %d, images %d of %d bytes", v.MessageCount, v.Images, v.ImageBytes)
	}
	if want := len("user"+`hé\n`+"user"+"text"+"abc"+"image_url") + v.ImageBytes; v.TextBytes != want {
		t.Errorf("TextBytes = %d, want %d", v.TextBytes, want)
	}
	if string(v.Raw(v.Tools)) != "[]" || v.Input.Present() || v.Raw(v.Input) == nil && len(v.Raw(v.Input)) != 0 {
		t.Error("tools or input at the wrong place")
	}
}

func TestParseRefusesWhatReadersDisagreeAbout(t *testing.T) { // WF-4, ER-5, TK-10, SZ-4
	deep := strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64)
	for name, tt := range map[string]struct{ text, code, param string }{
		"not an object":         {`[1]`, "invalid_json", ""},
		"empty":                 {``, "invalid_json", ""},
		"BOM":                   {"\ufeff{}", "invalid_json", ""},
		"junk behind":           {`{} {}`, "invalid_json", ""},
		"cut":                   {`{"model":"a"`, "invalid_json", ""},
		"no colon":              {`{"model" "a"}`, "invalid_json", ""},
		"comma at the end":      {`{"model":"a",}`, "invalid_json", ""},
		"repeated":              {`{"model":"a","model":"b"}`, "invalid_json", "model"},
		"repeated by escape":    {`{"model":"a","mod\u0065l":"b"}`, "invalid_json", "model"},
		"repeated inside":       {`{"messages":[{"role":"a","role":"b"}]}`, "invalid_json", "role"},
		"repeated, many":        {`{` + members(40) + `,"m3":1}`, "invalid_json", "m3"},
		"repeated, 25th":        {`{` + members(25) + `,"m24":1}`, "invalid_json", "m24"},
		"case variant":          {`{"Model":"a"}`, "invalid_json", "model"},
		"case variant, both":    {`{"stream":false,"STREAM":true}`, "invalid_json", "stream"},
		"case variant, folded":  {"{\"\u017ftream\":true}", "invalid_json", "stream"},
		"case variant, escaped": {`{"\u004dessages":[]}`, "invalid_json", "messages"},
		"case variant, option":  {`{"stream_options":{"Include_Usage":true}}`, "invalid_json", "include_usage"},
		"too deep":              {deep, "", ""},
		"deeper":                {`{"a":` + deep + `}`, "invalid_json", ""},
		"number too long":       {`{"a":` + strings.Repeat("1", 1001) + `}`, "invalid_json", ""},
		"not UTF-8":             {"{\"a\":\"\xff\"}", "invalid_json", ""},
		"lone surrogate":        {`{"a":"\ud83d"}`, "invalid_json", ""},
		"control character":     {"{\"a\":\"\n\"}", "invalid_json", ""},
		"model is a number":     {`{"model":1}`, "invalid_type", "model"},
		"model is null":         {`{"model":null}`, "invalid_type", "model"},
		"stream is a text":      {`{"stream":"true"}`, "invalid_type", "stream"},
		"stream is null":        {`{"stream":null}`, "", ""},
		"options is a list":     {`{"stream_options":[]}`, "invalid_type", "stream_options"},
		"usage option is 1":     {`{"stream_options":{"include_usage":1}}`, "invalid_type", "stream_options.include_usage"},
		"n is a text":           {`{"n":"2"}`, "invalid_type", "n"},
		"cap is a text":         {`{"max_tokens":"5"}`, "invalid_type", "max_tokens"},
		"messages is an object": {`{"messages":{}}`, "invalid_type", "messages"},
		"tools is a text":       {`{"tools":"x"}`, "invalid_type", "tools"},
		"too many members":      {`{` + members(1001) + `}`, "invalid_json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tt.text), 1000)
			var fault *Fault
			if errors.As(err, &fault); (fault != nil) != (tt.code != "") || fault != nil && (fault.Code != tt.code || fault.Param != tt.param) {
				t.Errorf("Parse = %#v, want %s at %q", err, tt.code, tt.param)
			}
		})
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	return b.String()[1:]
}

func TestRewriteChangesNothingElse(t *testing.T) { // WF-1, MX-1, MX-2, ST-6
	const odd = `{ "z" : 1e3,"model":"a","big":12345678901234567890,"t":"\u00e4\/", "f":1.0 }`
	for name, tt := range map[string]struct {
		in   string
		c    Change
		want string
	}{
		"nothing":             {odd, Change{}, odd},
		"same model":          {odd, Change{Model: "a"}, odd},
		"model":               {odd, Change{Model: `b"`}, strings.Replace(odd, `"a"`, `"b\""`, 1)},
		"model absent":        {`{"x":1}`, Change{Model: "b"}, `{"x":1,"model":"b"}`},
		"model, empty body":   {`{ }`, Change{Model: "b", IncludeUsage: true}, `{ "model":"b","stream_options":{"include_usage":true}}`},
		"usage absent":        {`{"a":1 }`, Change{IncludeUsage: true}, `{"a":1 ,"stream_options":{"include_usage":true}}`},
		"usage null options":  {`{"stream_options":null}`, Change{IncludeUsage: true}, `{"stream_options":{"include_usage":true}}`},
		"usage empty options": {`{"stream_options":{ }}`, Change{IncludeUsage: true}, `{"stream_options":{ "include_usage":true}}`},
		"usage other options": {`{"stream_options":{"x":1}}`, Change{IncludeUsage: true}, `{"stream_options":{"x":1,"include_usage":true}}`},
		"usage false":         {`{"stream_options":{"include_usage":false,"x":1}}`, Change{IncludeUsage: true}, `{"stream_options":{"include_usage":true,"x":1}}`},
		"usage true":          {`{"stream_options":{"include_usage": true}}`, Change{IncludeUsage: true}, `{"stream_options":{"include_usage": true}}`},
		"cap lowered":         {`{"max_tokens": 1e3}`, Change{MaxTokens: 50}, `{"max_tokens": 50}`},
		"cap is lower":        {`{"max_tokens": 4.0}`, Change{MaxTokens: 50}, `{"max_tokens": 4.0}`},
		"both lowered":        {`{"max_tokens":60,"max_completion_tokens":70}`, Change{MaxTokens: 50}, `{"max_tokens":50,"max_completion_tokens":50}`},
		"cap set":             {`{"a":1}`, Change{MaxTokens: 50}, `{"a":1,"max_tokens":50}`},
		"cap set, new name":   {`{"a":1}`, Change{MaxTokens: 50, CapName: "max_completion_tokens"}, `{"a":1,"max_completion_tokens":50}`},
		"cap null":            {`{"max_tokens":null}`, Change{MaxTokens: 50}, `{"max_tokens":50}`},
		"cap zero stays":      {`{"max_tokens":0}`, Change{MaxTokens: 50}, `{"max_tokens":0}`},
		"cap broken stays":    {`{"max_tokens":1.5}`, Change{MaxTokens: 50}, `{"max_tokens":1.5}`},
		"everything": {`{"model":"a","stream":true,"max_tokens":9}`, Change{Model: "b", IncludeUsage: true, MaxTokens: 5},
			`{"model":"b","stream":true,"max_tokens":5,"stream_options":{"include_usage":true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			v := mustParse(t, tt.in)
			if got := string(v.Rewrite(tt.c)); got != tt.want {
				t.Errorf("Rewrite = %s\n    want  %s", got, tt.want)
			}
		})
	}
}

func TestSetReplacesInPlaceOrAdds(t *testing.T) { // SA-1, WF-1
	v := mustParse(t, `{"temperature" : 1.0,"x":{"temperature":2}}`)
	got := v.Set([]string{"temperature", "seed", "temperature"}, [][]byte{[]byte("9"), []byte("7"), []byte("0.5")})
	if want := `{"temperature" : 0.5,"x":{"temperature":2},"seed":7}`; string(got) != want {
		t.Errorf("Set = %s, want %s", got, want)
	}
	if got := mustParse(t, `{}`).Set([]string{"a", "b"}, [][]byte{[]byte("1"), []byte("2")}); string(got) != `{"a":1,"b":2}` {
		t.Errorf("Set = %s", got)
	}
}

func canonicalOf(t *testing.T, text string) string {
	t.Helper()
	return string(mustParse(t, text).AppendCanonical(nil))
}

func TestCanonicalIsTheSameForTheSameQuestion(t *testing.T) { // CA-6
	base := canonicalOf(t, `{"model":"m","messages":[{"role":"user","content":"é"}],"temperature":1.0,"tools":[{"b":1,"a":"x "}]}`)
	for _, same := range []string{
		`{"messages":[{"content":"e\u0301 \n","role":"user"}],"tools":[{"a":"x ","b":1}],"temperature":1.0, "model":"m"}`,
		`{"model":"m","messages":[{"role":"user","content":"é"}],"temperature":1.0,"tools":[{"b":1,"a":"x "}],"stream":true,"stream_options":{"include_usage":true},"user":"u","safety_identifier":"s","metadata":{},"store":false}`,
	} {
		if got := canonicalOf(t, same); got != base {
			t.Errorf("Canonical = %s\n     want %s", got, base)
		}
	}
	for _, other := range []string{
		`{"model":"m","messages":[{"role":"user","content":" é"}],"temperature":1.0,"tools":[{"b":1,"a":"x "}]}`,
		`{"model":"m","messages":[{"role":"user","content":"é"}],"temperature":1,"tools":[{"b":1,"a":"x "}]}`,
		`{"model":"m","messages":[{"role":"user","content":"é"}],"temperature":1.0,"tools":[{"b":1,"a":"x"}]}`,
		`{"model":"m","messages":[{"role":"user","content":"é","store":1}],"temperature":1.0,"tools":[{"b":1,"a":"x "}]}`,
	} {
		if canonicalOf(t, other) == base {
			t.Errorf("Canonical of %s is that of another question", other)
		}
	}
}

// What passes Parse is JSON that the standard reader takes too, and every splice leaves JSON whose other members are the
// same bytes.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"model":"a","stream":true,"stream_options":{"x":[]},"messages":[{"role":"user","content":"\u00e4"}],"max_tokens":10}`))
	f.Add([]byte(`{"model":"a","model":"b"}`))
	f.Add([]byte(`{"n":1e9,"max_tokens":null,"stream_options":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Parse(data, 200)
		if err != nil {
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("Parse took %q", data)
		}
		var before, after map[string]json.RawMessage
		out := v.Rewrite(Change{Model: "other", IncludeUsage: true, MaxTokens: 7})
		if json.Unmarshal(data, &before) != nil || json.Unmarshal(out, &after) != nil {
			t.Fatalf("Rewrite broke %q: %q", data, out)
		}
		for name, value := range before {
			switch name {
			case "model", "stream_options", "max_tokens", "max_completion_tokens":
			default:
				if !bytes.Equal(after[name], value) {
					t.Fatalf("Rewrite changed %s: %s to %s", name, value, after[name])
				}
			}
		}
		again, err := Parse(out, 205)
		if err != nil || again.ModelName() != "other" || !again.IncludesUsage() {
			t.Fatalf("Rewrite of %q is %q: %v", data, out, err)
		}
		if c := v.AppendCanonical(nil); !json.Valid(c) || len(v.Set([]string{"x"}, [][]byte{[]byte("1")})) == 0 {
			t.Fatalf("Canonical of %q is %q", data, c)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{100, 16 << 10, 256 << 10} {
		text := strings.Repeat("The quick brown fox jumps over the lazy dog. It did so\\nagain. ", size/64+1)
		data := []byte(`{"model":"gpt-4o","temperature":0.2,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"` + text + `"}]}`)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				v, err := Parse(data, 1000)
				if err != nil {
					b.Fatal(err)
				}
				v.Rewrite(Change{Model: "prod"})
			}
		})
	}
}

func TestCanonicalDoesNotDependOnHowATextIsSpelt(t *testing.T) { // CA-6
	for _, pair := range [][2]string{
		{`a<b>&c`, `a\u003cb\u003e\u0026c`}, {`plain text`, `plain \u0074ext`}, {`a/b`, `a\/b`}, {`ends  `, `ends`}, {`e\u0301`, `é`}, {`tab\t`, `tab`},
	} {
		a := canonicalOf(t, `{"model":"m","messages":[{"role":"user","content":"`+pair[0]+`"}]}`)
		b := canonicalOf(t, `{"model":"m","messages":[{"content":"`+pair[1]+`","role":"user"}]}`)
		if a != b {
			t.Errorf("%q is %s and %q is %s", pair[0], a, pair[1], b)
		}
	}
}

func BenchmarkCanonical(b *testing.B) { // PF-3
	v := mustParse(b, `{"model":"gpt-4o","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Say hello to the whole team, please."}],"temperature":0.2,"max_tokens":64}`)
	b.ReportAllocs()
	for b.Loop() {
		_ = v.AppendCanonical(nil)
	}
}
