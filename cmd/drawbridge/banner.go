package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/openapi"
)

const shownSkipped = 10

// banner prints what a person needs next (CONTRACT §2).
func (t *trial) banner(g *gateway) {
	s := g.snapshot()
	base, doc := s.cfg.PublicURL, s.documents[t.name]
	link := newConnection(base, t.name, doc.Title, "")
	w := t.p.out
	fmt.Fprintf(w, "\n  Drawbridge is serving %s\n\n", doc.Title)
	line := func(label, text string) { fmt.Fprintf(w, "  %-15s %s\n", label, text) }
	line("MCP", resourceOf(base, t.name))
	line("", fmt.Sprintf("%s of %s", count(len(doc.Tools), "tool"), count(doc.Operations, "operation")))
	printSkipped(w, doc)
	if doc.RelativeServer != "" && s.cfg.APIs[0].Backend == "" {
		line("", fmt.Sprintf("the document's server %q has no host, so calls go nowhere: add --backend https://…", doc.RelativeServer))
	}
	line("VS Code", link.vscodeLink())
	line("Claude Code", link.claudeCommand())
	line("Console", base+"/admin")
	line("LLM base URL", base+"/llm/v1")
	line("LLM key", t.key)
	fmt.Fprintf(w, "\n  Sign-in is for development: pick alice (an administrator) or bob. Everything is in memory; Ctrl-C ends it.\n")
	fmt.Fprintf(w, "\n  Next, in another terminal:\n\n    %s\n\n", t.nextCommand(base, doc))
}

func printSkipped(w io.Writer, doc *openapi.Document) {
	for i, k := range doc.Skipped {
		if i == shownSkipped {
			fmt.Fprintf(w, "  %-15s … and %d more; drawbridge import lists them\n", "", len(doc.Skipped)-i)
			return
		}
		fmt.Fprintf(w, "  %-15s skipped: %s %s: %s\n", "", k.Method, k.Path, k.Reason)
	}
}

// nextCommand is a call that works as typed where that can be: of a tool that reads and needs no arguments, else of one
// that reads and whose arguments are easily typed, else of the first.
func (t *trial) nextCommand(base string, doc *openapi.Document) string {
	tool, arguments := doc.Tools[0], ""
	if t.spec == "" {
		tool, arguments = doc.Tool("listOrders"), " limit=3"
	} else {
		best := -1
		for _, c := range doc.Tools {
			text, least, plain := sampleArguments(c.InputSchema)
			fit := 0
			switch {
			case c.Annotations.ReadOnly && least == 0:
				fit = 3
			case c.Annotations.ReadOnly && plain:
				fit = 2
			case plain:
				fit = 1
			}
			if fit > best {
				best, tool, arguments = fit, c, text
			}
		}
	}
	command := fmt.Sprintf("%s call %s %s%s", ownName(), t.name, tool.Name, arguments)
	if base != defaultGateway {
		command += " --url " + base
	}
	return command
}

// sampleArguments are the required arguments of a tool as one types them, how many there are, and whether they are single
// values; what has no example is written in capitals, to be replaced.
func sampleArguments(schema json.RawMessage) (text string, least int, plain bool) {
	var s struct {
		Properties map[string]struct {
			Type           any
			Default        any
			Examples, Enum []any
		}
		Required []string
	}
	if json.Unmarshal(schema, &s) != nil { // nothing that is easily typed
		return "", 1, false
	}
	plain = true
	for _, name := range s.Required {
		p := s.Properties[name]
		var value any = strings.ToUpper(name)
		switch {
		case p.Default != nil:
			value = p.Default
		case len(p.Examples) > 0:
			value = p.Examples[0]
		case len(p.Enum) > 0:
			value = p.Enum[0]
		case p.Type == "integer" || p.Type == "number":
			value = 1
		case p.Type == "boolean":
			value = true
		case p.Type == "array" || p.Type == "object":
			plain = false
		}
		typed, single := value.(string)
		if !single {
			b, _ := json.Marshal(value)
			typed = string(b)
		}
		text += " " + shellWord(name+"="+typed)
	}
	return text, len(s.Required), plain
}

// ownName is how this program can be called again from the same folder.
func ownName() string {
	self, err := os.Executable()
	if err != nil {
		return "drawbridge"
	}
	if strings.Contains(filepath.ToSlash(self), "/go-build") { // go run
		return "go run ./cmd/drawbridge"
	}
	if found, err := exec.LookPath("drawbridge"); err == nil && sameFile(found, self) {
		return "drawbridge"
	}
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		return os.Args[0]
	}
	return self
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// openBrowser asks the desktop to show an address of ours.
func openBrowser(address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return exec.Command(name, args...).Start()
}
