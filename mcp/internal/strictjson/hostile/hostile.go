// Package hostile holds the request bodies of mcp.md §4 that some parser somewhere reads differently from ours, and their
// harmless neighbours. The decoder's tests and those of the whole face share it.
package hostile

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Codes of refusals, written out so that the decoder's own cannot hide a change.
const (
	ok      = 0
	parse   = -32700
	invalid = -32600
	badArgs = -32602
)

// Body is one request body. Code is that of its refusal; 0 means that it is a message, the same to every parser.
type Body struct {
	Name string
	Text string
	Code int
}

func call(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
}

// Bodies are those of mcp.md §4: each is refused with its code, or means the same to every parser.
func Bodies() []Body {
	list := grammar()
	list = append(list, duplicates()...)
	list = append(list, lookalikes()...)
	list = append(list, envelopes()...)
	return append(list, values()...)
}

func grammar() []Body { // J1, J2, J8, J9
	valid := call(`{"name":"safe"}`)
	var list []Body
	bad := func(name, text string) { list = append(list, Body{name, text, parse}) }
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
		Body{"batch", "[" + valid + "]", invalid},
		Body{"empty batch", "[]", invalid},
		Body{"64 deep", call(`{"a":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}`), ok},
		Body{"65 deep", call(`{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`), invalid},
		Body{"200,000 brackets", call(`{"a":` + strings.Repeat("[", 200_000)), invalid},
		Body{"200,000 braces", call(strings.Repeat(`{"a":`, 200_000)), invalid},
		Body{"100,001 members", call(`{"a":[` + strings.Repeat("1,", 100_000) + `1]}`), invalid},
		Body{"white space around", " \r\n\t" + valid + " \r\n\t", ok},
	)
	return list
}

func duplicates() []Body { // J3
	var list []Body
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
			list = append(list, Body{"duplicate " + pair.how + " in " + at.level, text, invalid})
		}
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"k%d":1,`, i)
	}
	list = append(list,
		Body{"duplicate among many keys", call(`{` + many.String() + `"k50":2}`), invalid},
		Body{"many keys, no duplicate", call(`{` + many.String() + `"k100":2}`), ok},
		Body{"the same key in two objects", call(`{"a":{"x":1},"b":{"x":1}}`), ok},
		Body{"the same key inside and outside", call(`{"name":"n","arguments":{"name":"m"}}`), ok},
	)
	return list
}

func lookalikes() []Body { // J4, J5
	var list []Body
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
			list = append(list, Body{fmt.Sprintf("look-alike %q", v), c.frame(v), invalid})
		}
	}
	return append(list,
		Body{"Name and name", call(`{"Name":"danger","name":"safe"}`), invalid},
		Body{"name and Name", call(`{"name":"safe","Name":"danger"}`), invalid},
		Body{"unknown key in the envelope", inEnvelope("extra"), invalid},
		Body{"unknown key in params", call(`{"name":"n","extra":1}`), ok},
		Body{"unknown key in _meta", call(`{"_meta":{"com.example/x":1}}`), ok},
		Body{"look-alike in arguments is data", call(`{"name":"n","arguments":{"Name":"x","name":"y"}}`), ok},
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

func envelopes() []Body { // J6, J7, J10
	id := func(v string) string { return `{"jsonrpc":"2.0","id":` + v + `,"method":"ping"}` }
	list := []Body{
		{"string id", id(`"a"`), ok}, {"empty id", id(`""`), ok}, {"id 0", id("0"), ok}, {"negative id", id("-5"), ok},
		{"big id", id("9007199254740993"), ok}, {"id of 256 bytes", id(`"` + strings.Repeat("x", 256) + `"`), ok},
		{"id of 257 bytes", id(`"` + strings.Repeat("x", 257) + `"`), invalid},
		{"id with a fraction", id("1.5"), invalid}, {"id 1.0", id("1.0"), invalid}, {"id with an exponent", id("1e3"), invalid},
		{"null id", id("null"), invalid}, {"bool id", id("true"), invalid}, {"array id", id("[1]"), invalid},
		{"object id", id("{}"), invalid},
		{"no jsonrpc", `{"id":1,"method":"ping"}`, invalid}, {"jsonrpc 1.0", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, invalid},
		{"jsonrpc as a number", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, invalid},
		{"jsonrpc escaped", `{"jsonrpc":"2\u002e0","id":1,"method":"ping"}`, ok},
		{"no method", `{"jsonrpc":"2.0","id":1}`, invalid},
		{"method as a number", `{"jsonrpc":"2.0","id":1,"method":1}`, invalid},
		{"method as an array", `{"jsonrpc":"2.0","id":1,"method":["ping"]}`, invalid},
		{"empty method", `{"jsonrpc":"2.0","id":1,"method":""}`, invalid},
		{"method of 128", `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("m", 128) + `"}`, ok},
		{"method of 129", `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("m", 129) + `"}`, invalid},
		{"method and result", `{"jsonrpc":"2.0","id":1,"method":"x","result":{}}`, invalid},
		{"result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, invalid},
		{"answer without id", `{"jsonrpc":"2.0","result":{}}`, invalid},
		{"answer", `{"jsonrpc":"2.0","id":1,"result":{}}`, ok},
		{"answer of null", `{"jsonrpc":"2.0","id":1,"result":null}`, ok},
		{"error", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`, ok},
		{"error as a text", `{"jsonrpc":"2.0","id":1,"error":"x"}`, invalid},
		{"notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, ok},
		{"params as an array", call(`[]`), badArgs}, {"params as a text", call(`"x"`), badArgs},
		{"params null", call(`null`), badArgs}, {"params as a number", call(`1`), badArgs},
		{"half a pair in the name", call(`{"name":"a\ud800"}`), invalid},
		{"low half in the name", call(`{"name":"\udc00"}`), invalid},
		{"two high halves in the name", call(`{"name":"\ud83d\ud83d"}`), invalid},
		{"half a pair in the uri", call(`{"uri":"\ud800x"}`), invalid},
		{"half a pair in the method", `{"jsonrpc":"2.0","id":1,"method":"\ud800"}`, invalid},
		{"half a pair in a key", call(`{"arguments":{"\ud800":1}}`), invalid},
		{"half a pair in a value", call(`{"name":"n","arguments":{"a":"\ud800"}}`), ok},
		{"a pair in the name", call(`{"name":"\ud83d\ude00"}`), ok},
		{"a text", `"x"`, invalid}, {"a number", `1`, invalid}, {"null", `null`, invalid},
	}
	return list
}

func values() []Body { // J11: what a name is, is the server's matter; that it is one value, is ours
	var list []Body
	for _, v := range []string{`"safe"`, `"s\u0061fe"`, `" safe"`, `"safe\u0000"`, `["safe"]`, `{"a":1}`, `5`, `null`, `true`, `""`} {
		list = append(list, Body{"name " + v, call(`{"name":` + v + `}`), ok})
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
