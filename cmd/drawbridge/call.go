package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/mcp/client"
)

// defaultGateway is where a gateway without a configuration file serves: one that try started.
const defaultGateway = "http://127.0.0.1:8080"

// remote is a gateway that the command line talks to, as an MCP client like any other.
type remote struct {
	p      *program
	url    string // base address; "" = public_url of the configuration, else http://127.0.0.1:8080
	token  string
	person string

	given func() bool // whether --token is there; nil where the command has none
	known []string    // servers of the configuration file, where that was read
}

func (r *remote) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.url, "url", "", "base address of the gateway (default: public_url of the configuration file, else http://127.0.0.1:8080)")
	c.Flags().StringVar(&r.token, "token", "", "access token; better env:NAME, since others on this computer see command lines")
	c.Flags().StringVar(&r.person, "as", "", "whom to choose at a development sign-in (default: the first)")
	r.given = func() bool { return c.Flags().Changed("token") }
}

func (p *program) callCommand() *cobra.Command {
	r, arguments, raw := &remote{p: p}, "", false
	c := &cobra.Command{
		Use:   "call SERVER TOOL [key=value…]",
		Short: "Call a tool of a running gateway",
		Long: `Signs in when it has to: in the browser, or by itself against the development sign-in of a gateway on this computer.
Values of key=value are JSON when they are, else text. --json gives all arguments as one JSON object; - reads it from standard input.`,
		Args: operands(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := callArguments(p.in, arguments, args[2:])
			if err != nil {
				return err
			}
			return r.call(cmd.Context(), args[0], args[1], body, raw)
		},
	}
	r.flags(c)
	c.Flags().StringVar(&arguments, "json", "", "arguments as a JSON object; - reads it from standard input")
	c.Flags().BoolVar(&raw, "raw", false, "print the whole result as JSON")
	return c
}

// tokenCommand is for scripts and benchmarks that need a bearer token.
func (p *program) tokenCommand() *cobra.Command {
	r := &remote{p: p}
	c := &cobra.Command{
		Use:   "token SERVER",
		Short: "Sign in and print an access token for a server, or for the admin API (admin)",
		Args:  operands(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.locate(); err != nil {
				return err
			}
			scope := "mcp:" + args[0]
			if args[0] == "admin" { // no server can have this name: it is the admin API
				scope = "admin"
			} else if _, err := r.connection(cmd.Context(), args[0]); err != nil {
				return err // before anybody signs in for nothing
			}
			token, err := r.signIn(cmd.Context(), args[0], scope)
			if err != nil {
				return &exitError{exitFailed, err}
			}
			fmt.Fprintln(p.out, token)
			return nil
		},
	}
	r.flags(c)
	return c
}

