package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/openapi"
)

// What people bring instead of an OpenAPI document is named, with what to do about it.
func TestOtherDocumentsAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":            {"", "it is empty"},
		"blank lines":        {"\n \n", "it is empty"},
		"a page":             {"<!DOCTYPE html>\n<html><head><title>Sign in: now</title></head></html>", "it is an HTML page"},
		"a page with a mark": {"\ufeff<html><body></body></html>", "it is an HTML page"},
		"Swagger UI":         {`<!doctype html><script>ui = SwaggerUIBundle({ url: "/v3/api-docs", dom_id: "#x" })</script>`, "itself; the page shows /v3/api-docs"},
		"Redoc":              {`<!doctype html><redoc spec-url='https://api.example.com/openapi.yaml'></redoc>`, "the page shows https://api.example.com/openapi.yaml"},
		"a Postman collection": {
			`{"info":{"_postman_id":"1","name":"x","schema":"https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},"item":[]}`, "Postman"},
		"GraphQL":               {"type Query {\n  user(id: ID!): User\n}\n", "GraphQL"},
		"GraphQL with comments": {"# a schema\nschema {\n  query: Query\n}\n", "GraphQL"},
		"GraphQL introspection": {`{"data":{"__schema":{"types":[]}}}`, "GraphQL"},
		"AsyncAPI":              {"asyncapi: 2.6.0\nchannels: {}\n", "AsyncAPI"},
		"RAML":                  {"#%RAML 1.0\ntitle: x\n", "RAML"},
		"WSDL":                  {`<?xml version="1.0"?><wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"/>`, "SOAP"},
		"XML":                   {`<?xml version="1.0"?><a/>`, "it is XML"},
		"Protocol Buffers":      {"syntax = \"proto3\";\nservice S { rpc A (B) returns (C); }\n", "Protocol Buffers"},
		"HAR":                   {`{"log":{"version":"1.2","entries":[]}}`, "HAR"},
		"Swagger 1":             {`{"swaggerVersion":"1.2","apis":[]}`, "Swagger 1"},
		"a configuration":       {"listen: 127.0.0.1:8080\nmcp_servers: []\n", "configuration of Drawbridge"},
		"a list of servers":     {`{"mcpServers":{}}`, "list of MCP servers"},
		"a part":                {"paths:\n  /a: {get: {}}\n", "says no version"},
		"a JSON Schema":         {`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}`, "JSON Schema"},
		"gzip":                  {"\x1f\x8b\x08\x00\x00", "unpack"},
		"zip":                   {"PK\x03\x04\x00", "unpack"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "document")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, src := range []openapi.Source{{Location: path}, {Location: "-", Data: []byte(c.text)}} {
				_, err := importDocument(t.Context(), src, openapi.Options{})
				got := importFault("document", err)
				if !strings.HasPrefix(got.Message, "not an OpenAPI document") || !strings.Contains(got.Message, c.want) || got.Line != 0 {
					t.Errorf("= %q, want %q in it", got, c.want)
				}
			}
		})
	}
}

// A document that is what it says it is keeps the parser's words and place.
func TestBrokenDocumentsKeepTheirPlace(t *testing.T) {
	for name, text := range map[string]string{
		"YAML":     "openapi: 3.0.3\ninfo: {title: x\npaths: {}\n",
		"JSON":     `{"openapi": "3.0.3", "paths": {"/a" "x"}}`,
		"a page":   "openapi: 3.0.3\ninfo: {description: '<!DOCTYPE html>'\npaths: {}\n",
		"versions": "openapi: 4.0.0\npaths: {}\n",
	} {
		_, err := importDocument(t.Context(), openapi.Source{Location: "x", Data: []byte(text)}, openapi.Options{})
		if err == nil || strings.Contains(err.Error(), "it is ") {
			t.Errorf("%s: %v", name, err)
		}
		if f := importFault("x", err); f.Line == 0 && name != "versions" {
			t.Errorf("%s: no place in %v", name, f)
		}
	}
}
