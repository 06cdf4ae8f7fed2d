package main

import (
	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/samples"
)

// newSchemaCommand prints the JSON Schema of the configuration file. It is generated from the Go types in a test, with
// the comments of the source, which a binary does not have (operations.md S1, S3).
func newSchemaCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file",
		Args:  operands(0),
		RunE: func(*cobra.Command, []string) error {
			if _, err := p.out.Write(samples.Schema); err != nil {
				return failed("write schema: %w", err)
			}
			return nil
		},
	}
}
