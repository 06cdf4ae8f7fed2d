package openapi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"
)

// importer carries one import. It is used by one goroutine.
type importer struct {
	ctx     context.Context
	options Options
	lib     *library
	reader  *schemaReader
	merge   *merger
	warn    *warnings
	doc     *Document

	root       *node
	swagger    bool // 2.0
	unions     map[*schema]*schema
	texts      map[string]string
	outputs    map[*schema]*outputShape
	configured map[*Tool]bool
	stacks     []string // of panics below the guard

	renames, textEnums reach
	variantTexts       map[*schema]string
	schemes            map[string]int // operations by security scheme
	usedTools          map[string]bool
	usedArgs           map[string]bool // key of a tool, NUL, key of an argument
	argFaults          map[string][]argFault
}

// ErrNotOpenAPI is a document that could be read and names no version of OpenAPI that there is.
var ErrNotOpenAPI = errors.New("not an OpenAPI document")

// Import reads one document and turns its operations into tools. It fails when nothing can be read, and when no tool
// came out; the Document then still says what was skipped and why.
func Import(ctx context.Context, src Source, o Options) (d *Document, err error) {
	defer func() {
		if p := recover(); p != nil { // a bug of ours; one document must not take the gateway down
			d, err = nil, fmt.Errorf("internal: %v\n%s", p, debug.Stack())
		}
	}()
	o.Limits = o.Limits.orDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Limits.Time)
	defer cancel()
	switch o.Profile {
	case "":
		o.Profile = Universal
	case Universal, Rich, Gemini:
	default:
		return nil, fmt.Errorf("profile %q: want universal, rich or gemini", o.Profile)
	}
	im := newImporter(ctx, src, o)
	f, err := im.lib.loadRoot()
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	im.root = f.root
	if err := im.identify(); err != nil {
		return nil, err
	}
	if err := im.configurationFaults(); err != nil {
		return nil, err
	}
	return im.run()
}

func newImporter(ctx context.Context, src Source, o Options) *importer {
	im := &importer{
		ctx: ctx, options: o, merge: newMerger(), warn: newWarnings(), doc: &Document{serverName: o.ServerName},
		unions: map[*schema]*schema{}, texts: map[string]string{}, outputs: map[*schema]*outputShape{}, configured: map[*Tool]bool{},
		variantTexts: map[*schema]string{}, schemes: map[string]int{}, usedTools: map[string]bool{},
		usedArgs: map[string]bool{}, argFaults: map[string][]argFault{},
	}
	im.renames.found, im.textEnums.found = renamesProperty, hasTextEnum
	im.lib = &library{ctx: ctx, source: src, limits: o.Limits, allow: o.References, warn: im.warn.add, files: map[string]*file{}, failed: map[string]error{}}
	im.reader = &schemaReader{lib: im.lib, warn: im.warn.add, known: map[*node]*schema{}}
	return im
}

// identify reads the version and the title (R1).
func (im *importer) identify() error {
	swagger, version := im.root.get("swagger"), im.root.get("openapi")
	text := version.str()
	if version == nil {
		text = swagger.str()
	}
	switch {
	case version == nil && (text == "2.0" || text == "2"):
		im.swagger = true
	case version != nil && (text == "3" || text == "3.0"):
		im.warn.add(version, "repaired: openapi: "+text+" is read as 3.0")
	case version != nil && (strings.HasPrefix(text, "3.0.") || strings.HasPrefix(text+".", "3.1.") || strings.HasPrefix(text+".", "3.2.")):
		im.reader.siblings = !strings.HasPrefix(text, "3.0.")
	default:
		got := "no version"
		if text != "" {
			got = fmt.Sprintf("%q", shorten(text, 40))
		}
		return fmt.Errorf(`%w: want swagger: "2.0" or openapi: 3.0–3.2, got %s`, ErrNotOpenAPI, got)
	}
	info := im.root.get("info")
	im.doc.OpenAPI = text
	im.doc.Title = im.plain(im.reader.text(info.get("title")))
	im.doc.Version = info.get("version").str()
	return nil
}

// run makes tools of all operations.
func (im *importer) run() (*Document, error) {
	raw := im.operations(im.root)
	im.doc.Operations = len(raw)
	if len(raw) == 0 {
		return im.doc, im.noOperations()
	}
	selected := im.options.Selection.compile()
	for _, o := range raw {
		if err := im.ctx.Err(); err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
		switch {
		case o.reason != "":
			im.skip(o, o.reason)
		case !selected.takes(o):
			im.skip(o, "not selected")
		default:
			im.guarded(o)
		}
	}
	for _, text := range selected.unmatched(raw) {
		im.warn.at("operations", text)
	}
	if err := im.toolFaults(raw); err != nil {
		return nil, err
	}
	im.finish()
	if len(im.doc.Tools) == 0 {
		return im.doc, fmt.Errorf("no tools: all %d operations were skipped (first: %s)", len(raw), im.doc.Skipped[0].Reason)
	}
	return im.doc, nil
}

