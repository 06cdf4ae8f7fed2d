package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	sessionPrefix = "d1."
	sessionRandom = 16 // bytes; as many of the MAC
)

// newSessionID makes an id that says to whom it belongs, so that a wrong one is refused without asking the store (S1, S2).
func (x *exchange) newSessionID() string {
	var random [sessionRandom]byte
	_, _ = rand.Read(random[:])
	first := base64.RawURLEncoding.EncodeToString(random[:])
	return sessionPrefix + first + "." + x.sessionMAC(first)
}

func (x *exchange) sessionMAC(random string) string {
	owner, client := ownerOf(x.caller)
	mac := x.h.Keyring.MAC(secret.MCPSession, random, x.name, owner, client)
	return base64.RawURLEncoding.EncodeToString(mac[:sessionRandom])
}

// ownerOf names the caller as sessions do: a refreshed token of the same person and client goes on (S10).
func ownerOf(c *identity.Caller) (owner, client string) {
	if c.Kind == identity.Key {
		return "key:" + c.Subscription.ID, ""
	}
	return c.Subject, c.ClientID
}

// signed reports whether id was made here for this server and caller. Every id has the same length and one MAC is
// computed for each, so that "never was" and "not yours" look alike (S2).
func (x *exchange) signed(id string) bool {
	rest, ok := strings.CutPrefix(id, sessionPrefix)
	random, mac, ok2 := strings.Cut(rest, ".")
	want := x.sessionMAC(random)
	return subtle.ConstantTimeCompare([]byte(mac), []byte(want)) == 1 && ok && ok2
}

func errSession() error {
	return refuse(http.StatusNotFound, CodeSessionNotFound, "session not found")
}

// findSession is row 12. initialize opens a session and needs none; 2025-03-26 clients ping without one (S5).
func (x *exchange) findSession() error {
	if x.message.Method == "initialize" {
		if x.message.Kind != strictjson.Request {
			return refuse(http.StatusBadRequest, CodeInvalidRequest, "initialize must have an id")
		}
		return nil
	}
	header := versionOf(x.r.Header)
	ids := x.r.Header[sessionHeader]
	if len(ids) == 0 && x.message.Method == "ping" && (header == "" || header == assumed) {
		x.revision = assumed
		return nil
	}
	return x.openSession(ids, header)
}

// openSession checks the id and reads the session's record.
func (x *exchange) openSession(ids []string, header string) error {
	if len(ids) == 0 {
		return refuse(http.StatusBadRequest, CodeInvalidRequest, "Mcp-Session-Id is missing; send initialize first") // S5
	}
	if len(ids) > 1 || !x.signed(ids[0]) {
		return errSession()
	}
	ctx := x.r.Context()
	s, err := x.sessions.Get(ctx, ids[0], x.arrived)
	if errors.Is(err, mcp.ErrNoSession) {
		return errSession()
	}
	if err != nil {
		return unavailable(err)
	}
	if header != "" && header != s.Revision { // S6; VS Code sends none
		return refuse(http.StatusBadRequest, CodeInvalidRequest, "MCP-Protocol-Version is %q, the session's is %q", mcp.Clip(header), s.Revision)
	}
	if err := x.sessions.Touch(ctx, s.ID, x.arrived, ""); errors.Is(err, mcp.ErrNoSession) {
		return errSession()
	}
	x.session, x.revision, x.upstream = s.ID, s.Revision, s.Upstream
	x.capabilities, x.clientInfo, x.logLevel = s.Capabilities, s.ClientInfo, s.LogLevel
	return nil
}

// unavailable is a store that does not answer: never 401 or 404, on which clients throw good state away.
func unavailable(err error) error {
	return &Error{Code: CodeServer, Status: http.StatusServiceUnavailable, Msg: "the gateway cannot read its sessions; try again",
		Header: http.Header{"Retry-After": {"5"}}, Err: err}
}

// initialize answers the handshake and opens a session (S1, S11).
func (x *exchange) initialize() {
	m := x.message
	x.revision = LatestLegacy
	if asked, ok := m.Text(m.ProtocolVersionParam); !ok {
		x.fail(InvalidParams("params.protocolVersion must be a string"))
		return
	} else if isLegacy(asked) {
		x.revision = asked
	}
	result, err := x.handle(x.r.Context(), nil)
	if err != nil {
		x.fail(err)
		return
	}
	if err := x.createSession(); err != nil {
		x.fail(err)
		return
	}
	x.w.Header().Set(sessionHeader, x.session)
	x.writeResult(result)
}

// noCapabilities are those of clients that declare none: one for all.
var noCapabilities = json.RawMessage("{}")

// shared is the revision's name in memory that all sessions share (S9).
func shared(revision string) string {
	for _, v := range Supported() {
		if v == revision {
			return v
		}
	}
	return strings.Clone(revision)
}

func (x *exchange) createSession() error {
	owner, client := ownerOf(x.caller)
	id, now := x.newSessionID(), x.now()
	s := mcp.Session{
		ID: id, Server: x.name, Owner: owner, Client: client, Grant: x.caller.GrantID,
		Revision: shared(x.revision), Upstream: strings.Clone(x.upstream), Created: now, Used: now,
	}
	switch caps := x.message.Bytes(x.message.CapabilitiesParam); {
	case string(caps) == "{}":
		s.Capabilities = noCapabilities
	case len(caps) <= mcp.MaxClientState:
		s.Capabilities = bytes.Clone(caps) // the record must not hold the request's buffer
	}
	// A modern upstream is told with every request who asks (§11.2); nobody else wants to know, and a record is small (S3).
	if _, crosses := x.server.(Teller); crosses && x.upstream == "" {
		if m := x.message; m.IsObject(m.ClientInfoParam) && len(m.Bytes(m.ClientInfoParam)) <= mcp.MaxClientState {
			s.ClientInfo = bytes.Clone(m.Bytes(m.ClientInfoParam))
		}
	}
	err := x.sessions.Create(x.r.Context(), s, x.limits.sessions())
	if errors.Is(err, mcp.ErrSessionsFull) { // S8
		return tooManySessions()
	}
	if err != nil {
		return unavailable(err)
	}
	x.session = id
	x.farewells.watch(x.limits.SessionIdle)
	return nil
}

func tooManySessions() *Error {
	return &Error{Code: CodeServer, Status: http.StatusServiceUnavailable, Msg: "too many sessions; try again later",
		Header: http.Header{"Retry-After": {"5"}}}
}

// delete ends a session (S4). When it answers, the session is gone.
func (x *exchange) delete() {
	header := versionOf(x.r.Header)
	if isModern(header) {
		x.notAllowed(modernMethods)
		return
	}
	if err := x.openSession(x.r.Header[sessionHeader], header); err != nil {
		x.fail(err)
		return
	}
	if err := x.sessions.End(x.r.Context(), x.session, x.now()); errors.Is(err, mcp.ErrNoSession) {
		x.fail(errSession())
		return
	} else if err != nil {
		x.fail(unavailable(err))
		return
	}
	x.leave()
	if to, err := x.relays(); err == nil && to != nil {
		x.relayDelete(to)
	} else if l, ok := x.server.(Leaver); ok {
		l.Left(context.WithoutCancel(x.r.Context()), x.session)
	}
	x.w.WriteHeader(http.StatusNoContent)
}

// leave ends what is open of a session that is over.
func (x *exchange) leave() {
	x.hub.endSession(x.session)
	x.calls.endSession(x.session)
	x.questions.endSession(x.session)
}
