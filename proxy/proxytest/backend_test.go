package proxytest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStepsComeInOrderAndTheLastRepeats(t *testing.T) {
	b := New(t, Step{Status: 503}, Step{Body: "a", Chunks: []string{"b", "c"}})
	for i, want := range []string{"503 ", "200 abc", "200 abc"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/p?q=1", strings.NewReader("body"))
		resp, err := b.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := resp.Status[:3] + " " + string(body); got != want {
			t.Errorf("answer %d: %q, want %q", i, got, want)
		}
	}
	if r := b.Requests()[2]; b.Count() != 3 || r.URL != "/p?q=1" || string(r.Body) != "body" || r.Method != http.MethodPost {
		t.Errorf("recorded %+v", r)
	}
}

func TestFaultsAreErrorsForTheClient(t *testing.T) {
	for name, s := range map[string]Step{
		"before headers": {ResetBeforeHeaders: true}, "mid body": {Body: "x", ResetMidBody: true}, "early": {Body: "x", CloseEarly: true},
	} {
		for _, start := range []func(testing.TB, ...Step) *Backend{New, InMemory} {
			b := start(t, s)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL, nil)
			resp, err := b.Transport().RoundTrip(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	}
}

func TestTimePassesInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := InMemory(t, Step{Delay: time.Hour, Chunks: []string{"a"}, Drip: time.Hour}), time.Now()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL, nil)
		resp, err := b.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if took := time.Since(start); took != 2*time.Hour {
			t.Errorf("took %v", took)
		}
	})
}
