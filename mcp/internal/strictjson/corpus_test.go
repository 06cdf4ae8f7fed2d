package strictjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson/hostile"
)

func call(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
}

func TestCorpusIsRefusedOrMeansOneThing(t *testing.T) { // J1 to J11
	bodies := hostile.Bodies()
	if len(bodies) < 150 {
		t.Fatalf("the corpus has %d bodies, want at least 150", len(bodies))
	}
	for _, b := range bodies {
		t.Run(b.Name, func(t *testing.T) {
			m, err := Decode([]byte(b.Text), Limits{})
			var bad *Error
			switch errors.As(err, &bad); {
			case b.Code == 0 && err != nil:
				t.Fatalf("Decode = %v, want a message", err)
			case b.Code != 0 && bad == nil:
				t.Fatalf("Decode accepted it, want %d", b.Code)
			case b.Code != 0 && bad.Code != b.Code:
				t.Fatalf("Decode = %v, want %d", err, b.Code)
			}
			if err == nil {
				agree(t, []byte(b.Text), m)
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
		`{"jsonrpc":"2.0","error":{"code":1,"message":""}}`:           true,
		`{"jsonrpc":"2.0","result":{}}`:                               false,
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
	for _, b := range hostile.Bodies() {
		if len(b.Text) < 4096 {
			f.Add([]byte(b.Text))
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
