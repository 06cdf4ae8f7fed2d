package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// Gate G7: the suite's own tools as operations of a REST API (mcp.md §20).

const bridgeDocument = `
openapi: 3.1.0
info: {title: Conformance, version: "1"}
paths:
  /text: {get: {operationId: test_simple_text, summary: A text, responses: {"200": {description: ok, content: {text/plain: {schema: {type: string}}}}}}}
  /image: {get: {operationId: test_image_content, summary: An image, responses: {"200": {description: ok, content: {image/png: {}}}}}}
  /audio: {get: {operationId: test_audio_content, summary: A sound, responses: {"200": {description: ok, content: {audio/wav: {}}}}}}
  /error: {get: {operationId: test_error_handling, summary: A failure, responses: {"200": {description: ok}}}}
`

const bridgeConfig = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
backends: [{name: rest, url: "%s"}]
apis: [{name: rest, document: "%s", backend: rest}]
mcp_servers: [{name: rest, from: [{api: rest}]}]
`

// restFixture is the API behind the tools.
func restFixture(t *testing.T) string {
	t.Helper()
	const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
	png, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		t.Fatal(err)
	}
	wav := append([]byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x44\xac\x00\x00\x88\x58\x01\x00\x02\x00\x10\x00data"), 0, 0, 0, 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/text":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "This is a simple text response for testing.")
		case "/image":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(png)
		case "/audio":
			w.Header().Set("Content-Type", "audio/wav")
			_, _ = w.Write(wav)
		default:
			http.Error(w, "This tool intentionally returns an error for testing", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestConformanceOfBridges(t *testing.T) {
	document := filepath.Join(t.TempDir(), "rest.yaml")
	if err := os.WriteFile(document, []byte(bridgeDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, fmt.Sprintf(bridgeConfig, restFixture(t), document))
	shim := s.shim(t, map[string]string{"rest": s.token(t, "rest", "alice")})
	for revision, scenarios := range map[string][]string{
		"2025-11-25": {"server-initialize", "ping", "tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-audio", "tools-call-error",
			"server-sse-multiple-streams", "dns-rebinding-protection", "server-session-lifecycle"},
		"2026-07-28": {"tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-audio", "tools-call-error", "server-sse-multiple-streams",
			"dns-rebinding-protection", "http-header-validation"},
	} {
		for _, scenario := range scenarios {
			t.Run("G7 "+revision+" "+scenario, func(t *testing.T) {
				for range repeats() {
					if _, passed, text := suite(t, shim+"/mcp/rest", "--spec-version", revision, "--scenario", scenario); !passed {
						t.Error(text)
					}
				}
			})
		}
	}
}
