package strictjson

import (
	"encoding/json"
	"reflect"
	"testing"
)

// everySpan is a message in which every place that a Message can know is there, in two orders.
var everySpan = []string{
	`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x\u0041","uri":"u:v","arguments":{"name":"n"},"cursor":"c",` +
		`"requestState":"s","inputResponses":{},"taskId":"t","task":{},"level":"info","requestId":7,"protocolVersion":"p","capabilities":{},` +
		`"clientInfo":{},"notifications":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{},"io.modelcontextprotocol/logLevel":"info",` +
		`"io.modelcontextprotocol/subscriptionId":1,"progressToken":"p"}}}`,
	` {"params":{"_meta":{"progressToken":1,"x":[1,{"name":2}]},"notifications":{},"uri":"u","arguments":{},"cursor":"c","name":"b" } ,"method":"m","id":3,"jsonrpc":"2.0"} `,
	`{"params":{"ref":{"type":"ref/prompt","name":"p"},"name":"","uri":""},"method":"completion/complete","jsonrpc":"2.0","id":-1}`,
}

func TestAReplacedTextIsWhatDecodingTheNewBytesGives(t *testing.T) { // mcp.md C3
	for _, body := range everySpan {
		for _, text := range []string{"", "x", "a much longer name than before", "\"\\\n\u2028é<&>\x01"} {
			checkReplaced(t, []byte(body), text)
		}
	}
}

func TestEverySpanOfAMessageMoves(t *testing.T) {
	known := map[*Span]bool{}
	m := &Message{}
	for _, s := range m.spans() {
		known[s] = true
	}
	v, count := reflect.ValueOf(m).Elem(), 0
	for i := range v.NumField() {
		if v.Field(i).Type() == reflect.TypeFor[Span]() {
			count++
		}
	}
	if count != len(known) {
		t.Errorf("a message has %d spans, WithText moves %d", count, len(known))
	}
}

// checkReplaced replaces each string of params and compares with the decoder's own view of the new bytes.
func checkReplaced(t *testing.T, body []byte, text string) {
	t.Helper()
	m, err := Decode(body, Limits{})
	if err != nil {
		return
	}
	before := string(m.Body)
	for _, s := range []Span{m.Name, m.URI, m.Cursor, m.Member(m.Member(m.Params, "ref"), "name")} {
		if _, ok := m.Text(s); !ok {
			continue
		}
		got := m.WithText(s, text)
		want, err := Decode(got.Body, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", got.Body, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s with %q:\ngot  %+v\nwant %+v", body, text, got, want)
		}
		if said, _ := got.Text(Span{s.Start, s.End + len(got.Body) - len(m.Body)}); said != reread(text) {
			t.Errorf("%s: reads %q, want %q", got.Body, said, text)
		}
	}
	if string(m.Body) != before {
		t.Error("the message itself was changed")
	}
}

// reread is text as it comes back from JSON.
func reread(text string) (back string) {
	b, _ := json.Marshal(text)
	_ = json.Unmarshal(b, &back)
	return back
}

func FuzzWithText(f *testing.F) {
	for _, body := range everySpan {
		f.Add([]byte(body), "other")
	}
	f.Fuzz(func(t *testing.T, body []byte, text string) { checkReplaced(t, body, text) })
}
