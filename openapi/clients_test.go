package openapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The rules of §6.1, one function per client. They read what is advertised and know nothing of the translator.

// offered is one schema of a tool, as a client gets it.
type offered struct {
	root    map[string]any
	input   bool
	profile Profile
}

// clients are the rows of §6.1. Names and sizes of tools are checked beside them (cleanTool).
var clients = []struct {
	name  string
	rules func(offered) []string
}{
	{"MCP", mcpRules}, {"VS Code", vsCodeRules}, {"Anthropic", anthropicRules}, {"OpenAI", openAIRules},
	{"Gemini", geminiRules}, {"hosted runtimes", hostedRules}, {"profile", profileRules},
}

// unclean lists what is wrong with a schema of profile universal; meta asks for the metaschemas as well.
func unclean(raw json.RawMessage, input, meta bool) []string {
	return uncleanFor(Universal, raw, input, meta)
}

func uncleanFor(p Profile, raw json.RawMessage, input, meta bool) []string {
	v, err := decodeJSON(raw)
	if err != nil {
		return []string{err.Error()}
	}
	root, ok := v.(map[string]any)
	if !ok {
		return []string{"not an object"}
	}
	var faults []string
	for _, c := range clients {
		for _, fault := range c.rules(offered{root, input, p}) {
			faults = append(faults, c.name+": "+fault)
		}
	}
	if meta {
		for _, m := range metaschemas() {
			if err := m.Validate(v); err != nil {
				faults = append(faults, m.Location+": "+shorten(err.Error(), 300))
			}
		}
	}
	return faults
}

var metaschemas = sync.OnceValue(func() []*jsonschema.Schema {
	c := jsonschema.NewCompiler()
	return []*jsonschema.Schema{c.MustCompile("https://json-schema.org/draft/2020-12/schema"), c.MustCompile("http://json-schema.org/draft-07/schema")}
})

// compiles says whether a schema compiles under both drafts.
func compiles(raw json.RawMessage) error {
	for _, draft := range []*jsonschema.Draft{jsonschema.Draft2020, jsonschema.Draft7} {
		c := jsonschema.NewCompiler()
		c.DefaultDraft(draft)
		c.UseLoader(noLoader{})
		doc, err := decodeJSON(raw)
		if err != nil {
			return err
		}
		if err := c.AddResource("mem:///x", doc); err != nil {
			return err
		}
		if _, err := c.Compile("mem:///x"); err != nil {
			return err
		}
	}
	return nil
}

// eachSchema visits a schema and those below it, wherever one may stand.
func eachSchema(s map[string]any, at string, visit func(s map[string]any, at string)) {
	visit(s, at)
	for _, key := range []string{"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"} {
		if child, ok := s[key].(map[string]any); ok {
			eachSchema(child, at+"/"+key, visit)
		}
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf", "prefixItems"} {
		list, _ := s[key].([]any)
		for i, m := range list {
			if child, ok := m.(map[string]any); ok {
				eachSchema(child, fmt.Sprintf("%s/%s/%d", at, key, i), visit)
			}
		}
	}
	for _, key := range []string{"properties", "$defs", "patternProperties", "dependentSchemas"} {
		children, _ := s[key].(map[string]any)
		for name, m := range children {
			if child, ok := m.(map[string]any); ok {
				eachSchema(child, at+"/"+key+"/"+name, visit)
			}
		}
	}
}

func faultsOf(root map[string]any, rule func(s map[string]any) string) []string {
	var faults []string
	eachSchema(root, "", func(s map[string]any, at string) {
		if text := rule(s); text != "" {
			faults = append(faults, at+": "+text)
		}
	})
	return faults
}

func mcpRules(a offered) []string {
	var faults []string
	if a.root["type"] != "object" {
		faults = append(faults, "the root is no object")
	}
	return append(faults, faultsOf(a.root, func(s map[string]any) string {
		if ref, ok := s["$ref"].(string); ok && !strings.HasPrefix(ref, "#/$defs/") {
			return "reference " + ref
		}
		return ""
	})...)
}

func rootFaults(root map[string]any) []string {
	var faults []string
	for _, key := range []string{"oneOf", "anyOf", "allOf", "not", "if", "then", "else", "enum", "$ref", "$schema", "$id", "title"} {
		if _, ok := root[key]; ok {
			faults = append(faults, key+" at the root")
		}
	}
	return faults
}

func isArraySchema(s map[string]any) bool {
	list, _ := s["type"].([]any)
	return s["type"] == "array" || slices.Contains(list, any("array"))
}

func withoutItems(s map[string]any) string {
	if items, ok := s["items"].(map[string]any); isArraySchema(s) && (!ok || len(items) == 0) {
		return "an array without items"
	}
	return ""
}

func vsCodeRules(a offered) []string {
	faults := rootFaults(a.root)
	if _, ok := a.root["properties"].(map[string]any); a.input && !ok {
		faults = append(faults, "the root has no properties")
	}
	faults = append(faults, faultsOf(a.root, withoutItems)...)
	return append(faults, faultsOf(a.root, func(s map[string]any) string {
		props, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, r := range required {
			if name, ok := r.(string); !ok || props[name] == nil {
				return fmt.Sprintf("required %v is no property", r)
			}
		}
		if _, there := s["required"]; there && len(required) == 0 {
			return "required is empty"
		}
		return ""
	})...)
}

var argument = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func anthropicRules(a offered) []string {
	return append(rootFaults(a.root), faultsOf(a.root, func(s map[string]any) string {
		props, _ := s["properties"].(map[string]any)
		for name := range props {
			if !argument.MatchString(name) {
				return fmt.Sprintf("property %q", name)
			}
		}
		return ""
	})...)
}

