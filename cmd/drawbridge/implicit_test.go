package main

import (
	"log/slog"
	"net/http"
	"testing"
)

func TestAFetchedDocumentCannotPointCallsAtPrivateAddresses(t *testing.T) { // openapi.md §9, R7d
	cfg := NewConfig()
	cfg.PublicURL, cfg.SignIn.Provider = "https://gw.example.com", "entra"
	guard, err := newGuard(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{"https://docs.example.com/api": "own", "http://169.254.169.254/latest": "metadata", "https://127.0.0.1/x": "loopback"}
	if got := strangers("./local.yaml", named, guard); len(got) != 0 {
		t.Errorf("a local document's servers are the operator's word, got %v", got)
	}
	got := strangers("https://docs.example.com/openapi.json", named, guard)
	if len(got) != 2 || got["own"] != nil {
		t.Fatalf("guarded = %v, want metadata and loopback", got)
	}
	for base, name := range named {
		if got[name] == nil {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := got[name].RoundTrip(r); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was called", base)
		}
	}
}
