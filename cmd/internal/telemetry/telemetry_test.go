package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

func TestLogNeverShowsCredentials(t *testing.T) {
	jwt := "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln"
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log := NewLogger(&out, Options{Format: format, Level: slog.LevelDebug})
		log.Info("got "+jwt, "authorization", "x1-visible", "client_secret", "x2-visible", "refresh_token", "x3-visible",
			"note", "Bearer abcdefghijkl", "err", errors.New("upstream said sk-abcdefghijkl"), "cookie", "x4-visible",
			"value", secret.New("x5-visible"), "deep", struct{ V secret.Value }{secret.New("x6-visible")},
			slog.Group("request", "password", "x7-visible", "code_verifier", "x8-visible"), "text", "dbr_abcdef.ghijklmn dbc_0123456789")
		log.With("api-key", "x9-visible").Info("kept")
		for _, bad := range []string{"visible", "eyJ", "abcdefghijkl", "ghijklmn", "0123456789"} {
			if strings.Contains(out.String(), bad) {
				t.Errorf("%s log holds %q: %s", format, bad, out.String())
			}
		}
		if !strings.Contains(out.String(), hidden) {
			t.Errorf("%s log does not say that something was hidden", format)
		}
	}
}

func TestLogKeepsWhatIsNoSecret(t *testing.T) {
	var out bytes.Buffer
	NewLogger(&out, Options{Format: "json"}).Info("request", "tokens_in", 12, "code", "rate_limit_exceeded", "server", "orders")
	for _, want := range []string{`"tokens_in":12`, `"code":"rate_limit_exceeded"`, `"server":"orders"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("log %s lacks %s", out.String(), want)
		}
	}
}

func TestLogLinesCannotBeForgedAndAreCut(t *testing.T) {
	if got := Redact("a\nlevel=ERROR\x1b[2J\u2028b"); strings.ContainsAny(got, "\n\x1b\u2028") {
		t.Errorf("Redact = %q, want no control characters", got)
	}
	if got := Redact(strings.Repeat("é", 2000)); len(got) > maxValue+4 || !strings.HasSuffix(got, "é…") {
		t.Errorf("Redact of 4,000 bytes has %d, want at most %d on a rune border", len(got), maxValue+4)
	}
}

func serve(t *testing.T, q *Requests, r *http.Request, h echo.HandlerFunc) *httptest.ResponseRecorder {
	t.Helper()
	e := echo.New()
	e.Pre(q.Middleware)
	e.Any("/llm/v1/models", h)
	e.Any("/mcp/:server", h)
	e.GET("/healthz", h)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func requests(log *slog.Logger) *Requests {
	return &Requests{
		Log: log, Metrics: NewMetrics(MetricsConfig{}), Access: true,
		Hosts: func() Hosts {
			return Hosts{Allowed: []string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}, AnyPort: true, Listener: "10.0.0.5:9000"}
		},
	}
}

func request(method, target, host string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	return r
}

func TestRequestIDsAreOursExceptOnLLM(t *testing.T) {
	ulid := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)
	for _, c := range []struct{ path, sent, want string }{
		{"/mcp/orders", "chosen-by-caller", ""},
		{"/llm/v1/models", "chosen-by-caller", "chosen-by-caller"}, // PX-15
		{"/llm/v1/models", "bad id\n", ""},
		{"/llm/v1/models", strings.Repeat("a", 129), ""},
	} {
		r := request("GET", c.path, "localhost:8080")
		r.Header["X-Request-Id"] = []string{c.sent}
		w := serve(t, requests(slog.New(slog.DiscardHandler)), r, func(c echo.Context) error { return c.NoContent(204) })
		got := w.Header().Get("X-Request-Id")
		if c.want != "" && got != c.want || c.want == "" && !ulid.MatchString(got) {
			t.Errorf("%s with %q answered id %q", c.path, c.sent, got)
		}
	}
}

func TestForeignHostsAreMisdirected(t *testing.T) {
	for host, want := range map[string]int{
		"localhost:8080": 204, "127.0.0.1:5000": 204, "[::1]:8080": 204, "LOCALHOST": 204,
		"evil.test": 421, "127.0.0.1.evil.test": 421, "localhost.": 421, "10.0.0.5:9000": 421, "": 421, "localhost:8080@evil.test": 421,
	} {
		r := request("GET", "/mcp/orders", host)
		r.Header.Set("X-Forwarded-Host", "localhost:8080")
		if w := serve(t, requests(slog.New(slog.DiscardHandler)), r, func(c echo.Context) error { return c.NoContent(204) }); w.Code != want {
			t.Errorf("Host %q = %d, want %d", host, w.Code, want)
		}
	}
	w := serve(t, requests(slog.New(slog.DiscardHandler)), request("GET", "/healthz", "10.0.0.5:9000"), func(c echo.Context) error { return c.NoContent(204) })
	if w.Code != 204 {
		t.Errorf("health under the listener's own address = %d, want 204", w.Code)
	}
}

func TestAddressIsTheLastUntrustedHop(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9"}, // nobody trusts the peer
		{"10.0.0.1:1", "198.51.100.1, 203.0.113.7", "203.0.113.7"},
		{"10.0.0.1:1", "203.0.113.7, 10.0.0.2", "203.0.113.7"},
		{"10.0.0.1:1", "spoofed", "10.0.0.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
	} {
		r := request("GET", "/", "localhost")
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := clientIP(r, trusted); got != c.want {
			t.Errorf("peer %s, X-Forwarded-For %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestOneLineARequestWithTheRouteNotThePath(t *testing.T) {
	var out bytes.Buffer
	q := requests(NewLogger(&out, Options{Format: "json"}))
	serve(t, q, request("POST", "/mcp/orders?api-key=hunter2", "localhost:8080"), func(c echo.Context) error {
		identity.RequestFrom(c.Request().Context()).Note(slog.String("server", "orders"), slog.String("decision", "allowed"))
		return c.NoContent(202)
	})
	line := out.String()
	if strings.Count(line, "\n") != 1 || strings.Contains(line, "hunter2") {
		t.Errorf("log = %s, want one line without the query", line)
	}
	for _, want := range []string{`"route":"/mcp/:server"`, `"status":202`, `"surface":"mcp"`, `"server":"orders"`, `"decision":"allowed"`} {
		if !strings.Contains(line, want) {
			t.Errorf("line %s lacks %s", line, want)
		}
	}
}

func TestAPanicIsThatRequests500(t *testing.T) {
	var out bytes.Buffer
	w := serve(t, requests(NewLogger(&out, Options{})), request("GET", "/mcp/orders", "localhost"), func(echo.Context) error { panic("boom") })
	if w.Code != 500 || strings.Contains(w.Body.String(), "boom") || !strings.Contains(out.String(), "panic=boom") {
		t.Errorf("panic = %d %s; log %s; want 500 without the cause, and the cause in the log", w.Code, w.Body, out.String())
	}
}

func TestLabelSetsStayUnderTheCap(t *testing.T) {
	m := NewMetrics(MetricsConfig{Series: 50})
	l := &Ledger{Metrics: m}
	for i := range 5000 {
		l.Record(proxy.Record{Surface: proxy.MCP, Server: "orders", Tool: fmt.Sprint("tool", i), Ending: proxy.EndOK, Status: 200})
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	capped := 0
	for _, f := range families {
		if len(f.GetMetric()) > 51 {
			t.Errorf("%s has %d label sets, want at most 51", f.GetName(), len(f.GetMetric()))
		}
		if len(f.GetMetric()) == 51 {
			capped++
		}
	}
	if capped != 2 { // the calls, and their time
		t.Errorf("%d metrics are as large as they get, want 2", capped)
	}
}

// Each surface has its gauge: an address without one would end the request.
func TestEveryAddressHasASurface(t *testing.T) {
	m := NewMetrics(MetricsConfig{})
	for _, path := range []string{"/mcp/a", "/llm/v1", "/oauth/token", "/.well-known/x", "/admin", "/registry/v0", "/healthz", "/readyz", "/metrics", "/", "", "/nowhere"} {
		m.begin(surfaceOf(path))
		m.end(surfaceOf(path), "unmatched", "GET", 404, time.Millisecond)
	}
}

func TestMetricsAreForThisMachineAndBearers(t *testing.T) {
	m := NewMetrics(MetricsConfig{Token: secret.New("0123456789abcdef")})
	for _, c := range []struct {
		peer, auth, via string
		want            int
	}{
		{"127.0.0.1:9", "", "", 200}, {"203.0.113.1:9", "", "", 403}, {"203.0.113.1:9", "Bearer 0123456789abcdef", "", 200}, {"203.0.113.1:9", "Bearer wrong", "", 403},
		{"127.0.0.1:9", "", "203.0.113.1", 403}, {"127.0.0.1:9", "Bearer 0123456789abcdef", "203.0.113.1", 200},
	} {
		e := echo.New()
		e.GET("/metrics", m.Serve)
		e.GET("/admin-metrics", m.ServeAll)
		r := request("GET", "/metrics", "localhost")
		r.RemoteAddr = c.peer
		r.Header.Set("Authorization", c.auth)
		if c.via != "" {
			r.Header.Set("X-Forwarded-For", c.via)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("scrape from %s with %q = %d, want %d", c.peer, c.auth, w.Code, c.want)
		}
		r.URL.Path, w = "/admin-metrics", httptest.NewRecorder()
		if e.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("scrape from %s on admin_listen = %d", c.peer, w.Code)
		}
	}
}

func TestReadinessTellsWhatIsDown(t *testing.T) {
	down := errors.New("gone")
	h := &Health{Instance: "one", Now: func() time.Time { return time.Unix(1700000000, 0) }, Checks: map[string]func(context.Context) error{"database": func(context.Context) error { return down }}}
	ask := func() (int, string) {
		e := echo.New()
		w := httptest.NewRecorder()
		if err := h.Ready(e.NewContext(request("GET", "/readyz", "localhost"), w)); err != nil {
			t.Fatal(err)
		}
		return w.Code, w.Body.String()
	}
	if code, body := ask(); code != 503 || !strings.Contains(body, `"starting"`) {
		t.Errorf("before serving: %d %s", code, body)
	}
	h.Set("ready")
	if code, body := ask(); code != 200 || !strings.Contains(body, `"degraded"`) || !strings.Contains(body, `"since":"2023-11-14T22:13:20Z"`) {
		t.Errorf("with the database down: %d %s, want 200 degraded since then", code, body)
	}
	down = nil
	if code, body := ask(); code != 200 || !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("good again: %d %s", code, body)
	}
	h.Set("draining")
	if code, _ := ask(); code != 503 {
		t.Errorf("draining: %d, want 503", code)
	}
}
