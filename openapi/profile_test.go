package openapi

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// difficult are the documents that the other profiles are held to as well: the anchors, and those that hurt most.
var difficult = []string{
	"petstore-3.0.json", "github-api-3.0.json", "stripe-3.0.yaml", "kubernetes-2.0.json", "openai-3.1.yaml", "digitalocean-3.0/DigitalOcean-public.v2.yaml", "slack-web-2.0.json",
	"hubspot-forms-3.0.yaml", "telnyx-3.0.yaml", "bungie-3.0.yaml", "cortex-xsoar-2.0.json", "svix-3.1.yaml", "elevenlabs-3.1.yaml", "box-3.0.json", "vercel-3.0.yaml",
	"mcp-registry-3.1.yaml", "burgershop-3.1.yaml", "grpc-gateway-a-bit-of-everything-2.0.json", "weather-gov-3.0.json", "twilio-messaging-v1-3.0.yaml", "docker-engine-2.0.yaml",
}

func TestProfilesAreCleanOnDifficultDocuments(t *testing.T) { // §6.2
	dir, _ := corpus(t)
	for _, profile := range []Profile{Rich, Gemini} {
		for i, name := range difficult {
			if raced && i%4 != len(profile)%4 { // another quarter for each profile
				continue
			}
			t.Run(string(profile)+"/"+name, func(t *testing.T) {
				d, err := importFile(t, filepath.Join(dir, name), Options{Profile: profile})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range d.Panics() {
					t.Error(p)
				}
				if len(d.Tools) != d.Operations {
					t.Errorf("%d tools of %d operations", len(d.Tools), d.Operations)
				}
				reportFaults(t, cleanTools(d, profile, !raced))
				for i, tool := range d.Tools {
					if i%23 == 0 {
						if err := compiles(tool.InputSchema); err != nil {
							t.Errorf("%s: %v", tool.Name, err)
						}
					}
				}
			})
		}
	}
}

// names lists the arguments of a tool, the required ones marked.
func names(t *testing.T, tool *Tool) string {
	t.Helper()
	var s struct {
		Properties map[string]json.RawMessage
		Required   []string
	}
	if err := json.Unmarshal(tool.InputSchema, &s); err != nil {
		t.Fatal(err)
	}
	return strings.Join(sortedKeys(s.Properties), " ") + " required " + strings.Join(s.Required, " ")
}

func TestProfilesChangeNeitherNamesNorWhatIsRequired(t *testing.T) { // §6.2
	dir, _ := corpus(t)
	for _, name := range []string{"petstore-3.0.json", "openai-3.1.yaml", "slack-web-2.0.json", "box-3.0.json"} {
		plain, err := importFile(t, filepath.Join(dir, name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, profile := range []Profile{Rich, Gemini} {
			other, err := importFile(t, filepath.Join(dir, name), Options{Profile: profile})
			if err != nil {
				t.Fatal(err)
			}
			for i, tool := range plain.Tools {
				if o := other.Tools[i]; o.Name != tool.Name || o.Description != tool.Description || names(t, o) != names(t, tool) {
					t.Errorf("%s %s: %s %s, want %s %s", name, profile, o.Name, names(t, o), tool.Name, names(t, tool))
				}
			}
		}
	}
}

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
