package egress

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// book answers names from a map and counts questions.
type book struct {
	names map[string][]string
	asked int
}

func (b *book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	b.asked++
	list, ok := b.names[host]
	if !ok {
		list = b.names["*"]
	}
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return out, nil
}

func newGuard(t testing.TB, cfg Config) *Guard {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	if cfg.MinTime == 0 {
		cfg.MinTime = -1
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// operations.md §12: the block table, names, numeric forms, in ≥ 150 vectors.
func TestAddressesAreJudgedAsTheTableSays(t *testing.T) {
	file, err := os.Open("testdata/addresses.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	g := newGuard(t, Config{
		OwnHost: "gw.example.com", Deny: []string{"denied.example.net"},
		Resolver: &book{names: map[string][]string{"*": {"93.184.216.34"}}},
	})
	vectors := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		address, verdict, ok := strings.Cut(lines.Text(), " ")
		if !ok || address == "#" {
			continue
		}
		vectors++
		if err := judge(g, address); (err == nil) != (verdict == "allow") {
			t.Errorf("%s: %v, want %s", address, err, verdict)
		}
	}
	if vectors < 150 {
		t.Errorf("%d vectors, want at least 150", vectors)
	}
}

// judge runs everything but the dialling, both by URL and by DialContext's own path.
func judge(g *Guard, address string) error {
	host := address
	if strings.Contains(address, ":") {
		host = "[" + address + "]"
	}
	u, err := g.checkURL("https://" + host + "/x")
	if err != nil {
		return err
	}
	dest, err := g.checkHost(u.Hostname(), "443")
	if err != nil {
		return err
	}
	_, err = g.resolve(context.Background(), dest)
	return err
}

func TestURLsThatTwoParsersReadDifferentlyAreRefused(t *testing.T) {
	g := newGuard(t, Config{Allow: []string{"tools.example.org", "ports.example.org:8443"}})
	tests := []struct {
		url string
		ok  bool
	}{
		{"https://example.com/doc.json", true},
		{"https://example.com:443/doc.json", true},
		{"http://example.com/", false},
		{"http://tools.example.org/", true},
		{"https://ports.example.org:8443/", true},
		{"https://ports.example.org:8444/", false},
		{"https://example.com:8443/", false},
		{"https://example.com:0/", false},
		{"https://example.com:/", false},
		{"https://example.com:65536/", false},
		{"https://user@example.com/", false},
		{"https://user:pass@example.com/", false},
		{"https://example.com\\@evil.example/", false},
		{"https://exa\tmple.com/", false},
		{"https://example.com/\r\nHost: x", false},
		{"https:///x", false},
		{"https:example.com", false},
		{"//example.com/x", false},
		{"ftp://example.com/", false},
		{"file:///etc/passwd", false},
		{"gopher://example.com/", false},
		{"https://[::1]/", false},
		{"https://[::ffff:8.8.8.8]/", true}, // the name passes, its address does not: see the vectors
		{"https://example.com/" + strings.Repeat("a", 2048), false},
	}
	for _, tt := range tests {
		err := g.CheckURL(tt.url)
		if tt.url == "https://[::1]/" {
			_, err = g.resolve(t.Context(), destination{addr: netip.MustParseAddr("::1"), name: "::1"})
		}
		if (err == nil) != tt.ok {
			t.Errorf("%q: %v, want ok=%v", tt.url, err, tt.ok)
		}
	}
}

// One bad answer spoils the name: whoever serves it chooses the order.
func TestEveryAnswerMustPass(t *testing.T) {
	b := &book{names: map[string][]string{"mixed.example.com": {"93.184.216.34", "10.0.0.1"}, "good.example.com": {"93.184.216.34"}}}
	g := newGuard(t, Config{Resolver: b})
	if _, err := g.DialContext(t.Context(), "tcp", "mixed.example.com:443"); err == nil || !strings.Contains(err.Error(), "not public") {
		t.Errorf("mixed: %v", err)
	}
	if b.asked != 1 {
		t.Errorf("resolved %d times, want once: a second look-up may answer differently", b.asked)
	}
}

func TestTheOperatorsListsCount(t *testing.T) {
	b := &book{names: map[string][]string{"api.corp.internal": {"10.1.2.3"}, "partner.example.com": {"10.9.9.9"}}}
	g := newGuard(t, Config{Allow: []string{"api.corp.internal", "10.9.0.0/16"}, Deny: []string{"10.9.8.0/24", "10.1.2.4"}, Resolver: b})
	for host, ok := range map[string]bool{
		"api.corp.internal": true, "partner.example.com": true, "10.9.1.1": true, "10.9.8.7": false, "10.1.2.4": false, "10.2.0.1": false,
	} {
		if err := judge(g, host); (err == nil) != ok {
			t.Errorf("%s: %v, want ok=%v", host, err, ok)
		}
	}
	if _, err := New(Config{Allow: []string{"*.example.com"}, Deny: []string{"10.0.0.0/33"}}); err == nil {
		t.Error("bad entries were taken")
	}
}

