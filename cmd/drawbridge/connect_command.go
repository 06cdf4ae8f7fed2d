package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
)

func newConnectCommand(p *program) *cobra.Command {
	var client string
	cmd := &cobra.Command{
		Use:   "connect SERVER",
		Short: "Print how a client connects to a server",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if client != "" && !slices.Contains(connectClients(), client) {
				return fmt.Errorf("--for must be one of %s", strings.Join(connectClients(), ", "))
			}
			c, err := p.connection(args[0])
			if err != nil {
				return err
			}
			return p.printConnection(c, client)
		},
	}
	cmd.Flags().StringVar(&client, "for", "", strings.Join(connectClients(), ", ")+" (default: the short ones of all)")
	return cmd
}

// connection looks a server up in the configuration file. The faults of the file are told as validate tells them.
func (p *program) connection(server string) (connection, error) {
	cfg, _, errs, _ := loadConfigFile(p.config, strictyaml.Options{Env: p.env, UnsetSecrets: true})
	if cfg == nil {
		return connection{}, fmt.Errorf("%s", errs[0])
	}
	if len(errs) > 0 {
		for _, f := range strictyaml.Limit(errs) {
			fmt.Fprintln(p.err, f)
		}
		return connection{}, &exitError{code: exitUsage}
	}
	names := make([]string, 0, len(cfg.MCPServers))
	for i := range cfg.MCPServers {
		s := &cfg.MCPServers[i]
		if s.Name == server && s.Lifecycle != "retired" {
			return newConnection(cfg.PublicURL, s.Name, s.Title, s.Description), nil
		}
		names = append(names, s.Name)
	}
	message := fmt.Sprintf("no server is named %q", server)
	if near := strictyaml.Suggest(server, names); near != "" {
		message += fmt.Sprintf("; did you mean %q?", near)
	}
	return connection{}, failed("%s", message)
}

// printConnection writes the snippet of one client, or without one the short ways of all.
func (p *program) printConnection(c connection, client string) error {
	text := ""
	if client == "" {
		j := c.JSON()
		text = fmt.Sprintf("URL:           %s\nVS Code:       %s\nClaude Code:   %s\nCursor:        %s\nMCP Inspector: %s\n",
			c.URL, j.Commands.VSCode, j.Commands.ClaudeCode, j.Links.Cursor, j.Commands.Inspector)
	} else {
		var err error
		if text, err = c.Render(client); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprint(p.out, text); err != nil {
		return failed("write: %w", err)
	}
	if w := c.Warning(client); w != "" {
		fmt.Fprintln(p.err, "warning: "+w)
	}
	return nil
}
