package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	invopop "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
)

var update = flag.Bool("update", false, "write the generated schema, manual and golden files")

const schemaID = "https://github.com/drawbridge-mcp/drawbridge/schemas/drawbridge.schema.json"

// sourceComments reads the comments of every room that has configuration structs.
func sourceComments(t *testing.T) strictyaml.Comments {
	t.Helper()
	const module = "github.com/drawbridge-mcp/drawbridge"
	t.Chdir("../..")
	var r invopop.Reflector
	for _, room := range []string{"./proxy", "./openapi", "./llm", "./mcp", "./oauth", "./cmd/drawbridge"} {
		if err := r.AddGoComments(module, room, invopop.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	return func(typ reflect.Type, field string) string {
		name := typ.PkgPath() + "." + typ.Name()
		if strings.HasPrefix(name, "main.") {
			name = module + "/cmd/drawbridge." + typ.Name()
		}
		if field != "" {
			name += "." + field
		}
		return r.CommentMap[name]
	}
}

func TestSchemaIsGeneratedFromTheTypes(t *testing.T) { // S1, S3
	comments := sourceComments(t)
	got, err := strictyaml.Schema(&Config{}, schemaID, comments)
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "samples/drawbridge.schema.json", got)
}

const manualIntro = `# The configuration file

Generated from the types that read it; do not edit (` + "`go test ./cmd/drawbridge -run Manual -update`" + `).

YAML, strict: an unknown or repeated key is an error with its line. Secrets are references, ` + "`env:NAME` or `file:PATH`" + `
(relative to the configuration file), never values. ` + "`${VAR}` and `${VAR:-default}`" + ` are replaced inside texts, after parsing.
Durations are written ` + "`300ms`, `30s`, `5m`, `24h`, `7d`; sizes `512`, `64KiB`, `10MiB`, `1GiB`" + `. ` + "`drawbridge validate`" + ` checks a file,
and ` + "`# yaml-language-server: $schema=./drawbridge.schema.json`" + ` as its first line lets an editor check it while you type.
`

func TestManualIsGeneratedFromTheTypes(t *testing.T) { // S4
	comments := sourceComments(t)
	shared := map[reflect.Type]string{reflect.TypeFor[policy.Entry](): "policy"}
	matches(t, "samples/CONFIGURATION.md", strictyaml.Manual(&Config{}, manualIntro, "0.1", shared, comments))
}

func TestEveryKeyHasADescription(t *testing.T) { // S1
	var doc map[string]any
	data, err := os.ReadFile("../../samples/drawbridge.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	check := func(where string, object any) {
		properties, _ := object.(map[string]any)["properties"].(map[string]any)
		for key, p := range properties {
			if p.(map[string]any)["description"] == nil {
				t.Errorf("%s.%s has no description", where, key)
			}
		}
	}
	check("", doc)
	for name, def := range doc["$defs"].(map[string]any) {
		check(name, def)
	}
}

// matches compares a generated file with the one in the project, or writes it with -update.
func matches(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs from what the types say; run go test ./cmd/drawbridge -update", path)
	}
}

// compiledSchema is the schema as an editor uses it.
func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("../../samples/drawbridge.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON reads YAML as editors do: YAML 1.2.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if _, faults := strictyaml.Decode(text, &v, strictyaml.Options{Raw: true}); len(faults) > 0 {
		t.Fatal(faults)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchemaAcceptsTheSamplesAndTheContract(t *testing.T) { // S2
	schema := compiledSchema(t)
	files, err := filepath.Glob("../../samples/quickstart/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, file := range append(files, "testdata/config/contract.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, data)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !bytes.HasPrefix(data, []byte("# yaml-language-server: $schema=")) {
			t.Errorf("%s does not name its schema in the first line", file)
		}
	}
}

// yamlBlock is a YAML example in a document.
var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

func TestExamplesInDocumentsAreGoodConfigurations(t *testing.T) { // S2
	schema := compiledSchema(t)
	files, _ := filepath.Glob("../../docs/*.md")
	samples, _ := filepath.Glob("../../samples/*.md")
	readme, _ := filepath.Glob("../../*.md")
	for _, file := range slices.Concat(files, samples, readme) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range yamlBlock.FindAllSubmatch(data, -1) {
			if err := schema.Validate(asJSON(t, block[1])); err != nil {
				t.Errorf("%s, YAML block %d: %v", file, i+1, err)
			}
		}
	}
}

func TestSchemaRefusesWhatIsBadByItsStructure(t *testing.T) { // S2
	schema := compiledSchema(t)
	for name, text := range map[string]string{
		"unknown key":            "lisen: 127.0.0.1:80\n",
		"unknown nested key":     "limits: {mcp_bodyy: 1MiB}\n",
		"wrong type":             "apis: {name: a}\n",
		"text for a number":      "limits: {sessions: many}\n",
		"text for a boolean":     "telemetry: {log: {access: yes}}\n",
		"bad enum":               "sign_in: {provider: google}\n",
		"required key missing":   "backends: [{name: a}]\n",
		"required text empty":    "backends: [{name: a, url: ''}]\n",
		"duration without unit":  "limits: {drain: 5}\n",
		"decimal size":           "limits: {llm_body: 10MB}\n",
		"literal secret":         "backends: [{name: a, url: 'https://a', credential: {kind: bearer, value: hunter2}}]\n",
		"name form":              "products: [{name: Team A}]\n",
		"public_url not a URL":   "public_url: gw.example.com\n",
		"three keys":             "subscriptions: [{name: a, product: b, keys: ['env:A', 'env:B', 'env:C']}]\n",
		"no keys":                "subscriptions: [{name: a, product: b, keys: []}]\n",
		"unknown policy":         "policies: [{rate_limits: {calls: 1}}]\n",
		"policy without its key": "policies: [{rate_limit: {per: 1m}}]\n",
		"status out of range":    "policies: [{quota: {calls: 1, per: fortnight}}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := schema.Validate(asJSON(t, []byte(text))); err == nil {
				t.Error("accepted")
			}
		})
	}
}
