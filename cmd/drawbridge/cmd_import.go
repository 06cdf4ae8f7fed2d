package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	yaml "go.yaml.in/yaml/v4"

	"github.com/drawbridge-mcp/drawbridge/openapi"
)

// importReport is what would become of a document (openapi.md §15).
type importReport struct {
	Title      string            `json:"title"`
	Version    string            `json:"version"`
	OpenAPI    string            `json:"openapi"`
	Operations int               `json:"operations"`
	Tools      []importTool      `json:"tools"`
	Skipped    []openapi.Skipped `json:"skipped"`
	Warnings   []openapi.Warning `json:"warnings"`
}

type importTool struct {
	Name         string                  `json:"name"`
	Method       string                  `json:"method"`
	Path         string                  `json:"path"`
	OperationID  string                  `json:"operation_id"`
	InputSchema  json.RawMessage         `json:"input_schema"`
	OutputSchema json.RawMessage         `json:"output_schema"`
	Annotations  openapi.Annotations     `json:"annotations"`
	Parameters   int                     `json:"parameters"`
	Title        string                  `json:"title"`
	Description  string                  `json:"description"`
	Security     [][]map[string][]string `json:"security"` // any of; all of; scheme: scopes
	Bytes        int                     `json:"bytes"`
}

func newImportCommand(p *program) *cobra.Command {
	var name, format, models string
	cmd := &cobra.Command{
		Use:   "import SPEC",
		Short: "Show what would become of an OpenAPI document: a path, - for standard input, or a URL",
		Args: func(cmd *cobra.Command, args []string) error {
			if models != "" {
				return errors.New("--llm is not available in this version")
			}
			return operands(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" && format != "yaml" {
				return errors.New("--format must be text, json or yaml")
			}
			doc, problem := importSpec(cmd.Context(), p.in, args[0], name)
			if doc != nil {
				if err := p.printImport(doc, format); err != nil {
					return failed("write report: %w", err)
				}
			}
			if problem != nil {
				return failed("%s", importFault(shown(args[0]), problem))
			}
			if len(doc.Tools) == 0 {
				return failed("no operation became a tool")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the server, for warnings about long names")
	cmd.Flags().StringVar(&format, "format", "text", "text, json or yaml")
	cmd.Flags().StringVar(&models, "llm", "", "models behind an endpoint; not available in this version")
	_ = cmd.Flags().MarkHidden("llm")
	return cmd
}

// importSpec reads a document from a path, standard input or a URL (openapi.md R3) and imports all of it.
func importSpec(ctx context.Context, in io.Reader, spec, server string) (*openapi.Document, error) {
	src, err := specSource(ctx, in, spec)
	if err != nil {
		return nil, err
	}
	return importDocument(ctx, src, openapi.Options{ServerName: server})
}

// specSource reads what a person typed as SPEC.
func specSource(ctx context.Context, in io.Reader, spec string) (openapi.Source, error) {
	src := openapi.Source{Location: spec}
	switch {
	case spec == "-":
		data, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
		if err != nil {
			return src, fmt.Errorf("read standard input: %w", err)
		}
		src.Data = data
	case isURL(spec):
		fetch := fetchDocument(true)(0)
		data, err := fetch(ctx, spec)
		if err != nil {
			return src, err
		}
		src.Data, src.Fetch = data, referenceFetcher(spec, fetch, EgressConfig{})
	case strings.HasPrefix(spec, "file:"):
		u, err := url.Parse(spec)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return src, errors.New("not a file: URL of this computer; file:///home/me/openapi.yaml is one")
		}
		src.Location = u.Path
	default:
		return src, misspelt(spec)
	}
	return src, nil
}

// bareHost is an address without its scheme: a host with a dot or a port, then a path.
var bareHost = regexp.MustCompile(`^(?:[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w-]+:\d+)(?:/|$)`)

// misspelt says what is wrong with a path that is no file and looks like an address.
func misspelt(spec string) error {
	if _, err := os.Stat(spec); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	scheme, _, url := strings.Cut(spec, "://")
	switch {
	case url:
		return fmt.Errorf("documents are read from http, https and file addresses, not from %s:", printable(scheme))
	case strings.Contains(spec, "/") && bareHost.MatchString(spec):
		return errors.New("no such file; an address begins with https://")
	}
	return nil
}

func newImportReport(doc *openapi.Document) importReport {
	r := importReport{
		Title: doc.Title, Version: doc.Version, OpenAPI: doc.OpenAPI, Operations: doc.Operations,
		Tools: []importTool{}, Skipped: append([]openapi.Skipped{}, doc.Skipped...), Warnings: append([]openapi.Warning{}, doc.Warnings...),
	}
	for _, t := range doc.Tools {
		r.Tools = append(r.Tools, importTool{
			Name: t.Name, Method: t.Method, Path: t.Path, OperationID: t.OperationID, InputSchema: t.InputSchema,
			OutputSchema: t.OutputSchema, Annotations: t.Annotations, Parameters: t.Parameters, Title: t.Title,
			Description: t.Description, Security: securityOf(t.Security), Bytes: t.Bytes,
		})
	}
	return r
}

func securityOf(alternatives [][]openapi.SchemeScopes) [][]map[string][]string {
	out := [][]map[string][]string{}
	for _, all := range alternatives {
		one := []map[string][]string{}
		for _, s := range all {
			one = append(one, map[string][]string{s.Scheme: append([]string{}, s.Scopes...)})
		}
		out = append(out, one)
	}
	return out
}

func (p *program) printImport(doc *openapi.Document, format string) error {
	r := newImportReport(doc)
	switch format {
	case "json":
		return printJSON(p.out, r)
	case "yaml":
		return printYAML(p.out, r)
	}
	return r.printText(p.out)
}

// printYAML writes the JSON of v as block-style YAML, with the members in the same order.
func printYAML(w io.Writer, v any) error {
	var text bytes.Buffer
	if err := printJSON(&text, v); err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Load(text.Bytes(), &node); err != nil {
		return fmt.Errorf("turn report into YAML: %w", err)
	}
	block(&node)
	out, err := yaml.Dump(&node)
	if err != nil {
		return fmt.Errorf("turn report into YAML: %w", err)
	}
	_, err = w.Write(out)
	return err
}

// block takes JSON's braces and quotes off; the writer puts back the quotes that a text needs.
func block(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		block(child)
	}
}

const shownWarnings = 20

func (r importReport) printText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s (%s): %s, %s, %d skipped\n", orDash(r.Title), r.Version, r.OpenAPI,
		count(r.Operations, "operation"), count(len(r.Tools), "tool"), len(r.Skipped))
	if len(r.Tools) > 0 {
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "\nNAME\tMETHOD\tPATH\tARGS\tBYTES")
		for _, tool := range r.Tools {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", tool.Name, tool.Method, tool.Path, tool.Parameters, tool.Bytes)
		}
		_ = t.Flush()
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintln(&b, "\nSkipped:")
		for _, s := range r.Skipped {
			fmt.Fprintf(&b, "  %s %s: %s\n", s.Method, s.Path, s.Reason)
		}
	}
	if len(r.Warnings) > 0 {
		fmt.Fprintln(&b, "\nWarnings:")
		for _, warning := range r.Warnings[:min(len(r.Warnings), shownWarnings)] {
			fmt.Fprintf(&b, "  %s\n", strings.TrimPrefix(warning.At+": "+warning.Message, ": "))
		}
		if more := len(r.Warnings) - shownWarnings; more > 0 {
			fmt.Fprintf(&b, "  … and %d more\n", more)
		}
	}
	if len(r.Tools) > 40 {
		fmt.Fprintln(&b, "\nmore than 40 tools: some clients use only the first 40 (Cursor) or refuse more than 128 (VS Code); set operations.include or tool_search")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "(no title)"
	}
	return s
}
