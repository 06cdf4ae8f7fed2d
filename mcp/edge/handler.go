package edge

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Handler serves /mcp/{server}. Fields are set before the first request and not changed afterwards (Configure changes
// origins and limits); Lookup reads the current snapshot on every request.
type Handler struct {
	// PublicURL is the configured public_url. Its origin may call when AllowedOrigins is empty, and when it is loopback so
	// may every loopback origin.
	PublicURL string
	// AllowedOrigins are browser origins, scheme://host[:port], compared whole; empty: see PublicURL.
	AllowedOrigins []string
	// Authenticate says who is calling at a server, or at {server}/sse, the address of the old transport. When it cannot, it
	// writes the 401, 400 or 403 with its challenge and returns false.
	Authenticate func(w http.ResponseWriter, r *http.Request, server string) (*identity.Caller, bool)
	// Lookup finds a server in the current snapshot.
	Lookup   func(server string) (Server, State)
	Sessions mcp.SessionStore // nil: in memory
	Keyring  *secret.Keyring  // signs session ids; required
	Limits   Limits
	Log      *slog.Logger     // nil: discarded
	Now      func() time.Time // nil: time.Now

	setup sync.Once
	edge  state
}

// Mount puts the handler's routes on g: /mcp/:server in every method, and the two addresses of the transport of
// 2024-11-05. A slash at the end is another address (404).
func (h *Handler) Mount(g *echo.Group) {
	mount(g, "", h.ServeServer)
	mount(g, "/sse", h.serveOldStream)
	mount(g, "/message", h.serveOldMessage)
}

// mount puts serve on the address of a server that ends in tail, in every method. To the router a method that it has never
// heard of is no route, and its own refusal would come ahead of every check, and with an Allow that is not ours (mcp.md §2).
func mount(g *echo.Group, tail string, serve func(http.ResponseWriter, *http.Request, string)) {
	const path = "/mcp/:server"
	g.Any(path+tail, func(c echo.Context) error {
		serve(c.Response(), c.Request(), c.Param("server"))
		return nil
	})
	g.RouteNotFound(path+tail, func(c echo.Context) error {
		head := strings.TrimSuffix(echo.GetPath(c.Request()), tail)
		serve(c.Response(), c.Request(), head[strings.LastIndexByte(head, '/')+1:]) // here the router has forgotten the name
		return nil
	})
}

// ServeHTTP serves requests whose path is /mcp/{server}, for use without a router.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const prefix = "/mcp/"
	if len(r.URL.Path) <= len(prefix) || r.URL.Path[:len(prefix)] != prefix {
		http.NotFound(w, r)
		return
	}
	h.ServeServer(w, r, r.URL.Path[len(prefix):])
}

// ServeServer serves one request for a server, whatever the path was.
func (h *Handler) ServeServer(w http.ResponseWriter, r *http.Request, server string) {
	h.serve(w, r, server)
}

// Changed tells the handler that the snapshot was swapped: open streams whose caller's view changed get list_changed,
// once, and streams of a server that is gone or no longer the caller's end (L4, A5).
func (h *Handler) Changed() { h.changed() }

// Configure takes over what a reload changed of the origins and limits. Sessions and open streams go on; requests that
// are being served keep what they came in with.
func (h *Handler) Configure(publicURL string, allowedOrigins []string, limits Limits) {
	h.init().current.Store(newSettings(publicURL, allowedOrigins, limits))
}

// EndGrant ends the sessions and open streams of a grant that was revoked (S10).
func (h *Handler) EndGrant(grant string) { h.endGrant(grant) }

// Close ends all listening streams cleanly and accepts no more; calls in flight go on (L6). For a graceful stop, before
// http.Server.Shutdown, which would wait for the streams.
func (h *Handler) Close() { h.close() }

// Cut ends the calls that still run, each with an error that says why. For the end of the drain time.
func (h *Handler) Cut() { h.init().calls.cutAll() }
