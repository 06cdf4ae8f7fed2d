package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/mcp/search"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// isURL reports whether a document or SPEC is an address and not a path.
func isURL(s string) bool {
	lower := strings.ToLower(s)
	return strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://")
}

// DocumentPath returns where an API's document is: its URL, or its path from the folder of the configuration file.
func (a *APIConfig) DocumentPath(configFile string) string {
	if isURL(a.Document) || filepath.IsAbs(a.Document) {
		return a.Document
	}
	return filepath.Join(filepath.Dir(configFile), a.Document)
}

// ImportOptions returns what an API's entry and its backend say about importing its document, for validate, serve and
// reload alike.
func (c *Config) ImportOptions(a *APIConfig) openapi.Options {
	o := openapi.Options{
		ServerName: c.longestServer(a.Name), Profile: openapi.Profile(a.Profile), Selection: a.Operations, Tools: a.Tools,
		References: a.References, ServerVariables: a.ServerVariables, Requests: a.Requests, Responses: a.Responses,
		Limits: c.Import.Limits,
	}
	if b := c.backendOf(a.Backend); b != nil {
		o.Backend, _ = url.Parse(b.URL)
		o.Credential = openapi.CredentialPlace{Header: b.Credential.Header, Query: b.Credential.Query, Cookie: b.Credential.Cookie}
	}
	return o
}

// longestServer is the longest name among the servers made from an API: the one for which tool names are too long first.
func (c *Config) longestServer(api string) string {
	longest := ""
	for i := range c.MCPServers {
		for _, f := range c.MCPServers[i].From {
			if f.API == api && len(c.MCPServers[i].Name) > len(longest) {
				longest = c.MCPServers[i].Name
			}
		}
	}
	return longest
}

// backendOf returns the backend of that name, or the first member of the pool of that name.
func (c *Config) backendOf(target string) *proxy.BackendConfig {
	for i := range c.Pools {
		if c.Pools[i].Name == target && len(c.Pools[i].Members) > 0 {
			target = c.Pools[i].Members[0].Backend
		}
	}
	for i := range c.Backends {
		if c.Backends[i].Name == target && target != "" {
			return &c.Backends[i]
		}
	}
	return nil
}

// documentCheck imports the documents of a configuration to see what would come of them.
type documentCheck struct {
	cfg              *Config
	pos              *Positions
	fetch            fetcher
	errors, warnings []Fault
	tools, skipped   int
	unread           int                          // documents behind URLs that were not fetched
	docs             map[string]*openapi.Document // by API
}

// checkDocuments imports what can be imported: files, and with a fetcher URLs (C9).
func checkDocuments(ctx context.Context, cfg *Config, pos *Positions, fetch bounded) *documentCheck {
	c := &documentCheck{cfg: cfg, pos: pos, fetch: fetch.to(cfg.Import.Limits), docs: map[string]*openapi.Document{}}
	for i := range cfg.APIs {
		at := fmt.Sprintf("apis[%d]", i)
		if a := &cfg.APIs[i]; a.Document != "" && !pos.Faulty(at) {
			c.document(ctx, at, a)
		}
	}
	c.toolAccess()
	return c
}

func (c *documentCheck) document(ctx context.Context, at string, a *APIConfig) {
	src, root := openapi.Source{Location: a.DocumentPath(c.pos.File())}, ""
	if isURL(a.Document) {
		if c.fetch == nil {
			c.unread++
			return
		}
		root = a.Document
		data, err := c.fetch(ctx, a.Document)
		if err != nil {
			c.errors = append(c.errors, c.pos.Fault(at+".document", "%s", err))
			return
		}
		src.Data = data
	}
	if c.fetch != nil {
		src.Fetch = referenceFetcher(root, c.fetch, c.cfg.Egress)
	}
	doc, err := importDocument(ctx, src, c.cfg.ImportOptions(a))
	if err != nil {
		for _, one := range unjoin(err) {
			c.errors = append(c.errors, c.documentFault(at, a.DocumentPath(c.pos.File()), one))
		}
		return
	}
	c.docs[a.Name] = doc
	c.tools += len(doc.Tools)
	c.skipped += len(doc.Skipped)
	c.documentWarnings(at, a, doc)
	if len(doc.Tools) == 0 {
		c.errors = append(c.errors, c.pos.Fault(at+".document", "no operation became a tool"))
	}
}

// documentFault places what an import says: about a key of the entry at that key, about a line of the document there.
func (c *documentCheck) documentFault(at, document string, err error) Fault {
	if key, message, ok := strings.Cut(err.Error(), ": "); ok && entryKey(key) {
		return c.pos.Fault(at+"."+key, "%s", message)
	}
	if f := importFault(document, err); f.Line > 0 {
		f.Path = at + ".document"
		return f
	}
	f := importFault("", err)
	if errors.As(err, new(*fs.PathError)) { // relative to the file that says so, and not to where one is
		f.Message = document + ": " + f.Message
	}
	return c.pos.Fault(at+".document", "%s", f.Message)
}

