package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/http1"
	"github.com/drawbridge-mcp/drawbridge/cmd/internal/telemetry"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	maxFields = 100     // header fields of a request (operations.md §14)
	maxURI    = 8 << 10 // bytes of path and query
	maxQuery  = 16 << 10
)

// errInUse is another program at the address; the commands say how to take another one.
var errInUse = errors.New("address already in use")

// listen opens a listener and says plainly why it cannot.
func listen(ctx context.Context, key, address string) (net.Listener, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, failed("%s %s: %w", key, address, errInUse)
	case errors.Is(err, os.ErrPermission):
		return nil, failed("%s %s: not permitted", key, address)
	default:
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, failed("%s %s: %w", key, address, err)
	}
}

// webServer is what serves a listener.
type webServer interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

// newServer is an HTTP server with the limits of operations.md §14. There is no write timeout: streams are long. Without
// TLS the plain requests, nearly all, take the short road of cmd/internal/http1.
func newServer(cfg *Config, h http.Handler, log *log.Logger) webServer {
	encrypted := cfg.TLS.Certificate.Source != ""
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(encrypted)
	s := &http.Server{
		Handler: readOut(h), ReadHeaderTimeout: cfg.Limits.HeaderTimeout, IdleTimeout: cfg.Limits.IdleTimeout, MaxHeaderBytes: int(cfg.Limits.HeaderBytes),
		Protocols: protocols, ErrorLog: log,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 1 << 20},
	}
	if encrypted {
		return s
	}
	return &http1.Server{Handler: s.Handler, Rest: s}
}

// guard refuses requests whose shape no route expects, before routing: too many fields, too long an address, a path that
// could be read in two ways; and gives the body a deadline of its own.
func (g *gateway) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		switch {
		case g.draining.Load() && r.URL.Path != "/healthz" && r.URL.Path != "/readyz":
			c.Response().Header().Set("Connection", "close")
			c.Response().Header().Set("Retry-After", "1")
			return echo.NewHTTPError(http.StatusServiceUnavailable, "the gateway is restarting")
		case len(r.Header) > maxFields:
			c.Response().Header().Set("Connection", "close")
			return echo.NewHTTPError(http.StatusRequestHeaderFieldsTooLarge, "too many header fields")
		case len(r.URL.EscapedPath()) > maxURI || len(r.URL.RawQuery) > maxQuery:
			return echo.NewHTTPError(http.StatusRequestURITooLong, "the address is too long")
		case ambiguous(r.URL):
			return echo.NewHTTPError(http.StatusBadRequest, "the path can be read in two ways")
		}
		if limit := g.snapshot().cfg.Limits.BodyTimeout; r.ContentLength != 0 && limit > 0 && !whole(r.Body) {
			body := &timedBody{ReadCloser: r.Body, w: c.Response(), limit: limit}
			r.Body = body
			defer body.leave()
		}
		return next(c)
	}
}

// ambiguous reports a path that two parsers could read differently: empty or dot segments, encoded dots, slashes,
// backslashes and NUL (operations.md §14).
func ambiguous(u *url.URL) bool {
	p := strings.ToLower(u.EscapedPath())
	for _, bad := range []string{"//", "/./", "/../", "%2e", "%5c", "%00", "\\"} {
		if strings.Contains(p, bad) {
			return true
		}
	}
	return strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")
}

// hostsOf says which Host a request may carry.
func hostsOf(cfg *Config, listener string) telemetry.Hosts {
	h := telemetry.Hosts{Listener: listener}
	add := func(host string) { h.Allowed = append(h.Allowed, strings.ToLower(host)) }
	if u, err := url.Parse(cfg.PublicURL); err == nil {
		add(u.Host)
		h.AnyPort = loopbackHost(u.Hostname())
	}
	for _, a := range cfg.AllowedHosts {
		add(a)
	}
	if host, port, err := net.SplitHostPort(listener); err == nil && loopbackHost(host) {
		add(net.JoinHostPort("localhost", port))
		add(net.JoinHostPort("127.0.0.1", port))
		add(net.JoinHostPort("::1", port))
	}
	return h
}

// renderError is the one place where errors of the router and the pages without a shape of their own become answers.
func (g *gateway) renderError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, text := http.StatusInternalServerError, "internal error"
	var he *echo.HTTPError
	if errors.As(err, &he) {
		status, text = he.Code, fmt.Sprint(he.Message)
	} else {
		g.log.Error("request failed", "request_id", identity.RequestID(c.Request().Context()), "error", err)
	}
	head := c.Response().Header()
	head.Set("X-Content-Type-Options", "nosniff")
	if edge.Outside(c.Response(), c.Request().URL.Path, status, text, identity.RequestID(c.Request().Context())) {
		return
	}
	head.Set("Cache-Control", "no-store")
	_ = c.JSON(status, map[string]string{"error": strings.ToLower(strings.ReplaceAll(http.StatusText(status), " ", "_")), "error_description": text})
}

// hosts returns hostsOf for the configuration that serves, made once for each.
func (g *gateway) hosts(listener string) func() telemetry.Hosts {
	type known struct {
		cfg   *Config
		hosts telemetry.Hosts
	}
	var last atomic.Pointer[known]
	return func() telemetry.Hosts {
		cfg := g.snapshot().cfg
		k := last.Load()
		if k == nil || k.cfg != cfg {
			k = &known{cfg, hostsOf(cfg, listener)}
			last.Store(k)
		}
		return k.hosts
	}
}

// certificate reads the files of tls again when they changed, so that renewed ones need no restart.
func certificate(cfg *Config, dir string, log *slog.Logger) (*tls.Config, error) {
	paths := [2]string{strings.TrimPrefix(cfg.TLS.Certificate.Source, "file:"), strings.TrimPrefix(cfg.TLS.Key.Source, "file:")}
	first, err := tls.X509KeyPair([]byte(cfg.TLS.Certificate.Reveal()), []byte(cfg.TLS.Key.Reveal()))
	if err != nil {
		return nil, usage("tls: %w", err)
	}
	var current atomic.Pointer[tls.Certificate]
	current.Store(&first)
	var checked atomic.Int64
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			now := time.Now().Unix()
			if last := checked.Load(); now-last > 10 && checked.CompareAndSwap(last, now) {
				next, err := tls.LoadX509KeyPair(pathFrom(dir, paths[0]), pathFrom(dir, paths[1]))
				if err == nil {
					current.Store(&next)
				} else { // perhaps the key comes a moment later; a renewal that failed must be heard before the old one ends
					log.Warn("tls: the files cannot be used; the certificate read before is still served", "error", err)
				}
			}
			return current.Load(), nil
		},
	}, nil
}
