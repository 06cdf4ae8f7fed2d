package store

import (
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

var testNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func newRing(t testing.TB) *secret.Keyring {
	t.Helper()
	k, err := secret.NewKeyring(testNow)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func testConfig(t testing.TB, url string) Config {
	return Config{URL: url, Keyring: newRing(t), Now: func() time.Time { return testNow }, Log: quiet()}
}

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// databases are the backends that every test of behaviour runs against.
var databases = map[string]func(t testing.TB) string{
	"memory": func(testing.TB) string { return "memory:" },
	"sqlite": func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") },
}

func TestEveryDatabasePassesTheSuites(t *testing.T) { // operations.md D1
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			oauthtest.RunStore(t, func(t *testing.T) oauth.Store { return open(t, testConfig(t, url(t))) })
		})
	}
}

func TestOtherDatabasesAreRefusedByName(t *testing.T) {
	tests := map[string]string{
		"postgres://u:hunter2@db/x":   "PostgreSQL is not available in this version",
		"postgresql://u:hunter2@db/x": "PostgreSQL is not available in this version",
		"mysql://u:hunter2@db/x":      "must be sqlite:PATH or memory:",
		"":                            "must be sqlite:PATH or memory:",
		"sqlite:":                     "needs a path",
		"sqlite:/no/such/folder/x.db": "no such file",
	}
	for url, want := range tests {
		_, err := Open(t.Context(), testConfig(t, url))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %v, want %q", url, err, want)
		}
	}
}

func TestADatabaseNeedsKeys(t *testing.T) {
	cfg := testConfig(t, databases["sqlite"](t))
	cfg.Keyring = nil
	if _, err := Open(t.Context(), cfg); err == nil {
		t.Error("opened without keys")
	}
}

func TestPingShowsThatTheDatabaseAnswers(t *testing.T) {
	for name, url := range databases {
		s := open(t, testConfig(t, url(t)))
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := Open(t.Context(), testConfig(t, databases["sqlite"](t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed database answers")
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
