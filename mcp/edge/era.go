package edge

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// Modern is the revision without sessions; LatestLegacy the newest one with them.
const (
	Modern       = "2026-07-28"
	LatestLegacy = "2025-11-25"
	assumed      = "2025-03-26" // what S25 lets us assume when a client says nothing
)

// Supported returns the revisions this gateway speaks, newest first.
func Supported() []string {
	return []string{Modern, LatestLegacy, "2025-06-18", "2025-03-26", "2024-11-05"}
}

const (
	versionHeader = "Mcp-Protocol-Version"
	methodHeader  = "Mcp-Method"
	nameHeader    = "Mcp-Name"
	sessionHeader = "Mcp-Session-Id"
	maxHeader     = 8 << 10
)

// versionOf returns what the version header says. Lines of the same header are one list (RFC 9110 §5.2), so that two of them
// name no revision, and nobody behind us reads the one that we did not.
func versionOf(h http.Header) string {
	lines := h[versionHeader]
	if len(lines) == 1 {
		return lines[0]
	}
	return strings.Join(lines, ", ")
}

// isModern reports whether a version header names 2026-07-28 or later.
func isModern(version string) bool { return isRevision(version) && version >= Modern }

// isRevision reports whether s has the form of a revision: four digits, two and two.
func isRevision(s string) bool {
	const form = "dddd-dd-dd"
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if digit := '0' <= s[i] && s[i] <= '9'; digit != (form[i] == 'd') || !digit && s[i] != '-' {
			return false
		}
	}
	return true
}

func isLegacy(version string) bool { return slices.Contains(Supported()[1:], version) }

// chooseEra is row 11: the table of mcp.md §5. What a message says of itself counts, then the header.
func (x *exchange) chooseEra() error {
	m := x.message
	header := versionOf(x.r.Header)
	switch {
	case m.ProtocolVersion.Present():
		x.modern = true
		return x.checkModern()
	case m.Method == "initialize":
		return nil
	case isModern(header) && m.Kind == strictjson.Response:
		x.modern, x.revision = true, Modern
		return refuse(http.StatusBadRequest, CodeInvalidRequest, "servers send no requests in %s", Modern)
	case isModern(header):
		x.modern, x.revision = true, Modern
		return refuse(http.StatusBadRequest, CodeInvalidParams, "_meta is missing io.modelcontextprotocol/protocolVersion")
	case header != "" && !isLegacy(header):
		return unsupportedHeader(header)
	}
	return nil
}

func unsupportedHeader(version string) error {
	return refuse(http.StatusBadRequest, CodeInvalidRequest, "unsupported protocol version %q; supported: %s",
		mcp.Clip(version), strings.Join(Supported(), ", "))
}

// checkModern is H1 to H7 and H11 of mcp.md §5: a proxy that routes by the headers must come to the same verdict as we,
// who read only the body.
func (x *exchange) checkModern() error {
	m := x.message
	x.revision = Modern // what we answer in, refusals too
	version, ok := Modern, m.Says(m.ProtocolVersion, Modern)
	if !ok {
		version, ok = m.Text(m.ProtocolVersion)
	}
	if !ok {
		return invalidMeta("io.modelcontextprotocol/protocolVersion must be a string") // H1
	}
	if header := x.r.Header[versionHeader]; len(header) > 0 { // H3: two answers to one question come before either is judged
		if err := x.matchHeader(versionHeader, "MCP-Protocol-Version", version); err != nil {
			return err
		}
	}
	if version != Modern { // H2
		data, _ := json.Marshal(map[string]any{"supported": Supported(), "requested": mcp.Clip(version)})
		return &Error{Code: CodeUnsupportedVersion, Msg: "unsupported protocol version", Data: data, Status: http.StatusBadRequest}
	}
	if !m.IsObject(m.ClientCapabilities) {
		return invalidMeta("io.modelcontextprotocol/clientCapabilities is missing or no object") // H1
	}
	if x.jsonOnly {
		return errNotAcceptable()
	}
	if len(x.r.Header[versionHeader]) == 0 { // H3
		return mismatch("MCP-Protocol-Version is missing")
	}
	if err := x.matchHeader(methodHeader, "Mcp-Method", m.Method); err != nil { // H4
		return err
	}
	if lines := x.r.Header[nameHeader]; len(lines) > 1 { // H7: where the name is ignored, too
		return mismatch("Mcp-Name was sent %d times", len(lines))
	} else if len(lines) == 1 && len(lines[0]) > maxHeader {
		return mismatch("Mcp-Name is longer than %d bytes", maxHeader)
	}
	if value, member, ok := named(m); ok { // H5
		name, isText := m.Text(value)
		if !isText {
			return refuse(http.StatusBadRequest, CodeInvalidParams, "params.%s must be a string", member)
		}
		if err := x.matchHeader(nameHeader, "Mcp-Name", name); err != nil {
			return err
		}
	}
	if removed(m.Method) { // H11
		if m.Kind == strictjson.Notification {
			return refuse(http.StatusNotFound, CodeMethodNotFound, "unknown method: %s", m.Method)
		}
		return MethodNotFound(m.Method)
	}
	return nil
}

func invalidMeta(what string) error {
	return refuse(http.StatusBadRequest, CodeInvalidParams, "_meta: %s", what)
}

// matchHeader requires one header of this name whose value is want.
func (x *exchange) matchHeader(key, name, want string) error {
	values := x.r.Header[key]
	switch {
	case len(values) == 0:
		return mismatch("%s is missing", name)
	case len(values) > 1:
		return mismatch("%s was sent %d times", name, len(values)) // H7
	}
	got, ok := HeaderValue(values[0])
	if !ok {
		return mismatch("%s cannot be read", name)
	}
	if got != want {
		return mismatch("%s says %q, the body says %q", name, mcp.Clip(got), mcp.Clip(want))
	}
	return nil
}

func mismatch(format string, args ...any) error {
	return &Error{Code: CodeHeaderMismatch, Msg: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}

// HeaderMismatch is the fault of a header that contradicts the body (H8).
func HeaderMismatch(format string, args ...any) error { return mismatch(format, args...) }

const (
	base64Head = "=?base64?"
	base64Tail = "?="
)

// HeaderValue reads the value of an Mcp-* header (H6): optional white space is cut, and the base64 form is decoded,
// always, so that a name cannot look like one thing here and like another in the body.
func HeaderValue(raw string) (value string, ok bool) {
	if len(raw) > maxHeader {
		return "", false
	}
	raw = strings.Trim(raw, " \t")
	if !strings.HasPrefix(raw, base64Head) || !strings.HasSuffix(raw, base64Tail) || len(raw) < len(base64Head)+len(base64Tail) {
		return raw, true
	}
	text, err := base64.StdEncoding.Strict().DecodeString(raw[len(base64Head) : len(raw)-len(base64Tail)])
	if err != nil || !utf8.Valid(text) {
		return "", false
	}
	return string(text), true
}
