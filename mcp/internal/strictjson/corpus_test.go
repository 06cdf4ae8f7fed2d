package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

const ok = 0

type body struct {
	name string
	text string
	code int // of the refusal; ok: accepted
}

func call(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
}

// corpus are the bodies of mcp.md §4: each is refused with its code, or means the same to every parser.
func corpus() []body {
	list := grammar()
	list = append(list, duplicates()...)
	list = append(list, lookalikes()...)
	list = append(list, envelopes()...)
	return append(list, values()...)
}

func grammar() []body { // J1, J2, J8, J9
	valid := call(`{"name":"safe"}`)
	var list []body
	bad := func(name, text string) { list = append(list, body{name, text, CodeParse}) }
	bad("BOM", "\ufeff"+valid)
	bad("UTF-16", string(utf16Bytes(valid)))
	bad("NUL after", valid+"\x00")
	bad("NUL before", "\x00"+valid)
	bad("NUL between", `{"jsonrpc":"2.0",`+"\x00"+`"id":1,"method":"x"}`)
	bad("two documents", valid+valid)
	bad("two documents on lines", valid+"\n"+valid)
	bad("text after", valid+" x")
	bad("line comment", "// hi\n"+valid)
	bad("block comment", `{"jsonrpc":"2.0",/* hi */"id":1,"method":"x"}`)
	bad("hash comment", "# hi\n"+valid)
	bad("single quotes", `{'jsonrpc':'2.0','id':1,'method':'x'}`)
	bad("key without quotes", `{jsonrpc:"2.0"}`)
	bad("trailing comma in an object", call(`{"name":"safe",}`))
	bad("trailing comma in an array", call(`{"a":[1,]}`))
	bad("leading comma", `{,"jsonrpc":"2.0"}`)
	bad("missing comma", `{"jsonrpc":"2.0" "id":1}`)
	bad("missing colon", `{"jsonrpc" "2.0"}`)
	bad("missing value", `{"jsonrpc":}`)
	bad("wrong bracket", call(`{"a":[1}`))
	bad("nothing", "")
	bad("white space", " \r\n\t")
	bad("form feed as white space", "\f"+valid)
	bad("no-break space as white space", "\u00a0"+valid)
	for _, n := range []string{"NaN", "Infinity", "-Infinity", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "-", "0x10", "1_000", "--1"} {
		bad("number "+n, call(`{"a":`+n+`}`))
	}
	for _, w := range []string{"True", "nul", "nulll", "undefined", "tru"} {
		bad("word "+w, call(`{"a":`+w+`}`))
	}
	for _, e := range []string{`\x41`, `\u12`, `\u12G4`, `\`, `\'`, `\0`, `\U0041`, `\u+041`} {
		bad("escape "+e, call(`{"a":"`+e+`"}`))
	}
	for _, c := range []string{"\x00", "\x01", "\n", "\r", "\t", "\x1f"} {
		bad(fmt.Sprintf("raw %q in a string", c), call(`{"a":"x`+c+`"}`))
		bad(fmt.Sprintf("raw %q in a key", c), call(`{"x`+c+`":1}`))
	}
	for _, c := range []string{"\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xc3", "\xf0\x9f\x98"} {
		bad(fmt.Sprintf("bytes %x in a string", c), call(`{"a":"`+c+`"}`))
		bad(fmt.Sprintf("bytes %x in a key", c), call(`{"`+c+`":1}`))
	}
	for i := 1; i < len(valid); i += 7 {
		bad(fmt.Sprintf("cut at %d", i), valid[:i])
	}
	list = append(list,
		body{"batch", "[" + valid + "]", CodeInvalid},
		body{"empty batch", "[]", CodeInvalid},
		body{"64 deep", call(`{"a":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}`), ok},
		body{"65 deep", call(`{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`), CodeInvalid},
		body{"200,000 brackets", call(`{"a":` + strings.Repeat("[", 200_000)), CodeInvalid},
		body{"200,000 braces", call(strings.Repeat(`{"a":`, 200_000)), CodeInvalid},
		body{"100,001 members", call(`{"a":[` + strings.Repeat("1,", 100_000) + `1]}`), CodeInvalid},
		body{"white space around", " \r\n\t" + valid + " \r\n\t", ok},
	)
	return list
}

