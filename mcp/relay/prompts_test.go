package relay_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/mcp/mcptest"
)

// Rules are for tools. Prompts and resources of the upstream are everybody's who may use the server, even where they bear
// the name of a tool that is not.
func TestPromptsAndResourcesHaveNoRulesOfTheirOwn(t *testing.T) { // A6
	up := mcptest.NewUpstream(t)
	up.Session = true
	results := map[string]string{
		"prompts/list": `{"prompts":[{"name":"danger"}]}`, "prompts/get": `{"messages":[]}`,
		"resources/list": `{"resources":[{"uri":"tool://danger","name":"danger"}]}`, "resources/read": `{"contents":[]}`,
		"resources/templates/list": `{"resourceTemplates":[]}`, "completion/complete": `{"completion":{"values":["danger"]}}`,
	}
	for method, result := range results {
		up.On(method, func(w http.ResponseWriter, _ *http.Request, m mcptest.UpstreamMessage) { mcptest.JSON(w, m.ID, result) })
	}
	g := newGateway(t, up.URL, guarded)
	session := g.open()
	for method, params := range map[string]string{
		"prompts/list": ``, "prompts/get": `"name":"danger"`, "resources/list": ``, "resources/read": `"uri":"danger"`, "resources/templates/list": ``,
		"completion/complete": `"ref":{"type":"ref/prompt","name":"danger"},"argument":{"name":"a","value":""}`,
	} {
		want := `{"jsonrpc":"2.0","id":1,"result":` + results[method] + `}`
		if resp, body := g.do(g.legacy(session, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":{`+params+`}}`)); resp.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s, legacy: %d %s", method, resp.StatusCode, body)
		}
		name := ""
		if method == "prompts/get" || method == "resources/read" {
			name = "danger"
		}
		if params != "" {
			params += ","
		}
		if resp, body := g.do(g.modern(method, name, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":{`+params+meta+`}}`)); resp.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s, modern: %d %s", method, resp.StatusCode, body)
		}
	}
	before := len(up.Requests())
	if resp, body := g.do(g.call("danger", `{}`)); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "unknown tool: danger") || len(up.Requests()) != before {
		t.Errorf("the tool of that name: %d %s", resp.StatusCode, body)
	}
}
