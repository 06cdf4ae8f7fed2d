package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy/internal/http1"
)

const (
	idlePerHost = 100      // TO-7: hundreds of callers share few hosts; the default of 2 would dial per call
	headerBytes = 64 << 10 // of an answer
	idleConn    = 90 * time.Second
)

// road is one backend as a snapshot sees it: its settings, and the core that outlives the snapshot.
type road struct {
	backend *Backend
	core    *core
	key     stateKey
	log     *slog.Logger
	watch   Observer

	header, idle, total time.Duration // TO-2, TO-3, TO-4
	vigil               *vigil        // over tries that wait for header
	retry               retryRule
	failures            *statusSet // statuses that the breaker counts
	forward, back       map[string]bool
}

// retryRule is RetryConfig with its defaults filled in.
type retryRule struct {
	attempts int // 0: by the target
	statuses *statusSet
	maxWait  time.Duration
	unsafe   bool
}

// enter takes a call through the breaker.
func (r *road) enter(now time.Time) (pass, bool) {
	p, changed, ok := r.core.breaker.enter(now)
	r.tell(changed)
	return p, ok
}

func (r *road) succeed(p pass, now time.Time) { r.tell(p.succeed(now)) }

func (r *road) fail(p pass, now time.Time, told time.Duration) { r.tell(p.fail(now, told)) }

// tell logs a change of the breaker, one line each (BR-11).
func (r *road) tell(state int) {
	if state < 0 {
		return
	}
	level, word := slog.LevelInfo, "closed"
	switch state {
	case breakerOpen:
		level, word = slog.LevelWarn, "open"
	case breakerHalfOpen:
		word = "half-open"
	}
	r.log.Log(context.Background(), level, "breaker changed", "backend", r.backend.Name, "state", word)
	if r.watch != nil {
		r.watch.Breaker(r.backend.Name, state)
	}
}

// definition is what a core is kept for: everything that decides how the backend is reached and judged.
type definition struct {
	Config   BackendConfig
	Secrets  [3]string
	Model    bool
	Breaking bool // a member of a pool without a breaker of its own still has one (BR-7)
}

func newRoad(c BackendConfig, cfg *Config, h *Hygiene, state *State, deps *Deps, pooled bool) (*road, error) {
	base, err := parseBase(c.URL)
	if err != nil {
		return nil, err
	}
	model := cfg.Models[c.Name]
	r := &road{log: deps.Log, watch: deps.Observer}
	r.header, r.idle, r.total = timeouts(&c, model, cfg.StreamMax)
	r.vigil = newVigil(r.header, deps.Now)
	r.retry = newRetryRule(&c.Retry, model)
	rule, ruleErr := newBreakerRule(c.Breaker, model)
	r.failures = rule.statuses
	var errs [3]error
	if r.forward, errs[0] = h.nameSet(c.ForwardHeaders, false); errs[0] != nil {
		errs[0] = fmt.Errorf("forward_headers: %w", errs[0])
	}
	if r.back, errs[1] = h.nameSet(c.ReturnHeaders, true); errs[1] != nil {
		errs[1] = fmt.Errorf("return_headers: %w", errs[1])
	}
	def := definition{c, [3]string{c.Credential.Value.Reveal(), c.Credential.Password.Reveal(), c.Credential.Secret.Reveal()},
		model, pooled || c.Breaker != nil}
	r.core, r.key, errs[2] = state.core(c.Name, def, func() (*core, error) { return newCore(&c, cfg, deps, rule, def.Breaking) })
	if err := errors.Join(ruleErr, errs[0], errs[1], errs[2]); err != nil {
		return nil, err
	}
	r.backend = &Backend{
		Name: c.Name, URL: base, Region: c.Region, API: c.API, APIVersion: c.APIVersion, UsageOption: c.UsageOption,
		Transport: r.core.transport,
	}
	return r, nil
}

func newCore(c *BackendConfig, cfg *Config, deps *Deps, rule breakerRule, breaking bool) (*core, error) {
	pooled := newTransport(c, cfg.RootCAs)
	cred, err := newCredential(c, deps, pooled)
	if err != nil {
		return nil, err
	}
	made := &core{budget: newBudget(), credential: cred, transport: pooled}
	if c.Proxy != "env" {
		made.transport = &http1.Transport{
			Next: pooled, DialContext: pooled.DialContext, IdlePerHost: idlePerHost, IdleTimeout: idleConn, HeaderBytes: headerBytes,
		}
	}
	if deps.Transport != nil {
		if t := deps.Transport(*c); t != nil {
			made.transport = t
		}
	}
	if breaking {
		made.breaker = newBreaker(rule)
	}
	return made, nil
}

// newTransport is the one constructor of transports to backends (TO-7): redirects are never followed by it, the
// environment's proxy is used only where asked for.
func newTransport(c *BackendConfig, roots *x509.CertPool) *http.Transport {
	connect := orDuration(c.Timeouts.Connect, 5*time.Second)
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, &dialError{err}
			}
			return conn, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    connect,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleConn,
		MaxResponseHeaderBytes: headerBytes,
		WriteBufferSize:        16 << 10,
		ReadBufferSize:         16 << 10,
	}
	if c.Proxy == "env" {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// dialError marks a connection that was never made: nothing was sent, so any call may be sent again (RE-6).
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// parseBase checks the address of a backend (operations.md §1.2).
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("url: must be an absolute http or https URL")
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, errors.New("url: must not have a query")
	}
	return u, nil
}

func timeouts(c *BackendConfig, model bool, streamMax time.Duration) (header, idle, total time.Duration) {
	header = c.Timeout
	if header <= 0 {
		if header = 30 * time.Second; model {
			header = 5 * time.Minute
		}
	}
	idle = orDuration(c.Timeouts.Idle, time.Minute)
	total = min(orDuration(c.Timeouts.Total, 15*time.Minute), orDuration(streamMax, time.Hour))
	return header, idle, total
}

func orDuration(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
