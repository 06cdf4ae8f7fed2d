package resource

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// Codes of refusals beyond those of RFC 6750.
const (
	InvalidKey            = "invalid_api_key"         // llm.md KEY-5
	SubscriptionNotActive = "subscription_not_active" // llm.md KEY-5
	Forbidden             = "access_denied"           // right credential, no right: no scope can cure it
)

// Refusal says why a request has no caller. The face that got the request renders it.
type Refusal struct {
	Status      int
	Code        string        // for clients: an OAuth code or one of the above
	Description string        // for clients; names nothing that was presented
	Challenge   string        // the one WWW-Authenticate header; "" none
	RetryAfter  time.Duration // 0: none
	Err         error         // for the log; nil: nothing to add
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Code + ": " + r.Err.Error()
	}
	return r.Code + ": " + r.Description
}

func (r *Refusal) Unwrap() error { return r.Err }

// Header sets the headers that belong to the refusal, whatever body the face gives it.
func (r *Refusal) Header(h http.Header) {
	h.Set("Cache-Control", "no-store")
	if r.Challenge != "" {
		h.Set("WWW-Authenticate", r.Challenge)
	}
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds()))))
	}
}

// Write answers in the plain shape of OAuth: {"error","error_description"}.
func (r *Refusal) Write(w http.ResponseWriter) {
	r.Header(w.Header())
	oauth.WriteJSON(w, r.Status, oauth.Body{Error: r.Code, Description: r.Description})
}

// challenge writes a Bearer challenge of RFC 6750 §3 from name, value pairs; pairs without a value are left out.
func challenge(pairs ...string) string {
	var b strings.Builder
	b.WriteString("Bearer ")
	first := true
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(pairs[i])
		b.WriteByte('=')
		quote(&b, pairs[i+1])
	}
	return b.String()
}

// quote writes a quoted-string (RFC 9110 §5.6.4); what a header may not hold cannot end it or start another one.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= 0x20 && c < 0x7f:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
