package paramheader

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

const declaring = `{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},
	"deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},"flag":{"type":"boolean","x-mcp-header":"Flag"}}}`

func TestWhatIsWrittenPassesTheCheck(t *testing.T) { // H6, H8, U1
	declared := Declared(json.RawMessage(declaring))
	for _, args := range []string{
		`{"region":"eu","deep":{"n":12},"flag":true}`, `{"region":" è\n","flag":false}`, `{"region":"=?base64?eA==?="}`, `{"region":null}`, `{}`, `{"region":""}`,
		`{"deep":{"n":90071992547409931234}}`,
	} {
		h := http.Header{}
		Write(declared, json.RawMessage(args), h)
		if err := Check(declared, json.RawMessage(args), h); err != nil {
			t.Errorf("%s with %v: %v", args, h, err)
		}
		for _, values := range h {
			for _, c := range []byte(values[0]) {
				if c < ' ' || c > '~' {
					t.Errorf("%s: header %q", args, values[0])
				}
			}
		}
	}
}

func TestHeadersThatContradictTheBodyAreRefused(t *testing.T) { // H7, H8
	declared := Declared(json.RawMessage(declaring))
	for args, h := range map[string]http.Header{
		`{"region":"eu"}`:        {},
		`{"region":"eu" }`:       {"Mcp-Param-Region": {"us"}},
		`{"region":"eu"  }`:      {"Mcp-Param-Region": {"eu", "eu"}},
		`{}`:                     {"Mcp-Param-Region": {"eu"}},
		`{"deep":{"n":1.5}}`:     {"Mcp-Param-N": {"1.5"}},
		`{"region":"eu"   }`:     {"Mcp-Param-Region": {"=?base64?!?="}},
		`{"deep":{"n":{"a":1}}}`: {"Mcp-Param-N": {`{"a":1}`}},
	} {
		err := Check(declared, json.RawMessage(args), h)
		if e, ok := err.(*edge.Error); !ok || e.Code != edge.CodeHeaderMismatch {
			t.Errorf("%s with %v: %v", args, h, err)
		}
	}
}

func TestSchemasThatClientsDrop(t *testing.T) { // U1
	for schema, good := range map[string]bool{
		declaring: true,
		`{"type":"object","properties":{"a":{"type":"string"}}}`:                                                             true,
		`{"type":"object","properties":{"a":{"type":"array","x-mcp-header":"A"}}}`:                                           false,
		`{"type":"object","properties":{"a":{"x-mcp-header":"A"}}}`:                                                          false,
		`{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A b"}}}`:                                        false,
		`{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"é"}}}`:                                          false,
		`{"type":"object","properties":{"a":{"type":"string","x-mcp-header":7}}}`:                                            false,
		`{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}`: false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}`:                 false,
		`{"type":"object","anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}`:                              false,
	} {
		if err := Fault(json.RawMessage(schema)); (err == nil) != good {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

func TestNamesSurviveAsHeaders(t *testing.T) { // SEP-2243
	for name, want := range map[string]string{
		"get_order": "get_order", "ä": "=?base64?w6Q=?=", " x": "=?base64?IHg=?=", "=?base64?x?=": "=?base64?PT9iYXNlNjQ/eD89?=", "a\nb": "=?base64?YQpi?=",
	} {
		if got := Value(name); got != want {
			t.Errorf("Value(%q) = %s, want %s", name, got, want)
		}
	}
}
