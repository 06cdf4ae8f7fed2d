package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/console"
	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// adminTools serves what administrators see and decide of a server's tools (mcp.md Q4, operations.md §8): every tool, with
// the hash of what it is now, and the release of one that is held.
type adminTools struct {
	g *gateway
	s *snapshot
}

func (a *adminTools) mount(g *echo.Group) {
	g.GET("/servers/:server/tools", a.list)
	g.POST("/servers/:server/tools/:tool/release", a.release)
}

const maxAdminBody = 1 << 20

// problem writes an error as RFC 9457 has it.
func problem(c echo.Context, status int, slug, title, detail string) error {
	b, err := json.Marshal(struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail,omitempty"`
		Instance string `json:"instance"`
	}{"urn:drawbridge:problem:" + slug, title, status, detail, "/requests/" + identity.RequestID(c.Request().Context())})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(status, "application/problem+json", b)
}

// administrator lets in who has a token for exactly this API and is one of `admins` (H1, H2); nil: it was answered.
func (a *adminTools) administrator(c echo.Context) *identity.Caller {
	caller, ok := a.g.authenticator.Require(c.Response(), c.Request(), adminResource(a.s.cfg.PublicURL), resource.Options{LeaveRoles: true})
	if !ok {
		return nil
	}
	note(c.Request(), caller)
	if !entitled(caller, a.s.cfg.Admins) {
		_ = problem(c, http.StatusForbidden, "forbidden", "You are not an administrator of this gateway", "")
		return nil
	}
	return caller
}

func adminResource(publicURL string) string { return publicURL + "/admin/api" }

// list answers GET /servers/{name}/tools with the members of `tools --format json`.
func (a *adminTools) list(c echo.Context) error {
	admin := a.administrator(c)
	if admin == nil {
		return nil
	}
	name := param(c, "server")
	a.ask(c.Request().Context(), name, admin)
	tools, err := a.tools(c.Request().Context(), name)
	if errors.Is(err, errNoServer) {
		return problem(c, http.StatusNotFound, "not-found", "There is no such server", name)
	}
	if err != nil {
		return fmt.Errorf("list tools: %w", err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{"server": name, "items": tools, "next_cursor": nil, "total": len(tools)})
}

func param(c echo.Context, name string) string {
	text, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return c.Param(name)
	}
	return text
}

var errNoServer = errors.New("no such server")

// askTime is how long upstreams have to say what they list now; who does not is shown as it was seen last.
const askTime = 5 * time.Second

// ask has the upstreams of a server list their tools, on behalf of the administrator.
func (a *adminTools) ask(ctx context.Context, name string, admin *identity.Caller) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	r := &edge.Request{
		Caller: admin, Modern: true, Revision: edge.Modern, Arrived: time.Now(), Capabilities: json.RawMessage("{}"),
		Notify: func(json.RawMessage, bool) {}, SetLogLevel: func(string) {},
	}
	var err error
	switch s := behind(a.s.servers[name]).(type) {
	case combinedServer:
		_, err = s.Tools(ctx, r)
	case relayed:
		_, err = s.crossed.Tools(ctx, r)
	}
	if err != nil {
		a.g.log.InfoContext(ctx, "an upstream does not say what its tools are", "server", name, "err", err.Error())
	}
}

// tools are all tools of a server, whoever may use them: those made here, and those of upstreams as they are now.
func (a *adminTools) tools(ctx context.Context, name string) ([]toolLine, error) {
	server := a.s.servers[name]
	if server == nil {
		return nil, errNoServer
	}
	var all []pins.Pin
	if book := a.g.builder.upstreams.books.find(name); book != nil {
		var err error
		if all, err = book.All(ctx); err != nil {
			return nil, err
		}
	}
	lines, bridges, parts := []toolLine{}, bridgesOf(server), a.from(name)
	for i := range parts { // C6
		switch {
		case parts[i].Upstream != "" && len(parts) == 1:
			lines = pinnedLines(lines, all, "")
		case parts[i].Upstream != "":
			lines = pinnedLines(lines, all, parts[i].prefix()+"__")
		default:
			var err error
			if lines, err = bridgedLines(lines, bridges[0]); err != nil {
				return nil, err
			}
			bridges = bridges[1:]
		}
	}
	return lines, nil
}

// from are the parts of a server.
func (a *adminTools) from(name string) []FromConfig {
	for i := range a.s.cfg.MCPServers {
		if a.s.cfg.MCPServers[i].Name == name {
			return a.s.cfg.MCPServers[i].From
		}
	}
	return nil
}

