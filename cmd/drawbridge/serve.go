package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/store"
	"github.com/drawbridge-mcp/drawbridge/cmd/internal/telemetry"
	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/grants"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

func (p *program) serveCommand() *cobra.Command {
	var ready string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve what the configuration file says",
		Args:  operands(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, pos, err := p.loadChecked()
			if err != nil {
				return err
			}
			g, err := p.open(cmd.Context(), cfg, pos, p.ringFromFile, nil)
			if errors.Is(err, errInUse) {
				return failed("%w; end what serves there, or change %s", err, p.config)
			}
			if err != nil {
				return err
			}
			g.onReady = func() error { return writeReady(ready, g, "") }
			return g.serve(cmd.Context(), func(ctx context.Context) { g.watch(ctx, p) })
		},
	}
	c.Flags().StringVar(&ready, "ready-file", "", "write a JSON file with the addresses once everything serves")
	return c
}

// gateway is a running Drawbridge: what lives as long as the process, and the snapshot that serves now.
type gateway struct {
	log      *slog.Logger
	ring     *secret.Keyring
	store    *store.Store
	recorder proxy.Recorder
	metrics  *telemetry.Metrics
	health   *telemetry.Health
	requests *telemetry.Requests
	builder  *builder
	started  time.Time
	instance string
	config   string                   // file name, for pages; "" in try
	getenv   func(name string) string // "" when it is not set

	verifier      *tokens.Verifier
	authenticator *resource.Authenticator
	resolver      *registration.Resolver
	token         *grants.Handler
	register      *registration.Handler
	metadata      *resource.Metadata
	audit         oauth.Recorder
	edge          *edge.Handler
	llm           *llm.Handler

	current   atomic.Pointer[snapshot]
	reloading sync.Mutex // one build at a time
	draining  atomic.Bool

	listener, adminListener net.Listener
	onReady                 func() error // called once everything serves
}

func (g *gateway) snapshot() *snapshot { return g.current.Load() }

// open does everything that can fail before the first request: keys → store → snapshot → listeners. ring gives the keys.
func (p *program) open(ctx context.Context, cfg *Config, pos *Positions, ring func(context.Context, *Config, time.Time) (*secret.Keyring, error), local *local) (_ *gateway, err error) {
	log, err := p.logger()
	if err != nil {
		return nil, err
	}
	g := &gateway{log: log, started: time.Now(), instance: cfg.Instance, config: p.config}
	if g.instance == "" {
		g.instance = randomName()
	}
	g.getenv = func(name string) string { value, _ := p.env(name); return value }
	g.log = log.With("instance", g.instance)
	// The listener comes before keys and database: a port in use must leave nothing behind.
	if err := g.listen(ctx, cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			g.closeListeners()
		}
	}()
	if g.ring, err = ring(ctx, cfg, g.started); err != nil {
		return nil, failed("%w", err)
	}
	if g.store, err = store.Open(ctx, store.Config{URL: cfg.databaseURL(p.config), Keyring: g.ring, Log: g.log, UsageKeep: cfg.Usage.Keep, Flush: cfg.Usage.Flush}); err != nil {
		return nil, failed("storage.database: %w", err)
	}
	g.telemetry(cfg)
	g.oauth(cfg)
	g.faces(cfg)
	g.builder = &builder{
		ring: g.ring, upstreams: newUpstreams(g.store, g.log, g.edge.Changed, g.otherTools), state: proxy.NewState(), counters: policy.NewCounters(), cache: policy.NewCache(cfg.LLM.CacheMemory),
		recorder: g.recorder, metrics: g.metrics, log: g.log, started: g.started, instance: g.instance, stepUp: g.stepUp,
	}
	if local != nil {
		g.builder.documents, g.builder.transports = local.documents, local.transports
	}
	if err := g.install(ctx, cfg, pos); err != nil {
		_ = g.store.Close()
		var exit *exitError
		if errors.As(err, &exit) {
			return nil, err
		}
		return nil, failed("%w", err)
	}
	g.metrics.Reloaded(g.started, true)
	return g, nil
}

// install builds the snapshot of cfg, whole, and then swaps it in.
func (g *gateway) install(ctx context.Context, cfg *Config, pos *Positions) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	prev := g.snapshot()
	next, err := g.builder.build(ctx, cfg, pos, prev)
	if err != nil {
		return err
	}
	if next.provider, err = g.provider(cfg, prev); err != nil {
		return err
	}
	if err := g.route(next); err != nil {
		return err
	}
	g.current.Store(next)
	g.builder.state.Retain(next.pipeline)
	g.edge.Configure(cfg.PublicURL, cfg.AllowedOrigins, cfg.Limits.Limits)
	g.edge.Changed()
	g.tellChanges(prev, next)
	g.warnOfStrayRules(ctx, next)
	return nil
}

