package openapi

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTextsStandForEnumsInProfileGemini(t *testing.T) { // §6.2
	doc := `{"openapi":"3.1.0","info":{},"paths":{"/x":{"post":{"operationId":"op","parameters":[{"name":"page","in":"query","schema":{"type":"integer","enum":[10,25,50],"default":25}}],
		"requestBody":{"content":{"application/json":{"schema":{"type":"object","properties":{"level":{"enum":[1,"high",2.50,true]},"flag":{"type":"boolean","enum":[true]},
		"list":{"type":"array","items":{"type":"object","properties":{"@n":{"type":"integer","enum":[1,2]}}}},"map":{"type":"object","additionalProperties":{"type":"integer","enum":[7]}},
		"maybe":{"type":["integer","null"],"enum":[3,null]},"free":{}}}}}}}}}}`
	base, seen := echoServer(t)
	tool := importText(t, doc, Options{Profile: Gemini}).Tools[0]
	for _, want := range []string{`"page":{"default":"25","enum":["10","25","50"],"type":"string"}`, `"flag":{"enum":["true"],"type":"string"}`} {
		if !strings.Contains(string(tool.InputSchema), want) {
			t.Errorf("%s lacks %s", tool.InputSchema, want)
		}
	}
	reportFaults(t, uncleanFor(Gemini, tool.InputSchema, true, true))
	e, err := send(t, tool, base, seen, `{"page":"10","level":"2.50","flag":"true","list":[{"n":"2"}],"map":{"a":"7"},"maybe":"3","free":"1"}`)
	if err != nil {
		t.Fatal(err)
	}
	if e.URI != "/x?page=10" {
		t.Errorf("URI %s", e.URI)
	}
	if got, want := string(e.Body), `{"flag":true,"free":"1","level":2.50,"list":[{"@n":2}],"map":{"a":7},"maybe":3}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	e, err = send(t, tool, base, seen, `{"level":"high"}`)
	if err != nil || string(e.Body) != `{"level":"high"}` {
		t.Errorf("sent %v, %v", e, err)
	}
	if _, err := tool.BuildRequest(t.Context(), base, json.RawMessage(`{"level":"low"}`)); err == nil {
		t.Error("a text that stands for nothing is taken")
	}
}

func TestAnUnknownProfileIsRefused(t *testing.T) {
	_, err := Import(t.Context(), Source{Data: []byte(ordersDoc)}, Options{Profile: "poor"})
	if err == nil || err.Error() != `profile "poor": want universal, rich or gemini` {
		t.Errorf("error = %v", err)
	}
}
