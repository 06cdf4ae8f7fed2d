package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/mcp/client"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/search"
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
		Args:  operands(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" && format != "yaml" {
				return errors.New("--format must be text, json or yaml")
			}
			if err := r.locate(); err != nil {
				return err
			}
			if r.forAdministrators() {
				return r.printAll(cmd.Context(), args[0], format)
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
	c.Flags().StringVar(&format, "format", "text", "text, json or yaml")
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
			fmt.Fprintf(w, "%s\t%s\n", oneCell(t.Name), oneCell(title))
		}
		if slices.Equal(names(tools), search.Names()) { // the caller's view (mcp.md §14): the rest is found
			fmt.Fprintf(p.err, "%s has more tools than are listed; find them with: drawbridge call %s find_tools query=WORDS\n", printable(server), printable(server))
		}
		return w.Flush()
	}
	report := toolReport{Server: server, Tools: []toolLine{}}
	for _, t := range tools {
		line, err := lineOf(t.Wire, "", false)
		if err != nil {
			return failed("%s: %w", t.Name, err)
		}
		report.Tools = append(report.Tools, line)
	}
	return p.printToolReport(report, format)
}

func (p *program) printToolReport(report toolReport, format string) error {
	if format == "yaml" {
		return printYAML(p.out, report)
	}
	return printJSON(p.out, report)
}

// oneCell is a text of a server in a table: it drives no terminal, hides nothing and begins no line or column of its own.
func oneCell(text string) string { return pins.Visible(strings.Join(strings.Fields(text), " ")) }

func names(tools []client.Tool) []string {
	list := make([]string, len(tools))
	for i, t := range tools {
		list[i] = t.Name
	}
	return list
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

// forAdministrators reports whether the token that was given is for the admin API. The gateway checks it; here it only
// decides whom to ask.
func (r *remote) forAdministrators() bool {
	parts := strings.Split(r.token, ".")
	if len(parts) != 3 {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		Audience any `json:"aud"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return false
	}
	one, _ := claims.Audience.(string)
	if list, ok := claims.Audience.([]any); ok && len(list) == 1 {
		one, _ = list[0].(string)
	}
	return strings.HasSuffix(one, "/admin/api")
}

// printAll prints every tool of a server, held ones too, as an administrator sees them.
func (r *remote) printAll(ctx context.Context, server, format string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, adminResource(r.url)+"/servers/"+url.PathEscape(server)+"/tools", nil)
	if err != nil {
		return usage("--url: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := r.http().Do(req)
	if err != nil {
		return r.unreachable(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Items  []toolLine `json:"items"`
		Title  string     `json:"title"`
		Detail string     `json:"error_description"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(&answer)
	switch {
	case resp.StatusCode == http.StatusNotFound && answer.Title != "":
		return r.noServer(server)
	case resp.StatusCode != http.StatusOK:
		return failed("%s: the gateway answered %s: %s", server, resp.Status, printable(answer.Title+answer.Detail))
	case err != nil:
		return failed("%s: read the answer: %w", server, err)
	case format != "text":
		return r.p.printToolReport(toolReport{Server: server, Tools: answer.Items}, format)
	}
	w := tabwriter.NewWriter(r.p.out, 0, 4, 2, ' ', 0)
	for _, t := range answer.Items {
		state, text := "", ""
		if t.Held {
			state = "held"
		}
		if t.Description != nil {
			text = firstLine(*t.Description)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", oneCell(t.Name), state, oneCell(text))
	}
	return w.Flush()
}
