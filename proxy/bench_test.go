package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"
)

// PF-7: breaker and pool choice, ≤ 300 ns.
func BenchmarkChoose(b *testing.B) {
	tg := pooled(b, "east", "", shape{1, 1, "east"}, shape{3, 1, "east"}, shape{1, 2, "west"})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		i, p, _, _ := tg.choose(now, 0, "")
		tg.members[i].road.succeed(p, now)
	}
}

// PF-7: header filter, both ways, ≤ 1 µs.
func BenchmarkHeaderFilter(b *testing.B) {
	h := NewHygiene()
	caller := http.Header{
		"Accept": {"*/*"}, "Authorization": {"Bearer x"}, "Content-Type": {"application/json"}, "User-Agent": {"openai/1"},
		"X-Stainless-Lang": {"python"}, "X-Stainless-Os": {"linux"}, "Idempotency-Key": {"k"}, "Accept-Encoding": {"gzip"},
	}
	answer := http.Header{
		"Content-Type": {"application/json"}, "Date": {"x"}, "Server": {"x"}, "X-Ratelimit-Remaining-Tokens": {"1"}, "Apim-Request-Id": {"x"},
	}
	out := http.Header{"Content-Type": {"application/json"}}
	b.ReportAllocs()
	for b.Loop() {
		h.carry(out, caller, LLM, nil)
		h.clean(out, LLM, nil)
		_ = h.back(answer, nil)
	}
}

const benchBody = `{"model":"m","messages":[{"role":"user","content":"hello"}],"max_tokens":100}`

func benchBackend(b *testing.B) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, benchBody)
	}))
	b.Cleanup(server.Close)
	return server
}

// BenchmarkDo is a whole call behind a server, to be read beside BenchmarkReverseProxy.
func BenchmarkDo(b *testing.B) {
	backend := benchBackend(b)
	p := newPipeline(b, Config{Backends: []BackendConfig{{Name: "a", URL: backend.URL, Breaker: &BreakerConfig{}}}}, Deps{Recorder: &discard{}})
	front(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call := &Call{ID: "r", Surface: LLM, Endpoint: "chat", Model: "m", Target: "a", Idempotent: true, Request: RequestFacts{Header: r.Header},
			Build: func(ctx context.Context, b *Backend) (*http.Request, error) {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.URL.String()+"/x", bytes.NewReader(body))
				if err == nil {
					req.Header["Content-Type"] = []string{"application/json"}
				}
				return req, err
			}}
		a, err := p.Do(r.Context(), call)
		if err != nil {
			b.Error(err)
			return
		}
		for name, values := range a.Header {
			w.Header()[name] = values
		}
		w.Header()["Content-Length"] = a.Upstream["Content-Length"]
		w.WriteHeader(a.Status)
		_, _ = io.Copy(w, a.Body)
		_ = a.Body.Close()
		a.Settle(Outcome{Ending: EndOK})
	}))
}

// canned answers at once.
type canned struct{}

func (canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ContentLength: int64(len(benchBody)), Body: io.NopCloser(strings.NewReader(benchBody)), Request: req,
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}, "Content-Length": {"78"}},
	}, nil
}

// BenchmarkRoad is what the pipeline itself does for a call that is answered at once: no policies, no network.
func BenchmarkRoad(b *testing.B) {
	p := newPipeline(b, Config{Backends: []BackendConfig{{Name: "a", URL: "http://a.example", Breaker: &BreakerConfig{}}}},
		Deps{Recorder: &discard{}, Transport: func(BackendConfig) http.RoundTripper { return canned{} }})
	call := &Call{ID: "r", Surface: MCP, Endpoint: "tool", Tool: "tool", Target: "a", Request: RequestFacts{Header: http.Header{"Accept": {"*/*"}}},
		Build: func(ctx context.Context, b *Backend) (*http.Request, error) {
			return (&http.Request{Method: http.MethodGet, URL: b.URL, Header: http.Header{"Accept": {"application/json"}}}).WithContext(ctx), nil
		}}
	buf := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithCancel(context.Background()) // of the caller's request
		a, err := p.Do(ctx, call)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = a.Body.Read(buf)
		}
		_ = a.Body.Close()
		a.Settle(Outcome{Ending: EndOK})
		cancel()
	}
}

func BenchmarkReverseProxy(b *testing.B) {
	backend := benchBackend(b)
	u, _ := url.Parse(backend.URL)
	rp := httputil.NewSingleHostReverseProxy(u)
	rp.Transport = newTransport(&BackendConfig{}, nil)
	front(b, rp)
}

type discard struct{}

func (*discard) Record(Record) {}

func front(b *testing.B, h http.Handler) {
	server := httptest.NewServer(h)
	b.Cleanup(server.Close)
	client := &http.Client{Transport: newTransport(&BackendConfig{}, nil)}
	b.Cleanup(client.CloseIdleConnections)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Post(server.URL+"/x", "application/json", bytes.NewReader([]byte(benchBody)))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}
