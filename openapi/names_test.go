package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// checkNames counts the names of a document's inputs as they stand in it, parameters and top-level properties of bodies
// that are not readOnly, and how many of them a caller finds in the tools (§16). It shares nothing with the importer:
// another YAML reader, another way through references.
func checkNames(t *testing.T, path string, d *Document) (named, kept int) {
	t.Helper()
	r := &rawDocument{files: map[string]any{}}
	root := r.file(path)
	if root == nil {
		t.Errorf("%s: not read", path)
	}
	tools := map[string]*Tool{}
	for _, tool := range d.Tools {
		tools[tool.Method+" "+tool.Path] = tool
	}
	var lost []string
	at := place{path, root}
	for p, item := range at.get("paths").members() {
		item = r.follow(item)
		for method, o := range item.members() {
			tool := tools[strings.ToUpper(method)+" "+p]
			if tool == nil {
				continue
			}
			want := r.inputs(p, item, r.follow(o))
			found := offeredNames(t, tool)
			for _, name := range want {
				if named++; found[name] || found[plainName.ReplaceAllString(name, "_")] {
					kept++
				} else {
					lost = append(lost, tool.Name+" "+name)
				}
			}
		}
	}
	if named > 100 && kept*100 < named*99 {
		t.Errorf("%d of %d names kept, want 99 %%; lost: %s", kept, named, strings.Join(lost[:min(len(lost), 20)], ", "))
	} else if len(lost) > 0 {
		t.Logf("%d of %d names kept; lost: %s", kept, named, strings.Join(lost[:min(len(lost), 8)], ", "))
	}
	return named, kept
}

var (
	plainName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	writtenAs = regexp.MustCompile(`Sent as ("(?:[^"\\]|\\.)*")\.`)
)

// offeredNames are the arguments of a tool, and the names that their descriptions say they are sent as.
func offeredNames(t *testing.T, tool *Tool) map[string]bool {
	t.Helper()
	v, err := decodeJSON(tool.InputSchema)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for name, p := range v.(map[string]any)["properties"].(map[string]any) {
		found[name] = true
		text, _ := p.(map[string]any)["description"].(string)
		for _, m := range writtenAs.FindAllStringSubmatch(text, -1) {
			var original string
			if _, err := fmt.Sscanf(m[1], "%q", &original); err == nil {
				found[original] = true
			}
		}
	}
	return found
}

// rawDocument reads files of a document with a YAML decoder into plain maps.
type rawDocument struct{ files map[string]any }

func (r *rawDocument) file(path string) any {
	if v, ok := r.files[path]; ok {
		return v
	}
	var v any
	if data, err := os.ReadFile(path); err == nil && json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &v) != nil {
		if yaml.Load(data, &v) != nil {
			v = nil
		}
	}
	r.files[path] = v
	return v
}

// place is a value and the file it stands in.
type place struct {
	file  string
	value any
}

func (p place) members() map[string]place {
	out := map[string]place{}
	switch m := p.value.(type) {
	case map[string]any:
		for k, v := range m {
			out[k] = place{p.file, v}
		}
	case map[any]any:
		for k, v := range m {
			out[fmt.Sprint(k)] = place{p.file, v}
		}
	}
	return out
}

func (p place) get(key string) place {
	if m, ok := p.value.(map[string]any); ok {
		return place{p.file, m[key]}
	}
	return p.members()[key]
}

func (p place) items() []place {
	list, _ := p.value.([]any)
	out := make([]place, len(list))
	for i, v := range list {
		out[i] = place{p.file, v}
	}
	return out
}

func (p place) text() string { s, _ := p.value.(string); return s }

// follow resolves references, also into files beside this one.
func (r *rawDocument) follow(p place) place {
	for hops := 0; hops < 20; hops++ {
		ref := p.get("$ref").text()
		if ref == "" {
			return p
		}
		name, pointer, _ := strings.Cut(ref, "#")
		next := place{p.file, nil}
		if name != "" {
			next.file = filepath.Join(filepath.Dir(p.file), name)
		}
		next.value = r.file(next.file)
		for _, part := range strings.Split(strings.Trim(pointer, "/"), "/") {
			if part != "" {
				next = next.get(strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(part))
			}
		}
		p = next
	}
	return place{}
}

// inputs are the names that an operation takes.
func (r *rawDocument) inputs(path string, item, o place) []string {
	seen := map[string]string{}
	for _, list := range []place{item.get("parameters"), o.get("parameters")} {
		for _, p := range list.items() {
			p = r.follow(p)
			in, name := p.get("in").text(), p.get("name").text()
			switch {
			case name == "", in == "header" && slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(name)):
			case in == "path" && !strings.Contains(path, name): // no place for it (P8)
			case in == "body":
				for _, n := range r.properties(p.get("schema"), 0) {
					seen["body:"+n] = n
				}
			default:
				seen[in+":"+name] = name
			}
		}
	}
	content := r.follow(o.get("requestBody")).get("content").members()
	for _, want := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data"} {
		if media, ok := content[want]; ok {
			for _, n := range r.properties(media.get("schema"), 0) {
				seen["body:"+n] = n
			}
			break
		}
	}
	var names []string
	for _, key := range sortedKeys(seen) {
		names = append(names, seen[key])
	}
	return names
}

func (r *rawDocument) isReadOnly(p place, depth int) bool {
	if p.get("readOnly").value == true || r.follow(p).get("readOnly").value == true {
		return true
	}
	return depth < 4 && slices.ContainsFunc(p.get("allOf").items(), func(m place) bool { return r.isReadOnly(m, depth+1) })
}

// properties are the names at the top of a schema, through allOf, and through unions whose members are all objects.
func (r *rawDocument) properties(s place, depth int) []string {
	s = r.follow(s)
	if depth > 6 {
		return nil
	}
	var names []string
	for name, p := range s.get("properties").members() {
		if p.value == false || r.isReadOnly(p, 0) {
			continue
		}
		names = append(names, name)
	}
	for _, m := range s.get("allOf").items() {
		names = append(names, r.properties(m, depth+1)...)
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		for _, m := range s.get(key).items() {
			more := r.properties(m, depth+1)
			if len(more) == 0 {
				if len(s.get("properties").members()) == 0 {
					return nil // a union of objects and others is one argument, body (S4)
				}
			}
			names = append(names, more...)
		}
	}
	return names
}
