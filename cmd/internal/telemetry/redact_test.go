package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// FuzzPlainTextsAreLeftAlone: what plain lets through unseen, the expression must not match.
func FuzzPlainTextsAreLeftAlone(f *testing.F) {
	for _, s := range []string{
		"orders", "eyJhbGciOiJFUzI1NiJ9", "x Bearer abcdefg", "BASIC abcdefg", "ba\u017fic abcdefgh", "sk-abcdefghijkl", "dbc_0123456789", "AKIA012345678901",
		"a\nb", strings.Repeat("a", 2000), "backend", "s", "e", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if plain(s) && (secretText.MatchString(s) || strings.ContainsFunc(s, isControl) || len(s) > maxValue) {
			t.Errorf("%q is taken for plain", s)
		}
	})
}

func TestEverySuspiciousWordHidesAValue(t *testing.T) {
	for _, word := range []string{"authorization", "cookie", "token", "secret", "password", "key", "code", "verifier", "assertion", "credential"} {
		for _, key := range []string{word, "x_" + word, strings.ToUpper(word) + "_2", word[:2] + word} {
			if got := redact(nil, slog.String(key, "value")); got.Value.String() != hidden && !harmless[key] {
				t.Errorf("the value of %s is shown", key)
			}
		}
	}
	if suspicious("upstream_status") || suspicious("request_id") {
		t.Error("a harmless key is suspicious")
	}
}

// BenchmarkRequestLine is what the outermost layer costs a tool call: facts, metrics and the line.
func BenchmarkRequestLine(b *testing.B) {
	q := requests(NewLogger(io.Discard, Options{Format: "json"}))
	e := echo.New()
	e.Pre(q.Middleware)
	e.POST("/mcp/:server", func(c echo.Context) error {
		f := identity.RequestFrom(c.Request().Context())
		f.Note(slog.String("caller", "tenant/alice"), slog.String("kind", "person"), slog.String("client_id", "dcr_4t7bet5xbr7xmzjn2fo3eipv"))
		f.Note(slog.String("server", "orders"), slog.String("tool", "getOrder"), slog.String("decision", "allowed"))
		f.Note(slog.String("backend", "orders"), slog.Int("attempts", 1), slog.Int("upstream_status", 200))
		return c.Blob(200, "application/json", []byte("{}"))
	})
	r := request("POST", "/mcp/orders", "localhost:8080")
	b.ReportAllocs()
	for b.Loop() {
		e.ServeHTTP(nullWriter{http.Header{}}, r)
	}
}

type nullWriter struct{ head http.Header }

func (w nullWriter) Header() http.Header       { return w.head }
func (nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nullWriter) WriteHeader(int)             {}
