package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
)

// report is what validate prints as JSON (operations.md §1.3).
type report struct {
	File       string       `json:"file"`
	Valid      bool         `json:"valid"`
	Errors     []Fault      `json:"errors"`
	Warnings   []Fault      `json:"warnings"`
	Governance []any        `json:"governance"`
	Counts     reportCounts `json:"counts"`

	unread int
}

type reportCounts struct {
	Backends   int `json:"backends"`
	APIs       int `json:"apis"`
	Tools      int `json:"tools"`
	Skipped    int `json:"skipped"`
	MCPServers int `json:"mcp_servers"`
	Models     int `json:"models"`
	Products   int `json:"products"`
	Policies   int `json:"policies"`
}

func newValidateCommand(p *program) *cobra.Command {
	var format string
	var online bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration file; changes nothing and calls no address",
		Args:  operands(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format must be text or json")
			}
			var fetch bounded
			if online {
				fetch = fetchDocument(false)
			}
			r, err := checkFile(cmd.Context(), p, fetch)
			if err != nil {
				return err
			}
			return p.printReport(r, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&online, "online", false, "fetch documents behind URLs, too")
	return cmd
}

// checkFile validates the configuration file and the documents it names. A file that cannot be read is an error of the
// command line, told with the way to the usage.
func checkFile(ctx context.Context, p *program, fetch bounded) (*report, error) {
	cfg, pos, errs, warnings := LoadConfig(p.config, p.env)
	if cfg == nil {
		return nil, errors.New(errs[0].String())
	}
	docs := checkDocuments(ctx, cfg, pos, fetch)
	errs = strictyaml.Sort(append(errs, docs.errors...))
	warnings = strictyaml.Sort(append(warnings, docs.warnings...))
	r := &report{
		File: p.config, Valid: len(errs) == 0, Errors: []Fault{}, Warnings: []Fault{}, Governance: []any{}, unread: docs.unread,
		Counts: reportCounts{
			Backends: len(cfg.Backends), APIs: len(cfg.APIs), Tools: docs.tools, Skipped: docs.skipped,
			MCPServers: len(cfg.MCPServers), Models: len(cfg.LLM.Models), Products: len(cfg.Products),
		},
	}
	for _, l := range cfg.policyLists() {
		r.Counts.Policies += len(l.entries)
	}
	r.Errors = append(r.Errors, strictyaml.Limit(errs)...)
	r.Warnings = append(r.Warnings, strictyaml.Limit(warnings)...)
	return r, nil
}

// printReport writes the result: JSON to standard output whatever it is, text faults to standard error, one line each.
func (p *program) printReport(r *report, format string) error {
	if format == "json" {
		if err := printJSON(p.out, r); err != nil {
			return err
		}
	} else {
		for _, f := range r.Errors {
			fmt.Fprintln(p.err, f)
		}
		if r.Valid {
			for _, w := range r.Warnings {
				fmt.Fprintln(p.err, w.Warning())
			}
			fmt.Fprintln(p.out, r.line())
		}
	}
	if !r.Valid {
		return &exitError{code: exitUsage}
	}
	return nil
}

func (r *report) line() string {
	c := r.Counts
	unread := ""
	if r.unread > 0 { // their tools are not among those that were counted, nor was anything held against them
		unread = fmt.Sprintf("; %s behind URLs not read: --online reads them", count(r.unread, "document"))
	}
	return fmt.Sprintf("%s: good: %s, %s (%s, %d skipped), %s, %s, %s%s", r.File, count(c.Backends, "backend"),
		count(c.APIs, "api"), count(c.Tools, "tool"), c.Skipped, count(c.MCPServers, "server"), count(c.Models, "model"),
		count(c.Products, "product"), unread)
}

// count writes a number with its noun: 1 backend, 2 backends.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printJSON writes indented JSON with a final newline; < > & stay readable, since no browser reads this.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