// importPlace finds where in a document an import stopped, in the words of either parser.
var importPlace = regexp.MustCompile(`(?:(?:L\d+\.C\d+-)?L(\d+)\.C(\d+)|line (\d+), column (\d+)): (.*)$`)

// importFault says what is wrong with a document as all commands say it: file:line:col: message.
func importFault(document string, err error) Fault {
	f := Fault{File: document, Message: strings.TrimPrefix(err.Error(), "read document: ")}
	if at := (*fs.PathError)(nil); errors.As(err, &at) { // the path is said already
		switch {
		case errors.Is(err, fs.ErrNotExist):
			f.Message = "no such file"
		case errors.Is(err, syscall.EISDIR):
			f.Message = "a directory: name the document in it"
		default:
			f.Message = "cannot be read: " + at.Err.Error()
		}
		return f
	}
	if m := importPlace.FindStringSubmatch(f.Message); m != nil {
		f.Line, _ = strconv.Atoi(m[1] + m[3])
		f.Column, _ = strconv.Atoi(m[2] + m[4])
		f.Message = m[5]
		if m[1] != "" {
			f.Message = "not YAML: " + m[5]
		}
	}
	return f
}

// entryKey reports whether a path of an import names a key of the API's entry.
func entryKey(key string) bool {
	for _, prefix := range []string{"operations", "tools", "references", "server_variables", "requests", "responses"} {
		if key == prefix || strings.HasPrefix(key, prefix+".") || strings.HasPrefix(key, prefix+"[") {
			return !strings.Contains(key, " ") || strings.HasPrefix(key, "tools.")
		}
	}
	return false
}

// documentWarnings keeps those about the entry itself; a document's own are many and import tells them.
func (c *documentCheck) documentWarnings(at string, a *APIConfig, doc *openapi.Document) {
	others := 0
	for _, w := range doc.Warnings {
		switch {
		case entryKey(w.At):
			c.warnings = append(c.warnings, c.pos.Fault(at+"."+w.At, "%s", w.Message))
		default:
			key, message, ok := strings.Cut(w.Message, ": ")
			if ok && w.At == "" && entryKey(key) {
				c.warnings = append(c.warnings, c.pos.Fault(at+"."+key, "%s", message))
				continue
			}
			others++
		}
	}
	if others > 0 {
		c.warnings = append(c.warnings, c.pos.Fault(at+".document", "%s about the document; drawbridge import %s lists them",
			count(others, "warning"), a.DocumentPath(c.pos.File())))
	}
}

// toolAccess reports access.tools keys that name no tool (mcp.md §1).
func (c *documentCheck) toolAccess() {
	for i := range c.cfg.MCPServers {
		s := &c.cfg.MCPServers[i]
		names, known := c.toolNames(s)
		for _, name := range search.Names() { // F8
			if names[name] && s.ToolSearch == string(search.On) {
				c.errors = append(c.errors, c.pos.Fault(fmt.Sprintf("mcp_servers[%d].tool_search", i),
					"is on, and the server has a tool of its own named %q; rename that tool or set auto", name))
			}
		}
		for _, name := range sortedKeys(s.Access.Tools) {
			path := strictyaml.Join(fmt.Sprintf("mcp_servers[%d].access.tools", i), name)
			if names[name] || !known(name) {
				continue
			}
			message := fmt.Sprintf("no tool of this server is named %q", name)
			if near := strictyaml.Suggest(name, sortedKeys(names)); near != "" {
				message += fmt.Sprintf("; did you mean %q?", near)
			}
			c.errors = append(c.errors, c.pos.KeyFault(path, "%s", message))
		}
	}
}

// toolNames returns the tools of a server by the names it gives them. known reports whether such a tool would be one of
// them: an upstream's tools are not known, nor are those of a document that was not read.
func (c *documentCheck) toolNames(s *ServerConfig) (names map[string]bool, known func(name string) bool) {
	names = map[string]bool{}
	var open []string // prefixes of parts that are not known
	for i := range s.From {
		f := &s.From[i]
		doc, ok := c.docs[f.API]
		if !ok {
			open = append(open, f.prefix()+"__")
			continue
		}
		for _, t := range doc.Tools {
			names[s.publicName(f, t.Name)] = true
		}
	}
	return names, func(name string) bool {
		if !s.isCombined() {
			return len(open) == 0
		}
		return !slices.ContainsFunc(open, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	}
}
