package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/mcp/client"
)

// toolReport is `tools --format json` (CONTRACT §1); what a tool does not have is null.
type toolReport struct {
	Server string     `json:"server"`
	Tools  []toolLine `json:"tools"`
}

type toolLine struct {
	Name         string          `json:"name"`
	Title        *string         `json:"title"`
	Description  *string         `json:"description"`
	InputSchema  json.RawMessage `json:"input_schema"`
	OutputSchema json.RawMessage `json:"output_schema"`
	Annotations  json.RawMessage `json:"annotations"`
	Hash         *string         `json:"hash"`
	Held         bool            `json:"held"`
}

func (p *program) toolsCommand() *cobra.Command {
	r, format := &remote{p: p}, ""
	c := &cobra.Command{
		Use:   "tools SERVER",
		Short: "List the tools a server offers you",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usage("--format must be text or json, not %q", format)
			}
			var tools []client.Tool
			err := r.with(cmd.Context(), args[0], func(c *client.Client) (err error) {
				tools, err = c.ListTools(cmd.Context())
				return err
			})
			if err != nil {
				return err
			}
			return p.printTools(args[0], tools, format)
		},
	}
	r.flags(c)
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return c
}

func (p *program) printTools(server string, tools []client.Tool, format string) error {
	if format == "text" {
		w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
		for _, t := range tools {
			title := t.Title
			if title == "" {
				title = t.Description
			}
			fmt.Fprintf(w, "%s\t%s\n", t.Name, printable(title))
		}
		return w.Flush()
	}
	report := toolReport{Server: server, Tools: []toolLine{}}
	for _, t := range tools {
		hash, err := toolHash(t)
		if err != nil {
			return failed("%s: %w", t.Name, err)
		}
		report.Tools = append(report.Tools, toolLine{
			Name: t.Name, Title: orNull(t.Title), Description: orNull(t.Description), InputSchema: rawOrNull(t.InputSchema),
			OutputSchema: rawOrNull(t.OutputSchema), Annotations: rawOrNull(t.Annotations), Hash: &hash,
		})
	}
	return printJSON(p.out, report)
}

// toolHash is SHA-256 over the canonical JSON of what a tool says of itself (mcp.md Q1). encoding/json sorts members and
// the numbers of schemas are small, so its compact form is that of RFC 8785 here.
func toolHash(t client.Tool) (string, error) {
	all := map[string]any{"name": t.Name}
	if t.Title != "" {
		all["title"] = t.Title
	}
	if t.Description != "" {
		all["description"] = t.Description
	}
	for name, raw := range map[string]json.RawMessage{"inputSchema": t.InputSchema, "outputSchema": t.OutputSchema, "annotations": t.Annotations} {
		if len(raw) == 0 {
			continue
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return "", err
		}
		all[name] = v
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(all); err != nil {
		return "", err
	}
	sum := sha256.Sum256(bytes.TrimRight(text.Bytes(), "\n"))
	return hex.EncodeToString(sum[:]), nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func rawOrNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