func duplicates() []body { // J3
	var list []body
	for _, at := range []struct{ level, frame string }{
		{"envelope", `{"jsonrpc":"2.0","id":1,"method":"tools/call",%s}`},
		{"params", call(`{%s}`)},
		{"arguments", call(`{"name":"safe","arguments":{%s}}`)},
		{"deep", call(`{"name":"safe","arguments":{"a":[1,{%s}]}}`)},
		{"_meta", call(`{"name":"safe","_meta":{%s}}`)},
		{"capabilities", call(`{"_meta":{"io.modelcontextprotocol/clientCapabilities":{%s}}}`)},
	} {
		key := "name"
		if at.level == "envelope" {
			key = "params"
		}
		first, rest := key[:1], key[1:]
		escaped := fmt.Sprintf(`\u%04x`, first[0])
		for _, pair := range []struct{ how, a, b string }{
			{"plain", key, key},
			{"first escaped in part", escaped + rest, key},
			{"second escaped in part", key, escaped + rest},
			{"escaped whole", key, escapeAll(key)},
			{"both escaped", escapeAll(key), escaped + rest},
		} {
			text := fmt.Sprintf(at.frame, `"`+pair.a+`":{},"`+pair.b+`":{}`)
			list = append(list, body{"duplicate " + pair.how + " in " + at.level, text, CodeInvalid})
		}
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"k%d":1,`, i)
	}
	list = append(list,
		body{"duplicate among many keys", call(`{` + many.String() + `"k50":2}`), CodeInvalid},
		body{"many keys, no duplicate", call(`{` + many.String() + `"k100":2}`), ok},
		body{"the same key in two objects", call(`{"a":{"x":1},"b":{"x":1}}`), ok},
		body{"the same key inside and outside", call(`{"name":"n","arguments":{"name":"m"}}`), ok},
	)
	return list
}

func lookalikes() []body { // J4, J5
	var list []body
	inEnvelope := func(k string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"x","` + k + `":{}}`
	}
	inParams := func(k string) string { return call(`{"` + k + `":"x"}`) }
	inMeta := func(k string) string { return call(`{"_meta":{"` + k + `":"x"}}`) }
	for _, c := range []struct {
		key   string
		frame func(string) string
	}{
		{"params", inEnvelope}, {"method", inEnvelope}, {"result", inEnvelope},
		{"name", inParams}, {"arguments", inParams}, {"uri", inParams}, {"requestState", inParams},
		{"io.modelcontextprotocol/protocolVersion", inMeta}, {"progressToken", inMeta},
	} {
		for _, v := range variants(c.key) {
			list = append(list, body{fmt.Sprintf("look-alike %q", v), c.frame(v), CodeInvalid})
		}
	}
	return append(list,
		body{"Name and name", call(`{"Name":"danger","name":"safe"}`), CodeInvalid},
		body{"name and Name", call(`{"name":"safe","Name":"danger"}`), CodeInvalid},
		body{"unknown key in the envelope", inEnvelope("extra"), CodeInvalid},
		body{"unknown key in params", call(`{"name":"n","extra":1}`), ok},
		body{"unknown key in _meta", call(`{"_meta":{"com.example/x":1}}`), ok},
		body{"look-alike in arguments is data", call(`{"name":"n","arguments":{"Name":"x","name":"y"}}`), ok},
	)
}

func variants(key string) []string {
	upper := strings.ToUpper(key)
	title := strings.ToUpper(key[:1]) + key[1:]
	list := []string{upper, title, key + `\u0000`, `\u0000` + key, key + " ", " " + key, key + "\u200b", "\ufeff" + key, key + `\u2060`}
	if i := strings.IndexByte(key, 's'); i >= 0 {
		list = append(list, key[:i]+"ſ"+key[i+1:])
	}
	if i := strings.IndexByte(key, 'k'); i >= 0 {
		list = append(list, key[:i]+"\u212a"+key[i+1:])
	}
	return list
}

