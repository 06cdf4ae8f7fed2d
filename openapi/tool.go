package openapi

import (
	"crypto/sha256"
	"encoding/json"
	"net/url"
	"sync"
)

// Document is what Import made of a document. It is immutable once returned, and safe for concurrent use.
type Document struct {
	Title      string
	Version    string
	OpenAPI    string // the version text of the document
	Operations int    // len(Tools) + len(Skipped)
	Tools      []*Tool
	Skipped    []Skipped
	Warnings   []Warning
	// Backends are the distinct bases of the tools' implicit servers, in the order of first use (B2).
	Backends []*url.URL
	// RelativeServer is the first server URL that has no host; its tools need a configured backend (B3).
	RelativeServer string
	// Files are the local files that the document was read from, without the root: a change of one is a change of it.
	Files []string
	// Remote are the references that were read over the network, by URL, with the SHA-256 of what was read.
	Remote map[string][sha256.Size]byte

	serverName string
	panics     []string

	indexed sync.Once
	index   *Index
}

// Tool is one operation, ready to be offered and called.
type Tool struct {
	Name         string
	Title        string
	Description  string
	Method       string
	Path         string // the template as written in the document
	OperationID  string
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage // nil: none
	Annotations  Annotations
	Parameters   int // arguments advertised
	Security     [][]SchemeScopes
	Tags         []string
	Deprecated   bool
	BaseURL      *url.URL // implicit backend; nil: relative, a backend must be configured
	Bytes        int      // size of the tool as it stands in tools/list
	// Retry is what x-drawbridge.retry says about sending again after bytes have left; nil: by the method (T2).
	Retry *bool

	plan *plan
}

// Annotations are the hints of MCP about a tool; all four are always written out.
type Annotations struct {
	Title       string `json:"title,omitempty"`
	ReadOnly    bool   `json:"readOnlyHint"`
	Destructive bool   `json:"destructiveHint"`
	Idempotent  bool   `json:"idempotentHint"`
	OpenWorld   bool   `json:"openWorldHint"`
}

// SchemeScopes is one security scheme which an operation asks for, with its scopes.
type SchemeScopes struct {
	Scheme string
	Scopes []string
}

// Skipped is an operation that did not become a tool.
type Skipped struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	OperationID string `json:"operation_id"`
	Reason      string `json:"reason"`
}

// Warning says what was repaired, left out or doubtful.
type Warning struct {
	At      string `json:"at"` // file:line:col, or a JSON pointer
	Message string `json:"message"`
}

// Tool returns the tool of that name, or nil.
func (d *Document) Tool(name string) *Tool {
	for _, t := range d.Tools {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Index is the document's tools as a search finds them, built when it is first asked for.
func (d *Document) Index() *Index {
	d.indexed.Do(func() { d.index = NewIndex(d.Tools) })
	return d.index
}
