package openapi

import "encoding/json"

// ContentType is the kind of a block of content.
type ContentType string

const (
	TextContent     ContentType = "text"
	ImageContent    ContentType = "image"
	AudioContent    ContentType = "audio"
	ResourceContent ContentType = "resource"
)

// Result is what a call gave, in nobody's wire format.
type Result struct {
	Content    []Content
	Structured json.RawMessage // a JSON object, or nil
	IsError    bool
	Meta       map[string]any
}

// Content is one block of a result. Data is not yet base64.
type Content struct {
	Type     ContentType
	Text     string
	Data     []byte
	MIMEType string
	URI      string
	Name     string
}

// ReadOptions bound and colour the reading of one answer. Zero values mean the defaults.
type ReadOptions struct {
	ResponsesConfig
	RequestID string // part of the uri of files
	// CredentialHint is said after 401 and 403, such as the address where a person connects an account; "" says that the
	// gateway's own credential was refused.
	CredentialHint string
	// Event is told after each event of a stream how many there were, for progress; nil is fine.
	Event func(count int)
}

// ArgumentError is a fault in the arguments of a call; its text is for the caller's model to correct itself. Nothing
// has been sent.
type ArgumentError struct {
	Problems []string // one line each, at most five
}

func (e *ArgumentError) Error() string {
	text := ""
	for _, p := range e.Problems {
		text += p + "\n"
	}
	return text + "Correct the arguments and call again."
}
