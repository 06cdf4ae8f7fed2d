package edge

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// state is what the handler makes of its fields on the first request.
type state struct {
	current   atomic.Pointer[settings]
	sessions  mcp.SessionStore
	log       *slog.Logger
	now       func() time.Time
	calls     calls
	questions questions
	streams   oldStreams
	tapes     tapes
	hub       hub
	farewells farewells
}

// settings are what a reload may change. A request keeps those it came in with.
type settings struct {
	limits   Limits
	origins  map[string]bool
	loopback bool // any loopback origin may call
}

func newSettings(publicURL string, origins []string, limits Limits) *settings {
	s := &settings{limits: limits.OrDefaults()}
	s.origins, s.loopback = allowedOrigins(publicURL, origins)
	return s
}

func (h *Handler) init() *state {
	h.setup.Do(func() {
		s := &h.edge
		s.current.Store(newSettings(h.PublicURL, h.AllowedOrigins, h.Limits))
		if s.sessions = h.Sessions; s.sessions == nil {
			s.sessions = mcp.NewMemorySessions()
		}
		if s.log = h.Log; s.log == nil {
			s.log = slog.New(slog.DiscardHandler)
		}
		if s.now = h.Now; s.now == nil {
			s.now = time.Now
		}
		s.calls.init()
		s.questions.init()
		s.streams.init()
		s.tapes.init()
		s.hub.init()
		s.farewells.init(h)
	})
	return &h.edge
}

// exchange is one HTTP request on its way through the rows of mcp.md §3.
type exchange struct {
	h *Handler
	*state
	*settings
	w       http.ResponseWriter
	r       *http.Request
	name    string // of the server, as the address has it
	server  Server
	caller  *identity.Caller
	arrived time.Time

	message  *Message // after row 10
	modern   bool
	revision string
	session  string // id of the legacy session, checked
	upstream string // what a relay's upstream calls it; "" when it has none
	old      bool   // by the transport of 2024-11-05
	jsonOnly bool   // a legacy client that takes no event stream

	capabilities json.RawMessage // of the session's client
	clientInfo   json.RawMessage // of the session's client; nil: not known
	logLevel     string          // of the session

	// Parts that nearly every exchange comes to have, made with it.
	scope  scope
	reply  reply
	values [3]string // of headers of the answer
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, name string) {
	s := h.init()
	x := &exchange{h: h, state: s, settings: s.current.Load(), w: w, r: r, name: name}
	x.arrive()
	if err := x.admit(); err != nil {
		if err != errAnswered {
			x.fail(err)
		}
		return
	}
	switch r.Method {
	case http.MethodPost:
		x.post()
	case http.MethodGet:
		x.get()
	case http.MethodDelete:
		x.delete()
	default:
		x.notAllowed(allMethods)
	}
}

// arrive notes when the request came, which the listener knows, and begins the answer.
func (x *exchange) arrive() {
	facts := identity.RequestFrom(x.r.Context())
	if facts != nil && x.h.Now == nil {
		x.arrived = facts.Time
	}
	if x.arrived.IsZero() {
		x.arrived = x.now()
	}
	x.commonHeaders(facts)
}

// admit runs rows 3 to 6 of mcp.md §3: they hold for every method.
func (x *exchange) admit() error {
	if err := x.checkOrigin(); err != nil { // row 3
		return err
	}
	if x.r.Method == http.MethodOptions { // row 4: a preflight carries no token and learns nothing
		x.preflight()
		return errAnswered
	}
	server, state := x.h.Lookup(x.name)
	switch state {
	case Serving:
		x.server = server
	case Retired:
		return refuse(http.StatusGone, CodeServer, "%s was retired", x.name)
	default:
		return refuse(http.StatusNotFound, CodeInvalidRequest, "unknown server")
	}
	resource := x.name
	if x.old { // the old transport's address has metadata of its own (oauth.md §3.2)
		resource += "/sse"
	}
	caller, ok := x.h.Authenticate(x.w, x.r, resource) // row 5
	if !ok {
		return errAnswered
	}
	x.caller = caller
	if ok, need := server.Allowed(caller); !ok { // row 6
		return refuse(http.StatusForbidden, CodeRoleLacking, "%s", need)
	}
	return nil
}

const (
	allMethods    = "GET, POST, DELETE, OPTIONS"
	modernMethods = "POST"
)

func (x *exchange) notAllowed(allow string) {
	x.w.Header().Set("Allow", allow)
	x.fail(refuse(http.StatusMethodNotAllowed, CodeInvalidRequest, "method not allowed"))
}

// allowedOrigins returns the set of origins, and whether every loopback origin is one of them (mcp.md §1).
func allowedOrigins(publicURL string, configured []string) (set map[string]bool, loopback bool) {
	set = make(map[string]bool, len(configured)+1)
	for _, o := range configured {
		set[o] = true
	}
	if len(configured) > 0 {
		return set, false
	}
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return set, false
	}
	set[u.Scheme+"://"+u.Host] = true
	return set, isLoopback(u.Hostname())
}
