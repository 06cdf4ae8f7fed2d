package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// report is the object that `drawbridge import --format json` prints (§15). It holds no times and no absolute paths.
type report struct {
	Title      string       `json:"title"`
	Version    string       `json:"version"`
	OpenAPI    string       `json:"openapi"`
	Operations int          `json:"operations"`
	Tools      []reportTool `json:"tools"`
	Skipped    []Skipped    `json:"skipped"`
	Warnings   []Warning    `json:"warnings"`
}

type reportTool struct {
	Name         string                `json:"name"`
	Title        string                `json:"title"`
	Description  string                `json:"description"`
	Method       string                `json:"method"`
	Path         string                `json:"path"`
	OperationID  string                `json:"operation_id"`
	InputSchema  json.RawMessage       `json:"input_schema"`
	OutputSchema json.RawMessage       `json:"output_schema"`
	Annotations  Annotations           `json:"annotations"`
	Parameters   int                   `json:"parameters"`
	Security     []map[string][]string `json:"security"`
	Bytes        int                   `json:"bytes"`
}

func (d *Document) report() report {
	r := report{
		Title: d.Title, Version: d.Version, OpenAPI: d.OpenAPI, Operations: d.Operations,
		Tools: make([]reportTool, 0, len(d.Tools)), Skipped: d.Skipped, Warnings: d.Warnings,
	}
	if r.Skipped == nil {
		r.Skipped = []Skipped{}
	}
	if r.Warnings == nil {
		r.Warnings = []Warning{}
	}
	for _, t := range d.Tools {
		r.Tools = append(r.Tools, reportTool{
			Name: t.Name, Title: t.Title, Description: t.Description, Method: t.Method, Path: t.Path, OperationID: t.OperationID,
			InputSchema: t.InputSchema, OutputSchema: t.OutputSchema, Annotations: t.Annotations, Parameters: t.Parameters,
			Security: reportSecurity(t.Security), Bytes: t.Bytes,
		})
	}
	return r
}

func reportSecurity(alternatives [][]SchemeScopes) []map[string][]string {
	out := make([]map[string][]string, 0, len(alternatives))
	for _, all := range alternatives {
		m := make(map[string][]string, len(all))
		for _, s := range all {
			m[s.Scheme] = append([]string{}, s.Scopes...)
		}
		out = append(out, m)
	}
	return out
}

// WriteJSON writes the report as one object, two-space indented.
func (d *Document) WriteJSON(w io.Writer) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d.report()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// WriteYAML writes the same as YAML; keys keep their order.
func (d *Document) WriteYAML(w io.Writer) error {
	var b bytes.Buffer
	if err := d.WriteJSON(&b); err != nil {
		return err
	}
	var n yaml.Node
	if err := yaml.Load(b.Bytes(), &n); err != nil { // JSON is YAML, and a node keeps the order
		return fmt.Errorf("write report: %w", err)
	}
	blockStyle(&n)
	out, err := yaml.Dump(&n)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	_, err = w.Write(out)
	return err
}

// blockStyle undoes the flow style and the quotes which the JSON text brought; the dumper quotes where it must.
func blockStyle(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle
	if n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0 && plainYAML(n.Value) {
		n.Style &^= yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		blockStyle(c)
	}
}

// plainYAML says whether a text surely stays a text without quotes.
func plainYAML(s string) bool {
	if s == "" || !isLetter(s[0]) {
		return false
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isArgChar(c) {
			return false
		}
	}
	return true
}

const manyTools = 40

// WriteText writes the report for people.
func (d *Document) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (OpenAPI %s)\n%d operations: %d tools, %d skipped\n\n", d.Title, d.Version, d.OpenAPI, d.Operations, len(d.Tools), len(d.Skipped))
	name, method, path := len("NAME"), len("METHOD"), len("PATH")
	for _, t := range d.Tools {
		name, method, path = max(name, len(t.Name)), max(method, len(t.Method)), max(path, min(60, len(t.Path)))
	}
	row := fmt.Sprintf("%%-%ds  %%-%ds  %%-%ds  %%4v  %%6v\n", name, method, path)
	if len(d.Tools) > 0 {
		fmt.Fprintf(&b, row, "NAME", "METHOD", "PATH", "ARGS", "BYTES")
	}
	for _, t := range d.Tools {
		fmt.Fprintf(&b, row, t.Name, t.Method, visibleName(t.Path), t.Parameters, t.Bytes)
	}
	var skipped, warned []string
	for _, s := range d.Skipped {
		skipped = append(skipped, fmt.Sprintf("%s %s: %s", s.Method, visibleName(s.Path), s.Reason))
	}
	for _, m := range d.Warnings {
		warned = append(warned, strings.TrimPrefix(m.At+": "+m.Message, ": "))
	}
	firstLines(&b, "Skipped:", skipped)
	firstLines(&b, "Warnings:", warned)
	if len(d.Tools) > manyTools {
		b.WriteString("\nmore than 40 tools: some clients use only the first 40 (Cursor) or refuse more than 128 (VS Code); set operations.include or tool_search\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func firstLines(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for i, line := range lines {
		if i == 20 {
			fmt.Fprintf(b, "  … and %d more\n", len(lines)-20)
			return
		}
		fmt.Fprintf(b, "  %s\n", line)
	}
}
