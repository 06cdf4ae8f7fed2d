package telemetry

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Metrics is the one registry. All methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	token    secret.Value // bearer for scrapers that are not on this machine; zero: none
	series   int          // label sets a metric may have; further ones fall into "other"

	requests, toolCalls, llmRequests, llmTokens, llmCost, cache, decisions, reloads, overflow, oauth, attempts, retries *counter

	requestSeconds, toolSeconds, firstToken, attemptSeconds *histogram
	breaker                                                 *prometheus.GaugeVec
	inFlight                                                map[string]prometheus.Gauge // by surface
	reloadGood, reloadTime                                  prometheus.Gauge

	// What every call observes, found in one step each.
	answered series[answered, timed]
	called   series[called, timed]
	tried    series[tried, timed]
}

type (
	answered struct {
		surface, route, method string
		status                 int
	}
	called struct{ server, tool, result string }
	tried  struct{ backend, outcome string }
)

// MetricsConfig says who may scrape and how many label sets are kept.
type MetricsConfig struct {
	Series  int          // 0: 2000
	Token   secret.Value // zero: loopback peers only
	Version string
	Go      string
}

// NewMetrics makes the registry with everything in it.
func NewMetrics(cfg MetricsConfig) *Metrics {
	if cfg.Series == 0 {
		cfg.Series = 2000
	}
	m := &Metrics{registry: prometheus.NewRegistry(), token: cfg.Token, series: cfg.Series}
	m.answered.most, m.called.most, m.tried.most = cfg.Series, cfg.Series, cfg.Series
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.overflow = m.counter("drawbridge_metric_overflow_total", "Observations whose labels were replaced by other.", "metric")
	m.requests = m.counter("drawbridge_requests_total", "Requests answered.", "surface", "route", "method", "status")
	m.toolCalls = m.counter("drawbridge_tool_calls_total", "Tool calls by result.", "server", "tool", "result")
	m.llmRequests = m.counter("drawbridge_llm_requests_total", "Model calls.", "model", "endpoint", "status", "outcome", "product", "subscription")
	m.llmTokens = m.counter("drawbridge_llm_tokens_total", "Tokens; cached_input is part of input, reasoning of output.", "model", "type", "product", "subscription")
	m.llmCost = m.counter("drawbridge_llm_cost_total", "Cost in currency units.", "model", "product", "subscription")
	m.cache = m.counter("drawbridge_cache_requests_total", "Cache look-ups.", "policy", "result")
	m.decisions = m.counter("drawbridge_policy_decisions_total", "Decisions of policies.", "policy", "decision")
	m.oauth = m.counter("drawbridge_oauth_events_total", "Events of the broker.", "event", "result")
	m.attempts = m.counter("drawbridge_backend_requests_total", "Tries at backends by outcome.", "backend", "outcome")
	m.retries = m.counter("drawbridge_backend_retries_total", "Further tries at backends by reason.", "backend", "reason")
	m.reloads = m.counter("drawbridge_config_reloads_total", "Reloads of the configuration.", "result")
	m.requestSeconds = m.histogram("drawbridge_request_duration_seconds", "Time to answer.", "surface", "route")
	m.toolSeconds = m.histogram("drawbridge_tool_call_duration_seconds", "Time of tool calls.", "server", "tool")
	m.attemptSeconds = m.histogram("drawbridge_backend_request_duration_seconds", "Time of tries at backends until the headers.", "backend", "outcome")
	m.firstToken = m.histogram("drawbridge_llm_time_to_first_token_seconds", "Time until the first byte of a stream.", "model", "backend")
	inFlight := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "drawbridge_requests_in_flight", Help: "Requests being served."}, []string{"surface"})
	m.inFlight = map[string]prometheus.Gauge{}
	for _, surface := range surfaces {
		m.inFlight[surface] = inFlight.WithLabelValues(surface)
	}
	m.breaker = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "drawbridge_backend_breaker_state", Help: "0 closed, 1 half-open, 2 open."}, []string{"backend"})
	m.reloadGood = prometheus.NewGauge(prometheus.GaugeOpts{Name: "drawbridge_config_last_reload_successful", Help: "1 when the configuration that was last read serves."})
	m.reloadTime = prometheus.NewGauge(prometheus.GaugeOpts{Name: "drawbridge_config_last_reload_timestamp_seconds", Help: "When the configuration was last read."})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "drawbridge_build_info", Help: "1, with what this binary is."}, []string{"version", "go"})
	build.WithLabelValues(cfg.Version, cfg.Go).Set(1)
	m.registry.MustRegister(inFlight, m.breaker, m.reloadGood, m.reloadTime, build)
	return m
}

// begin counts a request in flight; end takes it back and counts the answer.
func (m *Metrics) begin(surface string) {
	if m != nil {
		m.inFlight[surface].Inc()
	}
}