// callArguments makes one JSON object of what was typed.
func callArguments(in io.Reader, text string, pairs []string) (json.RawMessage, error) {
	if text != "" {
		if len(pairs) > 0 {
			return nil, usage("give --json or key=value, not both")
		}
		if text == "-" {
			b, err := io.ReadAll(io.LimitReader(in, 16<<20))
			if err != nil {
				return nil, failed("read standard input: %w", err)
			}
			text = string(b)
		}
		if !json.Valid([]byte(text)) || !strings.HasPrefix(strings.TrimSpace(text), "{") {
			return nil, usage("--json: must be a JSON object")
		}
		return json.RawMessage(text), nil
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usage("%q: arguments are written key=value", pair)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(key)
		b.Write(name)
		b.WriteByte(':')
		if json.Valid([]byte(value)) && !ambiguousNumber(value) {
			b.WriteString(value)
		} else {
			quoted, _ := json.Marshal(value)
			b.Write(quoted)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// ambiguousNumber keeps digits that are more likely an identifier than a number as text: longer than a float64 holds.
func ambiguousNumber(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err != nil && strings.Trim(s, "0123456789") == "" && s != ""
}

func (r *remote) call(ctx context.Context, server, tool string, arguments json.RawMessage, raw bool) error {
	var result *client.Result
	err := r.with(ctx, server, func(c *client.Client) (err error) {
		result, err = c.CallTool(ctx, tool, arguments)
		if rpc := (*client.RPCError)(nil); errors.As(err, &rpc) && strings.HasPrefix(rpc.Message, "unknown tool") {
			return noTool(ctx, c, server, tool)
		}
		return err
	})
	if err != nil {
		return err
	}
	if raw {
		fmt.Fprintln(r.p.out, string(result.Raw))
	} else {
		printResult(r.p.out, result)
	}
	if result.IsError {
		return &exitError{exitFailed, nil}
	}
	return nil
}

// noTool says that a server has no such tool, and which one was probably meant.
func noTool(ctx context.Context, c *client.Client, server, tool string) error {
	tools, _ := c.ListTools(ctx) // without the list there is only less to say
	if near := strictyaml.Suggest(tool, names(tools)); near != "" {
		return failed("%s has no tool %q that you may use; did you mean %q?", server, tool, printable(near))
	}
	return failed("%s has no tool %q that you may use; drawbridge tools %s lists them", server, tool, server)
}

// printResult prints text as it is; everything else is named, since bytes do not belong on a terminal.
func printResult(w io.Writer, result *client.Result) {
	for _, c := range result.Content {
		switch c.Type {
		case "text":
			var indented bytes.Buffer
			if json.Indent(&indented, []byte(c.Text), "", "  ") == nil {
				fmt.Fprintln(w, printable(strings.TrimSpace(indented.String())))
			} else {
				fmt.Fprintln(w, printable(c.Text))
			}
		default:
			fmt.Fprintf(w, "[%s %s, %d bytes; --raw prints it]\n", c.Type, c.MIMEType, len(c.Data))
		}
	}
}

// printable removes what could drive a terminal: the text comes from a backend.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

// with runs do against a server, signing in first when the gateway asks for it.
func (r *remote) with(ctx context.Context, server string, do func(*client.Client) error) error {
	if err := r.locate(); err != nil {
		return err
	}
	given := r.token != ""
	for range 3 { // without a token, with one, with one of a wider scope
		err := r.session(ctx, server, do)
		var auth *client.AuthRequired
		if !errors.As(err, &auth) {
			return r.explain(server, err)
		}
		if given { // another person's answer instead of theirs would mislead
			return refusedToken(server, auth)
		}
		if r.token, err = r.signIn(ctx, server, auth.Scope); err != nil {
			return &exitError{exitFailed, err}
		}
	}
	return failed("%s: the gateway does not accept the token it gave", server)
}

// refusedToken says why the token of --token does not do.
func refusedToken(server string, auth *client.AuthRequired) error {
	if auth.Status == http.StatusForbidden && auth.Scope != "" {
		return failed("%s: the token lacks a scope; this needs %s", server, printable(auth.Scope))
	}
	return failed("%s: the gateway does not accept the token: it is no token for this server, or it has ended", server)
}

// session connects, does one thing and ends the session.
func (r *remote) session(ctx context.Context, server string, do func(*client.Client) error) error {
	c, err := client.Connect(ctx, client.Config{URL: r.url + "/mcp/" + url.PathEscape(server), Token: r.token, Version: version, HTTP: r.http()})
	if err != nil {
		return err
	}
	err = do(c)
	_ = c.Close(ctx) // the session ends by itself when this cannot be told
	return err
}

func (r *remote) explain(server string, err error) error {
	var rpc *client.RPCError
	var said *exitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return err
	case !errors.As(err, &rpc):
		return r.unreachable(err)
	case rpc.Status == http.StatusNotFound && rpc.Message == "unknown server":
		return r.noServer(server)
	case rpc.Code == 0 && rpc.Status != http.StatusBadGateway && rpc.Status != http.StatusServiceUnavailable && rpc.Status != http.StatusGatewayTimeout:
		return r.other()
	default:
		return failed("%s: %s", server, printable(rpc.Message))
	}
}

// noServer says that the gateway has no such server, and where the right name is to be found.
func (r *remote) noServer(server string) error {
	if near := strictyaml.Suggest(server, r.known); near != "" {
		return failed("no server is named %q at %s; did you mean %q?", server, r.url, near)
	}
	return failed("no server is named %q at %s; %s/ lists those you may use", server, r.url, r.url)
}

// other says that something else answers at the address.
func (r *remote) other() error { return failed("%s does not answer as a Drawbridge does", r.url) }

// unreachable says why nothing came back from the address.
func (r *remote) unreachable(err error) error {
	switch reached := new(url.Error); {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed("%s does not answer; is the gateway running?", r.url)
	case errors.As(err, &reached):
		return failed("%s cannot be reached: %w", r.url, cause(err))
	}
	return failed("%s: %w", r.url, err)
}

func (r *remote) signIn(ctx context.Context, server, scope string) (string, error) {
	s := &signIn{base: r.url, person: r.person, client: r.http(), tell: r.p.err, open: openBrowser}
	if server == "admin" {
		return s.token(ctx, adminResource(r.url), scope)
	}
	return s.token(ctx, resourceOf(r.url, server), scope)
}

func (r *remote) http() *http.Client {
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
}

// locate finds the gateway and resolves a token given by reference.
func (r *remote) locate() error {
	if name, ok := strings.CutPrefix(r.token, "env:"); ok {
		token, set := r.p.env(name)
		if !set {
			return usage("--token: environment variable %s is not set", name)
		}
		r.token = token
	}
	if r.token == "" && r.given != nil && r.given() { // somebody meant another caller than a sign-in would give
		return usage("--token: is empty; leave it out to sign in")
	}
	if r.url == "" {
		r.url = defaultGateway
		if _, err := os.Stat(r.p.config); err == nil {
			cfg, err := r.p.loadConfig()
			if err != nil {
				return err
			}
			r.url = cfg.PublicURL
			for i := range cfg.MCPServers {
				r.known = append(r.known, cfg.MCPServers[i].Name)
			}
		}
	}
	r.url = strings.TrimRight(r.url, "/")
	if !isURL(r.url) {
		return usage("--url %s: must be an http or https address, such as http://127.0.0.1:8080", r.url)
	}
	if u, err := url.Parse(r.url); err == nil && u.Path+u.RawQuery != "" {
		return usage("--url %s: is more than the gateway's address, %s://%s", r.url, u.Scheme, u.Host)
	}
	return nil
}
