package llm

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Doer is the shared pipeline as this room sees it: proxy.Pipeline, or a double in tests.
type Doer interface {
	Do(ctx context.Context, call *proxy.Call) (*proxy.Answer, error)
}

// Handler serves everything below /llm. Fill it, mount it once; it must not be copied afterwards.
type Handler struct {
	// Snapshot returns what is served now; asked once per request (PX-16).
	Snapshot func() *Snapshot
	// Authenticate says who is calling, or why not (KEY-1…KEY-10). It must not read the body.
	Authenticate func(r *http.Request) (*identity.Caller, *Refusal)
	// Grants reports whether the caller may use a model, by its configured name (KEY-6, KEY-7). nil: nobody may.
	Grants func(caller *identity.Caller, model *Model) bool
	// Recorder takes the rows of calls that were refused before they reached the pipeline (PX-11); nil: none.
	Recorder proxy.Recorder
	Limits   Limits
	Log      *slog.Logger     // nil: slog.Default
	Now      func() time.Time // nil: time.Now

	streams streams
}

// Snapshot is one immutable state of the face.
type Snapshot struct {
	Models *Catalogue
	Doer   Doer
	// Policies returns the policies of every scope that a call is in, joined (PX-12). Called per request: what it joins
	// should be joined when the snapshot is built. nil: none.
	Policies func(caller *identity.Caller, model *Model) *proxy.Policies
	// Endpoints tell how backends like to be addressed, by backend name; those that are not listed get the zero value.
	Endpoints map[string]Endpoint
}

// Refusal is why a caller was not let in.
type Refusal struct {
	Status     int           // 400, 401, 403, 429
	Code       string        // invalid_api_key, subscription_not_active, ambiguous_credentials (§3)
	Message    string        // for the caller: a sentence that says what to do
	Challenge  string        // WWW-Authenticate; "" = none
	RetryAfter time.Duration // 0: not told
}

// Mount serves the face below g, whose prefix is /llm.
func (h *Handler) Mount(g *echo.Group) {
	serve := func(c echo.Context) error {
		prefix := len(strings.TrimSuffix(c.Path(), "/*"))
		h.serve(c.Response(), c.Request(), c.Request().URL.EscapedPath()[prefix:])
		return nil
	}
	for _, path := range [...]string{"", "/*"} {
		g.Any(path, serve)
		g.RouteNotFound(path, serve) // methods that Any does not know
	}
}

// Cut ends the streams that still run, with the error event of a shutdown (ST-13), and cancels what they wait for. For
// when the drain time is over; new streams end the same way.
func (h *Handler) Cut() { h.streams.cut() }