func (m *Metrics) end(surface, route, method string, status int, d time.Duration) {
	if m == nil {
		return
	}
	m.inFlight[surface].Dec()
	m.answered.find(answered{surface, route, method, status}, func() timed {
		return timed{m.requests.of(surface, route, method, statusText(status)), m.requestSeconds.of(surface, route)}
	}).observe(d)
}

// Reloaded notes that a configuration was read at the given time, and whether it serves now.
func (m *Metrics) Reloaded(at time.Time, good bool) {
	result, value := "ok", 1.0
	if !good {
		result, value = "error", 0
	}
	m.reloads.add(1, result)
	m.reloadGood.Set(value)
	m.reloadTime.Set(float64(at.Unix()))
}

// OAuthEvent counts one event of the broker (oauth.md §15); both words come from closed sets.
func (m *Metrics) OAuthEvent(event, result string) { m.oauth.add(1, event, result) }

// Attempt, Retry and Breaker make Metrics the pipeline's observer; backends' names come from the configuration.
func (m *Metrics) Attempt(backend, outcome string, took time.Duration) {
	m.tried.find(tried{backend, outcome}, func() timed {
		return timed{m.attempts.of(backend, outcome), m.attemptSeconds.of(backend, outcome)}
	}).observe(took)
}

// Retry counts one more try at a backend.
func (m *Metrics) Retry(backend, reason string) { m.retries.add(1, backend, reason) }

// Breaker notes the state of a backend's breaker: 0 closed, 1 half-open, 2 open.
func (m *Metrics) Breaker(backend string, state int) {
	m.breaker.WithLabelValues(backend).Set(float64(state))
}

// Decision and CacheResult make Metrics the policies' observer.
func (m *Metrics) Decision(policy, decision string) { m.decisions.add(1, policy, decision) }

// CacheResult counts one look-up.
func (m *Metrics) CacheResult(policy, result string) { m.cache.add(1, policy, result) }

// Ledger stands between the pipeline and the ledger: every row is observed, then kept.
type Ledger struct {
	Metrics *Metrics
	Next    proxy.Recorder // nil: rows are observed only
}

// Record observes r and passes it on.
func (l *Ledger) Record(r proxy.Record) {
	l.Metrics.observe(&r)
	if l.Next != nil {
		l.Next.Record(r)
	}
}

func (m *Metrics) observe(r *proxy.Record) {
	if r.Surface == proxy.MCP {
		result := toolResult(r)
		m.called.find(called{r.Server, r.Tool, result}, func() timed {
			return timed{m.toolCalls.of(r.Server, r.Tool, result), m.toolSeconds.of(r.Server, r.Tool)}
		}).observe(r.Duration)
		return
	}
	m.llmRequests.add(1, r.Model, r.Endpoint, statusText(r.Status), string(r.Ending), r.Product, r.Subscription)
	if r.Usage.Source != proxy.UsageCache {
		m.tokens(r, "input", r.Usage.Input)
		m.tokens(r, "cached_input", r.Usage.Cached)
		m.tokens(r, "output", r.Usage.Output)
		m.tokens(r, "reasoning", r.Usage.Reasoning)
	}
	if r.CostMicro > 0 {
		m.llmCost.add(float64(r.CostMicro)/1e6, r.Model, r.Product, r.Subscription)
	}
	if r.Stream && r.FirstByte > 0 {
		m.firstToken.of(r.Model, r.Backend).Observe(r.FirstByte.Seconds())
	}
}

func (m *Metrics) tokens(r *proxy.Record, kind string, n int) {
	if n > 0 {
		m.llmTokens.add(float64(n), r.Model, kind, r.Product, r.Subscription)
	}
}

func toolResult(r *proxy.Record) string {
	switch {
	case r.Ending == proxy.EndRefused:
		return "refused"
	case r.Ending == proxy.EndOK && r.Status < 400:
		return "ok"
	default:
		return "tool_error"
	}
}

// Serve answers a scrape where everybody else asks too: only loopback peers and bearers of the configured token may read
// (operations.md §4.2). What a proxy on this machine sends on is not from this machine.
func (m *Metrics) Serve(c echo.Context) error {
	r := c.Request()
	local := isLoopback(r.RemoteAddr) && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
	if !local && !m.bearer(r) {
		return echo.NewHTTPError(http.StatusForbidden, "metrics are for this machine; configure telemetry.metrics.token for others")
	}
	return m.ServeAll(c)
}

// ServeAll answers a scrape on the listener for administration, whose reach is the operator's to choose.
func (m *Metrics) ServeAll(c echo.Context) error {
	r := c.Request()
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(c.Response(), r)
	return nil
}

func (m *Metrics) bearer(r *http.Request) bool {
	scheme, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || m.token.IsZero() {
		return false
	}
	a, b := sha256.Sum256([]byte(text)), sha256.Sum256([]byte(m.token.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
