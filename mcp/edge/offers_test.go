package edge_test

import (
	"encoding/json"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

func TestOffersAreTheQuestionsThatAClientAnswers(t *testing.T) { // §11.1: never more
	for declared, want := range map[string]string{
		"": "{}", "{}": "{}", "null": "{}", "[]": "{}", `{"sampling"`: "{}", `{"experimental":{"x":{}},"tasks":{}}`: "{}",
		`{"sampling":{},"elicitation":{}}`: `{"elicitation":{},"sampling":{}}`, `{"roots":{"listChanged":true}}`: `{"roots":{}}`,
		`{"elicitation":{"url":{"a":1},"form":{}},"sampling":{"tools":{},"context":{}}}`: `{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}}}`,
		`{"Sampling":{},"sampling ":{},"roots":true,"elicitation":null}`:                 "{}",
	} {
		if got := string(edge.Offers(json.RawMessage(declared))); got != want {
			t.Errorf("%s: %s, want %s", declared, got, want)
		}
	}
}
