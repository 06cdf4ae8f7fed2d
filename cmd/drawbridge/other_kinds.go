package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/openapi"
)

// importDocument imports a document, and where nothing came of it because it is something else, says what it is and what
// to do about it: people have a page, a collection or a schema at hand, and a parser's words for it help nobody.
func importDocument(ctx context.Context, src openapi.Source, o openapi.Options) (*openapi.Document, error) {
	doc, err := openapi.Import(ctx, src, o)
	if err == nil || doc != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return doc, err
	}
	unversioned := errors.Is(err, openapi.ErrNotOpenAPI)
	if !unversioned && !importPlace.MatchString(err.Error()) && !strings.Contains(err.Error(), "read YAML: ") {
		return doc, err
	}
	switch what := otherKind(documentBytes(src)); {
	case what == "":
	case unversioned:
		err = fmt.Errorf("%w; %s", err, what)
	default: // where a parser for the wrong language stopped is nobody's place to look at
		err = fmt.Errorf("%w; %s", openapi.ErrNotOpenAPI, what)
	}
	return doc, err
}

// documentBytes are the bytes that an import read; nil when they cannot be had again.
func documentBytes(src openapi.Source) []byte {
	if src.Data != nil {
		return src.Data
	}
	f, err := os.Open(src.Location)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	data, _ := io.ReadAll(io.LimitReader(f, maxDocument))
	return data
}

// A kind of document that is not OpenAPI, by a key that only it has at its top, or by what its text looks like.
type kind struct {
	keys []string // all of them
	text *regexp.Regexp
	what string
}

// kinds are looked through in order.
var kinds = []kind{
	{text: regexp.MustCompile(`^PK\x03\x04`), what: "it is a zip archive: unpack it and name the document in it"},
	{text: regexp.MustCompile(`^(?i)<!doctype html|^(?i)<html|^<[^>]*>\s*(?i)<html`), what: "it is an HTML page, as sign-ins and documentation are: name the address of the document itself"},
	{keys: []string{"info", "item"}, what: "it is a Postman collection: export or convert it to OpenAPI first"},
	{keys: []string{"_type", "resources"}, what: "it is an Insomnia export: export it as OpenAPI instead"},
	{keys: []string{"asyncapi"}, what: "it is an AsyncAPI document: it describes messages, and tools are made of HTTP operations"},
	{keys: []string{"data"}, text: regexp.MustCompile(`"__schema"`), what: graphQL},
	{keys: []string{"__schema"}, what: graphQL},
	{text: regexp.MustCompile(`(?m)^(?:schema|(?:extend )?(?:type|input|interface|enum) \w+)[^:\n]*\{\s*$`), what: graphQL},
	{text: regexp.MustCompile(`^#%RAML`), what: "it is RAML: convert it to OpenAPI first"},
	{text: regexp.MustCompile(`(?m)^syntax\s*=\s*"proto|^edition\s*=\s*"`), what: "it is a Protocol Buffers definition: generate OpenAPI from it first"},
	{text: regexp.MustCompile(`<(?:\w+:)?definitions[^>]+wsdl`), what: "it is a WSDL description of a SOAP service: tools are made of REST APIs"},
	{text: regexp.MustCompile(`^<`), what: "it is XML: OpenAPI is JSON or YAML"},
	{keys: []string{"log"}, text: regexp.MustCompile(`"entries"`), what: "it is a recording of requests (HAR): generate OpenAPI from it first"},
	{keys: []string{"swaggerVersion"}, what: "it is Swagger 1: convert it to OpenAPI first"},
	{keys: []string{"mcp_servers"}, what: configuration},
	{keys: []string{"apis", "backends"}, what: configuration},
	{keys: []string{"mcpServers"}, what: "it is a client's list of MCP servers"},
	{keys: []string{"paths"}, what: "it has paths and says no version: if it is a whole document add openapi: 3.0.3, if it is a part name the document that refers to it"},
	{keys: []string{"$schema"}, what: "it is a JSON Schema, which has no operations"},
}

const (
	graphQL       = "it is a GraphQL schema: tools are made of REST APIs"
	configuration = "it is a configuration of Drawbridge: serve -c FILE serves it"
)

// otherKind says what a document is that is not OpenAPI, with the remedy; "" when that cannot be told.
func otherKind(data []byte) string {
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n")
	if len(text) == 0 {
		return "it is empty"
	}
	if bytes.HasPrefix(text, []byte("\x1f\x8b")) {
		return "it is compressed with gzip: unpack it first"
	}
	keys := topKeys(text)
	if keys["openapi"] || keys["swagger"] {
		return ""
	}
	for _, k := range kinds {
		if k.text != nil && !k.text.Match(text) {
			continue
		}
		if !slices.ContainsFunc(k.keys, func(key string) bool { return !keys[key] }) {
			return k.what + documentOf(text)
		}
	}
	if bytes.IndexByte(text[:min(len(text), 1024)], 0) >= 0 {
		return "it is not text"
	}
	return ""
}

var (
	topKey   = regexp.MustCompile(`(?m)^["']?([A-Za-z_$][\w$-]*)["']?\s*:(?:\s|$)`)
	shownDoc = regexp.MustCompile(`(?:\burl["']?\s*:|(?:data-url|spec-url|apiDescriptionUrl)\s*=)\s*["']([\w./:~%-]{1,200})["']`)
)

// topKeys are the names at the top of a JSON object or of block-style YAML.
func topKeys(text []byte) map[string]bool {
	keys := map[string]bool{}
	var object map[string]json.RawMessage
	if text[0] == '{' && json.Unmarshal(text, &object) == nil {
		for key := range object {
			keys[key] = true
		}
		return keys
	}
	for _, m := range topKey.FindAllSubmatch(text, 1000) {
		keys[string(m[1])] = true
	}
	return keys
}

// documentOf names the document that a page of documentation shows (Swagger UI, Redoc, RapiDoc, Stoplight).
func documentOf(text []byte) string {
	if text[0] != '<' {
		return ""
	}
	if m := shownDoc.FindSubmatch(text); m != nil {
		return "; the page shows " + string(m[1])
	}
	return ""
}
