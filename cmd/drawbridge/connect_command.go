package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
)

func newConnectCommand(p *program) *cobra.Command {
	client, r := "", &remote{p: p}
	cmd := &cobra.Command{
		Use:   "connect SERVER",
		Short: "Print how a client connects to a server",
		Long:  "Reads the configuration file; with --url, or where there is no such file, asks the running gateway, as one that try started.",
		Args:  operands(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if client != "" && !slices.Contains(connectClients(), client) {
				return fmt.Errorf("--for must be one of %s", strings.Join(connectClients(), ", "))
			}
			read := p.connection
			if _, err := os.Stat(p.config); r.url != "" || err != nil && !cmd.Flags().Changed("config") {
				read = func(server string) (connection, error) { return r.connection(cmd.Context(), server) }
			}
			c, err := read(args[0])
			if err != nil {
				return err
			}
			return p.printConnection(c, client)
		},
	}
	cmd.Flags().StringVar(&client, "for", "", strings.Join(connectClients(), ", ")+" (default: the short ones of all)")
	cmd.Flags().StringVar(&r.url, "url", "", "base address of a running gateway (default: what the configuration file says, else http://127.0.0.1:8080)")
	return cmd
}

// connection asks a running gateway for a server's public document.
func (r *remote) connection(ctx context.Context, server string) (connection, error) {
	if err := r.locate(); err != nil {
		return connection{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	address := r.url + "/.well-known/oauth-protected-resource/mcp/" + url.PathEscape(server)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return connection{}, usage("--url: %w", err)
	}
	resp, err := r.http().Do(req)
	if err != nil {
		return connection{}, r.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var doc struct {
		Resource string `json:"resource"`
		Name     string `json:"resource_name"`
	}
	switch err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&doc); {
	case resp.StatusCode == http.StatusNotFound && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"):
		return connection{}, r.noServer(server)
	case resp.StatusCode != http.StatusOK || err != nil || !isURL(doc.Resource) || !strings.HasSuffix(doc.Resource, "/mcp/"+server):
		return connection{}, r.other()
	}
	return newConnection(strings.TrimSuffix(doc.Resource, "/mcp/"+server), server, printable(doc.Name), ""), nil
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
