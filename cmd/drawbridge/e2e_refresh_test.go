package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gomcp "github.com/modelcontextprotocol/go-sdk/mcp"
)

// documentHost serves a document that changes, with its ETag.
type documentHost struct {
	mu          sync.Mutex
	text        string
	status      int
	asked, kept int
}

func (h *documentHost) set(text string, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text, h.status = text, status
}

func (h *documentHost) notModified() int { h.mu.Lock(); defer h.mu.Unlock(); return h.kept }

func (h *documentHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	etag := fmt.Sprintf(`"%d"`, len(h.text))
	w.Header().Set("Etag", etag)
	switch {
	case h.status != 0:
		w.WriteHeader(h.status)
	case r.Header.Get("If-None-Match") == etag:
		h.kept++
		w.WriteHeader(http.StatusNotModified)
	default:
		_, _ = w.Write([]byte(h.text))
	}
}

const parcels = `{"openapi":"3.0.3","info":{"title":"Parcels","version":"1"},"paths":{"/parcels":{"get":{"operationId":"listParcels","responses":{}}}%s}}`

// bearer puts a token on every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// waitFor polls what another process or goroutine does.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAChangedDocumentReachesItsClients(t *testing.T) { // openapi.md §14, mcp.md L3
	host := &documentHost{text: fmt.Sprintf(parcels, "")}
	remote := httptest.NewServer(host)
	defer remote.Close()
	config := strings.Replace(fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL), "backend: orders}]", "backend: orders}, {name: parcels, backend: orders, refresh: 1s, document: "+remote.URL+"/openapi.json}]", 1)
	s := serve(t, config+"  - {name: parcels, from: [{api: parcels}]}\n")
	token := s.token(t, "parcels", "bob")
	told := map[string]chan struct{}{}
	sessions := map[string]*gomcp.ClientSession{}
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		told[version] = make(chan struct{}, 100)
		client := gomcp.NewClient(&gomcp.Implementation{Name: "listener", Version: "1"}, &gomcp.ClientOptions{
			ToolListChangedHandler: func(context.Context, *gomcp.ToolListChangedRequest) { told[version] <- struct{}{} },
		})
		session, err := client.Connect(t.Context(), &gomcp.StreamableClientTransport{Endpoint: s.url + "/mcp/parcels", HTTPClient: &http.Client{Transport: bearer(token)}}, &gomcp.ClientSessionOptions{ProtocolVersion: version})
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		defer func() { _ = session.Close() }()
		sessions[version] = session
	}
	tools := func(version string) string {
		list, err := sessions[version].ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range list.Tools {
			names = append(names, tool.Name)
		}
		return strings.Join(names, " ")
	}
	logged := func(text string) {
		t.Helper()
		waitFor(t, text, func() bool { return strings.Contains(s.stderr.String(), text) })
	}
	waitFor(t, "a conditional GET that says 304", func() bool { return host.notModified() > 0 })
	time.Sleep(100 * time.Millisecond) // the clients' streams open beside their first answers

	host.set(fmt.Sprintf(parcels, `,"/parcels/{id}":{"get":{"operationId":"getParcel","responses":{}}}`), 0)
	logged("parcels: 1 added (getParcel)")
	for version, notified := range told {
		select {
		case <-notified:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: no notifications/tools/list_changed", version)
		}
		if got := tools(version); got != "listParcels getParcel" {
			t.Errorf("%s: tools %s", version, got)
		}
	}

	// Nothing that serves changes: not by the same bytes, not by what cannot be used, not by what cannot be reached.
	_ = s.cmd.Process.Signal(syscall.SIGHUP)
	logged("config.reloaded")
	host.set(`{"openapi":"3.0.3","info":{},"paths":{}}`, 0)
	logged("no operations")
	host.set("", http.StatusServiceUnavailable)
	logged("document not refreshed; the old one keeps serving")
	for version, notified := range told {
		if got := tools(version); got != "listParcels getParcel" {
			t.Errorf("%s: after bad documents: %s", version, got)
		}
		if len(notified) != 0 {
			t.Errorf("%s: told %d times more, although nothing changed", version, len(notified))
		}
	}

	host.set(fmt.Sprintf(parcels, `,"/depots":{"get":{"operationId":"listDepots","parameters":[{"name":"town","in":"query","schema":{"type":"string"}}],"responses":{}}}`), 0)
	logged("parcels: 1 added (listDepots), 1 removed (getParcel breaking)")
	for version, notified := range told {
		select {
		case <-notified:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: not told of the second change", version)
		}
		if len(notified) != 0 {
			t.Errorf("%s: told more than once", version)
		}
	}
	if strings.Contains(s.stderr.String(), `"msg":"orders: `) {
		t.Error("an API that did not change is said to have changed")
	}
}

func TestAChangedReferenceIsAChangedDocument(t *testing.T) { // openapi.md §14: a refresh asks for the document's files, too
	root := &documentHost{text: `{"openapi":"3.0.3","info":{"title":"Parcels","version":"1"},"paths":{"/parcels":{"$ref":"paths/parcels.json"}}}`}
	part := &documentHost{text: `{"get":{"operationId":"listParcels","responses":{}}}`}
	mux := http.NewServeMux()
	mux.Handle("/api/openapi.json", root)
	mux.Handle("/api/paths/parcels.json", part)
	remote := httptest.NewServer(mux)
	defer remote.Close()
	config := strings.Replace(fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL), "backend: orders}]", "backend: orders}, {name: parcels, backend: orders, refresh: 1s, document: "+remote.URL+"/api/openapi.json}]", 1)
	s := serve(t, config+"  - {name: parcels, from: [{api: parcels}]}\n")
	waitFor(t, "a conditional GET of the reference", func() bool { return part.notModified() > 0 })
	part.set(`{"get":{"operationId":"listParcels","responses":{}},"post":{"operationId":"sendParcel","responses":{}}}`, 0)
	waitFor(t, "a reload", func() bool { return strings.Contains(s.stderr.String(), "parcels: 1 added (sendParcel)") })
	part.set("", http.StatusServiceUnavailable)
	waitFor(t, "a word about the reference", func() bool {
		return strings.Contains(s.stderr.String(), "document not refreshed; the old one keeps serving")
	})
}

func TestALocalDocumentMayNotLoseWhatTheConfigurationNames(t *testing.T) { // openapi.md §14
	s := serve(t, fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL))
	token := s.token(t, "orders", "bob")
	s.write(t, "orders.yaml", fmt.Sprintf(parcels, "")) // deleteOrder and syncStock of access.tools are gone
	waitFor(t, "reload refused", func() bool {
		return strings.Contains(s.stderr.String(), `no tool of this server is named \"deleteOrder\"`)
	})
	if status, _, body := s.post(t, "orders", token, callBody("getOrder", `{"orderId":"1001"}`)); status != 200 {
		t.Errorf("the old document does not serve: %d %s", status, body)
	}
}
