package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Requests is the outermost layer of every listener: it gives each request its id and facts, refuses foreign hosts,
// contains panics, and writes one log line and one observation at the end.
type Requests struct {
	Log     *slog.Logger
	Metrics *Metrics
	Trusted []netip.Prefix
	Hosts   func() Hosts
	Now     func() time.Time // nil: time.Now
	Access  bool             // telemetry.log.access: write the request line
}

// Middleware is what a listener's echo uses before routing.
func (q *Requests) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, start := c.Request(), q.now()
		facts := q.facts(r, start)
		c.SetRequest(r.WithContext(identity.WithRequest(r.Context(), facts)))
		c.Response().Header()["X-Request-Id"] = []string{facts.ID}
		surface := surfaceOf(r.URL.Path)
		q.Metrics.begin(surface)
		err := q.serve(c, next)
		if err != nil && !c.Response().Committed {
			c.Error(err)
		}
		route := c.Path()
		if route == "" || c.Response().Status == http.StatusNotFound && strings.HasSuffix(route, "*") {
			route = "unmatched"
		}
		elapsed := q.now().Sub(start)
		q.Metrics.end(surface, route, methodLabel(r.Method), c.Response().Status, elapsed)
		q.line(c, facts, surface, route, elapsed, err)
		return nil
	}
}

func (q *Requests) now() time.Time {
	if q.Now == nil {
		return time.Now()
	}
	return q.Now()
}

// serve checks the host, then runs the rest with a net under it.
func (q *Requests) serve(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
			panic(p) // the server's own way of dropping a connection
		}
		q.Log.Error("panic", "request_id", identity.RequestID(c.Request().Context()), "panic", p, "stack", string(debug.Stack()))
		err = echo.NewHTTPError(http.StatusInternalServerError, "internal error")
	}()
	if r := c.Request(); !q.Hosts().Allows(r.Host, r.URL.Path) {
		return echo.NewHTTPError(http.StatusMisdirectedRequest, "misdirected request")
	}
	return next(c)
}

func (q *Requests) facts(r *http.Request, start time.Time) *identity.Request {
	f := &identity.Request{ID: newRequestID(start), IP: clientIP(r, q.Trusted), Time: start.UTC()}
	own := r.Header["X-Request-Id"]
	if len(own) != 1 {
		return f
	}
	if strings.HasPrefix(r.URL.Path, "/llm/") && wellFormed(own[0], 128) {
		f.ID, f.ClientID = own[0], own[0] // llm.md PX-15
	} else if wellFormed(own[0], 64) {
		f.ClientID = own[0]
	}
	return f
}

// line writes the one event of a request: info, warn for a backend's 5xx, error for ours.
func (q *Requests) line(c echo.Context, f *identity.Request, surface, route string, elapsed time.Duration, err error) {
	if !q.Access || surface == "health" {
		return
	}
	res := c.Response()
	level := slog.LevelInfo
	if res.Status >= 500 {
		level = slog.LevelError
		for _, a := range f.AppendAttrs(nil) {
			if a.Key == "backend" && a.Value.String() != "" {
				level = slog.LevelWarn
			}
		}
	}
	var room [40]slog.Attr
	attrs := append(room[:0],
		slog.String("request_id", f.ID), slog.String("surface", surface), slog.String("route", route),
		slog.String("method", methodLabel(c.Request().Method)), slog.Int("status", res.Status),
		slog.Int64("bytes_in", max(0, c.Request().ContentLength)), slog.Int64("bytes_out", res.Size),
		slog.Float64("duration_ms", float64(elapsed.Microseconds())/1000), slog.String("ip", f.IP),
	)
	if f.ClientID != "" {
		attrs = append(attrs, slog.String("client_request_id", f.ClientID))
	}
	if err != nil && res.Status >= 500 {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	q.write(c.Request().Context(), f.Time.Add(elapsed), level, f.AppendAttrs(attrs))
}

// write hands the line, without what is empty, to the handler itself: LogAttrs would look for the place in the code, which
// nobody reads here.
func (q *Requests) write(ctx context.Context, at time.Time, level slog.Level, attrs []slog.Attr) {
	h := q.Log.Handler()
	if !h.Enabled(ctx, level) {
		return
	}
	if direct, ok := h.(*handler); ok && direct.request(at, level, attrs) {
		return
	}
	attrs = slices.DeleteFunc(attrs, func(a slog.Attr) bool { return a.Value.Kind() == slog.KindString && a.Value.String() == "" })
	r := slog.NewRecord(at, level, "request", 0)
	r.AddAttrs(attrs...)
	_ = h.Handle(context.WithoutCancel(ctx), r) // a log that cannot be written is told nowhere
}

// surfaces are the faces that addresses belong to: a closed set.
var surfaces = []string{"mcp", "llm", "oauth", "admin", "registry", "health", "portal"}

// surfaceOf names the one of an address.
func surfaceOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "mcp", "llm", "oauth", "admin", "registry":
		return first
	case ".well-known":
		return "oauth"
	case "healthz", "readyz", "metrics":
		return "health"
	default:
		return "portal"
	}
}

func methodLabel(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	default:
		return "other"
	}
}
