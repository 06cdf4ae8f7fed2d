package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// connection is the one record from which every snippet is rendered (operations.md §11.2). Nothing in it is secret.
type connection struct {
	Name  string // of the server; snippets write - for .
	Title string
	URL   string // {public_url}/mcp/{server}

	Description string
	PublicURL   string
}

// newConnection returns the record of a server.
func newConnection(publicURL, server, title, description string) connection {
	if title == "" {
		title = server
	}
	return connection{Name: server, Title: title, Description: description, PublicURL: publicURL, URL: publicURL + "/mcp/" + server}
}

// snippetName is the server's name as clients take it: some refuse a dot.
func (c connection) snippetName() string { return strings.ReplaceAll(c.Name, ".", "-") }

// connectLinks open a client that adds the server.
type connectLinks struct {
	VSCode         string `json:"vscode"`
	VSCodeMarkdown string `json:"vscode_markdown"` // for pages that allow only https links
	Cursor         string `json:"cursor"`
}

// connectCommands are shell lines.
type connectCommands struct {
	VSCode     string `json:"vscode"`
	ClaudeCode string `json:"claude_code"`
	Inspector  string `json:"inspector"`
}

// connectFiles are contents of a project's files, by client.
type connectFiles struct {
	VSCode     json.RawMessage `json:"vscode"`      // .vscode/mcp.json
	ClaudeCode json.RawMessage `json:"claude_code"` // .mcp.json
	Cursor     json.RawMessage `json:"cursor"`      // .cursor/mcp.json
}

// connectJSON is `connect --for json`, and what GET /connect/{server}.json answers.
type connectJSON struct {
	Name      string          `json:"name"`
	Title     string          `json:"title"`
	URL       string          `json:"url"`
	Transport string          `json:"transport"`
	Links     connectLinks    `json:"links"`
	Commands  connectCommands `json:"commands"`
	Files     connectFiles    `json:"files"`
}

type httpServer struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"`
	URL  string `json:"url"`
}

// JSON renders every link, command and file of the record.
func (c connection) JSON() connectJSON {
	return connectJSON{
		Name: c.snippetName(), Title: c.Title, URL: c.URL, Transport: "streamable-http",
		Links:    connectLinks{VSCode: c.vscodeLink(), VSCodeMarkdown: c.vscodeMarkdown(), Cursor: c.cursorLink()},
		Commands: connectCommands{VSCode: c.vscodeCommand(), ClaudeCode: c.claudeCommand(), Inspector: c.inspectorCommand()},
		Files: connectFiles{
			VSCode:     compact(map[string]any{"servers": map[string]any{c.snippetName(): httpServer{Type: "http", URL: c.URL}}}),
			ClaudeCode: compact(map[string]any{"mcpServers": map[string]any{c.snippetName(): httpServer{Type: "http", URL: c.URL}}}),
			Cursor:     compact(map[string]any{"mcpServers": map[string]any{c.snippetName(): httpServer{URL: c.URL}}}),
		},
	}
}

func (c connection) entry() string {
	return string(compact(httpServer{Name: c.snippetName(), Type: "http", URL: c.URL}))
}

func (c connection) vscodeLink() string { return "vscode:mcp/install?" + percent(c.entry()) }

func (c connection) vscodeMarkdown() string {
	return "https://insiders.vscode.dev/redirect?url=" + percent(c.vscodeLink())
}

func (c connection) vscodeCommand() string { return "code --add-mcp " + shellWord(c.entry()) }

// claudeCommand has its options before the name: claude takes what follows the address as the server's own.
func (c connection) claudeCommand() string {
	return "claude mcp add --transport http " + shellWord(c.snippetName()) + " " + shellWord(c.URL)
}

func (c connection) inspectorCommand() string {
	return "npx @modelcontextprotocol/inspector --cli " + shellWord(c.URL) + " --transport http --method tools/list"
}

func (c connection) cursorLink() string {
	config := base64.StdEncoding.EncodeToString(compact(httpServer{URL: c.URL}))
	return "cursor://anysphere.cursor-deeplink/mcp/install?name=" + percent(c.snippetName()) + "&config=" + percent(config)
}

// compact marshals without escaping < > &: the text is pasted into shells and links, which have escapes of their own.
func compact(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("connect: " + err.Error()) // only texts and maps of texts come here
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// percent encodes everything that is not unreserved (RFC 3986 §2.3), a space as %20.
func percent(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// shellWord single-quotes a word for a POSIX shell when it needs it.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// indented writes JSON over several lines, for files.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}

// Render returns what `drawbridge connect` prints for one client.
func (c connection) Render(client string) (string, error) {
	j := c.JSON()
	switch client {
	case "vscode":
		return fmt.Sprintf(".vscode/mcp.json:\n%s\n\ncommand:\n%s\n\nlink:\n%s\n\nlink for Markdown:\n%s\n",
			indented(j.Files.VSCode), j.Commands.VSCode, j.Links.VSCode, j.Links.VSCodeMarkdown), nil
	case "claude-code":
		return fmt.Sprintf("%s\nthen, in Claude Code: /mcp\n\n.mcp.json:\n%s\n", j.Commands.ClaudeCode, indented(j.Files.ClaudeCode)), nil
	case "claude":
		return fmt.Sprintf("1. Settings → Connectors → Add custom connector\n2. Name: %s\n3. URL: %s\n4. Add, then Connect, and sign in\n", c.Title, c.URL), nil
	case "cursor":
		return fmt.Sprintf("link:\n%s\n\n.cursor/mcp.json:\n%s\n", j.Links.Cursor, indented(j.Files.Cursor)), nil
	case "inspector":
		return j.Commands.Inspector + "\n", nil
	case "copilot-studio":
		return c.copilotStudio()
	case "json":
		var b bytes.Buffer
		if err := printJSON(&b, j); err != nil {
			return "", err
		}
		return b.String(), nil
	}
	return "", fmt.Errorf("--for must be one of %s", strings.Join(connectClients(), ", "))
}

// connectClients are the names that connect knows; a closed set.
func connectClients() []string {
	return []string{"vscode", "claude", "claude-code", "cursor", "copilot-studio", "inspector", "json"}
}

// Warning says why a client in its vendor's cloud will not reach the server; "" when nothing speaks against it.
func (c connection) Warning(client string) string {
	who := map[string]string{"claude": "Claude connects from Anthropic's cloud", "copilot-studio": "Copilot Studio connects from Microsoft's cloud"}[client]
	if who == "" || publicHost(c.PublicURL) {
		return ""
	}
	return fmt.Sprintf("%s; %s is not reachable from the internet", who, c.PublicURL)
}
