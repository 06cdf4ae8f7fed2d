package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"
)

// Profile is the subset of JSON Schema that tools advertise. It never changes names, or what is sent.
type Profile string

const (
	Universal Profile = "universal" // what every known client reads; the default
	Rich      Profile = "rich"      // $defs, oneOf and allOf kept
	Gemini    Profile = "gemini"    // the OpenAPI 3.0 subset of Gemini function declarations
)

// Source says where a document is. Location alone suffices for a file.
type Source struct {
	// Location is a path as typed, "-" for standard input, or an http(s) URL. It is the base of relative references.
	Location string
	// Data holds the root document when the caller has read it already; nil: Location is read from disk.
	Data []byte
	// Fetch reads a reference over the network. It owns the address checks (R7d), the time and the redirects; nil: no
	// network. Which URLs are asked for is decided here (R7b, R7c).
	Fetch func(ctx context.Context, url string) ([]byte, error)
}

// Options say what of a document becomes tools, and how they look.
type Options struct {
	ServerName      string // used in warnings about the length of names; "" is fine
	Profile         Profile
	Selection       Selection
	Tools           map[string]ToolConfig // by operationId, or "METHOD /path" where there is none
	References      []string              // hosts and directories that references may lead to (R7a, R7c)
	ServerVariables map[string]string
	Backend         *url.URL // base of every request; nil: the document's own servers
	Requests        RequestsConfig
	Responses       ResponsesConfig
	Limits          Limits
	Credential      CredentialPlace
}

// CredentialPlace names where the backend's own credential goes, so that it is neither an argument nor reachable by one
// (A11, Q11, Q15). At most one is set.
type CredentialPlace struct {
	Header, Query, Cookie string
}

// Selection says which operations become tools. An entry is an operationId (`*` is any run of characters), a method and
// path (`GET /orders/*`), a path (`/orders/**`), `tag:NAME`, or one of `is:read`, `is:write`, `is:deprecated`.
type Selection struct {
	// Operations to offer; empty means all of them.
	Include []string `yaml:"include"`
	// Operations to leave out; wins over include.
	Exclude []string `yaml:"exclude"`
}

// ToolConfig overrides what the document says about one operation.
type ToolConfig struct {
	// Name of the tool: letters, digits, `_` and `-`, at most 64.
	Name string `yaml:"name"`
	// Title for people, at most 80 characters.
	Title string `yaml:"title"`
	// Description for the model.
	Description string `yaml:"description"`
	// Hints to clients about what the tool does.
	Annotations AnnotationsConfig `yaml:"annotations"`
	// Media type of the request body, where the document offers several.
	ContentType string `yaml:"content_type"`
	// Arguments by advertised name, or `in:original` (`query:filter[status]`).
	Arguments map[string]ArgumentConfig `yaml:"arguments"`
}

// AnnotationsConfig overrides the hints that follow from the method (§4.3), under MCP's own names. What is absent stays.
type AnnotationsConfig struct {
	// The tool changes nothing.
	ReadOnly Hint `yaml:"readOnlyHint"`
	// The tool may delete or overwrite.
	Destructive Hint `yaml:"destructiveHint"`
	// Calling twice does no more than calling once.
	Idempotent Hint `yaml:"idempotentHint"`
	// The tool reaches a world outside the gateway.
	OpenWorld Hint `yaml:"openWorldHint"`
}

// Hint is true, false, or not said.
type Hint string

// UnmarshalText takes true or false.
func (h *Hint) UnmarshalText(text []byte) error {
	if s := string(text); s != "true" && s != "false" {
		return errors.New("want true or false")
	}
	*h = Hint(text)
	return nil
}

// ArgumentConfig overrides one argument of a tool (A6).
type ArgumentConfig struct {
	// Name to advertise instead of the document's.
	Name string `yaml:"name"`
	// Description to advertise instead of the document's.
	Description string `yaml:"description"`
	// Value that is always sent; the argument is not advertised.
	Fixed Literal `yaml:"fixed"`
	// Not advertised and never sent.
	Hidden bool `yaml:"hidden"`
	// Value that is sent when the caller gives none.
	Default Literal `yaml:"default"`
	// Keep `/` in a path argument, for APIs whose parameter is itself a path.
	Slashes bool `yaml:"slashes"`
}

// ResponsesConfig bounds what a tool answers (§12).
type ResponsesConfig struct {
	// Largest text or JSON answer.
	MaxBytes int64 `yaml:"max_bytes" default:"256KiB" unit:"size"`
	// The same in tokens of about four bytes; the smaller one counts.
	MaxTokens int `yaml:"max_tokens" default:"10000"`
	// Largest image, sound or file.
	MaxBinaryBytes int64 `yaml:"max_binary_bytes" default:"4MiB" unit:"size"`
	// How long an event stream is read.
	StreamFor time.Duration `yaml:"stream_for" default:"10s"`
}

// RequestsConfig bounds what a tool sends.
type RequestsConfig struct {
	// Largest file in a request, decoded.
	MaxBytes int64 `yaml:"max_bytes" default:"10MiB" unit:"size"`
}

// Limits bound the reading of a document (R6, §1.4). Zero values mean the defaults.
type Limits struct {
	// Largest root document.
	Document int64 `yaml:"document" default:"64MiB" unit:"size"`
	// Largest sum of the document and everything it refers to.
	Total int64 `yaml:"total" default:"128MiB" unit:"size"`
	// How long an import may take.
	Time time.Duration `yaml:"time" default:"30s"`
}

// Literal is a JSON value in configuration. A text that is JSON (5, true, {"a":1}) is that value, any other text is a
// string; a number for an argument that takes only text becomes text again when the tool is built.
type Literal struct {
	Raw json.RawMessage `yaml:"-"` // nil: not set
}

// UnmarshalText takes a scalar as it stands in the configuration file.
func (l *Literal) UnmarshalText(text []byte) error {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) > 0 && json.Valid(trimmed) {
		l.Raw = bytes.Clone(trimmed)
		return nil
	}
	raw, err := json.Marshal(string(text))
	if err != nil {
		return err
	}
	l.Raw = raw
	return nil
}

// MarshalText gives back the JSON text, so that configuration can be printed.
func (l Literal) MarshalText() ([]byte, error) { return l.Raw, nil }

func (l Literal) isSet() bool { return l.Raw != nil }

const (
	defaultDocumentBytes = 64 << 20
	defaultTotalBytes    = 128 << 20
	defaultImportTime    = 30 * time.Second
	defaultMaxBytes      = 256 << 10
	defaultMaxTokens     = 10_000
	defaultBinaryBytes   = 4 << 20
	defaultStreamFor     = 10 * time.Second
	defaultFileBytes     = 10 << 20
)

func (l Limits) orDefaults() Limits {
	if l.Document <= 0 {
		l.Document = defaultDocumentBytes
	}
	if l.Total <= 0 {
		l.Total = defaultTotalBytes
	}
	if l.Time <= 0 {
		l.Time = defaultImportTime
	}
	return l
}

func (r ResponsesConfig) orDefaults() ResponsesConfig {
	if r.MaxBytes <= 0 {
		r.MaxBytes = defaultMaxBytes
	}
	if r.MaxTokens <= 0 {
		r.MaxTokens = defaultMaxTokens
	}
	if r.MaxBinaryBytes <= 0 {
		r.MaxBinaryBytes = defaultBinaryBytes
	}
	if r.StreamFor <= 0 {
		r.StreamFor = defaultStreamFor
	}
	return r
}