func (im *importer) noOperations() error {
	im.doc.Warnings = im.warn.all()
	if n := len(im.root.get("webhooks").fields()); n == 1 {
		return errors.New("no operations (1 webhook)")
	} else if n > 1 {
		return fmt.Errorf("no operations (%d webhooks)", n)
	}
	return errors.New("no operations")
}

// guarded makes a tool of one operation; a panic there is a bug that costs this operation only (§1.4).
func (im *importer) guarded(o *rawOperation) {
	defer func() {
		if p := recover(); p != nil {
			im.stacks = append(im.stacks, string(debug.Stack()))
			im.skip(o, "internal: "+shorten(fmt.Sprint(p), 200))
		}
	}()
	t, err := im.tool(o)
	im.tellClashes(o)
	if err != nil {
		im.skip(o, err.Error())
		return
	}
	im.doc.Tools = append(im.doc.Tools, t)
}

func (im *importer) skip(o *rawOperation, reason string) {
	reason, _ = visible(strings.Join(strings.Fields(reason), " "))
	im.doc.Skipped = append(im.doc.Skipped, Skipped{Method: o.method, Path: o.path, OperationID: o.id, Reason: shorten(reason, 300)})
}

// finish settles names and order, and gathers what concerns the document as a whole.
func (im *importer) finish() {
	d := im.doc
	sortTools(d.Tools)
	settleNames(d.Tools, im.configured)
	im.skipSameNames()
	im.finishTools()
	im.securityWarnings()
	shareLeaves(d.Tools)
	seenBase := map[string]bool{}
	for _, t := range d.Tools {
		if t.BaseURL != nil && !seenBase[t.BaseURL.String()] {
			seenBase[t.BaseURL.String()] = true
			d.Backends = append(d.Backends, t.BaseURL)
		}
		if name := d.serverName; name != "" && len(name)+len(t.Name) > 60 {
			im.warn.at(t.Method+" "+t.Path, fmt.Sprintf("lint: server and tool name have %d characters together; Cursor drops tools over 60", len(name)+len(t.Name)))
		}
	}
	d.Warnings = im.warn.all()
	d.Files, d.Remote = im.lib.localFiles(), im.lib.remote
}

// skipSameNames skips what configuration gives a name that another tool has: several operations may share an operationId.
func (im *importer) skipSameNames() {
	taken := map[string]bool{}
	kept := im.doc.Tools[:0]
	for _, t := range im.doc.Tools {
		key := strings.ToLower(t.Name)
		if taken[key] {
			im.skip(&rawOperation{method: t.Method, path: t.Path, id: t.OperationID}, fmt.Sprintf("name %q is configured for several operations", t.Name))
			continue
		}
		taken[key] = true
		kept = append(kept, t)
	}
	im.doc.Tools = kept
}

// plain reduces a text once, however many tools show it.
func (im *importer) plain(s string) string {
	if s == "" {
		return ""
	}
	if done, ok := im.texts[s]; ok {
		return done
	}
	text, hidden := plainText(s)
	if hidden {
		im.warn.at("", "lint: hidden characters were removed from a text that starts with "+shorten(text, 40))
	}
	im.texts[s] = text
	return text
}

// Panics returns the stacks of panics that the guard caught while importing: bugs of ours, for the log.
func (d *Document) Panics() []string { return d.panics }

// baseURL is the implicit backend of an operation (B2–B4); nil means that the server is relative.
func (im *importer) baseURL(o *rawOperation) (*url.URL, error) {
	if im.options.Backend != nil {
		for _, n := range [...]*node{o.node, o.item} {
			if s := n.get("servers"); s != nil && n != im.root {
				im.warn.add(s, "lint: the operation's own servers are not used; the configured backend is")
			}
		}
		return nil, nil
	}
	if im.swagger {
		return im.swaggerBase(o)
	}
	for _, n := range [...]*node{o.node, o.item, im.root} {
		switch v := n.get("servers"); {
		case len(v.items()) > 0:
			return im.serverURL(v.items()[0])
		case v.strAt("url") != "":
			im.warn.add(v, "repaired: servers is a list")
			return im.serverURL(v)
		}
	}
	if host := im.root.get("host"); host.str() != "" { // 2.0's way, kept by who changed the version alone
		im.warn.add(host, "repaired: host and basePath are read as the server")
		return im.swaggerBase(o)
	}
	return im.resolveServer("/", im.root)
}
