package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
)

// operands checks what stands on the command line beside the flags, in the words of the command's Use line: at least
// least, and all that the line names.
func operands(least int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		names := strings.Fields(cmd.Use)[1:]
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing: %s", names[len(args)], usageLine(cmd))
		case len(args) <= len(names) || len(names) > 0 && strings.Contains(names[len(names)-1], "…"):
			return nil
		case len(names) == 0 && cmd.Flags().Lookup("config") != nil && strings.HasSuffix(args[0], ".yaml"):
			return fmt.Errorf("%q: the configuration file is named with -c", args[0])
		}
		return fmt.Errorf("%q is too much: %s", args[len(names)], usageLine(cmd))
	}
}

func usageLine(cmd *cobra.Command) string { return cmd.Parent().CommandPath() + " " + cmd.Use }

// knownCommand refuses a first word that is no command, before anything answers it with help.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || args[0] == "help" {
		return nil
	}
	names := []string{"help"}
	for _, c := range root.Commands() {
		if c.Name() == args[0] || c.HasAlias(args[0]) {
			return nil
		}
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if strings.HasPrefix(args[0], "__") || args[0] == "completion" { // cobra's own, added as it runs
		return nil
	}
	switch args[0] {
	case "export", "convert", "test":
		return fmt.Errorf("%s is not available in this version", args[0])
	}
	message := fmt.Sprintf("unknown command %q", args[0])
	if near := strictyaml.Suggest(args[0], names); near != "" {
		message += fmt.Sprintf("; did you mean %q?", near)
	}
	return errors.New(message)
}
