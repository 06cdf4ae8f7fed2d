package proxy

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Hygiene knows which headers may pass (llm.md §11.2, §11.3). Read only; make it once and keep it.
type Hygiene struct {
	never   map[string]bool // the forty names and the hops, lower case with - for _
	request map[string]bool // HH-1, canonical

	requests []string // the same as a list: asking for ten names is cheaper than looking at all that came
	answers  []string // HH-4, canonical
}

// NewHygiene makes the tables.
func NewHygiene() *Hygiene {
	h := &Hygiene{never: map[string]bool{}, request: map[string]bool{}}
	for _, name := range append(neverForwarded(), hopByHop()...) {
		h.never[name] = true
	}
	h.requests = []string{
		"Accept", "Content-Type", "Idempotency-Key", "Openai-Beta", "Anthropic-Version", "Anthropic-Beta", "Traceparent",
		"Tracestate", "X-Request-Id", "X-Ms-Client-Request-Id",
	}
	h.answers = []string{
		"Content-Type", "Retry-After", "Retry-After-Ms", "Openai-Processing-Ms", "Apim-Request-Id", "X-Ms-Region",
	}
	for _, name := range h.requests {
		h.request[name] = true
	}
	return h
}

// neverForwarded are the forty names of llm.md §11.3: they carry credentials or identities.
func neverForwarded() []string {
	return []string{
		"authorization", "proxy-authorization", "proxy-authenticate", "api-key", "x-api-key", "apikey", "x-apikey",
		"ocp-apim-subscription-key", "subscription-key", "x-subscription-key", "x-goog-api-key",
		"x-goog-iam-authorization-token", "x-auth-token", "x-access-token", "x-id-token", "x-refresh-token",
		"x-amz-security-token", "x-ms-token-aad-access-token", "x-ms-token-aad-id-token", "x-ms-client-principal",
		"x-ms-authorization-auxiliary", "x-functions-key", "x-vault-token", "x-csrf-token", "cookie",
		"x-forwarded-access-token", "x-forwarded-authorization", "x-original-authorization", "x-upstream-authorization",
		"x-forwarded-user", "x-remote-user", "x-authenticated-user", "x-consumer-username", "private-token",
		"x-github-token", "openai-api-key", "x-litellm-api-key", "x-portkey-api-key", "helicone-auth",
		"cf-access-jwt-assertion",
	}
}

// hopByHop are the headers that belong to one connection (RFC 9110 §7.6.1).
func hopByHop() []string {
	return []string{
		"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
	}
}

// NeverForwarded reports whether a header may never go to a backend, whatever its case and with _ for -: names that
// carry credentials, hop-by-hop names and our own x-drawbridge-*. For checks of configuration.
func NeverForwarded(name string) bool { return NewHygiene().Refuses(name) }

// Refuses reports whether a header of that name never passes. Backends of some frameworks read X_API_KEY as X-Api-Key.
func (h *Hygiene) Refuses(name string) bool {
	var buf [64]byte
	if len(name) > len(buf) {
		return ownName(strings.ReplaceAll(strings.ToLower(name), "_", "-"))
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	low := buf[:len(name)]
	return h.never[string(low)] || len(low) >= len(ownPrefix) && string(low[:len(ownPrefix)]) == ownPrefix
}

const ownPrefix = "x-drawbridge-"

func ownName(low string) bool { return strings.HasPrefix(low, ownPrefix) }

// clean removes from a built request what may not pass. On /llm only the allow-list, the backend's forward_headers and
// what the maker of the call set for the body pass.
func (h *Hygiene) clean(header http.Header, surface Surface, forward map[string]bool) {
	for _, named := range header["Connection"] {
		for name := range strings.SplitSeq(named, ",") {
			header.Del(textproto.TrimString(name)) // what connection names is per hop too (HH-8)
		}
	}
	for name := range header {
		if surface == LLM {
			if !h.request[name] && !forward[name] { // neither list holds a name that is refused
				delete(header, name)
			}
		} else if h.Refuses(name) || hop(name) {
			delete(header, name)
		}
	}
}

// hop reports whether a header tells of the hops before us: ours to tell, and only where the backend wants it (HH-3).
func hop(name string) bool {
	return name == "Forwarded" || name == "Via" || len(name) > 12 && strings.EqualFold(name[:12], "X-Forwarded-")
}

// carry copies from the caller's headers what may pass and the maker of the call did not set itself.
func (h *Hygiene) carry(to, from http.Header, surface Surface, forward map[string]bool) {
	if len(from) == 0 {
		return
	}
	take := func(name string) {
		if values, sent := from[name]; sent {
			if _, set := to[name]; !set {
				to[name] = values
			}
		}
	}
	if surface == LLM {
		for _, name := range h.requests {
			if name != "Content-Type" { // it belongs to the body, which Build made
				take(name)
			}
		}
	}
	for name := range forward {
		take(name)
	}
}

// back filters the headers of an answer: a new map with what may reach a caller (HH-4).
func (h *Hygiene) back(from http.Header, more map[string]bool) http.Header {
	out := make(http.Header, 8)
	for _, name := range h.answers {
		if values, sent := from[name]; sent {
			out[name] = values
		}
	}
	for name := range more {
		if values, sent := from[name]; sent {
			out[name] = values
		}
	}
	return out
}

// first is h.Get of a name that is canonical already.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// apply writes what shape policies decided about headers: Remove, then Default, Header and Append.
func (s *Shape) apply(header http.Header) {
	for _, name := range s.Remove {
		RemoveHeader(header, name)
	}
	for name, values := range s.Default {
		if _, set := header[name]; !set {
			header[name] = values
		}
	}
	for name, values := range s.Header {
		header[name] = values
	}
	for name, values := range s.Append {
		header[name] = append(header[name][:len(header[name]):len(header[name])], values...)
	}
}

// RemoveHeader deletes a header; a final * in name matches any ending.
func RemoveHeader(header http.Header, name string) {
	prefix, any := strings.CutSuffix(name, "*")
	if !any {
		header.Del(name)
		return
	}
	prefix = http.CanonicalHeaderKey(prefix)
	for have := range header {
		if len(have) >= len(prefix) && strings.EqualFold(have[:len(prefix)], prefix) {
			delete(header, have)
		}
	}
}

// nameSet checks and canonicalises a configured list of header names.
func (h *Hygiene) nameSet(names []string, credentials bool) (map[string]bool, error) {
	if len(names) == 0 {
		return nil, nil
	}
	set := make(map[string]bool, len(names))
	for _, name := range names {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("%q is not the name of a header", name)
		}
		if !credentials && h.Refuses(name) {
			return nil, fmt.Errorf("%q is never forwarded", name)
		}
		set[http.CanonicalHeaderKey(name)] = true
	}
	return set, nil
}