func envelopes() []body { // J6, J7, J10
	id := func(v string) string { return `{"jsonrpc":"2.0","id":` + v + `,"method":"ping"}` }
	list := []body{
		{"string id", id(`"a"`), ok}, {"empty id", id(`""`), ok}, {"id 0", id("0"), ok}, {"negative id", id("-5"), ok},
		{"big id", id("9007199254740993"), ok}, {"id of 256 bytes", id(`"` + strings.Repeat("x", 256) + `"`), ok},
		{"id of 257 bytes", id(`"` + strings.Repeat("x", 257) + `"`), CodeInvalid},
		{"id with a fraction", id("1.5"), CodeInvalid}, {"id 1.0", id("1.0"), CodeInvalid}, {"id with an exponent", id("1e3"), CodeInvalid},
		{"null id", id("null"), CodeInvalid}, {"bool id", id("true"), CodeInvalid}, {"array id", id("[1]"), CodeInvalid},
		{"object id", id("{}"), CodeInvalid},
		{"no jsonrpc", `{"id":1,"method":"ping"}`, CodeInvalid}, {"jsonrpc 1.0", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, CodeInvalid},
		{"jsonrpc as a number", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, CodeInvalid},
		{"jsonrpc escaped", `{"jsonrpc":"2\u002e0","id":1,"method":"ping"}`, ok},
		{"no method", `{"jsonrpc":"2.0","id":1}`, CodeInvalid},
		{"method as a number", `{"jsonrpc":"2.0","id":1,"method":1}`, CodeInvalid},
		{"method as an array", `{"jsonrpc":"2.0","id":1,"method":["ping"]}`, CodeInvalid},
		{"empty method", `{"jsonrpc":"2.0","id":1,"method":""}`, CodeInvalid},
		{"method of 128", `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("m", 128) + `"}`, ok},
		{"method of 129", `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("m", 129) + `"}`, CodeInvalid},
		{"method and result", `{"jsonrpc":"2.0","id":1,"method":"x","result":{}}`, CodeInvalid},
		{"result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, CodeInvalid},
		{"answer without id", `{"jsonrpc":"2.0","result":{}}`, CodeInvalid},
		{"answer", `{"jsonrpc":"2.0","id":1,"result":{}}`, ok},
		{"answer of null", `{"jsonrpc":"2.0","id":1,"result":null}`, ok},
		{"error", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`, ok},
		{"error as a text", `{"jsonrpc":"2.0","id":1,"error":"x"}`, CodeInvalid},
		{"notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, ok},
		{"params as an array", call(`[]`), CodeParams}, {"params as a text", call(`"x"`), CodeParams},
		{"params null", call(`null`), CodeParams}, {"params as a number", call(`1`), CodeParams},
		{"half a pair in the name", call(`{"name":"a\ud800"}`), CodeInvalid},
		{"low half in the name", call(`{"name":"\udc00"}`), CodeInvalid},
		{"two high halves in the name", call(`{"name":"\ud83d\ud83d"}`), CodeInvalid},
		{"half a pair in the uri", call(`{"uri":"\ud800x"}`), CodeInvalid},
		{"half a pair in the method", `{"jsonrpc":"2.0","id":1,"method":"\ud800"}`, CodeInvalid},
		{"half a pair in a key", call(`{"arguments":{"\ud800":1}}`), CodeInvalid},
		{"half a pair in a value", call(`{"name":"n","arguments":{"a":"\ud800"}}`), ok},
		{"a pair in the name", call(`{"name":"\ud83d\ude00"}`), ok},
		{"a text", `"x"`, CodeInvalid}, {"a number", `1`, CodeInvalid}, {"null", `null`, CodeInvalid},
	}
	return list
}

func values() []body { // J11: what a name is, is the server's matter; that it is one value, is ours
	var list []body
	for _, v := range []string{`"safe"`, `"s\u0061fe"`, `" safe"`, `"safe\u0000"`, `["safe"]`, `{"a":1}`, `5`, `null`, `true`, `""`} {
		list = append(list, body{"name " + v, call(`{"name":` + v + `}`), ok})
	}
	return list
}

func escapeAll(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, `\u%04X`, r)
	}
	return b.String()
}

func utf16Bytes(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

func TestCorpusIsRefusedOrMeansOneThing(t *testing.T) { // J1 to J11
	bodies := corpus()
	if len(bodies) < 150 {
		t.Fatalf("the corpus has %d bodies, want at least 150", len(bodies))
	}
	for _, b := range bodies {
		t.Run(b.name, func(t *testing.T) {
			m, err := Decode([]byte(b.text), Limits{})
			var bad *Error
			switch errors.As(err, &bad); {
			case b.code == ok && err != nil:
				t.Fatalf("Decode = %v, want a message", err)
			case b.code != ok && bad == nil:
				t.Fatalf("Decode accepted it, want %d", b.code)
			case b.code != ok && bad.Code != b.code:
				t.Fatalf("Decode = %v, want %d", err, b.code)
			}
			if err == nil {
				agree(t, []byte(b.text), m)
			}
		})
	}
	t.Logf("%d bodies", len(bodies))
}

// agree checks that a careless parser reads the same message.
func agree(t *testing.T, text []byte, m *Message) {
	t.Helper()
	var careless struct {
		Method string          `json:"method"`
		ID     json.RawMessage `json:"id"`
		Params struct {
			Name any `json:"name"`
		} `json:"params"`
	}
	if err := json.Unmarshal(text, &careless); err != nil {
		t.Fatalf("encoding/json refuses what was accepted: %v", err)
	}
	if careless.Method != m.Method {
		t.Errorf("method: %q here, %q there", m.Method, careless.Method)
	}
	if string(careless.ID) != string(m.Bytes(m.ID)) {
		t.Errorf("id: %s here, %s there", m.Bytes(m.ID), careless.ID)
	}
	name, isText := m.Text(m.Name)
	if there, ok := careless.Params.Name.(string); isText != ok || there != name {
		t.Errorf("name: %q here, %q there", name, careless.Params.Name)
	}
}

func TestMessagesNameTheFault(t *testing.T) {
	for text, want := range map[string]string{
		call(`{"name":"a","name":"b"}`):                          `duplicate key "name" at params`,
		call(`{"name":"a","n\u0061me":"b"}`):                     `duplicate key "name" at params`,
		call(`{"arguments":{"a":[0,0,{"b":1,"b":2}]}}`):          `duplicate key "b" at params.arguments.a[2]`,
		`{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}`:           `duplicate key "id" at the top level`,
		call(`{"Name":"a"}`):                                     `key "Name" must be spelt "name"`,
		`[` + call(`{}`) + `]`:                                   `batches are not supported; send one message per request`,
		`{"jsonrpc":"2.0","id":1,"method":"x","Params":{}}`:      `key "Params" must be spelt "params"`,
		call(`{"_meta":{"IO.modelcontextprotocol/logLevel":1}}`): `key "IO.modelcontextprotocol/logLevel" must be spelt "io.modelcontextprotocol/logLevel"`,
	} {
		_, err := Decode([]byte(text), Limits{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Msg != want {
			t.Errorf("Decode(%s) = %v, want %s", text, err, want)
		}
	}
}

func TestRangesAreThoseOfTheBytes(t *testing.T) {
	text := ` {"jsonrpc":"2.0", "id" : 9007199254740993 ,"method":"tools\/call","params":{"name":"n\u0061me","arguments": {"a":1.50},` +
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":7,"x":[{}]},"cursor":"c"}} `
	m, err := Decode([]byte(text), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	name, _ := m.Text(m.Name)
	version, _ := m.Text(m.ProtocolVersion)
	for _, c := range []struct{ got, want string }{
		{m.Method, "tools/call"}, {name, "name"}, {version, "2026-07-28"}, {string(m.Bytes(m.ID)), "9007199254740993"},
		{string(m.Bytes(m.Arguments)), `{"a":1.50}`}, {string(m.Bytes(m.ProgressToken)), "7"}, {string(m.Bytes(m.Cursor)), `"c"`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestUpstreamsMayAddToTheEnvelope(t *testing.T) { // §4: unknown envelope keys are passed
	for text, accepted := range map[string]bool{
		`{"jsonrpc":"2.0","id":1,"result":{},"extra":1}`:              true,
		`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}`: true,
		`{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}`:             false,
		`{"jsonrpc":"2.0","id":null,"result":{}}`:                     false,
	} {
		if _, err := Decode([]byte(text), Limits{Upstream: true}); (err == nil) != accepted {
			t.Errorf("Decode(%s) = %v, want accepted: %t", text, err, accepted)
		}
	}
}

func TestDeepNestingIsRefusedAtOnce(t *testing.T) { // J9
	text := []byte(call(`{"a":` + strings.Repeat("[", 200_000)))
	start := time.Now()
	if _, err := Decode(text, Limits{}); err == nil {
		t.Fatal("accepted")
	}
	if took := time.Since(start); took > 50*time.Millisecond {
		t.Errorf("took %v, want under 50ms", took)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range corpus() {
		if len(b.text) < 4096 {
			f.Add([]byte(b.text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Decode(text, Limits{})
		if err != nil {
			return
		}
		agree(t, text, m)
	})
}

func BenchmarkDecode(b *testing.B) {
	small := []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_order","arguments":{"id":42,"expand":["lines","customer"]},` +
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},` +
		`"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}}}`)
	large := []byte(call(`{"name":"put","arguments":{"text":"` + strings.Repeat("Lorem ipsum dolor sit amet. ", 9400) + `"}}`))
	for name, text := range map[string][]byte{"small": small, "256KiB": large} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(text, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
