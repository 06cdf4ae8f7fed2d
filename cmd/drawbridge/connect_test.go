package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ordersConnection() connection {
	return newConnection("https://gw.example.com", "orders", "Orders", "Read and manage orders")
}

func TestSnippetsAreExact(t *testing.T) { // operations.md §11.3: one golden file a client
	for _, client := range connectClients() {
		t.Run(client, func(t *testing.T) {
			got, err := ordersConnection().Render(client)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata/config/connect", client+".txt"), got)
		})
	}
}

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestFormsOfTheSpecification(t *testing.T) { // operations.md §11.3, word for word
	j := ordersConnection().JSON()
	for _, c := range []struct{ name, got, want string }{
		{"vscode file", string(j.Files.VSCode), `{"servers":{"orders":{"type":"http","url":"https://gw.example.com/mcp/orders"}}}`},
		{"vscode command", j.Commands.VSCode, `code --add-mcp '{"name":"orders","type":"http","url":"https://gw.example.com/mcp/orders"}'`},
		{"claude-code", j.Commands.ClaudeCode, `claude mcp add --transport http orders https://gw.example.com/mcp/orders`},
		{"claude-code file", string(j.Files.ClaudeCode), `{"mcpServers":{"orders":{"type":"http","url":"https://gw.example.com/mcp/orders"}}}`},
		{"cursor file", string(j.Files.Cursor), `{"mcpServers":{"orders":{"url":"https://gw.example.com/mcp/orders"}}}`},
		{"inspector", j.Commands.Inspector, `npx @modelcontextprotocol/inspector --cli https://gw.example.com/mcp/orders --transport http --method tools/list`},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, c.got, c.want)
		}
	}
}

func TestLinksDecodeBackToTheRecord(t *testing.T) { // operations.md §11.2
	c := newConnection("https://gw.example.com", "team.orders-2", "", "")
	want := `{"name":"team-orders-2","type":"http","url":"https://gw.example.com/mcp/team.orders-2"}`
	inner, ok := strings.CutPrefix(c.vscodeLink(), "vscode:mcp/install?")
	if got, err := url.PathUnescape(inner); !ok || err != nil || got != want {
		t.Errorf("vscode link holds %s, %v", got, err)
	}
	outer, err := url.Parse(c.vscodeMarkdown())
	if err != nil || outer.Host != "insiders.vscode.dev" || outer.Query().Get("url") != c.vscodeLink() {
		t.Errorf("markdown link = %s", outer)
	}
	cursor, err := url.Parse(c.cursorLink())
	if err != nil || cursor.Scheme != "cursor" || cursor.Query().Get("name") != "team-orders-2" {
		t.Fatalf("cursor link = %s, %v", cursor, err)
	}
	config, err := base64.StdEncoding.DecodeString(cursor.Query().Get("config"))
	if err != nil || string(config) != `{"url":"https://gw.example.com/mcp/team.orders-2"}` {
		t.Errorf("cursor config = %s, %v", config, err)
	}
	if strings.ContainsAny(c.vscodeLink()+c.cursorLink(), " +\"'<>") {
		t.Error("a link has characters that end it in text")
	}
}

func TestShellWordsAreQuotedWhenNeeded(t *testing.T) { // operations.md §11.2
	for in, want := range map[string]string{
		"orders": "orders", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "": "''", "https://gw/x?y=1": "'https://gw/x?y=1'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestCloudClientsAreToldWhenTheyCannotReachTheGateway(t *testing.T) { // operations.md §11.3
	for publicURL, warned := range map[string]bool{
		"https://gw.example.com": false, "http://127.0.0.1:8080": true, "http://localhost:8080": true, "https://10.1.2.3": true,
		"https://gw.internal": true, "https://gateway": true, "https://[fd00::1]": true, "https://203.0.113.9": false,
	} {
		c := newConnection(publicURL, "orders", "", "")
		if got := c.Warning("claude") != ""; got != warned {
			t.Errorf("%s: warned = %v", publicURL, got)
		}
		if c.Warning("vscode") != "" {
			t.Errorf("%s: warned for an editor on this computer", publicURL)
		}
	}
	want := "Claude connects from Anthropic's cloud; http://127.0.0.1:8080 is not reachable from the internet"
	if got := newConnection("http://127.0.0.1:8080", "o", "", "").Warning("claude"); got != want {
		t.Error(got)
	}
}

func TestConnectorIsSwagger(t *testing.T) { // operations.md §11.3, copilot-studio
	text, err := ordersConnection().copilotStudio()
	if err != nil {
		t.Fatal(err)
	}
	_, document, _ := strings.Cut(text, "connector.swagger.json (Power Apps):\n")
	var doc map[string]any
	if err := json.NewDecoder(bytes.NewBufferString(document)).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	operation := doc["paths"].(map[string]any)["/mcp/orders"].(map[string]any)["post"].(map[string]any)
	if doc["swagger"] != "2.0" || doc["basePath"] != "/" || operation["operationId"] != "InvokeMCP" || operation["x-ms-agentic-protocol"] != "mcp-streamable-1.0" {
		t.Error(document)
	}
}
