package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The whole suite in front of an upstream that is one part of a server: what a relay passes a combined server passes, too.

const combinedRelays = `
listen: 127.0.0.1:0
storage: {database: "sqlite:state.db", keys: "file:keys.json"}
sign_in: {provider: dev, dev: {people: [{name: alice}]}}
backends: [{name: rest, url: "%s"}, {name: up, url: "%s"}]
apis: [{name: rest, document: rest.yaml, backend: rest}]
mcp_servers: [{name: all, from: [{api: rest}, {upstream: up}]}]
`

// unprefixed gives the suite, which knows the fixture's own names, a server whose names have the prefix up.
func unprefixed(t *testing.T, address string) string {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	named := strings.NewReplacer(`"name":"test_`, `"name":"up__test_`, `"name":"json_`, `"name":"up__json_`)
	var own string
	pass := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.Host = strings.ReplaceAll(r.In.Host, own, to.Host)
			if origin := r.In.Header.Get("Origin"); origin != "" {
				r.Out.Header.Set("Origin", strings.ReplaceAll(origin, own, to.Host))
			}
			if name := r.In.Header.Get("Mcp-Name"); strings.HasPrefix(name, "test_") || strings.HasPrefix(name, "json_") {
				r.Out.Header.Set("Mcp-Name", "up__"+name)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del("Content-Length")
			r.ContentLength = -1
			r.Body = struct {
				io.Reader
				io.Closer
			}{&lineReader{from: bufio.NewReaderSize(r.Body, 1<<20)}, r.Body}
			return nil
		},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		body = []byte(named.Replace(string(body)))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		pass.ServeHTTP(w, r)
	}))
	own = server.Listener.Addr().String()
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// lineReader takes the prefix off again, line by line as they come.
type lineReader struct {
	from *bufio.Reader
	rest []byte
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		line, err := l.from.ReadBytes('\n')
		if len(line) == 0 {
			return 0, err
		}
		l.rest = bytes.ReplaceAll(line, []byte(`"up__`), []byte(`"`))
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func TestConformanceOfCombinedServers(t *testing.T) { // C1 to C8 as the suite sees them
	f := startFixture(t)
	for _, gate := range []struct {
		name, upstream, revision string
		scenarios                int
	}{
		{"legacy", f.legacy, "2025-11-25", 30},
		{"modern", f.modern, "2026-07-28", 37},
	} {
		t.Run(gate.name, func(t *testing.T) {
			s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
			s.write(t, "rest.yaml", bridgeDocument)
			s.write(t, "drawbridge.yaml", fmt.Sprintf(combinedRelays, restFixture(t), gate.upstream))
			s.start(t)
			t.Cleanup(func() { s.stop(t) })
			shim := unprefixed(t, s.shim(t, map[string]string{"all": s.token(t, "all", "alice")}))
			direct, _, _ := suite(t, gate.upstream, "--requirements", gate.revision)
			through, _, text := suite(t, shim+"/mcp/all", "--requirements", gate.revision)
			if passed, all := passes(text); passed != gate.scenarios || all != gate.scenarios {
				t.Errorf("%d of %d scenarios pass:\n%s", passed, all, text)
			}
			for scenario, checks := range through {
				for id, statuses := range checks {
					if slices.Contains(statuses, "FAILURE") && !slices.Contains(direct[scenario][id], "FAILURE") {
						t.Errorf("%s/%s fails, and does not direct", scenario, id)
					}
				}
			}
		})
	}
}
