package strictyaml

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// comments stand for those of the source: every field says its own name.
func comments(t reflect.Type, field string) string {
	if field == "" {
		return "A " + t.Name() + "."
	}
	return "The " + field + " of a " + t.Name() + ",\nor none."
}

func schemaOf(t *testing.T) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	data, err := Schema(&document{}, "https://example.com/d.json", comments)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("https://example.com/d.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("https://example.com/d.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled, doc.(map[string]any)
}

func TestSchemaSaysWhatTagsSay(t *testing.T) { // S1
	_, doc := schemaOf(t)
	properties := doc["properties"].(map[string]any)
	for key, want := range map[string]string{
		"listen":  `{"default":"127.0.0.1:8080","description":"The Listen of a document, or none.","pattern":"^$|^[^\\s/@]*:[0-9]{1,5}$|\\$\\{.+","type":"string"}`,
		"level":   `{"default":"info","description":"The Level of a document, or none.","enum":["info","off"],"type":"string"}`,
		"regions": `{"default":1,"description":"The Regions of a document, or none.","maximum":64,"minimum":1,"type":"integer"}`,
		"on":      `{"description":"The On of a document, or none.","type":"boolean"}`,
		"limits":  `{"$ref":"#/$defs/strictyaml.limits","description":"The Limits of a document, or none."}`,
		"later":   `{"description":"Not available in this version. The Later of a document, or none."}`,
		"fixed":   `{"description":"The Fixed of a document, or none."}`,
		"statuses": `{"default":[429,"500-599"],"description":"The Statuses of a document, or none.","items":{"pattern":` +
			`"^$|^[1-5][0-9]{2}(-[1-5][0-9]{2})?$|\\$\\{.+","type":"string"},"type":"array"}`,
		"upstream": `{"anyOf":[{"anyOf":[{"type":"string"},{"type":"number"},{"type":"boolean"}]},{"items":{"$ref":"#/$defs/strictyaml.person"},"type":"array"}],` +
			`"description":"The Upstream of a document, or none."}`,
	} {
		var got bytes.Buffer
		enc := json.NewEncoder(&got)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(properties[key]); err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(got.String()) != want {
			t.Errorf("%s:\n got %s\nwant %s", key, got.String(), want)
		}
	}
	if doc["additionalProperties"] != false {
		t.Error("unknown keys are not refused")
	}
}

// TestSchemaAndDecoderAgree runs both over the same files: what the schema refuses, the decoder refuses.
func TestSchemaAndDecoderAgree(t *testing.T) { // S2
	schema, _ := schemaOf(t)
	for _, c := range []struct {
		text string
		good bool
	}{
		{"listen: 127.0.0.1:80\n", true}, {"listen: ${X:-127.0.0.1:80}\n", true}, {"lisen: a\n", false}, {"on: yes\n", false},
		{"regions: 65\n", false}, {"limits: {wait: 30}\n", false}, {"limits: {keep: 0}\n", true}, {"limits: {keep: 1h30m}\n", true},
		{"limits: {body: 4096}\n", true}, {"limits: {body: 10MB}\n", false}, {"people: [{roles: [a]}]\n", false},
		{"people: [{name: a, roles: [a, b]}]\n", true}, {"tenants: [a, {id: b}]\n", true}, {"tenants: [{name: b}]\n", false},
		{"upstream: a\n", true}, {"upstream: [{name: a}]\n", true}, {"upstream: {name: a}\n", false}, {"secret: env:KEY\n", true},
		{"secret: hunter2\n", false}, {"level: debug\n", false}, {"labels: {a: b}\n", true}, {"labels: [a]\n", false}, {"fixed: [1, {a: b}]\n", true},
		{"people: alice\n", false}, {"ratio: 2\n", false}, {"breaker: {}\n", true},
	} {
		var free any
		if _, faults := Decode([]byte(c.text), &free, Options{Raw: true}); len(faults) > 0 {
			t.Fatal(faults)
		}
		if err := schema.Validate(asSchemaValue(t, free)); (err == nil) != c.good {
			t.Errorf("schema on %q: %v", c.text, err)
		}
		_, faults := Decode([]byte(c.text), &document{}, options())
		if (len(faults) == 0) != c.good {
			t.Errorf("decoder on %q: %v", c.text, faults)
		}
	}
}

func asSchemaValue(t *testing.T, v any) any {
	t.Helper()
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

func TestManualHasEveryKeyOnce(t *testing.T) { // S4
	text := string(Manual(&document{}, "# Intro\n", "0.1", map[reflect.Type]string{reflect.TypeFor[person](): "person"}, comments))
	for _, want := range []string{
		"# Intro\n", "| `listen` | host:port | `127.0.0.1:8080` | The Listen of a document, or none. | 0.1 |",
		"| `limits.body` | size | `4MiB` |", "| `people` | list of person |", "| `name` | text | required |", "| `secret` | `env:NAME` or `file:PATH` |",
		"- `later`\n", "- `workspace`\n",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is there %d times", want, strings.Count(text, want))
		}
	}
}

func TestFaultsInsideATextPointAtTheirCharacter(t *testing.T) { // C13
	_, pos, _ := decode(t, "labels:\n  a: one + two\n  b: 'one + two'\n")
	for path, want := range map[string]int{"labels.a": 6 + 6, "labels.b": 6 + 7} {
		if f := pos.Inside(path, 6, "x"); f.Column != want {
			t.Errorf("%s: column %d, want %d", path, f.Column, want)
		}
	}
	_, pos, _ = decode(t, "labels:\n  a: |\n    one\n    two\n  b: ${HOST} x\n")
	for path, want := range map[string]int{"labels.a": 6, "labels.b": 6} {
		if f := pos.Inside(path, 6, "x"); f.Column != want {
			t.Errorf("%s: column %d, want %d", path, f.Column, want)
		}
	}
}

func TestPlacesOfPathsThatTheFileDoesNotHave(t *testing.T) {
	_, pos, _ := decode(t, "people:\n  - {name: alice}\ntools:\n  \"GET /a.b\": {name: x}\n")
	for path, want := range map[string]Position{
		"people[0].roles[3]": {2, 5}, "people[0]": {2, 5}, "nothing.here": {1, 1}, `tools["GET /a.b"].roles`: {4, 15},
	} {
		if got := pos.Value(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestSecretFilesAreReadWithinTheirBounds(t *testing.T) { // §1.2
	dir := t.TempDir()
	for name, data := range map[string]string{"key": "0123456789abcdef\r\n", "empty": "\n", "big": strings.Repeat("x", maxSecret+1)} {
		if err := os.WriteFile(dir+"/"+name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{
		"key": "", "empty": "cannot read file empty: it is empty", "big": "cannot read file big: larger than 64KiB",
		".": "cannot read file .: is a directory", "none": "cannot read file none: no such file or directory",
	} {
		var doc document
		_, faults := Decode([]byte("secret: file:"+file+"\n"), &doc, Options{Dir: dir})
		got := ""
		if len(faults) > 0 {
			got = faults[0].Message
		} else if doc.Secret.Reveal() != "0123456789abcdef" {
			t.Error("the line's end is part of the secret")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func TestSuggestionsAreNear(t *testing.T) { // C3
	known := []string{"listen", "limits", "llm", "backends", "a"}
	for in, want := range map[string]string{
		"lisen": "listen", "lsiten": "listen", "backend": "backends", "limts": "limits", "x": "", "policies": "", "LISTEN": "", "": "",
		strings.Repeat("l", 200): "",
	} {
		if got := Suggest(in, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", in, got, want)
		}
	}
}