func bridgedLines(lines []toolLine, b *bridge.Server) ([]toolLine, error) {
	for _, t := range b.AllDefinitions() {
		line, err := lineOf(t.Wire, "", false)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// pinnedLines are the tools of one upstream as they are now, held ones too.
func pinnedLines(lines []toolLine, all []pins.Pin, prefix string) []toolLine {
	for _, p := range all {
		if !strings.HasPrefix(p.Tool, prefix) {
			continue
		}
		text, hash := p.Approved, p.Hash
		if p.HeldHash != "" {
			text, hash = p.Held, p.HeldHash
		}
		line, err := lineOf(text, hash, p.HeldHash != "")
		if err != nil { // no object at all: its name and that it is there is all there is to tell
			line = toolLine{Hash: &hash, Held: p.HeldHash != "", InputSchema: rawOrNull(nil), OutputSchema: rawOrNull(nil), Annotations: rawOrNull(nil)}
		}
		line.Name = p.Tool
		lines = append(lines, line)
	}
	return lines
}

// bridgesOf are the parts of a server that are made of APIs.
func bridgesOf(s mcpServer) []*bridge.Server {
	switch s := behind(s).(type) {
	case *bridge.Server:
		return []*bridge.Server{s}
	case combinedServer:
		return s.bridges
	}
	return nil
}

// lineOf reads a definition; hash "" asks for its own.
func lineOf(definition []byte, hash string, held bool) (toolLine, error) {
	var d struct {
		Name         string          `json:"name"`
		Title        string          `json:"title"`
		Description  string          `json:"description"`
		InputSchema  json.RawMessage `json:"inputSchema"`
		OutputSchema json.RawMessage `json:"outputSchema"`
		Annotations  json.RawMessage `json:"annotations"`
	}
	if err := json.Unmarshal(definition, &d); err != nil {
		return toolLine{}, fmt.Errorf("read a tool's definition: %w", err)
	}
	if hash == "" {
		var err error
		if hash, err = pins.Hash(definition); err != nil {
			return toolLine{}, err
		}
	}
	return toolLine{
		Name: d.Name, Title: orNull(d.Title), Description: orNull(d.Description), InputSchema: rawOrNull(d.InputSchema),
		OutputSchema: rawOrNull(d.OutputSchema), Annotations: rawOrNull(d.Annotations), Hash: &hash, Held: held,
	}, nil
}

// release answers POST /servers/{name}/tools/{tool}/release with {"hash"}: what the administrator saw.
func (a *adminTools) release(c echo.Context) error {
	admin := a.administrator(c)
	if admin == nil {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(c.Request().Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return problem(c, http.StatusUnsupportedMediaType, "invalid", "Content-Type must be application/json", "")
	}
	var body struct {
		Hash string `json:"hash"`
	}
	d := json.NewDecoder(io.LimitReader(c.Request().Body, maxAdminBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body.Hash == "" || d.More() {
		return problem(c, http.StatusBadRequest, "invalid", "The body must be an object with the hash of what is to be released", "/hash")
	}
	server, tool := param(c, "server"), param(c, "tool")
	switch err := a.g.releaseTool(c.Request().Context(), server, tool, body.Hash, admin); {
	case errors.Is(err, pins.ErrNoTool):
		return problem(c, http.StatusNotFound, "not-found", "There is no such tool of an upstream", tool)
	case errors.Is(err, pins.ErrStale):
		return problem(c, http.StatusConflict, "conflict", "The tool is not what this hash names; look at it again", tool)
	case err != nil:
		return fmt.Errorf("release %s: %w", tool, err)
	}
	return c.JSON(http.StatusOK, map[string]any{"server": server, "name": tool, "hash": body.Hash, "held": false})
}

// releaseTool shows a held tool again.
func (g *gateway) releaseTool(ctx context.Context, server, tool, hash string, by *identity.Caller) error {
	book := g.builder.upstreams.books.find(server)
	if book == nil {
		return pins.ErrNoTool
	}
	return book.Release(ctx, tool, hash, by.Subject)
}

// heldTools are what the console shows side by side: what was approved, and what it would be now, hidden characters visible.
func (g *gateway) heldTools(ctx context.Context, s *snapshot) ([]console.HeldTool, error) {
	var list []console.HeldTool
	for _, name := range s.order {
		book := g.builder.upstreams.books.find(name)
		if book == nil {
			continue
		}
		all, err := book.All(ctx)
		if err != nil {
			return nil, err
		}
		found, err := findings(ctx, book)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			if p.HeldHash != "" {
				list = append(list, console.HeldTool{
					Server: name, Name: p.Tool, Label: label(p.Tool), Hash: p.HeldHash, Since: p.Since,
					Approved: pins.Visible(indented(p.Approved)), Now: pins.Visible(indented(p.Held)), Findings: found[p.Tool],
				})
			}
		}
	}
	return list, nil
}

// oddTools are what the console warns of: tools that are shown although their texts look wrong (mcp.md Q8).
func (g *gateway) oddTools(ctx context.Context, s *snapshot) ([]console.OddTool, error) {
	var list []console.OddTool
	for _, name := range s.order {
		book := g.builder.upstreams.books.find(name)
		if book == nil {
			continue
		}
		found, err := book.Findings(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if _, held := book.Held(f.Tool); !held {
				list = append(list, console.OddTool{Server: name, Label: label(f.Tool), Findings: visible(f.What)})
			}
		}
	}
	return list, nil
}

// findings are what looks wrong in the tools of a book, by tool.
func findings(ctx context.Context, book *pins.Book) (map[string][]string, error) {
	found, err := book.Findings(ctx)
	byTool := make(map[string][]string, len(found))
	for _, f := range found {
		byTool[f.Tool] = visible(f.What)
	}
	return byTool, err
}

func visible(texts []string) []string {
	shown := make([]string, len(texts))
	for i, t := range texts {
		shown[i] = pins.Visible(t)
	}
	return shown
}

// label is the name of a tool for people. Upstreams may use any text as a name.
func label(tool string) string {
	const most = 128
	text := []rune(pins.Visible(tool))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