func (g *gateway) telemetry(cfg *Config) {
	g.metrics = telemetry.NewMetrics(telemetry.MetricsConfig{Series: cfg.Telemetry.Metrics.Series, Token: cfg.Telemetry.Metrics.Token.Value, Version: version, Go: runtime.Version()})
	g.recorder = &telemetry.Ledger{Metrics: g.metrics, Next: g.store}
	g.health = &telemetry.Health{Instance: g.instance, Checks: map[string]func(context.Context) error{"database": g.store.Ping}}
	var trusted []netip.Prefix
	for _, t := range cfg.TrustedProxies {
		if prefix, err := netip.ParsePrefix(t); err == nil {
			trusted = append(trusted, prefix)
		} else if a, err := netip.ParseAddr(t); err == nil {
			trusted = append(trusted, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	address := g.listener.Addr().String()
	g.requests = &telemetry.Requests{
		Log: g.log, Metrics: g.metrics, Trusted: trusted, Access: cfg.Telemetry.Log.Access,
		Hosts: g.hosts(address),
	}
}

func (g *gateway) oauth(cfg *Config) {
	g.audit = func(ctx context.Context, e oauth.Event) {
		g.metrics.OAuthEvent(e.Name, e.Outcome)
		g.log.LogAttrs(ctx, slog.LevelInfo, "audit", slog.String("event", e.Name), slog.String("outcome", e.Outcome), slog.String("reason", e.Reason),
			slog.String("subject", e.Subject), slog.String("client_id", e.ClientID), slog.String("server", e.Server), slog.String("grant", e.GrantID),
			slog.String("request_id", identity.RequestID(ctx)))
	}
	g.broker(cfg)
}

func (g *gateway) listen(ctx context.Context, cfg *Config) (err error) {
	if g.listener, err = listen(ctx, "listen", cfg.Listen); err != nil {
		return err
	}
	if cfg.AdminListen != "" {
		if g.adminListener, err = listen(ctx, "admin_listen", cfg.AdminListen); err != nil {
			g.closeListeners()
			return err
		}
	}
	if cfg.PublicURL == "" { // listen: 127.0.0.1:0
		cfg.PublicURL = "http://" + g.listener.Addr().String()
	}
	if cfg.TLS.Certificate.Source == "" {
		return nil
	}
	t, err := certificate(cfg, filepath.Dir(g.config), g.log)
	if err != nil {
		g.closeListeners()
		return err
	}
	g.listener = tls.NewListener(g.listener, t)
	return nil
}

func (g *gateway) closeListeners() {
	for _, l := range []net.Listener{g.listener, g.adminListener} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// serve runs until ctx ends, then stops gracefully: unready, stop accepting, let calls finish, cut streams, flush, close.
func (g *gateway) serve(ctx context.Context, background func(context.Context)) error {
	cfg := g.snapshot().cfg
	log := slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
	router := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.snapshot().router.ServeHTTP(w, r) })
	servers, listeners := []webServer{newServer(cfg, router, log)}, []net.Listener{g.listener}
	if g.adminListener != nil {
		servers, listeners = append(servers, newServer(cfg, g.adminRouter(), log)), append(listeners, g.adminListener)
	}
	ended := make(chan error, len(servers))
	for i, s := range servers {
		go func() { ended <- s.Serve(listeners[i]) }()
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	var wait sync.WaitGroup
	if background != nil {
		wait.Go(func() { background(work) })
	}
	g.health.Set("ready")
	if g.onReady != nil {
		if err := g.onReady(); err != nil {
			stop()
			g.stop(servers, 0)
			return failed("%w", err)
		}
	}
	g.log.Info("started", "listen", g.listener.Addr().String(), "public_url", cfg.PublicURL, "version", version)
	var fault error
	select {
	case <-ctx.Done():
	case fault = <-ended:
	}
	stop()
	wait.Wait()
	g.stop(servers, g.snapshot().cfg.Limits.Drain)
	if fault != nil && !errors.Is(fault, http.ErrServerClosed) {
		return failed("serve: %w", fault)
	}
	return nil
}

// stop follows operations.md §15: a second signal ends the program at once.
func (g *gateway) stop(servers []webServer, drain time.Duration) {
	defer telemetry.Flush(g.log)
	g.health.Set("draining")
	if delay := g.snapshot().cfg.Limits.DrainDelay; delay > 0 && drain > 0 {
		time.Sleep(delay)
	}
	g.draining.Store(true)
	g.edge.Close()
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	var wait sync.WaitGroup
	for _, s := range servers {
		wait.Go(func() {
			if s.Shutdown(ctx) == nil {
				return
			}
			g.llm.Cut()
			g.edge.Cut()
			last, done := context.WithTimeout(context.Background(), 2*time.Second)
			defer done()
			if s.Shutdown(last) != nil {
				_ = s.Close()
			}
		})
	}
	wait.Wait()
	g.log.Info("stopped")
	g.builder.upstreams.close()
	if err := g.store.Close(); err != nil {
		g.log.Error("close the database", "error", err)
	}
}

// adminRouter serves health and metrics on a listener of their own.
func (g *gateway) adminRouter() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = g.renderError
	requests := *g.requests
	address := g.adminListener.Addr().String()
	requests.Hosts = func() telemetry.Hosts {
		h := hostsOf(g.snapshot().cfg, address)
		h.Allowed = append(h.Allowed, strings.ToLower(address))
		return h
	}
	e.Pre(requests.Middleware)
	g.mountHealth(e.Group(""), g.metrics.ServeAll)
	return e
}

// loadChecked reads the configuration; its faults are told, and end the program with 2.
func (p *program) loadChecked() (*Config, *Positions, error) {
	cfg, pos, errs, warnings := LoadConfig(p.config, p.env)
	if len(errs) > 0 {
		return nil, nil, faultsError(errs)
	}
	for _, w := range warnings {
		fmt.Fprintln(p.err, w.Warning())
	}
	return cfg, pos, nil
}

// loadConfig is loadChecked for commands that only want to know where the gateway is.
func (p *program) loadConfig() (*Config, error) {
	cfg, _, errs, _ := LoadConfig(p.config, p.env)
	if cfg == nil || len(errs) > 0 && cfg.Listen == "" {
		return nil, faultsError(errs)
	}
	return cfg, nil
}

// ringFromFile reads the keys, or makes them on the first start (operations.md K1).
func (p *program) ringFromFile(ctx context.Context, cfg *Config, now time.Time) (*secret.Keyring, error) {
	if name, ok := strings.CutPrefix(cfg.Storage.Keys, "env:"); ok {
		text, set := p.env(name)
		if !set {
			return nil, fmt.Errorf("storage.keys: environment variable %s is not set", name)
		}
		ring, err := secret.ParseKeyring([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("storage.keys: %w", err)
		}
		return ring, nil
	}
	path := pathFrom(filepath.Dir(p.config), strings.TrimPrefix(cfg.Storage.Keys, "file:"))
	ring, created, err := store.LoadKeys(ctx, cfg.databaseURL(p.config), path, now)
	if err != nil {
		return nil, fmt.Errorf("storage.keys: %w", err)
	}
	if created {
		fmt.Fprintf(p.err, "made new keys in %s; keep this file, the database cannot be read without it\n", path)
	}
	return ring, nil
}

// pathFrom returns a path of the configuration file as seen from the working directory.
func pathFrom(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// databaseURL makes a relative SQLite path start at the configuration file's folder.
func (c *Config) databaseURL(configFile string) string {
	path, ok := strings.CutPrefix(c.Storage.Database, "sqlite:")
	if !ok || filepath.IsAbs(path) {
		return c.Storage.Database
	}
	return "sqlite:" + filepath.Join(filepath.Dir(configFile), path)
}

// logger writes to standard error: text on a terminal, JSON otherwise.
func (p *program) logger() (*slog.Logger, error) {
	o := telemetry.Options{Format: p.logFormat}
	if err := o.Level.UnmarshalText([]byte(p.logLevel)); err != nil {
		return nil, usage("--log-level must be debug, info, warn or error, not %q", p.logLevel)
	}
	if o.Format == "" {
		o.Format = "json"
		if f, ok := p.err.(*os.File); ok && isTerminal(f) {
			o.Format = "text"
		}
	}
	if o.Format != "text" && o.Format != "json" {
		return nil, usage("--log-format must be text or json, not %q", p.logFormat)
	}
	return telemetry.NewLogger(p.err, o), nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func randomName() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