// fixture is a loopback server that a guard for `try` may reach.
func fixture(t *testing.T, handler http.HandlerFunc) (*Guard, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newGuard(t, Config{AllowLoopback: true}), server.URL
}

func TestFetchReadsADocument(t *testing.T) {
	g, url := fixture(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie")+r.Header.Get("Authorization") != "" {
			t.Error("credentials were sent")
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{}`)
	})
	l := Limits{Feature: "client", ContentTypes: []string{"application/json"}, Header: http.Header{"Cookie": {"a=b"}, "Authorization": {"x"}}}
	resp, err := g.Fetch(t.Context(), url+"/doc", l)
	if err != nil || string(resp.Body) != "{}" || resp.URL != url+"/doc" {
		t.Fatalf("%+v, %v", resp, err)
	}
}

// The text is the same for every cause, and the cause is there for the log.
func TestEveryFailureHasTheSameText(t *testing.T) {
	g, url := fixture(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(make([]byte, 100))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 10<<20))
			_ = z.Close()
		case "/html":
			w.Header().Set("Content-Type", "text/html")
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/away":
			http.Redirect(w, r, "https://example.com/", http.StatusFound)
		case "/meta":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusTemporaryRedirect)
		default:
			http.NotFound(w, r)
		}
	})
	cause := map[string]string{
		"/large": "larger than", "/bomb": "larger than", "/html": "content type", "/loop": "too many redirects",
		"/away": "another origin", "/meta": "redirect", "/missing": "status 404",
	}
	for path, want := range cause {
		l := Limits{Feature: "client", Bytes: 50}
		if path == "/html" {
			l.ContentTypes = []string{"application/json"}
		}
		_, err := g.Fetch(t.Context(), url+path, l)
		var e *Error
		if !errors.As(err, &e) || e.Error() != "cannot fetch client document" || !strings.Contains(e.Cause.Error(), want) {
			t.Errorf("%s: %v (%v)", path, err, errors.Unwrap(err))
		}
	}
	if _, err := g.Fetch(t.Context(), "https://10.0.0.1/", Limits{Feature: "client"}); err == nil || err.Error() != "cannot fetch client document" {
		t.Errorf("private: %v", err)
	}
}

func TestRedirectsStayAtTheOrigin(t *testing.T) {
	g, url := fixture(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		if n > 0 {
			http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusMovedPermanently)
		}
	})
	if resp, err := g.Fetch(t.Context(), url+"/3", Limits{}); err != nil || resp.URL != url+"/0" {
		t.Errorf("three redirects: %+v, %v", resp, err)
	}
	if _, err := g.Fetch(t.Context(), url+"/4", Limits{}); err == nil {
		t.Error("four redirects were followed")
	}
	if _, err := g.Fetch(t.Context(), url+"/1", Limits{Redirects: -1}); err == nil {
		t.Error("a redirect was followed where none may be")
	}
}

func TestAConditionalQuestionMayBeAnsweredNotModified(t *testing.T) {
	g, url := fixture(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	resp, err := g.Fetch(t.Context(), url, Limits{Header: http.Header{"If-None-Match": {`"a"`}}})
	if err != nil || resp.Status != http.StatusNotModified {
		t.Errorf("%+v, %v", resp, err)
	}
	if _, err := g.Fetch(t.Context(), url, Limits{}); err == nil {
		t.Error("304 without a question was taken")
	}
}

// Quick refusals last as long as slow ones: time tells nothing about a network behind us.
func TestFailuresTakeAtLeast200Milliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New(Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, _ = g.Fetch(t.Context(), "https://10.0.0.1/", Limits{})
		if took := time.Since(start); took != 200*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestOurOwnHostIsNeverFetched(t *testing.T) {
	g := newGuard(t, Config{OwnHost: "127.0.0.1:8080", AllowLoopback: true})
	if err := g.CheckURL("http://127.0.0.1:8080/"); err == nil {
		t.Error("our own address was allowed")
	}
	if err := g.CheckURL("http://127.0.0.1:9090/"); err != nil {
		t.Errorf("another loopback port: %v", err)
	}
}

// FuzzCheckURL: whatever text comes, a host that passes is never one of the table's, and nothing panics.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://example.com/", "https://[::1]/", "https://0x7f.1", "https://①②⑦.⓪.⓪.①/", "https://a@b", "http://%31"} {
		f.Add(s)
	}
	g := newGuard(f, Config{Resolver: &book{}})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.checkURL(raw)
		if err != nil {
			return
		}
		dest, err := g.checkHost(u.Hostname(), "443")
		if err != nil {
			t.Fatalf("%q passed as a URL and not as a host: %v", raw, err)
		}
		if addrs, err := g.resolve(t.Context(), dest); err == nil {
			for _, a := range addrs {
				if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() {
					t.Fatalf("%q reaches %s", raw, a)
				}
			}
		}
	})
}