func openAIRules(a offered) []string {
	var faults []string
	if a.root["type"] != "object" || a.root["properties"] == nil && (a.input || a.root["additionalProperties"] == nil) {
		faults = append(faults, "the root is no object with properties")
	}
	faults = append(faults, faultsOf(a.root, withoutItems)...)
	return append(faults, faultsOf(a.root, func(s map[string]any) string {
		props, _ := s["properties"].(map[string]any)
		for name, p := range props {
			if _, ok := p.(map[string]any); !ok {
				return fmt.Sprintf("property %q is no schema", name)
			}
		}
		if _, isMap := s["additionalProperties"].(map[string]any); s["type"] == "object" && s["properties"] == nil && !isMap {
			return "an object without properties"
		}
		return ""
	})...)
}

var geminiWords = words2set("type format title description nullable enum minItems maxItems properties required minProperties maxProperties minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum")

func geminiRules(a offered) []string {
	if a.profile != Gemini {
		return nil
	}
	return faultsOf(a.root, func(s map[string]any) string {
		for k := range s {
			if !geminiWords[k] {
				return "keyword " + k
			}
		}
		if f, ok := s["format"]; ok && f != "date-time" && f != "enum" {
			return fmt.Sprintf("format %v", f)
		}
		enum, _ := s["enum"].([]any)
		for _, e := range enum {
			if _, ok := e.(string); !ok {
				return fmt.Sprintf("%v in an enum", e)
			}
		}
		typ, typed := s["type"].(string)
		switch {
		case !typed && s["anyOf"] == nil:
			return "no type"
		case typed && typ == "null":
			return "type null"
		case len(enum) > 0 && typ != "string":
			return "an enum of type " + typ
		case s["nullable"] != nil && !typed:
			return "nullable without a type"
		}
		return ""
	})
}

func hostedRules(a offered) []string {
	if a.profile == Rich {
		return nil
	}
	return faultsOf(a.root, func(s map[string]any) string {
		if s["$ref"] != nil || s["$defs"] != nil {
			return "a reference"
		}
		return ""
	})
}

var (
	universalWords = words2set("additionalProperties anyOf contentEncoding default description enum format items maxItems maxLength maxProperties maximum minItems minLength minProperties minimum multipleOf pattern properties required type uniqueItems")
	richWords      = words2set("$defs $ref allOf oneOf not if then else dependentRequired dependentSchemas patternProperties propertyNames contains minContains maxContains exclusiveMinimum exclusiveMaximum")
	formats        = words2set("date-time date time email uri uuid ipv4 ipv6")
)

// profileRules are the columns of §6.2.
func profileRules(a offered) []string {
	var faults []string
	if a.input && a.profile != Gemini && a.root["additionalProperties"] != false {
		faults = append(faults, "the root takes other arguments")
	}
	return append(faults, faultsOf(a.root, func(s map[string]any) string {
		for k := range s {
			if !universalWords[k] && !(a.profile == Rich && richWords[k]) && !(a.profile == Gemini && k == "nullable") {
				return "keyword " + k
			}
		}
		if len(s) == 0 && a.input && a.profile != Rich {
			return "an empty schema"
		}
		if b, ok := s["additionalProperties"].(bool); ok && b && a.profile != Rich {
			return "additionalProperties: true"
		}
		if _, list := s["type"].([]any); list && a.input && a.profile != Rich {
			return "a list of types"
		}
		if f, ok := s["format"].(string); ok && a.profile == Universal && !formats[f] {
			return "format " + f
		}
		if !a.input {
			for _, k := range []string{"required", "format", "pattern", "enum", "minimum", "maximum", "minLength", "maxLength"} { // O3
				if s[k] != nil {
					return k + " in an output schema"
				}
			}
		}
		if ref, ok := s["$ref"].(string); ok {
			defs, _ := a.root["$defs"].(map[string]any)
			if defs[strings.TrimPrefix(ref, "#/$defs/")] == nil {
				return "dangling " + ref
			}
		}
		return ""
	})...)
}

func words2set(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

var toolNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)

// cleanTools lists what is wrong with the tools of a document: every schema under every client's rules, names, texts and
// sizes (N3, D3, §6.4).
func cleanTools(d *Document, p Profile, meta bool) []string {
	var faults []string
	names := map[string]bool{}
	add := func(t *Tool, list ...string) {
		for _, f := range list {
			faults = append(faults, t.Name+": "+f)
		}
	}
	large := map[string]bool{}
	for _, w := range d.Warnings {
		if w.Message == "schema: the arguments' names alone exceed 32KiB" {
			large[w.At] = true
		}
	}
	for _, t := range d.Tools {
		if !toolNames.MatchString(t.Name) || names[strings.ToLower(t.Name)] {
			add(t, "the name is not valid or not unique")
		}
		names[strings.ToLower(t.Name)] = true
		if n := len([]rune(t.Description)); n == 0 || n > maxToolText {
			add(t, fmt.Sprintf("a description of %d characters", n))
		}
		if t.Bytes > maxToolBytes && !large[t.Method+" "+t.Path] || t.Bytes > hardToolBytes {
			add(t, fmt.Sprintf("%d bytes", t.Bytes))
		}
		add(t, uncleanFor(p, t.InputSchema, true, meta)...)
		if t.OutputSchema != nil {
			add(t, uncleanFor(p, t.OutputSchema, false, meta)...)
			if len(t.OutputSchema) > maxOutputBytes {
				add(t, fmt.Sprintf("an output schema of %d bytes", len(t.OutputSchema)))
			}
		}
	}
	return faults
}
